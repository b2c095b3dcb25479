//! Every map by name: what it holds, its shape, fill and memory, and its elements in the document's words.

mod captures;
mod classes;
mod facts;
mod find;
mod generation;
mod journal;
mod memory;
mod ports;
mod raw;
mod services;
mod shared;

use netctl_common::abi::{Root, maps};
use serde::Serialize;

pub use facts::MapFacts;
pub use find::find;
pub use memory::{MapMemory, Memory, MemorySums};
pub(super) use shared::element;

use super::Kernel;
use super::KernelError;
use super::running::RunningPort;
use crate::config::Config;
use crate::names::Names;

/// Whose tables a map's are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// One map for the host.
    Host,
    /// A table for each of the two slots of generations.
    Generation,
    /// A table for each port.
    Port,
}

impl Scope {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Generation => "generation",
            Self::Port => "port",
        }
    }
}

/// What is stored under a name.
#[derive(Clone, Copy, Debug)]
struct Known {
    name: &'static str,
    scope: Scope,
    what: &'static str,
}

const fn host(name: &'static str, what: &'static str) -> Known {
    Known { name, scope: Scope::Host, what }
}

const fn generation(name: &'static str, what: &'static str) -> Known {
    Known { name, scope: Scope::Generation, what }
}

const fn port(name: &'static str, what: &'static str) -> Known {
    Known { name, scope: Scope::Port, what }
}

/// In the order of the data path.
const KNOWN: [Known; 34] = [
    host(maps::ROOT, "the running generation, and its ports by the index of their interface"),
    generation("stations", "MAC addresses of ports and of the host"),
    generation("trunks", "VLANs whose tags a port takes"),
    generation("addresses", "who has an address, and its classes"),
    generation("prefixes", "classes of all other addresses, longest prefix first"),
    generation(maps::LEARNERS, "ports that learn their addresses"),
    generation(
        maps::LEARNED_CLASSES,
        "classes of addresses that ports learn, by who they are and which prefixes they are in",
    ),
    generation("services", "classes of ports, ICMP types, protocols and ethertypes"),
    generation("service_pairs", "classes of (destination port, source port)"),
    generation("source_chains", "rules to anyone, by source class"),
    generation("dest_chains", "rules from anyone, by destination class"),
    generation("pair_chains", "other rules, by source and destination class"),
    generation("verdicts", "first rule of a chain for a service class"),
    generation(maps::LIMITS, "rates that ports are held to"),
    generation(maps::RULES, "action and line of each rule"),
    generation(maps::RULE_COUNTERS, "frames by rule, one row for each CPU"),
    generation(maps::DOCUMENT, "the document that the generation was compiled from"),
    port(maps::FLOWS, "connections that have settled, one table for each port"),
    port(maps::OPENINGS, "other connections and fragments, one table for each port"),
    port(maps::PORT_COUNTERS, "frames by direction and reason, one table for each port"),
    host(maps::STRAY_COUNTERS, "frames at interfaces that are no ports"),
    host(maps::QUOTAS, "how many more flows of one guest may settle at another"),
    host(maps::BUCKETS, "how much of its limits each port has left"),
    host(maps::LEASES, "addresses that ports have learned"),
    host(maps::LEASE_BOOKS, "what each port has learned, to bound it"),
    host(maps::JOURNAL, "the last events"),
    host(maps::JOURNAL_END, "how many events there ever were"),
    host(maps::CAPTURES, "what is captured"),
    host(maps::CAPTURE_STATES, "what captures have left out"),
    host(maps::CAPTURE_RINGS, "captured frames that nobody has read yet, one ring for each capture"),
    host(maps::CAPTURES_UNTIL, "when the last capture is over"),
    host(maps::LOG_BUDGETS, "events that each rule with a rate of its own may still cause"),
    host(maps::EVENT_BUDGET, "events that each port may still send"),
    host(maps::REJECT_BUDGET, "answers to rejected frames that each port may still cause"),
];

pub fn known_maps() -> impl Iterator<Item = &'static str> {
    KNOWN.iter().map(|known| known.name)
}

fn scope(map: &str) -> Scope {
    KNOWN.iter().find(|known| known.name == map).map_or(Scope::Host, |known| known.scope)
}

/// One element in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Element {
    pub key: String,
    pub value: String,
}

/// What runs, for its words.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    pub root: &'a Root,
    pub ports: &'a [RunningPort],
    pub names: &'a Names,
    pub config: &'a Config,
}

impl Kernel {
    /// The elements of a map that say something; empty rows of arrays are left out. `only`: those of one port, where the
    /// map tells ports apart.
    ///
    /// # Errors
    /// A map that cannot be read, or of a name that is not among [`known_maps`].
    pub fn dump(
        &self,
        map: &str,
        context: &Context<'_>,
        only: &[&RunningPort],
    ) -> Result<Vec<Element>, KernelError> {
        match map {
            maps::FLOWS
            | maps::OPENINGS
            | maps::PORT_COUNTERS
            | maps::EVENT_BUDGET
            | maps::REJECT_BUDGET
            | maps::BUCKETS => {
                let mut elements = Vec::new();
                for port in only {
                    elements.extend(self.dump_of_port(map, context, port)?);
                }
                Ok(elements)
            }
            maps::STRAY_COUNTERS => Ok(ports::counters("-", &self.stray_counters()?)),
            maps::LEASES => self.dump_leases(context.names),
            maps::LEASE_BOOKS => self.dump_lease_books(context.names),
            maps::QUOTAS => self.dump_quotas(context.names),
            maps::JOURNAL => self.dump_journal(context.names),
            maps::JOURNAL_END => self.dump_journal_end(),
            maps::LOG_BUDGETS => self.dump_log_budgets(context),
            maps::CAPTURES => self.dump_captures(context.names),
            maps::CAPTURE_STATES => self.dump_capture_states(),
            maps::CAPTURE_RINGS => self.dump_capture_rings(),
            maps::CAPTURES_UNTIL => self.dump_captures_until(),
            maps::DOCUMENT => {
                let text = self.document(context.root)?;
                Ok((1..).zip(text.lines()).map(|(line, text): (u32, _)| element(line, text)).collect())
            }
            _ => self.dump_generation(map, context),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::load::pinned_maps;

    #[test]
    fn every_map_that_is_pinned_is_known_once() {
        let mut pinned: Vec<_> = pinned_maps().collect();
        let mut known: Vec<_> = known_maps().collect();
        pinned.sort_unstable();
        known.sort_unstable();
        assert_eq!(known, pinned);
    }

    #[test]
    fn the_maps_of_a_generation_are_those_of_the_abi() {
        let of_generation = |known: &&Known| known.scope == Scope::Generation;
        let known: Vec<_> = KNOWN.iter().filter(of_generation).map(|known| known.name).collect();
        assert_eq!(known, maps::GENERATION);
    }
}
