//! The contents of the tables, where other code relies on more than their answers.

use std::collections::{BTreeMap, BTreeSet};

use netctl::compile::{CompileError, Compiled, PortIds, compile, zone_numbers};
use netctl::config::{Addresses, Log, Network, Rule, Selector, Service};
use netctl_common::abi::{
    AddressKey, EMPTY_CHAIN, MAX_PORTS, NO_PORT, NO_RULE, PrefixKey, port_flags, rule_flags,
};
use netctl_common::verdict::Action;

use crate::lab::{compiled, lab, rule, tcp};

fn key(zone: u32, ip: &str) -> AddressKey {
    let address = match ip.parse().unwrap() {
        std::net::IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        std::net::IpAddr::V6(ip) => ip.octets(),
    };
    AddressKey { zone, address: address.into() }
}

#[test]
fn owned_addresses_name_their_port() {
    let config = lab(Vec::new());
    let tables = compiled(&config);
    let id = |name: &str| tables.ports.iter().find(|port| port.name == name).unwrap().id;
    let blue = zone_numbers(&config)["blue"];
    let port = |zone, ip| tables.addresses.get(&key(zone, ip)).map(|entry| entry.port);
    assert_eq!(port(0, "10.0.0.11"), Some(id("web1")));
    assert_eq!(port(blue, "10.0.0.11"), Some(id("blue1")));
    assert_eq!(port(0, "fe80::ff:fe00:4"), Some(id("probe")));
    assert_eq!(port(0, "10.0.0.1"), Some(NO_PORT));
    assert_eq!(port(blue, "10.0.0.12"), None);
    // 5 listed, 5 link-local; the host: 3 and 2 link-local.
    assert_eq!(tables.addresses.len(), 5 + 5 + 3 + 2);
}

#[test]
fn every_zone_has_every_prefix_with_the_zone_counted_in_its_length() {
    let config = lab(vec![rule("any", "@office", &[Service::Any])]);
    let tables = compiled(&config);
    for zone in zone_numbers(&config).into_values() {
        let has = |length, ip: &str| {
            let address = key(zone, ip).address;
            tables.prefixes.contains_key(&(length, PrefixKey { zone_be: zone.to_be_bytes(), address }))
        };
        assert!(has(32, "::") && has(32 + 96, "0.0.0.0"), "the default routes of zone {zone}");
        assert!(has(32 + 96 + 4, "224.0.0.0") && has(32 + 8, "ff00::") && has(32 + 128, "255.255.255.255"));
        assert!(has(32 + 96 + 24, "192.0.2.0") && has(32 + 32, "2001:db8::"));
    }
    assert_eq!(tables.prefixes.len(), 2 * 7);
    assert!(tables.prefixes.values().all(|entry| entry.port == NO_PORT));
}

#[test]
fn prefixes_beside_any_need_no_entry() {
    let tables = compiled(&lab(vec![rule("any 10.7.0.0/16", "any", &[Service::Any])]));
    assert_eq!(tables.prefixes.len(), 2 * 5);
    assert_eq!((tables.source_chains.len(), tables.destination_chains.len()), (1, 1));
}

#[test]
fn classes_are_as_few_as_the_rules_tell_apart() {
    let rules = vec![
        rule("web 10.1.0.0/16", "10.2.0.0/16 10.3.0.0/16", &[tcp(1, 1)]),
        rule("10.1.0.0/16 web", "db1", &[tcp(2, 2)]),
    ];
    let tables = compiled(&lab(rules));
    // Sources: in the list or not. Destinations: the two prefixes, the port, the others.
    assert_eq!((tables.source_chains.len(), tables.destination_chains.len()), (2, 3));
    assert_eq!(tables.pair_chains.len(), 2);
}

#[test]
fn a_chain_of_one_rule_for_any_service_needs_no_verdicts() {
    let tables = compiled(&lab(vec![
        rule("any", "db1", &[Service::Any]),
        rule("any", "db1", &[tcp(80, 80)]),
        rule("web", "db1", &[Service::Any]),
    ]));
    assert!(tables.verdicts.is_empty());
    let mut otherwise: Vec<u32> = tables.destination_chains.iter().map(|entry| entry.otherwise).collect();
    otherwise.sort_unstable();
    assert_eq!(otherwise, [0, NO_RULE]);
    let pairs: Vec<_> = tables.pair_chains.values().copied().collect();
    assert_eq!(
        pairs.iter().map(|entry| (entry.chain, entry.otherwise)).collect::<Vec<_>>(),
        [(EMPTY_CHAIN, 2)]
    );
}

