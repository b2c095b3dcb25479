//! The maps of a generation, and the table of ports.

use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};

use bytemuck::Pod;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use netctl_common::abi::{
    AddressEntry, AddressKey, ChainEntry, Classes, LearnedKey, LearnerEntry, LimitsEntry, NO_INTERFACE,
    PairKey, PortEntry, PrefixKey, Root, RuleEntry, StationEntry, StationKey, VerdictKey, VlanSet, guards,
    maps, port_flags, rule_flags,
};
use netctl_common::verdict::Action;

use super::super::running::read_array;
use super::super::shapes::TrieKey;
use super::super::{Kernel, KernelError, limits, sys};
use super::shared::{element, owner, rows};
use super::{Context, Element};
use crate::names;

impl Kernel {
    pub(super) fn dump_generation(
        &self,
        map: &str,
        context: &Context<'_>,
    ) -> Result<Vec<Element>, KernelError> {
        let &Context { root, names, .. } = context;
        let table = || self.inner(map, if map == maps::ROOT { 0 } else { root.slot });
        match map {
            maps::ROOT | "stations" | "addresses" | "prefixes" | maps::LEARNED_CLASSES => {
                self.dump_classes(map, &table()?, context)
            }
            "source_chains" | "dest_chains" | "pair_chains" | "verdicts" => {
                self.dump_chains(map, &table()?, context)
            }
            "services" => Ok(self
                .service_runs(root)?
                .iter()
                .map(|run| element(run.words(), format!("class {}", run.class)))
                .collect()),
            "service_pairs" => self.dump_service_pairs(&table()?, root),
            "trunks" => rows::<u32, VlanSet>(&table()?, map, |id, vlans| {
                let vlans: Vec<String> = (1..4095)
                    .filter(|vlan| vlans.contains(*vlan))
                    .map(|vlan: u16| vlan.to_string())
                    .collect();
                element(names.port(*id), format!("VLANs {}", vlans.join(" ")))
            }),
            maps::LEARNERS => rows::<u32, LearnerEntry>(&table()?, map, |id, entry| {
                let value = format!("zone {}, identity {}", entry.zone, entry.identity);
                element(names.port(*id), value)
            }),
            maps::LIMITS => rows::<u32, LimitsEntry>(&table()?, map, |id, entry| {
                element(names.port(*id), limits::rates(entry))
            }),
            maps::RULES => {
                let rules = read_array::<RuleEntry>(&table()?, map, root.rules)?;
                Ok((0..).zip(&rules).map(|(index, entry)| rule(index, entry, context)).collect())
            }
            maps::RULE_COUNTERS => self.dump_rule_counters(context),
            // A map that has a name here and no words.
            _ => Err(KernelError::map(map, "telling what is in it", std::io::ErrorKind::Unsupported.into())),
        }
    }

    /// Maps whose values are classes.
    fn dump_classes(
        &self,
        map: &str,
        table: &OwnedFd,
        context: &Context<'_>,
    ) -> Result<Vec<Element>, KernelError> {
        let (names, classes) = (context.names, self.class_names(context)?);
        match map {
            maps::ROOT => rows::<u32, PortEntry>(table, map, |ifindex, entry| {
                port(*ifindex, entry, names, &classes.both(&entry.classes))
            }),
            "stations" => rows::<StationKey, StationEntry>(table, map, |key, entry| {
                let (who, classes) = (owner(names, entry.port), classes.both(&entry.classes));
                element(
                    format!("network {} {}", key.network, names::mac(key.mac)),
                    format!("{who} at ifindex {}; {classes}", entry.ifindex),
                )
            }),
            "addresses" => rows::<AddressKey, AddressEntry>(table, map, |key, entry| {
                element(
                    format!("zone {} {}", key.zone, names::address(key.address)),
                    format!("{}; {}", owner(names, entry.port), classes.both(&entry.classes)),
                )
            }),
            "prefixes" => rows::<TrieKey, AddressEntry>(table, map, |key, entry| {
                element(prefix(key), classes.both(&entry.classes))
            }),
            _ => rows::<LearnedKey, Classes>(table, map, |key, value| {
                element(format!("identity {} region {}", key.identity, key.region), classes.both(value))
            }),
        }
    }

    fn dump_chains(
        &self,
        map: &str,
        table: &OwnedFd,
        context: &Context<'_>,
    ) -> Result<Vec<Element>, KernelError> {
        let &Context { root, names, .. } = context;
        let classes = self.class_names(context)?;
        let rule = |index: u32| names.rule(index).map_or_else(|| "no rule".to_owned(), ToString::to_string);
        let chain = |entry: &ChainEntry| match entry.chain {
            netctl_common::abi::EMPTY_CHAIN => format!("any service: {}", rule(entry.otherwise)),
            number => format!("chain {number}, any other service: {}", rule(entry.otherwise)),
        };
        match map {
            "source_chains" => {
                array::<ChainEntry>(table, map, |class, entry| element(classes.source(class), chain(entry)))
            }
            "dest_chains" => array::<ChainEntry>(table, map, |class, entry| {
                element(classes.destination(class), chain(entry))
            }),
            "pair_chains" => rows::<PairKey, ChainEntry>(table, map, |key, entry| {
                let (source, destination) =
                    (classes.source(key.source), classes.destination(key.destination));
                element(format!("{source} > {destination}"), chain(entry))
            }),
            _ => {
                let (services, whose) = (self.service_names(root)?, self.chain_names(root, &classes)?);
                rows::<VerdictKey, u32>(table, map, |key, index| {
                    let whose = whose.get(&key.chain).map(super::classes::listed).unwrap_or_default();
                    let service = services.class(key.service);
                    element(format!("chain {} ({whose}), service {service}", key.chain), rule(*index))
                })
            }
        }
    }

