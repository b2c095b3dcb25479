//! A resolved policy as the contents of the kernel's tables.

use std::collections::BTreeMap;

use netctl_common::abi::{AddressEntry, Counter, NO_PORT, PrefixKey, RuleEntry, port_flags, rule_flags};

use super::address::{Owner, network_of};
use super::compiled::{Compiled, CompiledPort, CompiledUplink, HostStation};
use super::error::CompileError;
use super::ids::{PortIds, network_numbers, zone_numbers};
use super::resolved::Resolved;
use crate::config::{Addresses, Hairpin, Network, NetworkKind, Port, PortKind, Rule, Siblings};

impl Resolved<'_> {
    pub(super) fn into_tables(self, ids: &PortIds) -> Result<Compiled, CompileError> {
        let ports = self.ports(ids)?;
        let addresses = &self.addresses;
        let port_of = |owner| match owner {
            Owner::Port(number) => ports.get(number).map_or(NO_PORT, |port: &CompiledPort| port.id),
            Owner::Host => NO_PORT,
        };
        let owned = addresses
            .owned
            .iter()
            .map(|(key, owner, classes)| (*key, AddressEntry { port: port_of(*owner), classes: *classes }));
        Ok(Compiled {
            default: self.config.policy.default,
            world: addresses.world,
            multicast: addresses.multicast,
            broadcast: addresses.broadcast,
            host_stations: self.host_stations()?,
            uplinks: self.uplinks()?,
            addresses: owned.collect(),
            prefixes: self.prefixes(),
            services: self.services.rows(),
            source_services: self.services.source_services,
            rules: self.config.policy.rules.iter().map(rule_entry).collect(),
            ports,
            service_pairs: self.services.pairs,
            source_chains: self.chains.sides.source,
            destination_chains: self.chains.sides.destination,
            pair_chains: self.chains.pairs.into_iter().collect(),
            verdicts: self.verdicts.entries.into_iter().collect(),
        })
    }

    fn ports(&self, ids: &PortIds) -> Result<Vec<CompiledPort>, CompileError> {
        let zones = zone_numbers(self.config);
        let networks = network_numbers(self.config)?;
        let mut ports = Vec::with_capacity(self.config.ports.len());
        for ((name, port), classes) in self.config.ports.iter().zip(&self.addresses.ports) {
            let network = network_of(self.config, port)?;
            ports.push(CompiledPort {
                name: name.clone(),
                id: ids
                    .get(name)
                    .ok_or_else(|| CompileError::NoPortId { port: name.clone(), line: port.line })?,
                interface: port.interface.clone(),
                mac: port.mac,
                zone: zones.get(network.zone.as_str()).copied().unwrap_or_default(),
                network: networks.get(port.network.as_str()).copied().unwrap_or_default(),
                flags: flags(network, port),
                kind: network.kind.port_kind(),
                is_filtered: port.device.is_filtered(),
                classes: *classes,
            });
        }
        Ok(ports)
    }

    fn host_stations(&self) -> Result<Vec<HostStation>, CompileError> {
        let numbers = network_numbers(self.config)?;
        let networks = self.config.networks.values().zip(numbers.into_values().collect::<Vec<_>>());
        let networks = networks.filter(|(network, _)| network.bridge().is_some());
        let station = |(network, number): (&Network, u16)| HostStation {
            network: number,
            mac: network.mac,
            classes: self.addresses.host,
        };
        Ok(networks.map(station).collect())
    }

    fn uplinks(&self) -> Result<Vec<CompiledUplink>, CompileError> {
        let numbers = network_numbers(self.config)?;
        let networks = self.config.networks.iter().filter(|(_, network)| network.host_access);
        let uplink = |(name, network): (&String, &Network)| CompiledUplink {
            network: name.clone(),
            number: numbers.get(name.as_str()).copied().unwrap_or_default(),
            interface: network.interface.clone(),
            classes: self.addresses.host,
        };
        Ok(networks.map(uplink).collect())
    }

    fn prefixes(&self) -> BTreeMap<(u32, PrefixKey), AddressEntry> {
        let zones = zone_numbers(self.config);
        let in_zone = |zone: &u32| {
            let zone_be = zone.to_be_bytes();
            self.addresses.prefixes.iter().map(move |(prefix, classes)| {
                let key = (prefix.len_with_zone(), PrefixKey { zone_be, address: prefix.address().into() });
                (key, AddressEntry { port: NO_PORT, classes: *classes })
            })
        };
        zones.values().flat_map(in_zone).collect()
    }
}

fn flags(network: &Network, port: &Port) -> u16 {
    let any = match port.addresses {
        Addresses::Any => port_flags::ANY_ADDRESS,
        Addresses::Listed(_) => 0,
    };
    let redirect = match network.kind {
        NetworkKind::Bridge | NetworkKind::Macvlan(Siblings::Bridge) | NetworkKind::Vepa(Hairpin::Local) => {
            port_flags::REDIRECT
        }
        // The switch has to see every frame, and private guests never reach each other.
        NetworkKind::Vepa(Hairpin::Switch)
        | NetworkKind::Macvlan(Siblings::Private)
        | NetworkKind::Passthrough => 0,
    };
    let ingress = match network.kind.port_kind() {
        PortKind::Tap => 0,
        PortKind::Macvtap => port_flags::INGRESS,
    };
    let private = match network.kind {
        NetworkKind::Macvlan(Siblings::Private) => port_flags::PRIVATE,
        _ => 0,
    };
    any | redirect | ingress | private
}

fn rule_entry(rule: &Rule) -> RuleEntry {
    RuleEntry {
        action: rule.action as u32,
        flags: if rule.log { rule_flags::LOG } else { 0 },
        line: rule.line,
        reserved: 0,
        identity: identity(rule),
        before: Counter::default(),
    }
}

/// The same in every process of this build; another build's rules begin to count anew.
fn identity(rule: &Rule) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    rule.meaning().hash(&mut hasher);
    hasher.finish()
}
