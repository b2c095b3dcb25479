//! Sets of services, as the classes that the compiler gave them: which of them two classes of addresses may use.

use std::collections::HashMap;

use netctl_common::abi::{ChainEntry, EMPTY_CHAIN, NO_RULE, PairKey, VerdictKey};
use netctl_common::verdict::Action;

use crate::compile::Compiled;

/// A set, by its number in [`Sets`]: equal sets have equal numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct SetId(u32);

impl SetId {
    pub(super) const EMPTY: Self = Self(0);
}

/// Bits by class of services.
pub(super) type Bits = Box<[u64]>;

pub(super) fn has(bits: &[u64], class: u32) -> bool {
    bits.get(class as usize / 64).is_some_and(|word| word >> (class % 64) & 1 != 0)
}

/// Every set that was asked for, once.
pub(super) struct Sets<'c> {
    compiled: &'c Compiled,
    /// To the chains of the rules that are enforced.
    shift: u32,
    classes: usize,
    all: Vec<Bits>,
    ids: HashMap<Bits, SetId>,
    by_chains: HashMap<[ChainEntry; 3], SetId>,
    intersections: HashMap<(SetId, SetId), SetId>,
}

impl<'c> Sets<'c> {
    pub(super) fn new(compiled: &'c Compiled) -> Self {
        let in_rows = || compiled.services.iter().flatten().map(|class| u32::from(*class)).max();
        let last = compiled.service_pairs.iter().copied().max().or_else(in_rows).unwrap_or(0);
        let mut this = Self {
            compiled,
            shift: compiled.rules.iter().map(|rule| rule.enforced).max().unwrap_or(0),
            classes: last as usize + 1,
            all: Vec::new(),
            ids: HashMap::new(),
            by_chains: HashMap::new(),
            intersections: HashMap::new(),
        };
        this.add(vec![0; this.classes.div_ceil(64)].into());
        this
    }

    pub(super) fn get(&self, set: SetId) -> &Bits {
        &self.all[set.0 as usize]
    }

    /// The services that the rules allow from one class to another.
    pub(super) fn of(&mut self, source: u32, destination: u32) -> SetId {
        let (source, destination) = (source + self.shift, destination + self.shift);
        let tables = self.compiled;
        let side = |chains: &[ChainEntry], class: u32| chains.get(class as usize).copied();
        let chains = [
            side(&tables.destination_chains, destination),
            side(&tables.source_chains, source),
            tables.pair_chains.get(&PairKey { source, destination }).copied(),
        ];
        let chains = chains.map(|chain| chain.unwrap_or(ChainEntry::EMPTY));
        if let Some(set) = self.by_chains.get(&chains) {
            return *set;
        }
        let allowed = self.allowed(&chains);
        let set = self.add(allowed);
        self.by_chains.insert(chains, set);
        set
    }

    /// As `netctl_common::classify::first_match`, for every class of services at once.
    fn allowed(&self, chains: &[ChainEntry; 3]) -> Bits {
        let otherwise = chains.iter().map(|chain| chain.otherwise).min().unwrap_or(NO_RULE);
        let mut first = vec![otherwise; self.classes];
        for chain in chains.iter().map(|chain| chain.chain).filter(|chain| *chain != EMPTY_CHAIN) {
            let all = VerdictKey { chain, service: 0 }..=VerdictKey { chain, service: u32::MAX };
            for (key, rule) in self.compiled.verdicts.range(all) {
                if let Some(first) = first.get_mut(key.service as usize) {
                    *first = (*first).min(*rule);
                }
            }
        }
        let mut bits = vec![0u64; self.classes.div_ceil(64)];
        for (class, _) in first.iter().enumerate().filter(|(_, rule)| self.allows(**rule)) {
            bits[class / 64] |= 1 << (class % 64);
        }
        bits.into()
    }

    fn allows(&self, rule: u32) -> bool {
        match self.compiled.rules.get(rule as usize) {
            Some(entry) if rule != NO_RULE => entry.action == Action::Allow as u32,
            _ => self.compiled.default == Action::Allow,
        }
    }

    pub(super) fn intersection(&mut self, one: SetId, other: SetId) -> SetId {
        if one == other {
            return one;
        }
        let key = (one.min(other), one.max(other));
        if let Some(set) = self.intersections.get(&key) {
            return *set;
        }
        let both = self.get(one).iter().zip(self.get(other).iter()).map(|(a, b)| a & b).collect();
        let set = self.add(both);
        self.intersections.insert(key, set);
        set
    }

    fn add(&mut self, bits: Bits) -> SetId {
        let next = SetId(self.all.len() as u32);
        let id = *self.ids.entry(bits.clone()).or_insert(next);
        if id == next {
            self.all.push(bits);
        }
        id
    }
}
