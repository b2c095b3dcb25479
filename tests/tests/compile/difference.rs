//! Policies compared by meaning, against the reference: every flow that a row holds changes as the row says, and every
//! flow that changes is in a row.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use netctl::compile::reference::{Party, Query, Wanted, first_enforced};
use netctl::config::{Addresses, Config, Guards, Service, parse_service};
use netctl::policy::difference::{Difference, End, Family, Limits, Row, Side, difference};
use netctl_common::abi::guards;
use netctl_common::address::Address;
use netctl_common::verdict::Action;
use netctl_tests::policies::{self, Random};

const PAIRS: u64 = 120;
const QUERIES: usize = 400;

fn compared(before: &Config, after: &Config) -> Difference {
    let side = |config: &Config| Side::new(config.clone(), String::new()).unwrap();
    difference(&side(before), &side(after), &Limits { rows: usize::MAX, ..Limits::default() }).unwrap()
}

/// Whose something is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Owner<'c> {
    Nobody,
    Host,
    Port(&'c str),
}

fn zone_of<'c>(config: &'c Config, port: &str) -> Option<&'c str> {
    config.ports.get(port).map(|port| config.networks[&port.network].zone.as_str())
}

fn owner<'c>(config: &'c Config, party: &'c Party) -> Owner<'c> {
    let (zone, ip) = match party {
        Party::Address { zone, ip } => (zone.as_str(), ip.to_canonical()),
        Party::Learned { port, .. } | Party::Port(port) if config.ports.contains_key(port) => {
            return Owner::Port(port);
        }
        Party::Host => return Owner::Host,
        _ => return Owner::Nobody,
    };
    let has = |port: &netctl::config::Port| match &port.addresses {
        Addresses::Listed(listed) => listed.iter().any(|own| own.to_canonical() == ip),
        _ => false,
    };
    let mut ports = config.ports.iter().filter(|(name, _)| zone_of(config, name) == Some(zone));
    if let Some((name, _)) = ports.find(|(_, port)| has(port) || IpAddr::V6(port.mac.link_local()) == ip) {
        return Owner::Port(name);
    }
    let is_host = config.networks.values().filter(|network| network.zone == zone).any(|network| {
        network.addresses.iter().any(|net| net.addr().to_canonical() == ip)
            || IpAddr::V6(network.mac.link_local()) == ip
    });
    if is_host { Owner::Host } else { Owner::Nobody }
}

fn is_loose(config: &Config, port: &str) -> bool {
    config
        .ports
        .get(port)
        .is_some_and(|port| port.addresses == Addresses::Any || port.guards.0 & guards::IP == 0)
}

/// Whether there can be such an end of a flow.
fn is_there(config: &Config, party: &Party, wanted: Wanted) -> bool {
    match party {
        Party::Address { zone, .. } => config.networks.values().any(|network| network.zone == *zone),
        Party::Learned { port, .. } => {
            config.ports.get(port).is_some_and(|port| port.addresses == Addresses::Learned)
        }
        Party::Port(port) if matches!(wanted, Wanted::Ip { .. }) => is_loose(config, port),
        Party::Port(port) => config.ports.contains_key(port),
        _ => true,
    }
}

