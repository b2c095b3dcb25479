//! Who can be an end of a flow: every address, port or group that one of the policies tells from others.
//!
//! A layer is a set of parties that can meet: those of one zone and family of addresses, or, for frames without IP,
//! of one network.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use netctl_common::abi::{AddressEntry, Classes, LearnedKey, NO_PORT, guards, port_flags};
use netctl_common::address::Address;

use super::space::{Region, Space};
use super::{Both, Family, Side, TooMuch};
use crate::compile::{Compiled, CompiledPort, network_numbers, zone_numbers};
use crate::config::Config;

/// What one policy knows of a party.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum State {
    /// There is no such port there, or it may not have the address.
    Absent,
    Here(Classes, Judge),
}

/// Who enforces the policy at this end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Judge {
    Nobody,
    /// A port whose guest drives its device itself.
    Unfiltered,
    /// A port in audit mode.
    Audited,
    Enforced,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Owner {
    Nobody,
    Host,
    /// In [`Names::ports`].
    Port(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Address(u128),
    /// In [`Space::regions`]: the addresses there that are nobody's.
    Region(usize),
    /// What a port may learn, in [`Layer::learned`].
    Learned(usize),
    /// A port with whatever address, or without one.
    Port,
    /// Who has no address yet: 0.0.0.0 or `::`, to groups only; of a port, DHCP only.
    Unspecified,
    /// An end of frames without IP that is no port.
    Station,
    /// The broadcast address of a subnet.
    Directed,
}

#[derive(Debug)]
pub(super) struct Party {
    pub(super) owners: Both<Owner>,
    pub(super) place: Place,
    pub(super) states: Both<State>,
    pub(super) is_group: bool,
}

impl Party {
    pub(super) const fn sends(&self) -> bool {
        !self.is_group
    }

    pub(super) fn receives(&self) -> bool {
        self.place != Place::Unspecified
    }

    /// Judged only where it is, since others know it as the address that it has.
    pub(super) fn is_local(&self, family: Family) -> bool {
        self.place == Place::Port && family != Family::Frames
    }
}

pub(super) struct Layer {
    pub(super) family: Family,
    pub(super) zone: Option<String>,
    pub(super) network: Option<String>,
    pub(super) parties: Vec<Party>,
    /// Regions that are the same to ports that learn.
    pub(super) learned: Vec<Vec<usize>>,
}

/// Ports of both policies, by name.
pub(super) struct Names<'a> {
    pub(super) ports: Vec<&'a str>,
    numbers: BTreeMap<&'a str, u32>,
    by_id: Both<BTreeMap<u32, u32>>,
    compiled: Both<Vec<Option<&'a CompiledPort>>>,
    /// By port: the groups that are the same in both documents, or only in one.
    groups: BTreeMap<&'a str, Vec<&'a str>>,
    /// By prefix: the sets that are the same in both documents, or only in one.
    sets: BTreeMap<IpNet, Vec<&'a str>>,
    nets: BTreeMap<&'a str, &'a [IpNet]>,
}

impl<'a> Names<'a> {
    pub(super) fn new(sides: Both<&'a Side>, space: &Space) -> Self {
        let names: BTreeSet<&str> =
            sides.iter().flat_map(|side| side.config.ports.keys()).map(String::as_str).collect();
        let numbers: BTreeMap<&str, u32> = names.iter().copied().zip(0..).collect();
        let number = |port: &CompiledPort| numbers.get(port.name.as_str()).copied().unwrap_or_default();
        let by_id =
            sides.map(|side| side.compiled.ports.iter().map(|port| (port.id, number(port))).collect());
        let compiled = sides.map(|side| {
            let mut ports = vec![None; names.len()];
            side.compiled.ports.iter().for_each(|port| ports[number(port) as usize] = Some(port));
            ports
        });
        let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (group, members) in agreed(sides.map(|side| &side.config.groups)) {
            members.iter().for_each(|port| groups.entry(port).or_default().push(group));
        }
        let mut sets: BTreeMap<IpNet, Vec<&str>> = BTreeMap::new();
        let mut nets_of = BTreeMap::new();
        let known: BTreeSet<IpNet> = space.regions.iter().map(Region::net).collect();
        for (set, nets) in agreed(sides.map(|side| &side.config.sets)) {
            // A set that no rule names may lie across what the rules tell apart.
            if !nets.iter().all(|net| known.contains(&net.trunc())) {
                continue;
            }
            nets_of.insert(set, nets.as_slice());
            nets.iter().for_each(|net| sets.entry(net.trunc()).or_default().push(set));
        }
        Self { ports: names.into_iter().collect(), numbers, by_id, compiled, groups, sets, nets: nets_of }
    }

