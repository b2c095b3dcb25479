//! A policy with its classes and chains: everything that compiling and the lints have in common.

use netctl_common::classify::{SERVICE_ROW_LEN, SERVICE_ROWS, SERVICE_ROWS_WITH_SOURCE};

use super::address::{Addresses, Both, Side};
use super::budget::{Budget, Meter};
use super::chain::{Chains, Parts, RuleServices, Verdicts, members};
use super::error::{CompileError, Resource};
use super::grouped::Grouped;
use super::ids::zone_numbers;
use super::memory::Counts;
use super::service::{ServiceLists, Services};
use super::signature::Signatures;
use crate::config::Config;

/// See the parts.
pub(super) struct Resolved<'c> {
    pub(super) config: &'c Config,
    pub(super) signatures: Signatures,
    pub(super) sides: Both<Side<'c>>,
    pub(super) addresses: Addresses,
    /// The classes of the lists of each side.
    pub(super) members: Both<Grouped>,
    pub(super) service_lists: ServiceLists,
    pub(super) services: Services,
    pub(super) chains: Chains,
    pub(super) verdicts: Verdicts,
}

impl<'c> Resolved<'c> {
    pub(super) fn new(config: &'c Config, budget: &Budget) -> Result<Self, CompileError> {
        let rules = &config.policy.rules;
        let first_over = || rules.get(budget.rules as usize).map(|rule| rule.line);
        budget.check(Resource::Rules, rules.len() as u64, first_over)?;
        let meter = &mut Meter::new(budget);
        let mut signatures = Signatures::new(rules.len());
        let sides = Both {
            source: Side::new(config, |rule| &rule.from, &mut signatures)?,
            destination: Side::new(config, |rule| &rule.to, &mut signatures)?,
        };
        let zones = zone_numbers(config);
        let addresses = Addresses::new(config, &zones, &sides, (&mut signatures, meter))?;
        let service_lists = ServiceLists::new(rules);
        let services = Services::new(&service_lists.lists, (&mut signatures, meter))?;
        let lists = Both {
            source: members(sides.source.lists(), &addresses.signatures.source, (&signatures, meter))?,
            destination: members(
                sides.destination.lists(),
                &addresses.signatures.destination,
                (&signatures, meter),
            )?,
        };
        let rule_services = RuleServices { list_of: &service_lists.list_of, services: &services };
        let parts = Parts {
            rules,
            sides: &sides,
            signatures: &addresses.signatures,
            members: &lists,
            services: rule_services,
        };
        let chains = Chains::new(parts, (&signatures, meter))?;
        budget.check(Resource::Pairs, chains.pairs() as u64, || None)?;
        let verdicts = Verdicts::new(&chains.steps, rules, rule_services, meter)?;
        let this = Self {
            config,
            signatures,
            sides,
            addresses,
            members: lists,
            service_lists,
            services,
            chains,
            verdicts,
        };
        budget.check(Resource::Bytes, this.counts(zones.len()).bytes(budget.cpus), || None)?;
        Ok(this)
    }

    fn counts(&self, zones: usize) -> Counts {
        let with_source = self.services.source_services > 1;
        let rows = if with_source { SERVICE_ROWS_WITH_SOURCE } else { SERVICE_ROWS };
        Counts {
            ports: self.config.ports.len(),
            networks: self.config.networks.len(),
            addresses: self.addresses.owned.len(),
            prefixes: self.addresses.prefixes.len() * zones,
            learned: self.addresses.learned.classes.len(),
            services: rows as usize * SERVICE_ROW_LEN,
            service_pairs: self.services.pairs.len(),
            classes: self.chains.elements(),
            pairs: self.chains.pairs(),
            verdicts: self.verdicts.entries.len(),
            rules: self.config.policy.rules.len(),
        }
    }
}