/// `None`: there is no such flow; else what happens, and the rule.
fn verdict(config: &Config, query: &Query) -> Option<(Action, Option<u32>)> {
    let ends = [&query.source, &query.destination];
    if !ends.iter().all(|party| is_there(config, party, query.service)) {
        return None;
    }
    let owners = ends.map(|party| owner(config, party));
    if owners[0] == owners[1] && matches!(owners[0], Owner::Port(_)) {
        return None;
    }
    let is_audited = |port: &str| config.policy.audit || config.ports[port].audit;
    let judges = |owner: &Owner<'_>| match owner {
        Owner::Port(port) => Some(is_audited(port)),
        _ => None,
    };
    let mut judges: Vec<bool> = match (&query.source, &query.destination) {
        (Party::Port(port), _) if matches!(query.service, Wanted::Ip { .. }) => vec![is_audited(port)],
        (_, Party::Port(port)) if matches!(query.service, Wanted::Ip { .. }) => vec![is_audited(port)],
        (_, to) if is_group(to) => match judges(&owners[0]) {
            Some(judge) => vec![judge],
            None => hearers(config, query).map(|port| is_audited(port)).collect(),
        },
        _ => owners.iter().filter_map(judges).collect(),
    };
    judges.sort_unstable();
    let is_audited = *judges.first()?;
    let rule = first_enforced(config, query);
    let action = match (rule, query.service) {
        (Some(rule), _) => config.policy.rules[rule as usize].action,
        (None, Wanted::Ethertype(_)) => return Some((Action::Deny, None)),
        (None, Wanted::Ip { .. }) => config.policy.default,
    };
    Some((if is_audited { Action::Allow } else { action }, rule))
}

/// The ports that hear a group.
fn hearers<'c>(config: &'c Config, query: &'c Query) -> impl Iterator<Item = &'c String> {
    let zone = match &query.source {
        Party::Address { zone, .. } => Some(zone.as_str()),
        Party::Learned { port, .. } => zone_of(config, port),
        _ => None,
    };
    config.ports.keys().filter(move |port| zone.is_none() || zone_of(config, port) == zone)
}

fn address(party: &Party) -> Option<IpAddr> {
    match party {
        Party::Address { ip, .. } | Party::Learned { ip, .. } => Some(ip.to_canonical()),
        _ => None,
    }
}

fn is_group(party: &Party) -> bool {
    let is_broadcast = |ip: IpAddr| ip.to_string() == "255.255.255.255";
    matches!(party, Party::Multicast | Party::Broadcast)
        || address(party).is_some_and(|ip| ip.is_multicast() || is_broadcast(ip))
}

fn is_reserved(ip: IpAddr) -> bool {
    let bytes = match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    };
    Address::from(bytes).is_reserved() || ip.is_unspecified()
}

/// Whether frames like that are and come before the rules.
fn can_be(configs: [&Config; 2], query: &Query) -> bool {
    let zone = |party: &Party| match party {
        Party::Address { zone, .. } => Some(zone.clone()),
        Party::Learned { port, .. } | Party::Port(port) => {
            let zones: Vec<&str> = configs.iter().filter_map(|config| zone_of(config, port)).collect();
            (zones.len() == 1 || zones.first() == zones.last())
                .then(|| zones.first().map(|zone| (*zone).to_owned()))
                .flatten()
        }
        _ => None,
    };
    let (source, destination) = (address(&query.source), address(&query.destination));
    match query.service {
        Wanted::Ethertype(number) => {
            // Of the same network, where both are ports; one network is enough here.
            number >= 0x600
                && !matches!(number, 0x0800 | 0x0806 | 0x86dd)
                && source.is_none()
                && destination.is_none()
                && !is_group(&query.source)
                && configs.iter().all(|config| config.networks.len() == 1)
        }
        Wanted::Ip { protocol, number, .. } => {
            let families = match (source, destination) {
                (None, Some(ip)) | (Some(ip), None) => [ip.is_ipv4(); 2],
                (Some(from), Some(to)) => [from.is_ipv4(), to.is_ipv4()],
                (None, None) => return false,
            };
            let kind = number >> 8;
            let is_asked = match protocol {
                1 => families[0] && !matches!(kind, 3 | 11 | 12),
                58 => !families[0] && !matches!(kind, 1..=4 | 133..=137),
                _ => true,
            };
            is_asked
                && families[0] == families[1]
                && [source, destination].into_iter().flatten().all(|ip| !is_reserved(ip))
                && !is_group(&query.source)
                && [&query.source, &query.destination].into_iter().all(|party| {
                    !matches!(party, Party::Host | Party::World | Party::Multicast | Party::Broadcast)
                })
                && [&query.source, &query.destination].into_iter().all(|party| can_learn(configs, party))
                && zone(&query.source).is_some()
                && zone(&query.source) == zone(&query.destination)
        }
    }
}

