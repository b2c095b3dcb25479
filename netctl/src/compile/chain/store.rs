//! Chains, stored once each.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};
use netctl_common::abi::{ChainEntry, NO_RULE};

use crate::compile::service::{Services, Taken};

/// A rule of a chain, and what of it the chain's verdicts hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::compile) struct Step {
    pub(in crate::compile) rule: u32,
    /// Only frames without IP: the others are decided by an earlier rule for any IP service, or by the rule
    /// itself as the chain's `otherwise`.
    pub(in crate::compile) only_frames: bool,
}

/// What was resolved of the rules' services.
#[derive(Clone, Copy)]
pub(in crate::compile) struct RuleServices<'a> {
    /// Index: rule.
    pub(in crate::compile) list_of: &'a [u32],
    pub(in crate::compile) services: &'a Services,
}

impl RuleServices<'_> {
    pub(in crate::compile) fn taken(&self, rule: u32) -> &Taken {
        &self.services.lists[self.list_of[rule as usize] as usize]
    }
}

/// The steps of all chains, end to end. Chain 0 is [`netctl_common::abi::EMPTY_CHAIN`].
pub(in crate::compile) struct Steps {
    all: Vec<Step>,
    /// Index: chain. Where it ends, which is where the next begins.
    ends: Vec<u32>,
}

impl Steps {
    pub(in crate::compile) fn of(&self, chain: u32) -> &[Step] {
        let first = (chain as usize).checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.all[first as usize..self.ends[chain as usize] as usize]
    }

    pub(in crate::compile) fn chains(&self) -> u32 {
        self.ends.len() as u32
    }
}

/// Chains by their steps; two chains that differ only in `otherwise` are one.
pub(super) struct ChainStore {
    pub(super) steps: Steps,
    index: HashTable<u32>,
    hasher: DefaultHashBuilder,
    scratch: Vec<Step>,
}

impl ChainStore {
    pub(super) fn new() -> Self {
        let mut store = Self {
            steps: Steps { all: Vec::new(), ends: Vec::new() },
            index: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            scratch: Vec::new(),
        };
        store.intern();
        store
    }

    /// The chain of `rules`, which are ascending.
    pub(super) fn chain(&mut self, rules: &[u32], services: RuleServices<'_>) -> ChainEntry {
        let mut otherwise = NO_RULE;
        self.scratch.clear();
        for &rule in rules {
            let taken = services.taken(rule);
            if otherwise == NO_RULE && taken.any {
                otherwise = rule;
            }
            let only_frames = otherwise != NO_RULE || taken.ip.is_empty();
            if !only_frames || !taken.frames.is_empty() {
                self.scratch.push(Step { rule, only_frames });
            }
        }
        ChainEntry { chain: self.intern(), otherwise }
    }

    /// The number of the chain in `scratch`.
    fn intern(&mut self) -> u32 {
        let Self { steps, index, hasher, scratch } = self;
        let hash = hasher.hash_one(&*scratch);
        if let Some(chain) = index.find(hash, |chain| steps.of(*chain) == *scratch) {
            return *chain;
        }
        let chain = steps.chains();
        steps.all.extend_from_slice(scratch);
        steps.ends.push(steps.all.len() as u32);
        index.insert_unique(hash, chain, |chain| hasher.hash_one(steps.of(*chain)));
        chain
    }
}