    pub(super) fn groups_of(&self, port: u32) -> impl Iterator<Item = &'a str> + '_ {
        self.groups.get(self.ports[port as usize]).into_iter().flatten().copied()
    }

    pub(super) fn sets_with(&self, net: IpNet) -> impl Iterator<Item = &'a str> + '_ {
        self.sets.get(&net).into_iter().flatten().copied()
    }

    /// Of one of those sets.
    pub(super) fn nets_of(&self, set: &str) -> &'a [IpNet] {
        self.nets.get(set).copied().unwrap_or_default()
    }

    /// Whose a party is called: nobody's where the documents contradict each other.
    pub(super) fn owner(&self, party: &Party) -> Option<Owner> {
        let [before, after] = party.owners;
        let is_only_in = |which: usize, owner: Owner| match owner {
            Owner::Port(port) => self.compiled[1 - which][port as usize].is_none(),
            _ => false,
        };
        let is_of_port = matches!(party.place, Place::Learned(_) | Place::Port | Place::Unspecified);
        match (before, after) {
            _ if before == after => Some(before),
            // In another zone there.
            (port, Owner::Nobody) | (Owner::Nobody, port) if is_of_port => Some(port),
            (_, Owner::Nobody) if is_only_in(0, before) => Some(before),
            (Owner::Nobody, _) if is_only_in(1, after) => Some(after),
            _ => None,
        }
    }

    pub(super) fn number(&self, port: &str) -> Option<u32> {
        self.numbers.get(port).copied()
    }
}

/// What is the same in both documents, or only in one.
fn agreed<'a, T: PartialEq>(named: Both<&'a BTreeMap<String, T>>) -> impl Iterator<Item = (&'a str, &'a T)> {
    let [before, after] = named;
    let of = |from: &'a BTreeMap<String, T>, other: &'a BTreeMap<String, T>| {
        from.iter().filter(move |(name, value)| other.get(*name).is_none_or(|other| other == *value))
    };
    let only_before = of(before, after).filter(move |(name, _)| !after.contains_key(*name));
    of(after, before).chain(only_before).map(|(name, value)| (name.as_str(), value))
}

/// All layers.
pub(super) fn layers(
    sides: Both<&Side>,
    names: &Names<'_>,
    space: &Space,
    limit: u64,
) -> Result<Vec<Layer>, TooMuch> {
    let networks = || sides.iter().flat_map(|side| &side.config.networks);
    let zones: BTreeSet<&str> = networks().map(|(_, network)| network.zone.as_str()).collect();
    let mut layers = Vec::new();
    let mut found = 0;
    for name in &zones {
        let zone = Zone::new(sides, names, space, name);
        for family in [Family::Ipv4, Family::Ipv6] {
            let mut layer = zone.layer(family, limit)?;
            layer.zone = (zones.len() > 1).then(|| (*name).to_owned());
            found += layer.parties.len() as u64;
            TooMuch::check("addresses and prefixes that rules tell apart", found, limit)?;
            layers.push(layer);
        }
    }
    let networks: BTreeSet<&str> = networks().map(|(name, _)| name.as_str()).collect();
    layers.extend(networks.iter().map(|name| Layer {
        family: Family::Frames,
        zone: None,
        network: (networks.len() > 1).then(|| (*name).to_owned()),
        parties: stations(sides, names, name),
        learned: Vec::new(),
    }));
    Ok(layers)
}

