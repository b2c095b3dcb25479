//! Chains, stored once each.

use hashbrown::HashMap;
use netctl_common::abi::{ChainEntry, EMPTY_CHAIN, NO_RULE};

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

/// Chains by their steps; two chains that differ only in `otherwise` are one.
pub(in crate::compile) struct ChainStore {
    numbers: HashMap<Box<[Step]>, u32>,
    /// Index: chain.
    pub(in crate::compile) chains: Vec<Box<[Step]>>,
    scratch: Vec<Step>,
}

impl ChainStore {
    pub(super) fn new() -> Self {
        let empty: Box<[Step]> = Box::default();
        Self {
            numbers: HashMap::from([(empty.clone(), EMPTY_CHAIN)]),
            chains: vec![empty],
            scratch: Vec::new(),
        }
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
        ChainEntry { chain: self.number(), otherwise }
    }

    fn number(&mut self) -> u32 {
        if let Some(chain) = self.numbers.get(self.scratch.as_slice()) {
            return *chain;
        }
        let (chain, steps) = (self.chains.len() as u32, Box::<[Step]>::from(self.scratch.as_slice()));
        self.chains.push(steps.clone());
        self.numbers.insert(steps, chain);
        chain
    }
}