/// Nobody learns what a document gives to someone.
fn can_learn(configs: [&Config; 2], party: &Party) -> bool {
    let Party::Learned { port, ip } = party else { return true };
    configs.iter().all(|config| {
        let zone = zone_of(config, port).unwrap_or_default().to_owned();
        owner(config, &Party::Address { zone, ip: *ip }) == Owner::Nobody
    })
}

/// As the words name it: an owner that the documents agree on, or who is in one only.
fn called<'c>(configs: [&'c Config; 2], party: &'c Party) -> Option<Owner<'c>> {
    let owners = configs.map(|config| owner(config, party));
    let is_missing = |which: usize, owner: Owner<'_>| match owner {
        Owner::Port(port) => !configs[which].ports.contains_key(port),
        _ => false,
    };
    match owners {
        [before, after] if before == after => Some(before),
        [before, Owner::Nobody] if is_missing(1, before) => Some(before),
        [Owner::Nobody, after] if is_missing(0, after) => Some(after),
        _ => None,
    }
}

fn holds(configs: [&Config; 2], end: &End, party: &Party) -> bool {
    let called = called(configs, party);
    let ip = address(party);
    let inside = |net: &IpNet| ip.is_some_and(|ip| net.contains(&ip));
    let is_nobodys = configs.iter().all(|config| owner(config, party) == Owner::Nobody)
        && matches!(party, Party::Address { .. } | Party::World | Party::Multicast | Party::Broadcast);
    match end {
        End::Any => true,
        End::Ports => matches!(called, Some(Owner::Port(_))),
        End::Host => called == Some(Owner::Host),
        End::World => is_nobodys && !is_group(party),
        End::Multicast => {
            is_nobodys && (*party == Party::Multicast || ip.is_some_and(|ip| ip.is_multicast()))
        }
        End::Broadcast => {
            *party == Party::Broadcast
                || ip.is_some_and(|ip| !ip.is_multicast() && is_nobodys && is_group(party))
        }
        End::Group(group) => {
            let members: Vec<_> = configs.iter().filter_map(|config| config.groups.get(group)).collect();
            matches!(called, Some(Owner::Port(port)) if members[0].contains(port))
        }
        End::Port(port) => called == Some(Owner::Port(port)),
        End::Set(set) => {
            let nets = configs.iter().find_map(|config| config.sets.get(set)).unwrap();
            nets.iter().any(inside)
        }
        End::Prefix(net) => inside(net),
        End::Address(_, address) => matches!(party, Party::Address { .. }) && ip == Some(*address),
        End::Nobodys(net, but) => {
            let is_group_net = net.network().is_multicast() || net.to_string() == "255.255.255.255/32";
            is_nobodys
                && inside(net)
                && is_group(party) == is_group_net
                && !but.iter().any(|end| holds(configs, end, party))
        }
        End::WorldBut(but) => {
            is_nobodys && !is_group(party) && !but.iter().any(|end| holds(configs, end, party))
        }
        End::Learned(name, ends) => match party {
            Party::Learned { port, ip } if port == name => {
                let ip = &ip.to_canonical();
                let inside = |end: &End| match end {
                    End::Nobodys(net, but) => {
                        net.contains(ip) && !but.iter().any(|end| holds(configs, end, party))
                    }
                    End::WorldBut(but) => {
                        !ip.is_multicast() && !but.iter().any(|end| holds(configs, end, party))
                    }
                    _ => false,
                };
                ends.iter().any(inside)
            }
            _ => false,
        },
        End::Foreign(name) => *party == Party::Port(name.clone()),
        End::Unspecified(_) => false,
        End::Directed => *party == Party::Broadcast,
    }
}

fn in_ranges(text: &str, number: u16) -> bool {
    let parse = |text: &str| match text.strip_prefix("0x") {
        Some(hex) => u16::from_str_radix(hex, 16).unwrap(),
        None => text.parse().unwrap(),
    };
    text.split(',').any(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        (parse(first)..=parse(last)).contains(&number)
    })
}

