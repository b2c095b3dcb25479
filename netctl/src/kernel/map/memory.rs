//! How much kernel memory the maps take, and what a port and a rule cost.

use netctl_common::abi::{Root, SLOTS, maps};
use serde::Serialize;

use super::super::{Kernel, KernelError};
use super::facts::memory;
use super::{KNOWN, MapFacts, Scope};

/// One map with what all of its tables take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MapMemory {
    #[serde(flatten)]
    pub facts: MapFacts,
    /// Bytes of the tables in the slot that does not run: of the generation before.
    pub idle: u64,
    /// Bytes of the array of tables itself.
    pub outer: u64,
}

/// Bytes of kernel memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MemorySums {
    /// Maps of the host, and the arrays of tables.
    pub host: u64,
    /// Tables of the generation that runs.
    pub generation: u64,
    /// Tables of the generation before, which its successor takes the place of.
    pub idle_generation: u64,
    /// Tables of all ports.
    pub ports: u64,
    /// `ports`, by their number; 0 without ports.
    pub one_port: u64,
    /// What rules decide the size of, of one generation, by the number of rules; 0 without rules.
    pub one_rule: u64,
    pub total: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Memory {
    pub maps: Vec<MapMemory>,
    pub sums: MemorySums,
    /// Number of ports, of rules.
    pub ports: u64,
    pub rules: u64,
}

/// Tables that grow with the rules, and not with ports and addresses. `services` has a fixed size.
const OF_RULES: [&str; 8] = [
    "prefixes",
    "service_pairs",
    "source_chains",
    "dest_chains",
    "pair_chains",
    "verdicts",
    maps::RULES,
    maps::RULE_COUNTERS,
];

impl Kernel {
    pub fn memory(&self, root: &Root) -> Result<Memory, KernelError> {
        let facts = self.map_facts(root)?;
        let maps: Result<Vec<MapMemory>, KernelError> = facts
            .into_iter()
            .map(|facts| {
                let idle = self.idle_memory(facts.name, root)?;
                Ok(MapMemory { idle, outer: self.outer_memory(facts.name, facts.scope)?, facts })
            })
            .collect();
        let (maps, ports) = (maps?, self.ports()?.len() as u64);
        Ok(Memory { sums: sums(&maps, ports, root.rules.into()), maps, ports, rules: root.rules.into() })
    }

    fn idle_memory(&self, name: &str, root: &Root) -> Result<u64, KernelError> {
        let of_generation = KNOWN.iter().any(|known| known.name == name && known.scope == Scope::Generation);
        if !of_generation {
            return Ok(0);
        }
        let idle = self.inner_if_set(name, (root.slot + 1) % SLOTS)?;
        Ok(idle.and_then(|table| memory(&table)).unwrap_or(0))
    }

    fn outer_memory(&self, name: &str, scope: Scope) -> Result<u64, KernelError> {
        if scope == Scope::Host && name != maps::ROOT {
            return Ok(0);
        }
        Ok(memory(&self.map(name)?).unwrap_or(0))
    }
}

fn sums(maps: &[MapMemory], ports: u64, rules: u64) -> MemorySums {
    let of = |scope: Scope| {
        maps.iter().filter(move |map| map.facts.scope == scope).map(|map| map.facts.memory).sum::<u64>()
    };
    let outer: u64 = maps.iter().map(|map| map.outer).sum();
    let grown = maps.iter().filter(|map| OF_RULES.contains(&map.facts.name)).map(|map| map.facts.memory);
    let (host, generation, of_ports) = (of(Scope::Host) + outer, of(Scope::Generation), of(Scope::Port));
    let idle_generation = maps.iter().map(|map| map.idle).sum();
    MemorySums {
        host,
        generation,
        idle_generation,
        ports: of_ports,
        one_port: of_ports.checked_div(ports).unwrap_or(0),
        one_rule: grown.sum::<u64>().checked_div(rules).unwrap_or(0),
        total: host + generation + idle_generation + of_ports,
    }
}
