//! First match, resolved: for each class and pair of classes, the chain of the rules that match it.
//!
//! What a chain answers for each service is in [`verdict`]. Rules from `any` to `any` may stand in either
//! family of one side; they are put where there are fewer classes, since each chain repeats them.

mod audit;
mod family;
mod pair;
mod store;
mod verdict;

use netctl_common::abi::{ChainEntry, PairKey};

use self::family::Families;
pub(super) use self::pair::members;
use self::store::ChainStore;
pub(super) use self::store::{RuleServices, Steps};
pub(super) use self::verdict::Verdicts;
use super::address::{Both, Side};
use super::budget::Meter;
use super::error::CompileError;
use super::grouped::Grouped;
use super::signature::{Signature, Signatures};
use crate::config::Rule;

/// The chains of all classes.
pub(super) struct Chains {
    /// Whether rules from `any` to `any` are in the chains of sources.
    pub(super) everywhere_by_source: bool,
    /// Of all rules.
    pub(super) all: Entries,
    /// Of the rules that are enforced; only where others are audited.
    pub(super) enforced: Option<Entries>,
    pub(super) steps: Steps,
}

/// Where each class and pair of classes finds its chain.
pub(super) struct Entries {
    /// Index: class.
    pub(super) sides: Both<Vec<ChainEntry>>,
    /// Sorted; only pairs that a rule names.
    pub(super) pairs: Vec<(PairKey, ChainEntry)>,
}

/// What chains are made of.
#[derive(Clone, Copy)]
pub(super) struct Parts<'a> {
    pub(super) rules: &'a [Rule],
    pub(super) sides: &'a Both<Side<'a>>,
    /// Index: class. The lists that hold it.
    pub(super) signatures: &'a Both<Vec<Signature>>,
    pub(super) members: &'a Both<Grouped>,
    pub(super) services: RuleServices<'a>,
}

impl Chains {
    pub(super) fn new(
        parts: Parts<'_>,
        (signatures, meter): (&Signatures, &mut Meter<'_>),
    ) -> Result<Self, CompileError> {
        let mut store = ChainStore::new();
        let everywhere_by_source = parts.signatures.source.len() < parts.signatures.destination.len();
        let mut entries = |families: Families| {
            entries(parts, (&families, everywhere_by_source), &mut store, (signatures, &mut *meter))
        };
        let all = entries(Families::new(parts.sides, |_| true))?;
        let is_enforced = |rule: u32| !parts.rules[rule as usize].audit;
        let is_audited = parts.rules.iter().any(|rule| rule.audit);
        let enforced = is_audited.then(|| entries(Families::new(parts.sides, is_enforced))).transpose()?;
        Ok(Self { everywhere_by_source, all, enforced, steps: store.steps })
    }

    /// Those that decide whether a rule is reached: before an audited rule stand all, before another one the enforced.
    pub(super) fn before(&self, is_audited: bool) -> &Entries {
        if is_audited { &self.all } else { self.enforced.as_ref().unwrap_or(&self.all) }
    }

    /// Pairs of both.
    pub(super) fn pairs(&self) -> usize {
        self.all.pairs.len() + self.enforced.as_ref().map_or(0, |enforced| enforced.pairs.len())
    }
}

fn entries(
    parts: Parts<'_>,
    (families, everywhere_by_source): (&Families, bool),
    store: &mut ChainStore,
    (signatures, meter): (&Signatures, &mut Meter<'_>),
) -> Result<Entries, CompileError> {
    let everywhere = |here: bool| if here { families.everywhere.as_slice() } else { &[] };
    let mut side = |classes: &[Signature], rules: &Grouped, everywhere: &[u32]| {
        let mut chains = Vec::with_capacity(classes.len());
        let (mut lists, mut chain) = (Vec::new(), Vec::new());
        for class in classes {
            signatures.elements(*class, &mut lists);
            chain.clear();
            chain.extend_from_slice(everywhere);
            lists.iter().for_each(|list| chain.extend_from_slice(rules.of(*list)));
            meter.spend((lists.len() + chain.len()) as u64)?;
            chain.sort_unstable();
            chains.push(store.chain(&chain, parts.services));
        }
        Ok::<_, CompileError>(chains)
    };
    let classes = parts.signatures;
    let sides = Both {
        source: side(&classes.source, &families.one_sided.source, everywhere(everywhere_by_source))?,
        destination: side(
            &classes.destination,
            &families.one_sided.destination,
            everywhere(!everywhere_by_source),
        )?,
    };
    let pairs = pair::pairs(parts, families, store, (signatures, meter))?;
    Ok(Entries { sides, pairs })
}
