//! Everybody whom a policy can tell apart: ports, the host and the regions of the world, each with what the rules take it for.

use std::collections::BTreeMap;
use std::net::IpAddr;

use netctl_common::abi::{Classes, LearnedKey, port_flags};

use super::group::Member;
use super::regions::{Region, Zone};
use crate::compile::{Compiled, CompiledPort};
use crate::config::{Addresses, Config, Port};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum What {
    Ports,
    Host,
    World,
}

/// Those that the policy takes for the same.
pub(super) struct Party {
    pub(super) kind: What,
    pub(super) view: View,
    pub(super) members: Vec<Member>,
}

/// All that matters about a party.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct View {
    /// Place of the zone in whose name its ports judge; `None` for who has no port, or one without a filter.
    pub(super) judges: Option<usize>,
    /// The network, where its guests never reach each other.
    pub(super) private: Option<u16>,
    /// IPv4 and IPv6.
    pub(super) ends: [Option<End>; 2],
}

/// An address, or all of a region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct End {
    /// At its own port.
    pub(super) own: Classes,
    /// At others' ports, by place of their zone.
    pub(super) seen: Vec<Classes>,
}

pub(super) fn parties(config: &Config, compiled: &Compiled) -> Vec<Party> {
    let mut numbers: Vec<u32> = compiled.ports.iter().map(|port| port.zone).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let zones: Vec<Zone<'_>> = numbers.iter().map(|number| Zone::new(*number, compiled)).collect();
    let mut all = All { zones: &zones, config, parties: Vec::new(), places: BTreeMap::new() };
    for (port, (name, described)) in compiled.ports.iter().zip(&config.ports) {
        let zone = numbers.binary_search(&port.zone).unwrap_or_default();
        all.add_port((name, described), (port, zone), compiled);
    }
    all.add_host();
    all.add_world();
    all.parties
}

struct All<'a> {
    zones: &'a [Zone<'a>],
    config: &'a Config,
    parties: Vec<Party>,
    places: BTreeMap<(What, View), usize>,
}

/// Addresses of one family that are the same to the policy.
struct Unit {
    end: End,
    /// Units of the two families with the same name belong together.
    name: String,
    parts: Vec<String>,
}

impl All<'_> {
    fn add_port(
        &mut self,
        (name, described): (&String, &Port),
        (port, zone): (&CompiledPort, usize),
        compiled: &Compiled,
    ) {
        let units = match &described.addresses {
            Addresses::Listed(listed) if listed.is_empty() => {
                self.of_addresses([IpAddr::V6(described.mac.link_local())].into_iter(), zone)
            }
            Addresses::Listed(listed) => self.of_addresses(listed.iter().copied(), zone),
            Addresses::Any => self.of_regions(zone, |region| (port.classes, region.entry.classes)),
            Addresses::Learned => self.of_regions(zone, |region| {
                let key = LearnedKey { identity: port.identity, region: region.entry.region };
                let classes = compiled.learned_classes.get(&key).copied().unwrap_or(port.classes);
                (classes, classes)
            }),
        };
        let judges = port.is_filtered.then_some(zone);
        let private = (port.flags & port_flags::PRIVATE != 0).then_some(port.network);
        let joined = joined(units);
        let is_whole = joined.len() == 1;
        for (ends, parts) in joined {
            let addresses = if is_whole { Vec::new() } else { parts };
            let member = Member { port: Some(name.clone()), addresses };
            self.add(What::Ports, View { judges, private, ends }, member);
        }
    }

    fn add_host(&mut self) {
        let addresses = self.config.networks.values().flat_map(|network| &network.addresses);
        let units = self.of_addresses(addresses.map(|net| net.addr()), 0);
        for (ends, parts) in joined(units) {
            let member = Member { port: None, addresses: parts };
            self.add(What::Host, View { judges: None, private: None, ends }, member);
        }
    }

    fn add_world(&mut self) {
        let mut units = Vec::new();
        for zone in 0..self.zones.len() {
            units.extend(self.of_regions(zone, |region| (region.entry.classes, region.entry.classes)));
        }
        for (ends, parts) in joined(units) {
            let member = Member { port: None, addresses: parts };
            self.add(What::World, View { judges: None, private: None, ends }, member);
        }
    }

    fn add(&mut self, kind: What, view: View, member: Member) {
        let next = self.parties.len();
        let place = *self.places.entry((kind, view.clone())).or_insert(next);
        match self.parties.get_mut(place) {
            Some(party) => party.members.push(member),
            None => self.parties.push(Party { kind, view, members: vec![member] }),
        }
    }

    /// `zone`: the place of that of whoever has the addresses.
    fn of_addresses(&self, addresses: impl Iterator<Item = IpAddr>, zone: usize) -> Vec<(bool, Unit)> {
        let mut units: Vec<(bool, Unit)> = Vec::new();
        for address in addresses.map(|address| address.to_canonical()) {
            let seen: Vec<Classes> = self.zones.iter().map(|zone| zone.seen(address)).collect();
            let end = End { own: seen.get(zone).copied().unwrap_or_default(), seen };
            let of_family = units.iter().filter(|(is_v4, _)| *is_v4 == address.is_ipv4()).count();
            put(&mut units, address.is_ipv4(), end, (format!("{of_family:05}"), address.to_string()));
        }
        units
    }

    /// Of nobody's addresses in a zone: what they are at their own port, and at others' in the zone.
    fn of_regions(&self, zone: usize, classes: impl Fn(&Region) -> (Classes, Classes)) -> Vec<(bool, Unit)> {
        let mut units = Vec::new();
        for region in self.zones[zone].regions() {
            let (own, others) = classes(region);
            let mut seen: Vec<Classes> = self.zones.iter().map(|other| other.seen_region(region)).collect();
            seen[zone] = others;
            put(&mut units, region.is_v4(), End { own, seen }, (self.name(region), region.net().to_string()));
        }
        units
    }

    /// Nothing for the rest of the world, else the set that names the region, else the prefix.
    fn name(&self, region: &Region) -> String {
        let net = region.net();
        let mut sets =
            self.config.sets.iter().filter(|(_, nets)| nets.iter().any(|other| other.trunc() == net));
        match sets.next() {
            _ if region.is_default() => String::new(),
            Some((set, _)) => set.clone(),
            None => net.to_string(),
        }
    }
}

/// With others that are the same, or alone. Of all names the first counts: that of the widest prefix.
fn put(units: &mut Vec<(bool, Unit)>, is_v4: bool, end: End, (name, part): (String, String)) {
    match units.iter_mut().find(|(v4, unit)| *v4 == is_v4 && unit.end == end) {
        Some((_, unit)) if unit.parts.contains(&part) => {}
        Some((_, unit)) => unit.parts.push(part),
        None => units.push((is_v4, Unit { end, name, parts: vec![part] })),
    }
}

type BothFamilies = ([Option<End>; 2], Vec<String>);

/// IPv4 and IPv6 side by side, by name; with the addresses of both.
fn joined(units: Vec<(bool, Unit)>) -> Vec<BothFamilies> {
    // The number is for units of one name and family.
    let mut by_name: BTreeMap<(String, usize), BothFamilies> = BTreeMap::new();
    for (is_v4, unit) in units {
        let family = usize::from(!is_v4);
        let free = (0..)
            .find(|n| by_name.get(&(unit.name.clone(), *n)).is_none_or(|(ends, _)| ends[family].is_none()));
        let (ends, parts) = by_name.entry((unit.name, free.unwrap_or_default())).or_default();
        ends[family] = Some(unit.end);
        parts.extend(unit.parts);
    }
    by_name.into_values().collect()
}
