//! Numbers for names: port ids and zones, which outlive a generation; networks, which do not.

use std::collections::{BTreeMap, BTreeSet};

use netctl_common::abi::MAX_PORTS;

use super::error::CompileError;
use crate::config::Config;

/// Name of the zone of networks that name none. Its number is 0.
pub const DEFAULT_ZONE: &str = "default";

/// The id of each port of a document, below [`MAX_PORTS`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortIds(BTreeMap<String, u32>);

impl PortIds {
    /// Ports that run keep their id, others take the lowest free one. Ids of ports that leave are taken last:
    /// their flows and counters are in use until the new generation runs.
    pub fn assign(running: &BTreeMap<String, u32>, config: &Config) -> Result<Self, CompileError> {
        if config.ports.len() > MAX_PORTS as usize {
            return Err(CompileError::TooManyPorts { found: config.ports.len(), limit: MAX_PORTS });
        }
        let taken = check_running(running)?;
        let stays = |name: &String| config.ports.contains_key(name);
        let mut ids: BTreeMap<String, u32> =
            running.iter().filter(|(name, _)| stays(name)).map(|(name, id)| (name.clone(), *id)).collect();
        let leaving = running.iter().filter(|(name, _)| !stays(name)).map(|(_, id)| *id);
        let leaving: BTreeSet<u32> = leaving.collect();
        let mut free = (0..MAX_PORTS).filter(|id| !taken.contains_key(id)).chain(leaving);
        for name in config.ports.keys().filter(|name| !running.contains_key(*name)) {
            // There are not more ports than ids, and each id is offered once.
            let id = free
                .next()
                .ok_or(CompileError::TooManyPorts { found: config.ports.len(), limit: MAX_PORTS })?;
            ids.insert(name.clone(), id);
        }
        Ok(Self(ids))
    }

    pub fn get(&self, port: &str) -> Option<u32> {
        self.0.get(port).copied()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, u32)> {
        self.0.iter().map(|(name, id)| (name.as_str(), *id))
    }
}

fn check_running(running: &BTreeMap<String, u32>) -> Result<BTreeMap<u32, &String>, CompileError> {
    let mut taken = BTreeMap::new();
    for (port, &id) in running {
        if id >= MAX_PORTS {
            return Err(CompileError::IdOutOfRange { port: port.clone(), id, limit: MAX_PORTS });
        }
        if let Some(first) = taken.insert(id, port) {
            return Err(CompileError::IdTakenTwice { first: first.clone(), second: port.clone(), id });
        }
    }
    Ok(taken)
}

/// The number of each zone, the same in every document that names it, since learned addresses are kept by it:
/// [`DEFAULT_ZONE`] is 0, any other a hash of its name. Where two hashes meet, the name that sorts behind moves on.
pub fn zone_numbers(config: &Config) -> BTreeMap<&str, u32> {
    let named: BTreeSet<&str> =
        config.networks.values().map(|n| n.zone.as_str()).filter(|zone| *zone != DEFAULT_ZONE).collect();
    let mut taken = BTreeSet::from([0]);
    let mut numbers = BTreeMap::from([(DEFAULT_ZONE, 0)]);
    for zone in named {
        let mut number = hash(zone);
        while !taken.insert(number) {
            number = number.wrapping_add(1);
        }
        numbers.insert(zone, number);
    }
    numbers
}

/// FNV-1a of 32 bits: the same in every build.
fn hash(name: &str) -> u32 {
    name.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// The number of each network: its place by name.
pub fn network_numbers(config: &Config) -> Result<BTreeMap<&str, u16>, CompileError> {
    let limit = usize::from(u16::MAX) + 1;
    if config.networks.len() > limit {
        return Err(CompileError::TooManyNetworks { found: config.networks.len(), limit });
    }
    Ok(config.networks.keys().map(String::as_str).zip(0..=u16::MAX).collect())
}
