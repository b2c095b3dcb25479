//! The look-ups of the data path over a [`Compiled`], on the host.

use std::collections::BTreeSet;
use std::net::IpAddr;

use netctl::compile::Compiled;
use netctl::compile::reference::{Party, Query, Wanted};
use netctl_common::abi::{
    AddressEntry, AddressKey, ChainEntry, Classes, LearnedKey, NO_RULE, PairKey, PrefixKey, VerdictKey,
    rule_flags,
};
use netctl_common::classify::ServiceRow;

/// A compiled policy, ready to be asked.
pub(crate) struct Lookup<'c> {
    compiled: &'c Compiled,
    zone: &'c dyn Fn(&str) -> u32,
    /// The prefix lengths that occur, longest first.
    lengths: Vec<u32>,
}

impl<'c> Lookup<'c> {
    pub(crate) fn new(compiled: &'c Compiled, zone: &'c dyn Fn(&str) -> u32) -> Self {
        let lengths: BTreeSet<u32> = compiled.prefixes.keys().map(|(length, _)| *length).collect();
        Self { compiled, zone, lengths: lengths.into_iter().rev().collect() }
    }

    pub(crate) fn first_match(&self, query: &Query) -> Option<u32> {
        self.first(query, 0)
    }

    /// As the data path does it: a second time only behind an audited rule.
    pub(crate) fn first_enforced(&self, query: &Query) -> Option<u32> {
        let first = self.first_match(query)?;
        let rule = &self.compiled.rules[first as usize];
        if rule.flags & rule_flags::AUDIT == 0 { Some(first) } else { self.first(query, rule.enforced) }
    }

    fn first(&self, query: &Query, shift: u32) -> Option<u32> {
        let compiled = self.compiled;
        let source = self.classes(&query.source).source + shift;
        let destination = self.classes(&query.destination).destination + shift;
        let service = self.service(query.service);
        let is_ip = matches!(query.service, Wanted::Ip { .. });
        let pair = compiled.pair_chains.get(&PairKey { source, destination });
        let chains = [
            compiled.source_chains[source as usize],
            compiled.destination_chains[destination as usize],
            pair.copied().unwrap_or(ChainEntry::EMPTY),
        ];
        let answer = |entry: ChainEntry| {
            let verdict = compiled.verdicts.get(&VerdictKey { chain: entry.chain, service });
            verdict.copied().unwrap_or(if is_ip { entry.otherwise } else { NO_RULE })
        };
        chains.into_iter().map(answer).min().filter(|rule| *rule != NO_RULE)
    }

    pub(crate) fn classes(&self, party: &Party) -> Classes {
        let compiled = self.compiled;
        match party {
            Party::Address { zone, ip } => self.address((self.zone)(zone), *ip),
            Party::Port(name) => {
                compiled.ports.iter().find(|port| port.name == *name).expect("a port").classes
            }
            Party::Learned { port, ip } => {
                let port = compiled.ports.iter().find(|it| it.name == *port).expect("a port");
                let identity = compiled.learners[&port.id].identity;
                let region = self.prefix(port.zone, *ip).region;
                compiled.learned_classes[&LearnedKey { identity, region }]
            }
            Party::Host => compiled.host_stations.first().expect("a network").classes,
            Party::World => compiled.world,
            Party::Multicast => compiled.multicast,
            Party::Broadcast => compiled.broadcast,
        }
    }

    fn address(&self, zone: u32, ip: IpAddr) -> Classes {
        let address = octets(ip);
        if let Some(entry) = self.compiled.addresses.get(&AddressKey { zone, address: address.into() }) {
            return entry.classes;
        }
        self.prefix(zone, ip).classes
    }

    fn prefix(&self, zone: u32, ip: IpAddr) -> &AddressEntry {
        let bits = u128::from_be_bytes(octets(ip));
        let entry = self.lengths.iter().find_map(|length| {
            let mask = u128::MAX.checked_shl(128 - (length - 32)).unwrap_or(0);
            let key = PrefixKey { zone_be: zone.to_be_bytes(), address: (bits & mask).to_be_bytes().into() };
            self.compiled.prefixes.get(&(*length, key))
        });
        entry.expect("a default route")
    }

    fn service(&self, wanted: Wanted) -> u32 {
        let at =
            |row: ServiceRow, index: u16| u32::from(self.compiled.services[row as usize][usize::from(index)]);
        let (row, source_row) = match wanted {
            Wanted::Ethertype(_) => (ServiceRow::Ethertype, None),
            Wanted::Ip { protocol: 6, .. } => (ServiceRow::Tcp, Some(ServiceRow::TcpSource)),
            Wanted::Ip { protocol: 17, .. } => (ServiceRow::Udp, Some(ServiceRow::UdpSource)),
            Wanted::Ip { protocol: 132, .. } => (ServiceRow::Sctp, Some(ServiceRow::SctpSource)),
            Wanted::Ip { protocol: 1, .. } => (ServiceRow::Icmp, None),
            Wanted::Ip { protocol: 58, .. } => (ServiceRow::Icmp6, None),
            Wanted::Ip { .. } => (ServiceRow::Protocol, None),
        };
        let (index, source_port) = match wanted {
            Wanted::Ethertype(number) => (number, 0),
            Wanted::Ip { protocol, source_port, .. } if row == ServiceRow::Protocol => {
                (protocol.into(), source_port)
            }
            Wanted::Ip { number, source_port, .. } => (number, source_port),
        };
        let sources = self.compiled.source_services;
        if sources == 1 {
            return at(row, index);
        }
        let source = source_row.map_or(0, |row| at(row, source_port));
        self.compiled.service_pairs[(at(row, index) * sources + source) as usize]
    }
}

fn octets(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    }
}