fn takes(word: &str, wanted: Wanted) -> bool {
    let (service, ports) = word.split_once(" from port ").map_or((word, None), |(s, p)| (s, Some(p)));
    let (protocol, number, source_port) = match wanted {
        Wanted::Ethertype(number) => {
            return match service.strip_prefix("ether/") {
                Some(range) => in_ranges(range, number),
                None => service == "any ethertype",
            };
        }
        Wanted::Ip { protocol, number, source_port } => (protocol, number, source_port),
    };
    if ports.is_some_and(|ports| !in_ranges(ports, source_port)) {
        return false;
    }
    let is_other = !matches!(protocol, 1 | 6 | 17 | 58 | 132);
    if service == "other protocols" {
        return is_other;
    }
    if let Some(range) = service.strip_prefix("ip/").filter(|range| range.contains('-')) {
        return is_other && in_ranges(range, protocol.into());
    }
    match parse_service(service).unwrap() {
        Service::Any => true,
        Service::Tcp(range) => protocol == 6 && (range.first..=range.last).contains(&number),
        Service::Udp(range) => protocol == 17 && (range.first..=range.last).contains(&number),
        Service::Sctp(range) => protocol == 132 && (range.first..=range.last).contains(&number),
        Service::Icmp(what) => protocol == 1 && is_message(what, number),
        Service::Icmp6(what) => protocol == 58 && is_message(what, number),
        Service::Protocol(one) => protocol == one,
        Service::Ethertype(_) => false,
    }
}

fn is_message(what: netctl::config::IcmpMatch, number: u16) -> bool {
    use netctl::config::IcmpMatch;
    match what {
        IcmpMatch::All => true,
        IcmpMatch::Type(kind) => number >> 8 == u16::from(kind),
        IcmpMatch::Code(kind, code) => number == u16::from_be_bytes([kind, code]),
    }
}

fn is_in(configs: [&Config; 2], row: &Row, query: &Query) -> bool {
    let is_ipv4 = address(&query.source).or(address(&query.destination)).is_some_and(|ip| ip.is_ipv4());
    let is_family = match row.family {
        Family::Frames => matches!(query.service, Wanted::Ethertype(_)),
        _ if matches!(query.service, Wanted::Ethertype(_)) => false,
        Family::Ip => true,
        Family::Ipv4 => is_ipv4,
        Family::Ipv6 => !is_ipv4,
    };
    let zone = |party: &Party| match party {
        Party::Address { zone, .. } => Some(zone.clone()),
        Party::Learned { port, .. } | Party::Port(port) => {
            configs.iter().find_map(|config| zone_of(config, port)).map(str::to_owned)
        }
        _ => None,
    };
    is_family
        && row
            .zone
            .as_ref()
            .is_none_or(|name| zone(&query.source).or(zone(&query.destination)).as_ref() == Some(name))
        && row.from.iter().any(|end| holds(configs, end, &query.source))
        && row.to.iter().any(|end| holds(configs, end, &query.destination))
        && row.services.iter().any(|word| takes(word, query.service))
        && !row.except.iter().any(|word| takes(word, query.service))
}

/// What a row says about one policy.
fn said(verdict: &netctl::policy::difference::Verdict) -> Option<(&'static str, Option<u32>)> {
    (verdict.verdict != "none").then(|| (verdict.verdict, verdict.rule.as_ref().map(|rule| rule.number - 1)))
}

fn check(configs: [&Config; 2], found: &Difference, query: &Query) -> Result<bool, String> {
    let [before, after] = configs.map(|config| verdict(config, query));
    let expected = match (before, after) {
        // Whatever the words hold, there is no such flow.
        (None, None) => return Ok(false),
        (None, Some((action, _))) | (Some((action, _)), None) => action == Action::Allow,
        (Some((before, _)), Some((after, _))) => before != after,
    };
    let rows: Vec<&Row> = found.flows.iter().filter(|row| is_in(configs, row, query)).collect();
    let words = |verdict: Option<(Action, Option<u32>)>| verdict.map(|(action, rule)| (action.name(), rule));
    match rows.as_slice() {
        [] if !expected => Ok(false),
        [] => Err(format!("{query:?}: {before:?} becomes {after:?}, and no row says so")),
        _ if !expected => Err(format!("{query:?}: {before:?} and {after:?} are the same, and yet {rows:#?}")),
        [row] if (said(&row.before), said(&row.after)) == (words(before), words(after)) => Ok(true),
        rows => Err(format!("{query:?}: {before:?} becomes {after:?}, and the rows say {rows:#?}")),
    }
}