fn judge(port: &CompiledPort) -> Judge {
    match port.flags & port_flags::AUDIT != 0 {
        _ if !port.is_filtered => Judge::Unfiltered,
        true => Judge::Audited,
        false => Judge::Enforced,
    }
}

/// Of frames to a group, which each port that hears them judges.
fn judge_of_groups<'p>(ports: impl Iterator<Item = &'p CompiledPort>) -> Judge {
    ports.map(judge).filter(|judge| *judge != Judge::Unfiltered).max().unwrap_or(Judge::Nobody)
}

/// Whether its guest gets to the rules with addresses that are not the port's own.
fn is_loose(port: &CompiledPort) -> bool {
    const KEPT: u32 = guards::IP | guards::DESTINATION | guards::MARTIAN;
    port.flags & port_flags::ANY_ADDRESS != 0 || port.guards & KEPT != KEPT
}

fn host_classes(compiled: &Compiled) -> Option<Classes> {
    let station = compiled.host_stations.first().map(|station| station.classes);
    station.or(compiled.uplinks.first().map(|uplink| uplink.classes))
}

/// One zone of both policies.
struct Zone<'a> {
    sides: Both<&'a Side>,
    space: &'a Space,
    /// The ports there, by their number.
    ports: BTreeMap<u32, Both<Option<&'a CompiledPort>>>,
    /// Whether the policy has networks in it.
    is_there: Both<bool>,
    groups: Both<Judge>,
    owned: BTreeMap<u128, Both<Option<(Owner, Classes)>>>,
    has_room: Vec<bool>,
    with_reserved: bool,
}

impl<'a> Zone<'a> {
    fn new(sides: Both<&'a Side>, names: &Names<'a>, space: &'a Space, name: &str) -> Self {
        let is_there = sides.map(|side| side.config.networks.values().any(|network| network.zone == name));
        let numbers = sides.map(|side| zone_numbers(&side.config).get(name).copied());
        let mut ports: BTreeMap<u32, Both<Option<&CompiledPort>>> = BTreeMap::new();
        let mut owned: BTreeMap<u128, Both<Option<(Owner, Classes)>>> = BTreeMap::new();
        for which in [0, 1] {
            let Some(zone) = numbers[which].filter(|_| is_there[which]) else { continue };
            for (port, number) in names.compiled[which].iter().zip(0..) {
                if let Some(port) = port.filter(|port| port.zone == zone) {
                    ports.entry(number).or_default()[which] = Some(port);
                }
            }
            let owner = |entry: &AddressEntry| match names.by_id[which].get(&entry.port) {
                Some(port) if entry.port != NO_PORT => Owner::Port(*port),
                _ => Owner::Host,
            };
            for (key, entry) in sides[which].compiled.addresses.iter().filter(|(key, _)| key.zone == zone) {
                let address = u128::from_be_bytes(key.address.bytes());
                owned.entry(address).or_default()[which] = Some((owner(entry), entry.classes));
            }
        }
        let groups =
            [0, 1].map(|which: usize| judge_of_groups(ports.values().filter_map(|both| both[which])));
        let mut both = ports.values().flatten().flatten();
        Self {
            has_room: space.has_room(owned.keys().copied()),
            with_reserved: both.any(|port| port.guards & guards::MARTIAN == 0),
            sides,
            space,
            ports,
            is_there,
            groups,
            owned,
        }
    }

    fn layer(&self, family: Family, limit: u64) -> Result<Layer, TooMuch> {
        let learned = self.learned_regions(family);
        let mut parties: Vec<Party> = Vec::new();
        parties.extend(self.owned_ones(family));
        parties.extend(self.nobodys(family));
        parties.extend(self.directed(family));
        let learners =
            self.ports.values().filter(|both| both.iter().flatten().any(|port| learns(port))).count();
        let count = (learners * learned.len()) as u64;
        TooMuch::check("addresses that ports learn (ports, times prefixes)", count, limit)?;
        for (number, ports) in &self.ports {
            parties.extend(self.learned(*number, ports, &learned));
            parties.extend(self.without_address((*number, ports), family));
        }
        parties.extend(self.strangers_without_address());
        Ok(Layer { family, zone: None, network: None, parties, learned })
    }

