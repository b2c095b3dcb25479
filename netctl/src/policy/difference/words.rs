//! Sets of parties in the words of the documents, exactly: what the words hold, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};
use serde::Serialize;

use super::Family;
use super::party::{Layer, Names, Owner, Party, Place};
use super::space::{Space, ip};

const BROADCAST: IpNet = IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::BROADCAST, 32));

/// Some ends of flows. They hold also what the named port sends before it has an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    Any,
    /// Every port of either document.
    Ports,
    Host,
    World,
    Multicast,
    Broadcast,
    Group(String),
    Port(String),
    Set(String),
    Prefix(IpNet),
    /// An address of a port, or (`None`) one that is not the same owner's in both documents.
    Address(Option<String>, IpAddr),
    /// The addresses in the prefix that are nobody's, but for those in other prefixes and sets.
    Nobodys(IpNet, Vec<End>),
    /// The same of all addresses of the family.
    WorldBut(Vec<End>),
    /// What a port may learn there.
    Learned(String, Vec<End>),
    /// A port with an address that is not its own.
    Foreign(String),
    /// Who has no address yet.
    Unspecified(String),
    /// The broadcast address of a subnet.
    Directed,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Ports => f.write_str("all ports"),
            Self::Host => f.write_str("host"),
            Self::World => f.write_str("world"),
            Self::Multicast => f.write_str("multicast"),
            Self::Broadcast => f.write_str("broadcast"),
            Self::Group(name) | Self::Port(name) | Self::Set(name) => f.write_str(name),
            Self::Prefix(net) if net.prefix_len() == net.max_prefix_len() => write!(f, "{}", net.addr()),
            Self::Prefix(net) => write!(f, "{net}"),
            Self::Address(Some(port), address) => write!(f, "{port} at {address}"),
            Self::Address(None, address) => write!(f, "{address}"),
            Self::Nobodys(net, but) => {
                let is_group = net.network().is_multicast() || *net == BROADCAST;
                let world = if is_group { "" } else { "world in " };
                write!(f, "{world}{net}")?;
                but_not(f, but)
            }
            Self::WorldBut(but) => {
                f.write_str("world")?;
                but_not(f, but)
            }
            Self::Learned(port, ends) => {
                let ends: Vec<String> =
                    ends.iter().map(|end| end.to_string().replace("world in ", "")).collect();
                write!(f, "{port} at what it learns in {}", ends.join(" or "))
            }
            Self::Foreign(port) => write!(f, "{port} at addresses not its own"),
            Self::Unspecified(who) => write!(f, "{who} without address"),
            Self::Directed => f.write_str("broadcast of a subnet"),
        }
    }
}

fn but_not(f: &mut fmt::Formatter<'_>, ends: &[End]) -> fmt::Result {
    let mut between = " but not ";
    for end in ends {
        write!(f, "{between}{end}")?;
        between = " or ";
    }
    Ok(())
}

impl Serialize for End {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The words for one side of a layer, each with its parties.
pub(super) struct Vocabulary<'l> {
    layer: &'l Layer,
    names: &'l Names<'l>,
    space: &'l Space,
    is_source: bool,
    words: Vec<End>,
    /// Index: word. How many parties it has.
    sizes: Vec<usize>,
    /// Index: party.
    words_of: Vec<Vec<u32>>,
    known: BTreeMap<End, u32>,
    children: Vec<Vec<usize>>,
    described: BTreeMap<Vec<u32>, Vec<End>>,
}

