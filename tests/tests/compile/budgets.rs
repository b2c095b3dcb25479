//! Policies over a budget: refused with the number, the limit, the rule and the next step, before the work is done.

use std::collections::BTreeMap;

use netctl::compile::{Budget, CompileError, OverBudget, PortIds, Resource, compile};
use netctl::config::{Addresses, Config, Rule, Service};

use crate::lab::{lab, net, rule, tcp};

fn over(config: &Config, budget: &Budget) -> OverBudget {
    let ids = PortIds::assign(&BTreeMap::new(), config).unwrap();
    match compile(config, &ids, budget) {
        Err(CompileError::OverBudget(over)) => over,
        Err(other) => panic!("not over budget: {other}"),
        Ok(_) => panic!("not over budget: compiled"),
    }
}

/// The policy is over with the limit, and within with the limit plus `missing`.
#[track_caller]
fn ends_at(config: &Config, limit: u64, missing: u64, budget: fn(u64) -> Budget) -> OverBudget {
    let ids = PortIds::assign(&BTreeMap::new(), config).unwrap();
    compile(config, &ids, &budget(limit + missing)).unwrap();
    let over = over(config, &budget(limit));
    assert_eq!(over.limit, limit);
    assert!(over.found > limit);
    over
}

fn prefixes(count: u8) -> Vec<Rule> {
    (0..count).map(|n| rule(&format!("10.7.{n}.0/24"), "db1", &[tcp(u16::from(n), u16::from(n))])).collect()
}

#[test]
fn rules() {
    let over = ends_at(&lab(prefixes(5)), 3, 2, |rules| Budget { rules, ..Budget::default() });
    assert_eq!((over.resource, over.found, over.complete, over.line), (Resource::Rules, 5, true, Some(13)));
    let words = CompileError::OverBudget(over).to_string();
    assert_eq!(
        words,
        "the policy needs 5 rules, and the budget is 3; most come from the rule in line 13; put prefixes and ports that \
         are treated alike into one rule"
    );
}

#[test]
fn classes() {
    let classes = |classes| Budget { classes, ..Budget::default() };
    // Five prefixes, and what is in none.
    let over = ends_at(&lab(prefixes(5)), 5, 1, classes);
    assert_eq!((over.resource, over.found, over.complete), (Resource::SourceClasses, 6, false));
    let turned = |rule: Rule| Rule { from: rule.to, to: rule.from, ..rule };
    let over = ends_at(&lab(prefixes(5).into_iter().map(turned).collect()), 5, 1, classes);
    assert_eq!(over.resource, Resource::DestinationClasses);
}

#[test]
fn prefixes_count_in_every_zone() {
    let mut config =
        lab(vec![rule("any", "web", &[Service::Any]), rule("any", "@office 10.9.0.0/16", &[Service::Any])]);
    config.sets.insert("office".into(), (0..20).map(|n| net(&format!("10.8.{n}.0/24"))).collect());
    let over = ends_at(&config, 2 * (5 + 21) - 1, 1, |prefixes| Budget { prefixes, ..Budget::default() });
    assert_eq!((over.resource, over.found, over.line), (Resource::Prefixes, 52, Some(11)));
}

#[test]
fn addresses() {
    let over = ends_at(&lab(Vec::new()), 14, 1, |addresses| Budget { addresses, ..Budget::default() });
    assert_eq!((over.resource, over.found, over.complete, over.line), (Resource::Addresses, 15, true, None));
}

#[test]
fn pairs_name_the_widest_rule() {
    let mut rules = prefixes(9);
    rules.push(rule("10.0.0.0/8", "web db1", &[tcp(9, 9)]));
    // The wide rule: 10 source classes and 2 destination classes; all others are inside.
    let over = ends_at(&lab(rules), 19, 1, |pairs| Budget { pairs, ..Budget::default() });
    assert_eq!((over.resource, over.line), (Resource::Pairs, Some(19)));
    assert!(over.to_string().contains("write `any` for one side"), "{over}");
}

#[test]
fn verdicts_name_the_widest_rule() {
    let mut rules = prefixes(9);
    rules.push(rule("any", "web", &[tcp(0, 1000)]));
    // 9 of the prefixes; the wide range: 9 ports and what is between.
    let over = ends_at(&lab(rules), 18, 1, |verdicts| Budget { verdicts, ..Budget::default() });
    assert_eq!((over.resource, over.line, over.complete), (Resource::Verdicts, Some(19), false));
}

#[test]
fn bytes() {
    // The seven rows alone: 8 bytes for each element of an array.
    let bytes = |bytes| Budget { bytes, ..Budget::default() };
    let over = ends_at(&lab(prefixes(3)), 7 * 65536 * 8, 1 << 20, bytes);
    assert_eq!((over.resource, over.complete), (Resource::Bytes, true));
}

#[test]
fn classes_of_services_end_at_16_bits() {
    let every = |first: u32, make: fn(u16) -> Service| {
        (first..first + 40_000).map(|n| rule("any", "web", &[make(n as u16)])).collect::<Vec<_>>()
    };
    let mut rules = every(0, |port| tcp(port, port));
    rules.extend(every(0, |port| crate::lab::udp(port, port)));
    let over = over(&lab(rules), &Budget::default());
    assert_eq!((over.resource, over.limit), (Resource::ServiceClasses, 65_536));
}

#[test]
fn work_ends_before_it_is_done() {
    // Each rule names all but one of 120 prefixes on each side: 14,400 pairs, each of them in some 118 rules.
    let all_but = |net: u8, left_out: u8| {
        let prefixes = (0..120).filter(|n| *n != left_out).map(|n| format!("10.{net}.{n}.0/24"));
        prefixes.collect::<Vec<_>>().join(" ")
    };
    let rules = (0..120).map(|n| rule(&all_but(1, n), &all_but(2, n), &[Service::Any]));
    let budget = Budget { work: 1 << 20, ..Budget::default() };
    let over = over(&lab(rules.collect()), &budget);
    assert_eq!((over.resource, over.complete), (Resource::Work, false));
    assert!(over.line.is_some());
}

#[test]
fn classes_of_learned_addresses() {
    let mut config = lab(prefixes(5));
    let budget = |learned| Budget { learned, ..Budget::default() };
    let ids = PortIds::assign(&BTreeMap::new(), &config).unwrap();
    compile(&config, &ids, &budget(0)).expect("nobody learns");
    for name in ["web1", "web2", "db1"] {
        config.ports.get_mut(name).unwrap().addresses = Addresses::Learned;
    }
    // The rules name db1; of the others they know only the prefixes: five, and what is in none.
    let over = ends_at(&config, 11, 1, budget);
    assert_eq!((over.resource, over.found, over.complete), (Resource::Learned, 12, true));
}