    fn state(&self, which: usize, state: impl FnOnce() -> State) -> State {
        if self.is_there[which] { state() } else { State::Absent }
    }

    fn owned_ones(&self, family: Family) -> impl Iterator<Item = Party> + '_ {
        self.owned.iter().filter_map(move |(&address, owners)| {
            let region = &self.space.regions[self.space.of(address)];
            let exact = Address::from(address.to_be_bytes());
            if region.family() != family || (exact.is_reserved() && !self.with_reserved) {
                return None;
            }
            let is_group = exact.is_group();
            let state = |which: usize| {
                let (owner, classes) = owners[which].unwrap_or((Owner::Nobody, region.classes[which]));
                let port = match owner {
                    Owner::Port(port) => self.ports.get(&port).and_then(|both| both[which]),
                    _ => None,
                };
                let judge = port.map_or(Judge::Nobody, judge);
                State::Here(classes, if is_group { self.groups[which] } else { judge })
            };
            Some(Party {
                owners: owners.map(|owner| owner.map_or(Owner::Nobody, |(owner, _)| owner)),
                place: Place::Address(address),
                states: [0, 1].map(|which| self.state(which, || state(which))),
                is_group,
            })
        })
    }

    fn nobodys(&self, family: Family) -> impl Iterator<Item = Party> + '_ {
        let regions = self.space.regions.iter().enumerate();
        regions.filter_map(move |(number, region)| {
            let is_wanted = region.family() == family
                && self.has_room[number]
                && (!region.is_reserved || self.with_reserved);
            let is_group = region.is_group();
            let judge = |which: usize| if is_group { self.groups[which] } else { Judge::Nobody };
            is_wanted.then(|| Party {
                owners: [Owner::Nobody; 2],
                place: Place::Region(number),
                states: [0, 1]
                    .map(|which| self.state(which, || State::Here(region.classes[which], judge(which)))),
                is_group,
            })
        })
    }

    fn directed(&self, family: Family) -> Option<Party> {
        let broadcast = self.sides.map(|side| side.compiled.broadcast);
        (family == Family::Ipv4).then(|| Party {
            owners: [Owner::Nobody; 2],
            place: Place::Directed,
            states: [0, 1]
                .map(|which| self.state(which, || State::Here(broadcast[which], self.groups[which]))),
            is_group: true,
        })
    }

    fn learned_regions(&self, family: Family) -> Vec<Vec<usize>> {
        let mut same: BTreeMap<Both<u32>, Vec<usize>> = BTreeMap::new();
        for (number, region) in self.space.regions.iter().enumerate() {
            let can = region.family() == family && self.has_room[number] && !region.is_group();
            if can && (!region.is_reserved || self.with_reserved) {
                same.entry(region.learned).or_default().push(number);
            }
        }
        same.into_values().collect()
    }

    fn learned(
        &self,
        number: u32,
        ports: &Both<Option<&CompiledPort>>,
        regions: &[Vec<usize>],
    ) -> Vec<Party> {
        if !ports.iter().flatten().any(|port| learns(port)) {
            return Vec::new();
        }
        let state = |which: usize, region: usize| {
            let port = ports[which].filter(|port| learns(port))?;
            let region = self.space.regions[region].learned[which];
            let key = LearnedKey { identity: port.identity, region };
            let classes = self.sides[which].compiled.learned_classes.get(&key)?;
            Some(State::Here(*classes, judge(port)))
        };
        let party = |(place, regions): (usize, &Vec<usize>)| {
            let region = regions.first().copied()?;
            Some(Party {
                owners: ports.map(|port| port.map_or(Owner::Nobody, |_| Owner::Port(number))),
                place: Place::Learned(place),
                states: [0, 1].map(|which| state(which, region).unwrap_or(State::Absent)),
                is_group: false,
            })
        };
        regions.iter().enumerate().filter_map(party).collect()
    }

    /// A port with an address that is not its own, or with none.
    fn without_address(
        &self,
        (number, ports): (u32, &Both<Option<&CompiledPort>>),
        family: Family,
    ) -> Option<Party> {
        let is_any_loose = ports.iter().flatten().any(|port| is_loose(port));
        if !is_any_loose && family == Family::Ipv6 {
            return None;
        }
        let is_here = |port: &&&CompiledPort| !is_any_loose || is_loose(port);
        let state = |port: &&CompiledPort| State::Here(port.classes, judge(port));
        Some(Party {
            owners: ports.map(|port| port.map_or(Owner::Nobody, |_| Owner::Port(number))),
            place: if is_any_loose { Place::Port } else { Place::Unspecified },
            states: ports.each_ref().map(|port| port.as_ref().filter(is_here).map_or(State::Absent, state)),
            is_group: false,
        })
    }

    fn strangers_without_address(&self) -> [Party; 2] {
        let world = self.sides.map(|side| Some(side.compiled.world));
        let host = self.sides.map(|side| host_classes(&side.compiled));
        [(Owner::Nobody, world), (Owner::Host, host)].map(|(owner, classes)| Party {
            owners: [owner; 2],
            place: Place::Unspecified,
            states: [0, 1].map(|which| {
                let classes = classes[which].filter(|_| self.is_there[which]);
                classes.map_or(State::Absent, |classes| State::Here(classes, Judge::Nobody))
            }),
            is_group: false,
        })
    }
}