    fn dump_service_pairs(&self, table: &OwnedFd, root: &Root) -> Result<Vec<Element>, KernelError> {
        let services = self.service_names(root)?;
        // Without source ports in the rules, the kernel makes the map with one element that says nothing.
        let sources = if root.source_services > 1 { root.source_services } else { return Ok(Vec::new()) };
        array::<u32>(table, "service_pairs", |index, class| {
            let (destination, source) = (index / sources, index % sources);
            let words = services.pair((destination, source));
            element(format!("classes {destination} {source} ({words})"), format!("class {class}"))
        })
    }

    fn dump_rule_counters(&self, context: &Context<'_>) -> Result<Vec<Element>, KernelError> {
        let counted = self.rules(context.root)?;
        let name = |index| context.names.rule(index).map_or_else(|| "-".to_owned(), ToString::to_string);
        let element = |(index, (_, counter)): (u32, &(RuleEntry, netctl_common::abi::Counter))| {
            element(name(index), format!("{} packets {} bytes", counter.packets, counter.bytes))
        };
        Ok((0..).zip(&counted).map(element).collect())
    }
}

fn array<V: Pod>(
    table: &OwnedFd,
    map: &str,
    show: impl Fn(u32, &V) -> Element,
) -> Result<Vec<Element>, KernelError> {
    let info = sys::info(table.as_fd()).map_err(|e| KernelError::map(map, "asking about it", e))?;
    let values = read_array::<V>(table, map, info.max_entries)?;
    Ok((0u32..).zip(&values).map(|(index, value)| show(index, value)).collect())
}

fn rule(index: u32, entry: &RuleEntry, context: &Context<'_>) -> Element {
    let name = context.names.rule(index);
    let flag = |bit, word| if entry.flags & bit == 0 { "" } else { word };
    let flags = [flag(rule_flags::LOG, ", log"), flag(rule_flags::AUDIT, ", audit")].concat();
    let text = name.map_or("", |rule| rule.text.as_str());
    let key = name.map_or_else(|| format!("rule {}", index + 1), ToString::to_string);
    element(key, format!("{}{flags}: {text}", Action::decode(entry.action).name()))
}

/// Names of the bits of [`port_flags`].
const FLAGS: [(&str, u32); 12] = [
    ("any-address", port_flags::ANY_ADDRESS),
    ("redirect", port_flags::REDIRECT),
    ("ingress", port_flags::INGRESS),
    ("private", port_flags::PRIVATE),
    ("learn", port_flags::LEARN),
    ("limited", port_flags::LIMITED),
    ("audit", port_flags::AUDIT),
    ("knows-origin", port_flags::KNOWS_ORIGIN),
    ("trunk", port_flags::TRUNK),
    ("tagged-only", port_flags::TAGGED_ONLY),
    ("knows-group-origin", port_flags::KNOWS_GROUP_ORIGIN),
    ("learners", port_flags::LEARNERS),
];

fn words<'a>(of: &'a [(&'static str, u32)], bits: u32) -> impl Iterator<Item = &'static str> + 'a {
    of.iter().filter(move |(_, bit)| bits & bit != 0).map(|(word, _)| *word)
}

fn port(ifindex: u32, entry: &PortEntry, names: &names::Names, classes: &str) -> Element {
    if ifindex == NO_INTERFACE {
        return element("generation", generation(&entry.root));
    }
    let (network, mac) = (entry.network, names::mac(entry.mac));
    if entry.flags & port_flags::UPLINK != 0 {
        return element(format!("ifindex {ifindex}"), format!("uplink of network {network}, MAC {mac}"));
    }
    let host = if entry.uplink == 0 { String::new() } else { format!(", host at ifindex {}", entry.uplink) };
    let vlan = if entry.vlan == 0 { String::new() } else { format!(", vlan {}", entry.vlan) };
    let off = words(&guards::NAMES, !entry.guards).fold(String::new(), |text, guard| text + " " + guard);
    let off = if off.is_empty() { off } else { format!(", without guards{off}") };
    let flags: Vec<&str> = words(&FLAGS, entry.flags).collect();
    element(
        format!("{} ifindex {ifindex}", names.port(entry.id)),
        format!(
            "id {}, MAC {mac}, network {network}, zone {}{host}{vlan}{off}, flags {}; {classes}",
            entry.id,
            entry.zone,
            flags.join(" "),
        ),
    )
}

fn generation(root: &Root) -> String {
    format!(
        "number {}, slot {}, default {}, {} rules, {} bytes of document, counters of {} CPUs, namespace {}",
        root.generation,
        root.slot,
        Action::decode(root.default_action).name(),
        root.rules,
        root.document_len,
        root.cpus,
        root.namespace,
    )
}

fn prefix(key: &TrieKey) -> String {
    let zone = u32::from_be_bytes(key.data.zone_be);
    prefix_net(key).map_or_else(|| format!("zone {zone} ?"), |net| format!("zone {zone} {net}"))
}

pub(super) fn prefix_net(key: &TrieKey) -> Option<IpNet> {
    let bits = key.prefix_len.saturating_sub(8 * size_of_val(&key.data.zone_be) as u32).min(128) as u8;
    match names::address(key.data.address) {
        IpAddr::V4(address) if bits >= 96 => Ipv4Net::new(address, bits - 96).map(IpNet::V4).ok(),
        _ => Ipv6Net::new(key.data.address.bytes().into(), bits).map(IpNet::V6).ok(),
    }
}

const _: () = assert!(size_of::<PrefixKey>() == 20);
