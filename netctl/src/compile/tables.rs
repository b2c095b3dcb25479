//! A resolved policy as the contents of the kernel's tables.

use std::collections::{BTreeMap, BTreeSet};

use bytemuck::Zeroable;
use netctl_common::abi::{
    AddressEntry, Classes, Counter, LearnerEntry, NO_NETWORK, NO_PORT, PrefixKey, RuleEntry, VlanSet,
    port_flags, rule_flags,
};

use netctl_common::address::LinkAddress;
use netctl_common::flow;

use super::address::{Owner, network_of};
use super::compiled::{Compiled, CompiledPort, CompiledUplink, HostStation};
use super::error::CompileError;
use super::ids::{PortIds, network_numbers, zone_numbers};
use super::limits;
use super::resolved::Resolved;
use crate::config::{
    Addresses, Config, Hairpin, Network, NetworkKind, Port, PortKind, Rule, Siblings, Vlans,
};

impl Resolved<'_> {
    pub(super) fn into_tables(self, ids: &PortIds) -> Result<Compiled, CompileError> {
        let ports = self.ports(ids)?;
        let addresses = &self.addresses;
        let entry_of = |owner: &Owner, classes| match owner {
            Owner::Port(number) => address_entry(ports.get(*number), classes),
            Owner::Host(network) => AddressEntry { network: *network as u32, ..address_entry(None, classes) },
        };
        let owned = addresses.owned.iter().map(|(key, owner, classes)| (*key, entry_of(owner, *classes)));
        let shift = self.chains.shift();
        let rules = self.config.policy.rules.iter().map(|rule| rule_entry(rule, shift)).collect();
        let prefixes = self.prefixes();
        let (host_stations, uplinks) = (self.host_stations()?, self.uplinks()?);
        let (chains, pair_chains) = self.chains.into_tables();
        Ok(Compiled {
            default: self.config.policy.default,
            timeouts: self.config.policy.timeouts.map(flow::ticks),
            world: addresses.world,
            multicast: addresses.multicast,
            broadcast: addresses.broadcast,
            host_stations,
            uplinks,
            trunks: trunks(self.config, ids),
            addresses: owned.collect(),
            prefixes,
            learners: learners(&ports),
            learned_classes: self.addresses.learned.classes,
            services: self.services.rows(),
            source_services: self.services.source_services,
            rules,
            ports,
            service_pairs: self.services.pairs,
            source_chains: chains.source,
            destination_chains: chains.destination,
            pair_chains,
            verdicts: self.verdicts.entries.into_iter().collect(),
        })
    }

    fn ports(&self, ids: &PortIds) -> Result<Vec<CompiledPort>, CompileError> {
        let zones = zone_numbers(self.config);
        let networks = network_numbers(self.config)?;
        let learning = learning_zones(self.config)?;
        let mut ports = Vec::with_capacity(self.config.ports.len());
        let identities = &self.addresses.learned.identities;
        for (((name, port), classes), identity) in
            self.config.ports.iter().zip(&self.addresses.ports).zip(identities)
        {
            let network = network_of(self.config, port)?;
            let learners = learning.contains(network.zone.as_str());
            ports.push(CompiledPort {
                name: name.clone(),
                id: ids
                    .get(name)
                    .ok_or_else(|| CompileError::NoPortId { port: name.clone(), line: port.line })?,
                interface: port.interface.clone(),
                mac: port.mac,
                zone: zones.get(network.zone.as_str()).copied().unwrap_or_default(),
                network: networks.get(port.network.as_str()).copied().unwrap_or_default(),
                flags: flags(network, port)
                    | limits::flag(&port.limits)
                    | audit_flag(self.config, port)
                    | if learners { port_flags::LEARNERS } else { 0 },
                limits: limits::entry(&port.limits),
                guards: port.guards.0,
                vlan: port.vlans.access.unwrap_or(0),
                kind: network.kind.port_kind(),
                is_filtered: port.device.is_filtered(),
                classes: *classes,
                identity: *identity,
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
            interface: network.interface.clone(),
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
            let regions = &self.addresses.learned.regions;
            self.addresses.prefixes.iter().zip(regions).map(move |((prefix, classes), region)| {
                let key = (prefix.len_with_zone(), PrefixKey { zone_be, address: prefix.address().into() });
                (key, AddressEntry { region: *region, ..address_entry(None, *classes) })
            })
        };
        zones.values().flat_map(in_zone).collect()
    }
}

fn address_entry(owner: Option<&CompiledPort>, classes: Classes) -> AddressEntry {
    AddressEntry {
        port: owner.map_or(NO_PORT, |port| port.id),
        classes,
        region: 0,
        network: owner.filter(|port| port.is_filtered).map_or(NO_NETWORK, |port| u32::from(port.network)),
        mac: owner.map_or(LinkAddress::NONE, |port| port.mac.0.into()),
        reserved: [0; 2],
    }
}

/// Zones in which a port learns.
fn learning_zones(config: &Config) -> Result<BTreeSet<&str>, CompileError> {
    let learners = config.ports.values().filter(|port| port.addresses == Addresses::Learned);
    learners.map(|port| Ok(network_of(config, port)?.zone.as_str())).collect()
}

fn learners(ports: &[CompiledPort]) -> BTreeMap<u32, LearnerEntry> {
    let learners = ports.iter().filter(|port| port.flags & port_flags::LEARN != 0);
    let entry = |port: &CompiledPort| LearnerEntry {
        owner: address_entry(Some(port), port.classes),
        zone: port.zone,
        identity: port.identity,
    };
    learners.map(|port| (port.id, entry(port))).collect()
}

fn flags(network: &Network, port: &Port) -> u32 {
    let addresses = match port.addresses {
        Addresses::Any => port_flags::ANY_ADDRESS,
        Addresses::Listed(_) => 0,
        Addresses::Learned => port_flags::LEARN,
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
    let origin = match network.kind {
        NetworkKind::Bridge | NetworkKind::Macvlan(Siblings::Bridge) => {
            port_flags::KNOWS_ORIGIN | port_flags::KNOWS_GROUP_ORIGIN
        }
        // Groups go by the switch.
        NetworkKind::Vepa(Hairpin::Local) => port_flags::KNOWS_ORIGIN,
        NetworkKind::Vepa(Hairpin::Switch)
        | NetworkKind::Macvlan(Siblings::Private)
        | NetworkKind::Passthrough => 0,
    };
    addresses | redirect | ingress | private | origin | vlan_flags(&port.vlans)
}

/// By port id.
fn trunks(config: &Config, ids: &PortIds) -> BTreeMap<u32, VlanSet> {
    let trunk = |(name, port): (&String, &Port)| {
        let mut vlans = VlanSet::zeroed();
        port.vlans.trunk.iter().for_each(|vlan| vlans.insert(*vlan));
        (!port.vlans.trunk.is_empty()).then_some((ids.get(name)?, vlans))
    };
    config.ports.iter().filter_map(trunk).collect()
}

fn vlan_flags(vlans: &Vlans) -> u32 {
    match (vlans.trunk.is_empty(), vlans.access.is_some() || vlans.native_untagged) {
        (true, _) => 0,
        (false, true) => port_flags::TRUNK,
        (false, false) => port_flags::TRUNK | port_flags::TAGGED_ONLY,
    }
}

fn audit_flag(config: &Config, port: &Port) -> u32 {
    if config.policy.audit || port.audit { port_flags::AUDIT } else { 0 }
}

/// `shift`: see [`RuleEntry::enforced`].
fn rule_entry(rule: &Rule, shift: u32) -> RuleEntry {
    let log = rule.log.map_or(0, |log| rule_flags::log(log.rate.map_or(0, Into::into), log.packets));
    let audit = if rule.audit { rule_flags::AUDIT } else { 0 };
    RuleEntry {
        action: rule.action as u32,
        flags: log | audit,
        line: rule.line,
        enforced: if rule.audit { shift } else { 0 },
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