fn learns(port: &CompiledPort) -> bool {
    port.flags & port_flags::LEARN != 0
}

/// The ends of frames without IP on a network.
fn stations(sides: Both<&Side>, names: &Names<'_>, network: &str) -> Vec<Party> {
    let numbers = sides.map(|side| number_of(&side.config, network));
    let on_network = |which: usize, port: usize| {
        names.compiled[which][port].filter(|port| Some(port.network) == numbers[which])
    };
    let ports: Vec<(u32, Both<Option<&CompiledPort>>)> = (0..names.ports.len())
        .map(|port| (port as u32, [on_network(0, port), on_network(1, port)]))
        .filter(|(_, both)| both.iter().any(Option::is_some))
        .collect();
    let groups = [0, 1].map(|which: usize| judge_of_groups(ports.iter().filter_map(|(_, both)| both[which])));
    let station = |owner: Owner, place, classes: Both<Option<Classes>>, is_group: bool| Party {
        owners: [owner; 2],
        place,
        states: [0, 1].map(|which| {
            let judge = if is_group { groups[which] } else { Judge::Nobody };
            let classes = classes[which].filter(|_| numbers[which].is_some());
            classes.map_or(State::Absent, |classes| State::Here(classes, judge))
        }),
        is_group,
    };
    let of = |pick: fn(&Compiled) -> Classes| sides.map(|side| Some(pick(&side.compiled)));
    let host = |which: usize| {
        let compiled = &sides[which].compiled;
        let bridges = compiled.host_stations.iter().map(|station| (station.network, station.classes));
        let uplinks = compiled.uplinks.iter().map(|uplink| (uplink.number, uplink.classes));
        bridges.chain(uplinks).find(|(number, _)| Some(*number) == numbers[which]).map(|(_, classes)| classes)
    };
    let mut parties = vec![
        station(Owner::Nobody, Place::Station, of(|compiled| compiled.world), false),
        station(Owner::Host, Place::Station, [host(0), host(1)], false),
        station(Owner::Nobody, Place::Station, of(|compiled| compiled.multicast), true),
        station(Owner::Nobody, Place::Directed, of(|compiled| compiled.broadcast), true),
    ];
    parties.extend(ports.into_iter().map(|(number, both)| Party {
        owners: both.map(|port| port.map_or(Owner::Nobody, |_| Owner::Port(number))),
        place: Place::Port,
        states: both.map(|port| port.map_or(State::Absent, |port| State::Here(port.classes, judge(port)))),
        is_group: false,
    }));
    parties
}

fn number_of(config: &Config, network: &str) -> Option<u16> {
    network_numbers(config).ok().and_then(|numbers| numbers.get(network).copied())
}
