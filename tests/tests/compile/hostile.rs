//! Policies made to cost much: compiled or refused, within a bound. Run as [`crate::scale`] is.

use std::collections::BTreeMap;
use std::time::Duration;

use netctl::compile::{Budget, PortIds, compile, lint};
use netctl::config::{Config, Rule, Selector, Service};

use crate::lab::{lab, net, rule, tcp, udp};
use crate::scale::cpu_time;

const RULES: u32 = 100_000;

fn v4(number: u32) -> String {
    let [_, a, b, c] = number.to_be_bytes();
    format!("10.{a}.{b}.{c}/32")
}

fn rules(make: impl Fn(u32) -> Rule) -> Vec<Rule> {
    (0..RULES).map(make).collect()
}

fn range(number: u32, width: u16) -> Service {
    let first = (number.wrapping_mul(40_503) % 60_000) as u16;
    tcp(first, first.saturating_add(width))
}

/// Each of 100,000 addresses is in 100,000 lists.
fn every_list_holds_every_address() -> Config {
    lab(rules(|n| rule(&format!("10.0.0.0/8 {}", v4(n)), "any", &[Service::Any])))
}

fn nested_prefixes() -> Config {
    lab(rules(|n| {
        let len = 1 + n % 31;
        let prefix = format!("{}/{len}", std::net::Ipv4Addr::from_bits(n << 12));
        rule(&prefix, &prefix, &[tcp(n as u16, n as u16)])
    }))
}

fn nested_port_ranges() -> Config {
    lab(rules(|n| rule("web", &v4(n), &[tcp((n % 30_000) as u16, 65_535 - (n % 30_000) as u16)])))
}

fn wide_ranges_for_each_prefix() -> Config {
    lab(rules(|n| rule("any", &v4(n), &[range(n, 5_000)])))
}

fn all_pairs() -> Config {
    let mut rules = rules(|n| rule(&v4(n), &v4(n / 2), &[range(n, 3)]));
    rules.push(rule("world", "10.0.0.0/8", &[Service::Any]));
    lab(rules)
}

fn source_and_destination_ports() -> Config {
    lab(rules(|n| {
        let first = (n % 60_000) as u16;
        Rule { source_ports: vec![first..=first + 500], ..rule("any", "web", &[range(n, 700)]) }
    }))
}

fn everything_from_any_to_any() -> Config {
    let services = |n: u32| [range(n, 2000), udp((n % 7_000) as u16, 9_000)];
    let mut rules = rules(|n| rule("any", "any", &services(n)));
    rules.extend(
        (0..20_000).flat_map(|n| [rule("any", &v4(n), &[tcp(1, 1)]), rule(&v4(n), "any", &[tcp(2, 2)])]),
    );
    lab(rules)
}

fn large_sets_in_many_rules() -> Config {
    let mut config = lab(rules(|n| rule(&format!("@office {}", v4(n)), "@office", &[range(n, 3)])));
    config.sets.insert("office".into(), (0..200_000).map(|n| net(&v4(n << 3))).collect());
    config
}

fn the_same_rule_again() -> Config {
    lab(rules(|n| rule(&v4(n % 7), "web", &[tcp(1, 1)])))
}

fn every_rule_inside_the_ones_before() -> Config {
    let half = |n: u32, net: u32| format!("10.{net}.{}.0/24", n % 250);
    let mut all: Vec<Rule> = (0..250).map(|n| rule(&half(n, 1), "any", &[Service::Any])).collect();
    all.extend((0..250).map(|n| rule("web", &half(n, 2), &[tcp(1, 1)])));
    let every = |net: u32| (0..250).map(|n| Selector::Prefix(self::net(&half(n, net)))).collect::<Vec<_>>();
    let last = Rule { from: every(1), to: every(2), ..rule("any", "any", &[]) };
    all.extend((0..500).map(|n| Rule { services: vec![tcp(n, n + 1)], ..last.clone() }));
    lab(all)
}

type Named = (&'static str, fn() -> Config);

#[test]
#[ignore = "a measurement; needs a release build"]
fn costly_policies_are_compiled_or_refused_in_time() {
    let policies: [Named; 10] = [
        ("every list holds every address", every_list_holds_every_address),
        ("nested prefixes", nested_prefixes),
        ("nested port ranges", nested_port_ranges),
        ("wide ranges for each prefix", wide_ranges_for_each_prefix),
        ("all pairs", all_pairs),
        ("source and destination ports", source_and_destination_ports),
        ("everything from any to any", everything_from_any_to_any),
        ("large sets in many rules", large_sets_in_many_rules),
        ("the same rule again", the_same_rule_again),
        ("every rule inside the ones before", every_rule_inside_the_ones_before),
    ];
    let mut late = Vec::new();
    for (name, policy) in policies {
        let config = policy();
        let ids = PortIds::assign(&BTreeMap::new(), &config).unwrap();
        let budget = Budget { rules: 1 << 18, ..Budget::default() };
        let start = cpu_time();
        let result = compile(&config, &ids, &budget).map(|compiled| compiled.verdicts.len());
        let compiled = cpu_time();
        let warnings = lint(&config, &budget).len();
        let (compile, lint) = (compiled - start, cpu_time() - compiled);
        println!("{name}: compile {compile:.1?}, lint {lint:.1?}, {warnings} warnings");
        match result {
            Ok(verdicts) => println!("    {verdicts} verdicts"),
            Err(error) => println!("    {error}"),
        }
        if compile.max(lint) > Duration::from_secs(4) {
            late.push(name);
        }
    }
    assert!(late.is_empty(), "took too long: {late:?}");
}
