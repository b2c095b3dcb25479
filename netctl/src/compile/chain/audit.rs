//! The chains as the tables hold them: those of the enforced rules stand behind those of all.

use std::collections::BTreeMap;

use netctl_common::abi::{ChainEntry, PairKey};

use super::Chains;
use crate::compile::address::Both;

impl Chains {
    /// What is added to a class for its chain of the rules that are enforced ([`netctl_common::abi::RuleEntry::enforced`]).
    /// The same on both sides, so that classes and keys of pairs are shifted alike; 0 where no rule is audited.
    pub(in crate::compile) fn shift(&self) -> u32 {
        let Both { source, destination } = &self.all.sides;
        if self.enforced.is_some() { source.len().max(destination.len()) as u32 } else { 0 }
    }

    /// Elements of both sides' arrays.
    pub(in crate::compile) fn elements(&self) -> usize {
        let Both { source, destination } = &self.all.sides;
        let shifted = if self.enforced.is_some() { 2 * self.shift() as usize } else { 0 };
        source.len() + destination.len() + shifted
    }

    /// Chains by class, and by pair of classes.
    pub(in crate::compile) fn into_tables(self) -> (Both<Vec<ChainEntry>>, BTreeMap<PairKey, ChainEntry>) {
        let shift = self.shift();
        let (mut sides, mut pairs) = (self.all.sides, self.all.pairs);
        if let Some(enforced) = self.enforced {
            let both = [
                (&mut sides.source, enforced.sides.source),
                (&mut sides.destination, enforced.sides.destination),
            ];
            for (side, behind) in both {
                side.resize(shift as usize, ChainEntry::EMPTY);
                side.extend(behind);
            }
            let shifted =
                |key: PairKey| PairKey { source: key.source + shift, destination: key.destination + shift };
            pairs.extend(enforced.pairs.into_iter().map(|(key, entry)| (shifted(key), entry)));
        }
        (sides, pairs.into_iter().collect())
    }
}