#[test]
fn equal_chains_are_stored_once() {
    let tables = compiled(&lab(vec![
        rule("any", "web", &[tcp(80, 80), tcp(443, 443)]),
        rule("any", "web1", &[Service::Any]),
    ]));
    // Destination chains of web1 and of web2 differ in `otherwise` only.
    assert_eq!(tables.verdicts.len(), 1);
    let chains: Vec<u32> = tables.destination_chains.iter().map(|entry| entry.chain).collect();
    assert_eq!(chains.iter().filter(|chain| **chain != EMPTY_CHAIN).count(), 2);
}

#[test]
fn rules_from_any_to_any_stand_on_the_side_with_fewer_classes() {
    let ports = (0..20u16).map(|port| tcp(port * 2, port * 2));
    let mut rules = vec![rule("any", "any", &[tcp(0, 1000)])];
    rules.extend(ports.zip(0..).map(|(service, n)| rule("any", &format!("10.9.{n}.0/24"), &[service])));
    let tables = compiled(&lab(rules));
    assert_eq!((tables.source_chains.len(), tables.destination_chains.len()), (1, 21));
    // The wide range once (the 20 ports, and what is between them), and each port once more.
    assert_eq!(tables.verdicts.len(), 21 + 20);
}

#[test]
fn rules_and_ports_say_what_the_document_says() {
    let reject =
        Rule { action: Action::Reject, log: Some(Log::OPENINGS), ..rule("any", "any", &[Service::Any]) };
    let config = lab(vec![rule("any", "web", &[Service::Any]), reject]);
    let (tables, blue) = (compiled(&config), zone_numbers(&config)["blue"]);
    let rules: Vec<_> =
        tables.rules.iter().map(|rule| (rule.action, rule.flags, rule.line, rule.before)).collect();
    let zero = Default::default();
    assert_eq!(
        rules,
        [(Action::Allow as u32, 0, 10, zero), (Action::Reject as u32, rule_flags::LOG, 11, zero)]
    );
    let ports: Vec<_> = tables.ports.iter().map(|p| (p.name.as_str(), p.zone, p.network, p.flags)).collect();
    let redirect = port_flags::REDIRECT | port_flags::KNOWS_ORIGIN | port_flags::KNOWS_GROUP_ORIGIN;
    let any = redirect | port_flags::ANY_ADDRESS;
    assert_eq!(
        ports,
        [
            ("blue1", blue, 1, redirect),
            ("db1", 0, 0, redirect),
            ("probe", 0, 0, any),
            ("web1", 0, 0, redirect),
            ("web2", 0, 0, redirect)
        ]
    );
    let stations: Vec<_> = tables.host_stations.iter().map(|s| (s.network, s.mac.to_string())).collect();
    assert_eq!(stations, [(0, "02:00:00:00:01:00".into()), (1, "02:00:00:00:01:01".into())]);
}

#[test]
fn the_same_document_compiles_to_the_same_tables() {
    let config = netctl_tests::policies::config(&mut netctl_tests::policies::Random::new(7));
    assert_eq!(compiled(&config), compiled(&config));
}

#[test]
fn running_ports_keep_their_ids_and_new_ones_take_the_lowest_free() {
    let config = lab(Vec::new());
    let running = BTreeMap::from([("web1".to_string(), 2), ("gone".to_string(), 0)]);
    let ids = PortIds::assign(&running, &config).unwrap();
    let ids: Vec<(&str, u32)> = ids.iter().collect();
    assert_eq!(ids, [("blue1", 1), ("db1", 3), ("probe", 4), ("web1", 2), ("web2", 5)]);
}

