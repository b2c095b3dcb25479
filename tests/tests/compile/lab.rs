//! A small document for tables of cases, and short ways to write rules and queries for it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use netctl::compile::reference::{Party, Query, Wanted, first_match};
use netctl::compile::{Budget, Compiled, PortIds, compile, zone_numbers};
use netctl::config::{
    Addresses, Config, Device, Guards, Limits, Mac, Network, NetworkKind, Policy, Port, PortRange, Rule,
    Selector, Service, TapOptions, Vhost, Vlans,
};
use netctl_common::verdict::Action;

use crate::lookup::Lookup;

/// `lab` is in the default zone, `tenant` in the zone `blue`, with the same prefix.
pub(crate) fn lab(rules: Vec<Rule>) -> Config {
    let networks = BTreeMap::from([
        ("lab".to_string(), network("default", 0, &["10.0.0.1/24", "fd00::1/64"])),
        ("tenant".to_string(), network("blue", 1, &["10.0.0.1/24"])),
    ]);
    let ports = BTreeMap::from([
        ("web1".to_string(), port("lab", 1, Some(&["10.0.0.11", "fd00::11"]), &["web", "all"])),
        ("web2".to_string(), port("lab", 2, Some(&["10.0.0.12"]), &["web", "all"])),
        ("db1".to_string(), port("lab", 3, Some(&["10.0.0.21"]), &["all"])),
        ("probe".to_string(), port("lab", 4, None, &[])),
        ("blue1".to_string(), port("tenant", 5, Some(&["10.0.0.11"]), &["all"])),
    ]);
    let mut groups: BTreeMap<String, BTreeSet<String>> = BTreeMap::from([("nobody".into(), BTreeSet::new())]);
    for (name, port) in &ports {
        for group in &port.groups {
            groups.entry(group.clone()).or_default().insert(name.clone());
        }
    }
    let sets = BTreeMap::from([
        ("office".to_string(), vec![net("192.0.2.0/24"), net("2001:db8::/32")]),
        ("empty".to_string(), Vec::new()),
    ]);
    // Lines from 10 on, one for each rule.
    let rules = rules.into_iter().zip(10..).map(|(rule, line)| Rule { line, ..rule }).collect();
    Config { networks, ports, sets, groups, policy: Policy { rules, ..Policy::default() }, tests: Vec::new() }
}

fn network(zone: &str, number: u8, addresses: &[&str]) -> Network {
    Network {
        kind: NetworkKind::Bridge,
        zone: zone.into(),
        interface: format!("br{number}"),
        uplinks: Vec::new(),
        pool: None,
        host_access: false,
        addresses: addresses.iter().map(|text| net(text)).collect(),
        mtu: None,
        mac: Mac([2, 0, 0, 0, 1, number]),
        line: 1,
    }
}

fn port(network: &str, number: u8, addresses: Option<&[&str]>, groups: &[&str]) -> Port {
    let listed = |texts: &[&str]| Addresses::Listed(texts.iter().map(|text| text.parse().unwrap()).collect());
    Port {
        network: network.into(),
        mac: Mac([2, 0, 0, 0, 0, number]),
        addresses: addresses.map_or(Addresses::Any, listed),
        groups: groups.iter().map(|group| group.to_string()).collect(),
        interface: format!("tap{number}"),
        queues: 1,
        owner: None,
        owner_group: None,
        tap: TapOptions::default(),
        mtu: None,
        vhost: Vhost::Auto,
        uplink: None,
        device: Device::Made,
        domain: None,
        guards: Guards::default(),
        vlans: Vlans::default(),
        limits: Limits::default(),
        audit: false,
        line: 2,
    }
}

pub(crate) fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

/// By its word in a document; names of ports and groups, sets as `@set`.
pub(crate) fn selector(text: &str) -> Selector {
    match text {
        "any" => Selector::Any,
        "host" => Selector::Host,
        "world" => Selector::World,
        "multicast" => Selector::Multicast,
        "broadcast" => Selector::Broadcast,
        "web" | "all" | "nobody" => Selector::Group(text.into()),
        _ if text.contains('/') => Selector::Prefix(net(text)),
        _ => match text.strip_prefix('@') {
            Some(set) => Selector::Set(set.into()),
            None => Selector::Port(text.into()),
        },
    }
}

/// An allowing rule; selectors apart by spaces.
pub(crate) fn rule(from: &str, to: &str, services: &[Service]) -> Rule {
    Rule {
        action: Action::Allow,
        from: from.split(' ').map(selector).collect(),
        to: to.split(' ').map(selector).collect(),
        services: services.to_vec(),
        source_ports: Vec::new(),
        name: None,
        log: None,
        audit: false,
        line: 0,
    }
}

pub(crate) fn tcp(first: u16, last: u16) -> Service {
    Service::Tcp(PortRange { first, last })
}

pub(crate) fn udp(first: u16, last: u16) -> Service {
    Service::Udp(PortRange { first, last })
}

/// `host`, `world`, `multicast`, `broadcast`, `port:NAME`, an address of the default zone, or `ZONE:ADDRESS` with
/// a zone that is not a number.
pub(crate) fn party(text: &str) -> Party {
    let address = |zone: &str, ip: IpAddr| Party::Address { zone: zone.into(), ip };
    if let Ok(ip) = text.parse() {
        return address("default", ip);
    }
    match text.split_once(':') {
        Some(("port", name)) => Party::Port(name.into()),
        Some((zone, ip)) => address(zone, ip.parse().unwrap()),
        None => match text {
            "host" => Party::Host,
            "world" => Party::World,
            "multicast" => Party::Multicast,
            "broadcast" => Party::Broadcast,
            _ => panic!("`{text}` is no party"),
        },
    }
}

pub(crate) fn ip(protocol: u8, number: u16) -> Wanted {
    Wanted::Ip { protocol, number, source_port: 0 }
}

pub(crate) fn compiled(config: &Config) -> Compiled {
    let ids = PortIds::assign(&BTreeMap::new(), config).unwrap();
    compile(config, &ids, &Budget::default()).unwrap()
}

/// Source, destination, service, and the rule that decides.
pub(crate) type Case<'a> = (&'a str, &'a str, Wanted, Option<u32>);

/// The reference and the compiled tables must both answer as the cases say.
#[track_caller]
pub(crate) fn check(config: &Config, cases: &[Case<'_>]) {
    let compiled = compiled(config);
    let zones = zone_numbers(config);
    let zone = |name: &str| zones[name];
    let lookup = Lookup::new(&compiled, &zone);
    for &(source, destination, service, expected) in cases {
        let query = Query { source: party(source), destination: party(destination), service };
        let what = format!("{source} to {destination}, {service:?}");
        assert_eq!(first_match(config, &query), expected, "the reference: {what}");
        assert_eq!(lookup.first_match(&query), expected, "the tables: {what}");
    }
}