impl<'l> Vocabulary<'l> {
    pub(super) fn new(layer: &'l Layer, (names, space): (&'l Names<'l>, &'l Space), is_source: bool) -> Self {
        let mut children = vec![Vec::new(); space.regions.len()];
        for (number, region) in space.regions.iter().enumerate() {
            if let Some(parent) = region.parent {
                children[parent].push(number);
            }
        }
        let mut this = Self {
            layer,
            names,
            space,
            is_source,
            words: Vec::new(),
            sizes: Vec::new(),
            words_of: vec![Vec::new(); layer.parties.len()],
            known: BTreeMap::new(),
            children,
            described: BTreeMap::new(),
        };
        for (number, party) in layer.parties.iter().enumerate() {
            if this.is_wanted(party) {
                this.name(number, party);
            }
        }
        this
    }

    /// Who has no address is told of with the owner's addresses.
    fn is_wanted(&self, party: &Party) -> bool {
        let is_end = if self.is_source { party.sends() } else { party.receives() };
        is_end && party.place != Place::Unspecified
    }

    fn name(&mut self, number: usize, party: &Party) {
        self.word(number, End::Any);
        match self.names.owner(party) {
            Some(Owner::Port(port)) => {
                self.word(number, End::Ports);
                self.word(number, End::Port(self.names.ports[port as usize].to_owned()));
                let groups: Vec<&str> = self.names.groups_of(port).collect();
                groups.into_iter().for_each(|group| self.word(number, End::Group(group.to_owned())));
            }
            Some(Owner::Host) => self.word(number, End::Host),
            Some(Owner::Nobody) | None => {}
        }
        let regions: Vec<usize> = match party.place {
            Place::Address(address) => vec![self.space.of(address)],
            Place::Region(region) => vec![region],
            Place::Learned(at) => self.layer.learned[at].clone(),
            Place::Station if party.owners == [Owner::Nobody; 2] => {
                self.word(number, if party.is_group { End::Multicast } else { End::World });
                return;
            }
            Place::Directed => {
                self.word(number, End::Broadcast);
                return;
            }
            _ => return,
        };
        if let Place::Region(region) = party.place {
            let region = &self.space.regions[region];
            let word = match party.is_group {
                _ if region.is_broadcast() => End::Broadcast,
                true => End::Multicast,
                false => End::World,
            };
            self.word(number, word);
        }
        self.name_prefixes(number, &regions);
    }

    /// The prefixes, and the sets of them, that hold all of the regions.
    fn name_prefixes(&mut self, number: usize, regions: &[usize]) {
        let around = |region: usize| {
            std::iter::successors(Some(region), |region| self.space.regions[*region].parent)
                .collect::<BTreeSet<usize>>()
        };
        let mut held: BTreeMap<End, usize> = BTreeMap::new();
        for region in regions {
            let around = around(*region);
            let nets = around.iter().map(|region| self.space.regions[*region].net());
            let sets: BTreeSet<&str> = nets.clone().flat_map(|net| self.names.sets_with(net)).collect();
            let words = nets.map(End::Prefix).chain(sets.into_iter().map(|set| End::Set(set.to_owned())));
            words.for_each(|word| *held.entry(word).or_default() += 1);
        }
        for (word, count) in held {
            let word = self.number(word);
            // A word for a part of what a port learns is never the word for it.
            self.sizes[word as usize] += 1;
            if count == regions.len() {
                self.words_of[number].push(word);
            }
        }
    }

    fn word(&mut self, party: usize, word: End) {
        let number = self.number(word);
        self.sizes[number as usize] += 1;
        self.words_of[party].push(number);
    }

    fn number(&mut self, word: End) -> u32 {
        let next = self.words.len() as u32;
        let number = *self.known.entry(word.clone()).or_insert(next);
        if number == next {
            self.words.push(word);
            self.sizes.push(0);
        }
        number
    }

    /// Exactly these parties.
    pub(super) fn ends(&mut self, parties: &[u32]) -> Vec<End> {
        if let Some(known) = self.described.get(parties) {
            return known.clone();
        }
        let with_prefixes = self.cover(parties, |_| true);
        let without = self.cover(parties, |word| !matches!(word, End::Prefix(_) | End::Set(_)));
        let length = |ends: &[End]| ends.iter().map(length).sum::<usize>();
        let best = if length(&without) < length(&with_prefixes) { without } else { with_prefixes };
        self.described.insert(parties.to_vec(), best.clone());
        best
    }

    /// By the widest words that hold nothing else, and the rest one by one.
    fn cover(&self, parties: &[u32], is_allowed: impl Fn(&End) -> bool) -> Vec<End> {
        let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
        let words_of = |party: &u32| self.words_of[*party as usize].iter();
        parties.iter().flat_map(words_of).for_each(|word| *counts.entry(*word).or_default() += 1);
        let mut whole: Vec<u32> = counts
            .into_iter()
            .filter(|(word, count)| {
                self.sizes[*word as usize] == *count && is_allowed(&self.words[*word as usize])
            })
            .map(|(word, _)| word)
            .collect();
        whole
            .sort_by_key(|word| (std::cmp::Reverse(self.sizes[*word as usize]), &self.words[*word as usize]));
        let rank: BTreeMap<u32, usize> = whole.iter().copied().zip(0..).collect();
        // Each party is held by the first of its words; a word that is nobody's first is not needed.
        let first = |party: &u32| words_of(party).filter_map(|word| rank.get(word)).min().copied();
        let used: BTreeSet<usize> = parties.iter().filter_map(first).collect();
        let mut ends: Vec<End> = used.iter().map(|at| self.words[whole[*at] as usize].clone()).collect();
        let left: Vec<&Party> = parties
            .iter()
            .filter(|party| first(party).is_none())
            .map(|party| &self.layer.parties[*party as usize])
            .collect();
        ends.extend(self.single(&left, &ends));
        ends.sort_unstable();
        ends
    }

    fn single(&self, parties: &[&Party], told: &[End]) -> Vec<End> {
        let mut ends = Vec::new();
        let (mut nobodys, mut learned): (BTreeSet<usize>, BTreeMap<String, BTreeSet<usize>>) =
            Default::default();
        for party in parties {
            let port = match self.names.owner(party) {
                Some(Owner::Port(port)) => Some(self.names.ports[port as usize].to_owned()),
                _ => None,
            };
            match (party.place, port) {
                (Place::Address(address), port) => ends.push(End::Address(port, ip(address))),
                (Place::Region(region), _) => {
                    nobodys.insert(region);
                }
                (Place::Learned(at), port) => {
                    learned.entry(port.unwrap_or_default()).or_default().extend(&self.layer.learned[at]);
                }
                (Place::Port, port) if self.layer.family == Family::Frames => {
                    ends.extend(port.map(End::Port))
                }
                (Place::Port, port) => ends.extend(port.map(End::Foreign)),
                (Place::Unspecified, port) => ends.extend(self.without_address(party, port, told)),
                (Place::Directed, _) => ends.push(End::Directed),
                (Place::Station, _) => ends.push(End::Host),
            }
        }
        ends.extend(self.outlined(&nobodys));
        ends.extend(learned.into_iter().map(|(port, regions)| End::Learned(port, self.outlined(&regions))));
        ends
    }

    /// Nothing where the words hold the owner anyway.
    fn without_address(&self, party: &Party, port: Option<String>, told: &[End]) -> Option<End> {
        let who = match (port, party.owners) {
            (Some(port), _) => port,
            (None, [Owner::Host, _]) => "host".to_owned(),
            (None, _) => "world".to_owned(),
        };
        let is_told = told.iter().any(|end| match end {
            End::Any => true,
            End::Ports => who != "host" && who != "world",
            End::Port(name) => *name == who,
            End::Group(group) => self
                .names
                .number(&who)
                .is_some_and(|port| self.names.groups_of(port).any(|name| name == group)),
            End::Host => who == "host",
            End::World => who == "world",
            _ => false,
        });
        (!is_told).then_some(End::Unspecified(who))
    }

    /// Regions as prefixes without others; groups apart, since the world has none.
    fn outlined(&self, regions: &BTreeSet<usize>) -> Vec<End> {
        let (groups, others): (BTreeSet<usize>, BTreeSet<usize>) =
            regions.iter().partition(|region| self.space.regions[**region].is_group());
        let of = |regions: &BTreeSet<usize>| {
            let is_top = |region: &&usize| {
                self.space.regions[**region].parent.is_none_or(|parent| !regions.contains(&parent))
            };
            regions.iter().filter(is_top).map(|top| self.outline(*top, regions)).collect::<Vec<End>>()
        };
        let mut ends = of(&groups);
        ends.extend(of(&others));
        ends
    }

    fn outline(&self, top: usize, regions: &BTreeSet<usize>) -> End {
        let is_group = self.space.regions[top].is_group();
        let mut but = Vec::new();
        let mut open = vec![top];
        while let Some(region) = open.pop() {
            for child in &self.children[region] {
                if regions.contains(child) {
                    open.push(*child);
                } else if self.space.regions[*child].is_group() == is_group && self.has_party_below(*child) {
                    but.push(self.space.regions[*child].net());
                }
            }
        }
        let (net, but) = (self.space.regions[top].net(), self.joined(but));
        let is_world = net.prefix_len() == 0 && !but.is_empty();
        if is_world { End::WorldBut(but) } else { End::Nobodys(net, but) }
    }

    /// Prefixes, by the sets that are nothing else in the family.
    fn joined(&self, nets: Vec<IpNet>) -> Vec<End> {
        let is_of_family = |net: &&IpNet| {
            matches!((net, self.layer.family), (IpNet::V4(_), Family::Ipv4) | (IpNet::V6(_), Family::Ipv6))
        };
        let all: BTreeSet<IpNet> = nets.iter().copied().collect();
        let mut left = all.clone();
        let names: BTreeSet<&str> = nets.iter().flat_map(|net| self.names.sets_with(*net)).collect();
        let mut ends = Vec::new();
        for name in names {
            let of_set: Vec<IpNet> =
                self.names.nets_of(name).iter().filter(is_of_family).map(IpNet::trunc).collect();
            if of_set.iter().all(|net| all.contains(net)) && of_set.iter().any(|net| left.contains(net)) {
                of_set.iter().for_each(|net| {
                    left.remove(net);
                });
                ends.push(End::Set(name.to_owned()));
            }
        }
        ends.extend(left.into_iter().map(End::Prefix));
        ends.sort_unstable();
        ends
    }

    /// Whether there is anything in a prefix that could be meant.
    fn has_party_below(&self, region: usize) -> bool {
        self.known.contains_key(&End::Prefix(self.space.regions[region].net()))
    }
}

/// How long it is to read.
fn length(end: &End) -> usize {
    match end {
        End::Nobodys(_, but) | End::WorldBut(but) => 1 + but.len(),
        End::Learned(_, ends) => 1 + ends.iter().map(length).sum::<usize>(),
        _ => 1,
    }
}
