//! What addresses that ports learn are to the rules: nobody knows them here, so that every port that learns is put
//! together with every region of addresses that rules tell apart.

use std::collections::BTreeMap;

use hashbrown::HashMap;
use netctl_common::abi::{Classes, LearnedKey};

use super::prefix::PrefixTree;
use super::{Both, ClassNumbers};
use crate::compile::error::{CompileError, Resource};
use crate::compile::signature::Signature;
use crate::config::{Addresses, Config};

/// All empty, and all numbers 0, where no port learns.
#[derive(Default)]
pub(in crate::compile) struct Learned {
    /// In the order of [`Config::ports`]: equal for ports that the rules do not tell apart.
    pub(in crate::compile) identities: Vec<u32>,
    /// In the order of the prefixes: equal for those in which addresses are the same to the rules.
    pub(in crate::compile) regions: Vec<u32>,
    pub(in crate::compile) classes: BTreeMap<LearnedKey, Classes>,
}

/// `ports`: the lists that name each port; `inside`: those that hold each prefix.
pub(super) fn learned(
    config: &Config,
    (tree, inside): (&PrefixTree, &[Both<Signature>]),
    ports: &[Both<Signature>],
    numbers: &mut ClassNumbers<'_, '_>,
) -> Result<Learned, CompileError> {
    let mut learned = Learned {
        identities: vec![0; ports.len()],
        regions: vec![0; inside.len()],
        classes: BTreeMap::new(),
    };
    let learners = config.ports.values().zip(ports).zip(&mut learned.identities);
    let learners = learners.filter(|((port, _), _)| port.addresses == Addresses::Learned);
    let mut identities = Distinct::default();
    learners.for_each(|((_, signature), identity)| *identity = identities.number(*signature));
    if identities.all.is_empty() {
        return Ok(learned);
    }
    let mut regions = Distinct::default();
    for ((prefix, signature), region) in tree.prefixes().iter().zip(inside).zip(&mut learned.regions) {
        // Nobody learns a group's address.
        if !prefix.is_multicast() && !prefix.is_broadcast() {
            *region = regions.number(*signature);
        }
    }
    let all = identities.all.len() as u64 * regions.all.len() as u64;
    numbers.meter.budget.check(Resource::Learned, all, || None)?;
    for (identity, port) in (0..).zip(&identities.all) {
        for (region, around) in (0..).zip(&regions.all) {
            let signature = port.union(*around, numbers.signatures);
            learned.classes.insert(LearnedKey { identity, region }, numbers.of(signature)?);
        }
    }
    Ok(learned)
}

/// Signatures, numbered in the order in which they come.
#[derive(Default)]
struct Distinct {
    all: Vec<Both<Signature>>,
    numbers: HashMap<Both<Signature>, u32>,
}

impl Distinct {
    fn number(&mut self, signature: Both<Signature>) -> u32 {
        *self.numbers.entry(signature).or_insert_with(|| {
            self.all.push(signature);
            self.all.len() as u32 - 1
        })
    }
}