#[test]
fn ids_of_leaving_ports_are_taken_when_no_other_is_left() {
    let config = lab(Vec::new());
    let running = (0..MAX_PORTS).map(|id| (format!("old{id}"), id)).collect();
    let ids = PortIds::assign(&running, &config).unwrap();
    assert_eq!(ids.get("blue1"), Some(0));
    assert_eq!(ids.get("web2"), Some(4));
}

#[test]
fn running_ids_that_cannot_be_are_refused() {
    let config = lab(Vec::new());
    let assign = |running: &[(&str, u32)]| {
        let running = running.iter().map(|(name, id)| (name.to_string(), *id)).collect();
        PortIds::assign(&running, &config).unwrap_err().to_string()
    };
    assert!(assign(&[("a", 7), ("b", 7)]).contains("`a` and `b` both have id 7"));
    assert!(assign(&[("a", MAX_PORTS)]).contains("ids end at 4096"));
    let mut many = lab(Vec::new());
    many.ports = (0..=MAX_PORTS).map(|n| (format!("p{n}"), config.ports["db1"].clone())).collect();
    assert_eq!(
        PortIds::assign(&BTreeMap::new(), &many).unwrap_err(),
        CompileError::TooManyPorts { found: 4097, limit: MAX_PORTS }
    );
}

#[test]
fn what_names_nothing_is_refused_and_never_skipped() {
    let refused = |config: &netctl::config::Config| {
        compile(config, &PortIds::assign(&BTreeMap::new(), config).unwrap(), &Default::default())
            .unwrap_err()
            .to_string()
    };
    let mut config = lab(vec![rule("any", "any", &[Service::Any])]);
    for (selector, words) in [
        (Selector::Group("ghosts".into()), "line 10: there is no group `ghosts`"),
        (Selector::Set("ghosts".into()), "line 10: there is no set `ghosts`"),
        (Selector::Port("ghost".into()), "line 10: there is no port `ghost`"),
    ] {
        config.policy.rules[0].to = vec![selector];
        assert!(refused(&config).starts_with(words), "{}", refused(&config));
    }
    let mut config = lab(Vec::new());
    config.networks.remove("tenant");
    assert!(refused(&config).starts_with("line 2: there is no network `tenant`"));
    let without_ids = compile(&lab(Vec::new()), &PortIds::default(), &Default::default());
    assert!(matches!(without_ids, Err(CompileError::NoPortId { port, .. }) if port == "blue1"));
}

#[test]
fn a_zone_keeps_its_number_whatever_other_zones_there_are() {
    let config = lab(Vec::new());
    let blue = zone_numbers(&config)["blue"];
    let mut more = config.clone();
    for (name, zone) in [("a", "amber"), ("z", "zinc")] {
        let network = Network { zone: zone.into(), ..config.networks["tenant"].clone() };
        more.networks.insert(name.into(), network);
    }
    let numbers = zone_numbers(&more);
    assert_eq!((numbers["default"], numbers["blue"]), (0, blue));
    assert_eq!(numbers.values().collect::<BTreeSet<_>>().len(), 4);
}

#[test]
fn only_a_zone_in_which_a_port_learns_asks_for_what_was_learned() {
    let asks = |tables: &Compiled| -> Vec<bool> {
        tables.ports.iter().map(|port| port.flags & port_flags::LEARNERS != 0).collect()
    };
    let mut config = lab(vec![rule("web", "@office", &[Service::Any])]);
    let tables = compiled(&config);
    assert_eq!(asks(&tables), [false; 5]);
    assert!(tables.learners.is_empty() && tables.learned_classes.is_empty());
    assert!(tables.prefixes.values().all(|entry| entry.region == 0));
    config.ports.get_mut("web1").unwrap().addresses = Addresses::Learned;
    let tables = compiled(&config);
    // blue1 is in another zone.
    assert_eq!(asks(&tables), [false, true, true, true, true]);
    let web1 = tables.ports.iter().find(|port| port.name == "web1").unwrap();
    let learner = tables.learners[&web1.id];
    assert_eq!(tables.learners.len(), 1);
    assert_eq!((learner.zone, learner.owner.mac), (0, web1.mac.0.into()));
    // In the office's prefixes, and beside them.
    assert_eq!(tables.learned_classes.len(), 2);
}