/// Another document: rules, members, addresses, ports, audit.
fn changed(random: &mut Random, config: &Config) -> Config {
    let mut after = config.clone();
    for _ in 0..1 + random.below(3) {
        change(random, &mut after);
    }
    after
}

fn change(random: &mut Random, config: &mut Config) {
    let rules = config.policy.rules.len();
    let port = (!config.ports.is_empty()).then(|| {
        let names: Vec<String> = config.ports.keys().cloned().collect();
        random.pick(&names)
    });
    match (random.below(9), port) {
        (0 | 1, _) if rules > 0 => {
            config.policy.rules.remove(random.below(rules));
        }
        (2, _) if rules > 1 => config.policy.rules.swap(random.below(rules), random.below(rules)),
        (3, _) if rules > 0 => {
            let action = random.pick(&[Action::Allow, Action::Deny, Action::Reject]);
            config.policy.rules[random.below(rules)].action = action;
        }
        (4, _) => config.policy.default = random.pick(&[Action::Allow, Action::Deny, Action::Reject]),
        (5, _) if rules > 0 => {
            let rule = &mut config.policy.rules[random.below(rules)];
            rule.audit = !rule.audit;
        }
        (6, Some(port)) => {
            let port = config.ports.get_mut(&port).unwrap();
            port.addresses =
                random.pick(&[Addresses::Any, Addresses::Learned, Addresses::Listed(BTreeSet::new())]);
        }
        (7, Some(port)) => {
            let groups: Vec<String> = config.groups.keys().cloned().collect();
            if let Some(group) = (!groups.is_empty()).then(|| random.pick(&groups)) {
                let members = config.groups.get_mut(&group).unwrap();
                if !members.remove(&port) {
                    members.insert(port);
                }
            }
        }
        (8, Some(port)) => {
            let port = config.ports.get_mut(&port).unwrap();
            match random.below(2) {
                0 => port.audit = !port.audit,
                _ => port.guards = Guards(guards::ALL & !guards::IP),
            }
        }
        _ => config.policy.audit = !config.policy.audit,
    }
}

#[test]
fn rows_are_exactly_the_flows_that_change() {
    let base: u64 = std::env::var("NETCTL_SEED").map_or(1, |seed| seed.parse().unwrap());
    let (mut asked, mut differing) = (0, 0);
    for seed in base..base + PAIRS {
        let mut random = Random::new(seed);
        let mut before = policies::config(&mut random);
        before.policy.rules.truncate(40);
        let after = match seed % 4 {
            0 => {
                let mut other = policies::config(&mut random);
                other.policy.rules.truncate(40);
                other
            }
            _ => changed(&mut random, &before),
        };
        let configs = [&before, &after];
        let found = compared(&before, &after);
        for number in 0..QUERIES {
            let query = policies::query(&mut random, configs[number % 2]);
            if !can_be(configs, &query) {
                continue;
            }
            asked += 1;
            match check(configs, &found, &query) {
                Ok(differs) => differing += usize::from(differs),
                Err(message) => panic!("NETCTL_SEED={seed}: {message}\n{before:#?}\n{after:#?}"),
            }
        }
    }
    assert!(asked > 5_000 && differing * 20 > asked, "{differing} of {asked} flows change");
}

#[test]
fn a_policy_means_what_it_means() {
    for seed in 1..60 {
        let config = policies::config(&mut Random::new(seed));
        assert_eq!(compared(&config, &config).flows, [], "seed {seed}");
    }
}
