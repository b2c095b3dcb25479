//! Who the two ends of a judged frame are, in the document's words.

use std::net::IpAddr;

use netctl_common::abi::Answer;
use netctl_common::address::{Address, LinkAddress};
use netctl_common::frame::{Layer, Tuple};
use netctl_common::verdict::Direction;
use serde::Serialize;

use super::seen::Seen;
use crate::compile::reference::{Identity, Owner, Party, Query, Wanted};
use crate::config::{Config, Mac, Selector, print_selector};
use crate::names;

/// One end of the flow, as the rules see it.
#[derive(Clone, Debug, Serialize)]
pub struct End {
    /// IP address, or MAC address of a frame without IP.
    pub address: String,
    /// The data path's number for all that no rule tells apart from it; none where the rules were not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<u32>,
    /// Selectors that hold for it: who it is first, then its groups, and the sets and prefixes that rules name.
    pub is: Vec<String>,
}

/// What the rules are, or were, asked at a port: about the first packet of the flow.
pub(super) fn query(config: &Config, (port, direction): (&str, Direction), seen: &Seen) -> Query {
    let answer = &seen.answer;
    let network = config.ports.get(port).map_or("", |port| &port.network);
    let zone = config.networks.get(network).map_or("", |network| &network.zone);
    let at = At { config, port, network, zone, answer };
    if !seen.is_ip() {
        return at.without_ip(direction);
    }
    let (tuple, opened_in) = match seen.opener() {
        Some(opener) => (answer.key.opening(opener), opener),
        None => (tuple(answer), direction),
    };
    let (source, destination) = match opened_in {
        Direction::FromGuest => {
            (at.local(tuple.source), at.remote(tuple.destination, &answer.destination_mac))
        }
        Direction::ToGuest => (at.remote(tuple.source, &answer.source_mac), at.own_end(tuple.destination)),
    };
    let Tuple { protocol, destination_port: number, .. } = tuple;
    let source_port = if matches!(protocol, 6 | 17 | 132) { tuple.source_port } else { 0 };
    let has_number = matches!(protocol, 1 | 6 | 17 | 58 | 132);
    let number = if has_number { number } else { 0 };
    Query { source, destination, service: Wanted::Ip { protocol, number, source_port } }
}

/// Of the frame itself.
pub(super) const fn tuple(answer: &Answer) -> Tuple {
    Tuple {
        source: answer.source,
        destination: answer.destination,
        protocol: answer.protocol,
        source_port: answer.source_port,
        destination_port: answer.destination_port,
    }
}

struct At<'a> {
    config: &'a Config,
    port: &'a str,
    network: &'a str,
    zone: &'a str,
    answer: &'a Answer,
}

impl At<'_> {
    fn without_ip(&self, direction: Direction) -> Query {
        let (source, destination) = (&self.answer.source_mac, &self.answer.destination_mac);
        let own = || Party::Port(self.port.to_owned());
        let (source, destination) = match direction {
            Direction::FromGuest => (own(), self.by_mac(destination)),
            Direction::ToGuest if destination.is_group() => (self.by_mac(source), self.by_mac(destination)),
            Direction::ToGuest => (self.by_mac(source), own()),
        };
        Query { source, destination, service: Wanted::Ethertype(self.answer.ethertype) }
    }

    /// The guest's own address, or the port where it is not its own.
    fn local(&self, address: Address) -> Party {
        let party = self.by_address(address);
        let is_own = Identity::of(self.config, &party).owner == Owner::Port(self.port);
        if is_own { party } else { Party::Port(self.port.to_owned()) }
    }

    /// What a frame to the guest is for: a group is nobody's own.
    fn own_end(&self, address: Address) -> Party {
        match self.by_address(address) {
            _ if self.is_directed_broadcast(&address) => Party::Broadcast,
            party if address.is_group() => party,
            _ => self.local(address),
        }
    }

    fn remote(&self, address: Address, mac: &LinkAddress) -> Party {
        if address.is_unspecified() {
            return self.by_mac(mac);
        }
        if self.is_directed_broadcast(&address) {
            return Party::Broadcast;
        }
        self.by_address(address)
    }

    /// A unicast address in a broadcast frame.
    fn is_directed_broadcast(&self, address: &Address) -> bool {
        let to_all = self.answer.destination_mac == LinkAddress::BROADCAST;
        to_all && *address == self.answer.destination && !address.is_group()
    }

    fn by_address(&self, address: Address) -> Party {
        Party::Address { zone: self.zone.to_owned(), ip: names::address(address) }
    }

    fn by_mac(&self, mac: &LinkAddress) -> Party {
        let bytes = Mac(mac.bytes());
        let of_port =
            self.config.ports.iter().find(|(_, port)| port.mac == bytes && port.network == self.network);
        match of_port {
            Some((name, _)) => Party::Port(name.clone()),
            None if *mac == LinkAddress::BROADCAST => Party::Broadcast,
            None if mac.is_group() => Party::Multicast,
            None if self.config.networks.get(self.network).is_some_and(|network| network.mac == bytes) => {
                Party::Host
            }
            None => Party::World,
        }
    }
}

/// Both ends of what the rules were asked.
pub(super) fn ends(config: &Config, query: &Query, seen: &Seen) -> [End; 2] {
    let answer = &seen.answer;
    let (macs, classes) = (
        [answer.source_mac, answer.destination_mac],
        [answer.source_class, answer.destination_class].map(|class| seen.rules_asked().then_some(class)),
    );
    let shown = match seen.opener() {
        Some(opener) => answer.key.opening(opener),
        None => tuple(answer),
    };
    let addresses = [shown.source, shown.destination].map(names::address);
    let end = |at: usize, party: &Party| End {
        address: if seen.is_ip() { addresses[at].to_string() } else { names::mac(macs[at]) },
        class: classes[at],
        is: words(config, party, seen.layer() != Layer::Other && seen.is_ip()),
    };
    [end(0, &query.source), end(1, &query.destination)]
}

/// Selectors of the document that hold for a party.
fn words(config: &Config, party: &Party, has_address: bool) -> Vec<String> {
    let identity = Identity::of(config, party);
    let mut words = vec![match identity.owner {
        Owner::Port(port) => format!("port {port}"),
        Owner::Host => "host".to_owned(),
        Owner::World => "world".to_owned(),
        Owner::Multicast => "multicast".to_owned(),
        Owner::Broadcast => "broadcast".to_owned(),
    }];
    let groups = config.groups.keys().filter(|name| identity.is(config, &Selector::Group((*name).clone())));
    words.extend(groups.map(|name| format!("group {name}")));
    if has_address {
        let sets = config.sets.keys().filter(|name| identity.is(config, &Selector::Set((*name).clone())));
        words.extend(sets.map(|name| format!("set {name}")));
        words.extend(prefixes(config, identity.address));
    }
    words
}

/// The prefixes that rules name and that hold the address, longest first.
fn prefixes(config: &Config, address: Option<IpAddr>) -> Vec<String> {
    let Some(address) = address else { return Vec::new() };
    let selectors = config.policy.rules.iter().flat_map(|rule| rule.from.iter().chain(&rule.to));
    let mut found: Vec<&Selector> =
        selectors.filter(|it| matches!(it, Selector::Prefix(net) if net.contains(&address))).collect();
    found.sort_by_key(|it| match it {
        Selector::Prefix(net) => std::cmp::Reverse(net.prefix_len()),
        _ => std::cmp::Reverse(0),
    });
    found.dedup();
    found.into_iter().map(print_selector).collect()
}
