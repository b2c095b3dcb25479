//! What a policy means: the first rule that matches, found by trying them in order.
//!
//! This is the definition of correct for the compiled tables, and shares nothing with the compiler. It is for
//! tests and for reading; the data path never does this.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;

use ipnet::IpNet;

use crate::config::{Addresses, Config, IcmpMatch, Network, PortRange, Rule, Selector, Service};

/// A frame that may open a flow, as far as rules look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    pub source: Party,
    pub destination: Party,
    pub service: Wanted,
}

/// One end of a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Party {
    /// An IP address in a zone. `::ffff:a.b.c.d` is a.b.c.d.
    Address {
        zone: String,
        ip: IpAddr,
    },
    /// An address that a port has learned (`addresses = "learn"`).
    Learned {
        port: String,
        ip: IpAddr,
    },
    /// A port whose address says nothing: DHCP's 0.0.0.0, frames without IP.
    Port(String),
    /// The others are ends of frames without IP, by MAC address; broadcast is also a network's directed one.
    Host,
    World,
    Multicast,
    Broadcast,
}

/// What the flow is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    Ip {
        protocol: u8,
        /// The destination port of TCP, UDP and SCTP; type * 256 + code of ICMP and ICMPv6; else 0.
        number: u16,
        /// Of TCP, UDP and SCTP; else 0.
        source_port: u16,
    },
    /// A frame without IP.
    Ethertype(u16),
}

/// Index of the rule that decides if audited rules do, too; `None`: the policy's default does.
pub fn first_match(config: &Config, query: &Query) -> Option<u32> {
    first(config, query, |_| true)
}

/// Index of the rule that decides: an audited rule does not.
pub fn first_enforced(config: &Config, query: &Query) -> Option<u32> {
    first(config, query, |rule| !rule.audit)
}

fn first(config: &Config, query: &Query, counts: impl Fn(&Rule) -> bool) -> Option<u32> {
    let source = Identity::of(config, &query.source);
    let destination = Identity::of(config, &query.destination);
    let matches = |rule: &Rule| {
        counts(rule)
            && rule.from.iter().any(|selector| source.is(config, selector))
            && rule.to.iter().any(|selector| destination.is(config, selector))
            && takes(rule, query.service)
    };
    config.policy.rules.iter().zip(0..).find(|(rule, _)| matches(rule)).map(|(_, index)| index)
}

/// A party with its owner looked up.
#[derive(Debug)]
pub struct Identity<'q> {
    pub owner: Owner<'q>,
    pub address: Option<IpAddr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner<'q> {
    Port(&'q str),
    Host,
    /// Whatever is unicast and no one's.
    World,
    Multicast,
    Broadcast,
}

impl<'q> Identity<'q> {
    pub fn of(config: &'q Config, party: &'q Party) -> Self {
        let owner = match party {
            Party::Address { zone, ip } => {
                let ip = ip.to_canonical();
                return Self { owner: owner(config, zone, ip), address: Some(ip) };
            }
            Party::Learned { port, ip } => {
                return Self { owner: Owner::Port(port), address: Some(ip.to_canonical()) };
            }
            Party::Port(name) => Owner::Port(name),
            Party::Host => Owner::Host,
            Party::World => Owner::World,
            Party::Multicast => Owner::Multicast,
            Party::Broadcast => Owner::Broadcast,
        };
        Self { owner, address: None }
    }

    pub fn is(&self, config: &Config, selector: &Selector) -> bool {
        match selector {
            Selector::Any => true,
            Selector::Host => self.owner == Owner::Host,
            Selector::World => self.owner == Owner::World,
            Selector::Multicast => {
                self.address.map_or(self.owner == Owner::Multicast, |ip| ip.is_multicast())
            }
            Selector::Broadcast => self.address.map_or(self.owner == Owner::Broadcast, is_broadcast),
            Selector::Port(port) => self.owner == Owner::Port(port),
            Selector::Group(group) => match self.owner {
                Owner::Port(port) => config.groups.get(group).is_some_and(|ports| ports.contains(port)),
                _ => false,
            },
            Selector::Set(set) => config.sets.get(set).into_iter().flatten().any(|net| self.inside(net)),
            Selector::Prefix(net) => self.inside(net),
        }
    }

    /// [`IpNet::contains`] never holds an address of the other family.
    fn inside(&self, net: &IpNet) -> bool {
        self.address.is_some_and(|ip| net.contains(&ip))
    }
}

fn owner<'c>(config: &'c Config, zone: &str, ip: IpAddr) -> Owner<'c> {
    let in_zone = |network: &Network| network.zone == zone;
    let listed = |addresses: &Addresses| match addresses {
        Addresses::Any | Addresses::Learned => false,
        Addresses::Listed(listed) => listed.iter().any(|own| own.to_canonical() == ip),
    };
    for (name, port) in &config.ports {
        if config.networks.get(&port.network).is_some_and(in_zone)
            && (listed(&port.addresses) || IpAddr::V6(port.mac.link_local()) == ip)
        {
            return Owner::Port(name);
        }
    }
    let of_host = |network: &Network| {
        network.addresses.iter().any(|net| net.addr().to_canonical() == ip)
            || IpAddr::V6(network.mac.link_local()) == ip
    };
    match ip {
        _ if config.networks.values().any(|network| in_zone(network) && of_host(network)) => Owner::Host,
        _ if ip.is_multicast() => Owner::Multicast,
        _ if is_broadcast(ip) => Owner::Broadcast,
        _ => Owner::World,
    }
}

fn is_broadcast(ip: IpAddr) -> bool {
    ip == IpAddr::V4(Ipv4Addr::BROADCAST)
}

fn takes(rule: &Rule, wanted: Wanted) -> bool {
    takes_source_port(rule, wanted) && takes_service(rule, wanted)
}

/// Whether the rule's `source-ports` hold for it.
pub fn takes_source_port(rule: &Rule, wanted: Wanted) -> bool {
    rule.source_ports.is_empty() || source_port_inside(&rule.source_ports, wanted)
}

/// Whether one of the rule's services does.
pub fn takes_service(rule: &Rule, wanted: Wanted) -> bool {
    rule.services.iter().any(|service| service_takes(service, wanted))
}

fn source_port_inside(ranges: &[RangeInclusive<u16>], wanted: Wanted) -> bool {
    match wanted {
        Wanted::Ip { protocol: 6 | 17 | 132, source_port, .. } => {
            ranges.iter().any(|range| range.contains(&source_port))
        }
        _ => false,
    }
}

fn service_takes(service: &Service, wanted: Wanted) -> bool {
    let (protocol, number) = match wanted {
        Wanted::Ip { protocol, number, .. } => (protocol, number),
        Wanted::Ethertype(number) => return *service == Service::Ethertype(number),
    };
    let inside = |range: &PortRange| range.first <= number && number <= range.last;
    let message = |icmp: &IcmpMatch| match *icmp {
        IcmpMatch::All => true,
        IcmpMatch::Type(kind) => number / 256 == u16::from(kind),
        IcmpMatch::Code(kind, code) => number == u16::from(kind) * 256 + u16::from(code),
    };
    match service {
        Service::Any => true,
        Service::Tcp(range) => protocol == 6 && inside(range),
        Service::Udp(range) => protocol == 17 && inside(range),
        Service::Sctp(range) => protocol == 132 && inside(range),
        Service::Icmp(icmp) => protocol == 1 && message(icmp),
        Service::Icmp6(icmp) => protocol == 58 && message(icmp),
        Service::Protocol(number) => protocol == *number,
        Service::Ethertype(_) => false,
    }
}
