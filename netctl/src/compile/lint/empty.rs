//! Rules that match nothing whatever the others are: empty selectors, and services that do not exist between
//! the addresses that are named.

use std::ops::BitOr;

use crate::compile::address::Prefix;
use crate::config::{Config, PortRange, Rule, Selector, Service};

/// Why the rule matches nothing, if so.
pub(super) fn cause(config: &Config, rule: &Rule) -> Option<String> {
    let sides = [("from", &rule.from), ("to", &rule.to)];
    for (side, selectors) in sides {
        let reasons: Option<Vec<String>> =
            selectors.iter().map(|selector| nothing_in(config, selector, side == "from")).collect();
        if let Some(reasons) = reasons {
            return Some(format!("nothing is in `{side}`: {}", reasons.join(", ")));
        }
    }
    let [from, to] = sides.map(|(_, selectors)| {
        selectors.iter().map(|selector| kinds_of(config, selector)).fold(Kinds::NONE, Kinds::bitor)
    });
    let services = rule.services.iter().map(kinds_with).fold(Kinds::NONE, Kinds::bitor);
    let ports_only = rule.services.iter().any(has_source_ports);
    if !rule.source_ports.is_empty()
        && (!ports_only || rule.source_ports.iter().all(|ports| ports.is_empty()))
    {
        return Some("only TCP, UDP and SCTP have source ports".into());
    }
    if from.and(to) == Kinds::NONE {
        return Some(format!("`from` is {} and `to` is {}", from.describe(), to.describe()));
    }
    if from.and(to).and(services) == Kinds::NONE {
        return Some(format!(
            "its services are {}, and its addresses are {}",
            services.describe(),
            from.and(to).describe()
        ));
    }
    None
}

/// Why the selector holds nothing, if so.
fn nothing_in(config: &Config, selector: &Selector, is_source: bool) -> Option<String> {
    match selector {
        Selector::Group(group) if config.groups.get(group).is_none_or(|ports| ports.is_empty()) => {
            Some(format!("group `{group}` has no ports"))
        }
        Selector::Set(set) => {
            let mut usable = config.sets.get(set).into_iter().flatten().filter_map(|net| Prefix::new(*net));
            usable.next().is_none().then(|| format!("set `{set}` is empty"))
        }
        Selector::Prefix(net) if Prefix::new(*net).is_none() => {
            Some(format!("no packet has an address in {net}"))
        }
        Selector::Host if config.networks.is_empty() => Some("the host is on no network".into()),
        Selector::Multicast if is_source => Some("no frame comes from a multicast address".into()),
        Selector::Broadcast if is_source => Some("no frame comes from the broadcast address".into()),
        _ => None,
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

/// What can come from or go to a selector. Ports, the host and the world can be all, whatever addresses they
/// are known to have: link-local ones, 0.0.0.0.
fn kinds_of(config: &Config, selector: &Selector) -> Kinds {
    let of_prefix = |net: &ipnet::IpNet| match (net, Prefix::new(*net)) {
        (_, None) => Kinds::NONE,
        (ipnet::IpNet::V4(_), _) => Kinds::IPV4,
        (ipnet::IpNet::V6(_), _) => Kinds::IPV6,
    };
    match selector {
        Selector::Prefix(net) => of_prefix(net),
        Selector::Set(set) => {
            config.sets.get(set).into_iter().flatten().map(of_prefix).fold(Kinds::NONE, Kinds::bitor)
        }
        Selector::Broadcast => Kinds::IPV4 | Kinds::FRAMES,
        Selector::Group(group) if config.groups.get(group).is_none_or(|ports| ports.is_empty()) => {
            Kinds::NONE
        }
        _ => Kinds::ALL,
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
