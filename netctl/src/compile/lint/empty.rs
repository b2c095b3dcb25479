//! Rules that match nothing whatever the others are: empty selectors, and services that do not exist between
//! the addresses that are named.

use std::ops::BitOr;

use hashbrown::HashMap;
use ipnet::IpNet;

use crate::compile::address::Prefix;
use crate::config::{Config, PortRange, Rule, Selector, Service};

/// Answers for each rule.
pub(super) struct Alone<'c> {
    config: &'c Config,
    /// What the prefixes of each set are.
    sets: HashMap<&'c str, Kinds>,
}

impl<'c> Alone<'c> {
    pub(super) fn new(config: &'c Config) -> Self {
        let kinds = |nets: &[IpNet]| nets.iter().map(kind_of).fold(Kinds::NONE, Kinds::bitor);
        Self { config, sets: config.sets.iter().map(|(name, nets)| (name.as_str(), kinds(nets))).collect() }
    }

    /// Why the rule matches nothing, if so.
    pub(super) fn cause(&self, rule: &Rule) -> Option<String> {
        self.empty_side(rule).or_else(|| self.never_meet(rule))
    }

    fn empty_side(&self, rule: &Rule) -> Option<String> {
        [("from", &rule.from), ("to", &rule.to)].into_iter().find_map(|(side, selectors)| {
            let reasons = selectors.iter().map(|selector| self.nothing_in(selector, side == "from"));
            let reasons = reasons.collect::<Option<Vec<String>>>()?;
            Some(format!("nothing is in `{side}`: {}", reasons.join(", ")))
        })
    }

    fn never_meet(&self, rule: &Rule) -> Option<String> {
        let [from, to] = [&rule.from, &rule.to].map(|selectors| {
            selectors.iter().map(|selector| self.kinds_of(selector)).fold(Kinds::NONE, Kinds::bitor)
        });
        let services = rule.services.iter().map(kinds_with).fold(Kinds::NONE, Kinds::bitor);
        let no_source_port = !rule.source_ports.is_empty()
            && (rule.source_ports.iter().all(|ports| ports.is_empty())
                || !rule.services.iter().any(has_source_ports));
        let addresses = from.and(to);
        if no_source_port {
            Some("only TCP, UDP and SCTP have source ports".into())
        } else if addresses == Kinds::NONE {
            Some(format!("`from` is {} and `to` is {}", from.describe(), to.describe()))
        } else if addresses.and(services) == Kinds::NONE {
            let (services, addresses) = (services.describe(), addresses.describe());
            Some(format!("its services are {services}, and its addresses are {addresses}"))
        } else {
            None
        }
    }

    /// Why the selector holds nothing, if so.
    fn nothing_in(&self, selector: &Selector, is_source: bool) -> Option<String> {
        match selector {
            Selector::Group(group) if self.config.groups.get(group).is_none_or(|ports| ports.is_empty()) => {
                Some(format!("group `{group}` has no ports"))
            }
            Selector::Set(set) if self.kinds_of(selector) == Kinds::NONE => {
                Some(format!("set `{set}` is empty"))
            }
            Selector::Prefix(net) if kind_of(net) == Kinds::NONE => {
                Some(format!("no packet has an address in {net}"))
            }
            Selector::Host if self.config.networks.is_empty() => Some("the host is on no network".into()),
            Selector::Multicast if is_source => Some("no frame comes from a multicast address".into()),
            Selector::Broadcast if is_source => Some("no frame comes from the broadcast address".into()),
            _ => None,
        }
    }

    /// What can come from or go to a selector that is not empty. Ports, the host and the world can be all,
    /// whatever addresses they are known to have: link-local ones, 0.0.0.0.
    fn kinds_of(&self, selector: &Selector) -> Kinds {
        match selector {
            Selector::Prefix(net) => kind_of(net),
            Selector::Set(set) => self.sets.get(set.as_str()).copied().unwrap_or(Kinds::NONE),
            Selector::Broadcast => Kinds::IPV4 | Kinds::FRAMES,
            _ => Kinds::ALL,
        }
    }
}

/// Some of: IPv4, IPv6, frames without IP.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Kinds(u8);

impl BitOr for Kinds {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl Kinds {
    const NONE: Self = Self(0);
    const IPV4: Self = Self(1);
    const IPV6: Self = Self(2);
    const FRAMES: Self = Self(4);
    const IP: Self = Self(3);
    const ALL: Self = Self(7);

    fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    fn describe(self) -> String {
        let names = [(Self::IPV4, "IPv4"), (Self::IPV6, "IPv6"), (Self::FRAMES, "without IP")];
        let names: Vec<&str> =
            names.iter().filter(|(kind, _)| self.and(*kind) != Self::NONE).map(|(_, name)| *name).collect();
        if names.is_empty() { "nothing".into() } else { names.join(" or ") }
    }
}

fn kind_of(net: &IpNet) -> Kinds {
    match net {
        _ if Prefix::new(*net).is_none() => Kinds::NONE,
        IpNet::V4(_) => Kinds::IPV4,
        IpNet::V6(_) => Kinds::IPV6,
    }
}

fn kinds_with(service: &Service) -> Kinds {
    match service {
        Service::Tcp(range) | Service::Udp(range) | Service::Sctp(range) if is_empty(range) => Kinds::NONE,
        Service::Icmp(_) | Service::Protocol(1) => Kinds::IPV4,
        Service::Icmp6(_) | Service::Protocol(58) => Kinds::IPV6,
        Service::Ethertype(_) => Kinds::FRAMES,
        _ => Kinds::IP,
    }
}

fn has_source_ports(service: &Service) -> bool {
    match service {
        Service::Tcp(range) | Service::Udp(range) | Service::Sctp(range) => !is_empty(range),
        Service::Any | Service::Protocol(6 | 17 | 132) => true,
        _ => false,
    }
}

fn is_empty(range: &PortRange) -> bool {
    range.first > range.last
}
