//! Which rules are said never to match, and that it is so.

use std::collections::BTreeSet;

use netctl::compile::reference::first_match;
use netctl::compile::{Budget, Compiled, Warning, lint};
use netctl::config::{Config, IcmpMatch, Rule, Service};
use netctl_common::abi::{ChainEntry, NO_RULE, PairKey, VerdictKey};
use netctl_common::classify::ServiceRow;
use netctl_common::verdict::Action;
use netctl_tests::policies::{self, Random};

use crate::lab::{compiled, lab, rule, tcp, udp};

fn warnings(rules: Vec<Rule>) -> Vec<Warning> {
    lint(&lab(rules), &Budget::default())
}

/// Line, other line, and the message.
#[track_caller]
fn warns(rules: Vec<Rule>, expected: &[(u32, Option<u32>, &str)]) {
    let found = warnings(rules);
    let found: Vec<_> = found.iter().map(|w| (w.line, w.other_line, w.message.as_str())).collect();
    assert_eq!(found, expected);
}

#[test]
fn rules_that_all_match_something_get_no_warning() {
    warns(
        vec![
            rule("web", "db1", &[tcp(5432, 5432)]),
            rule("any", "web", &[tcp(80, 80), tcp(443, 443)]),
            rule("web1", "any", &[udp(53, 53)]),
            rule("10.0.0.0/24", "world", &[Service::Any]),
            rule("10.0.0.0/8", "world", &[Service::Any]),
            rule("any", "any", &[Service::Icmp(IcmpMatch::Type(8)), Service::Ethertype(0x88cc)]),
            rule("any", "any", &[Service::Any, Service::Ethertype(0x88cd)]),
        ],
        &[],
    );
}

#[test]
fn repeated_rules_name_the_first() {
    let first = rule("web db1", "10.0.0.0/24", &[tcp(80, 80), udp(80, 80)]);
    let same = rule("db1 web", "10.0.0.0/24", &[udp(80, 80), tcp(80, 80)]);
    let denied = Rule { action: Action::Deny, ..first.clone() };
    warns(
        vec![first, rule("any", "web", &[Service::Any]), same, denied],
        &[
            (12, Some(10), "this rule never matches: it repeats the rule in line 10"),
            (
                13,
                Some(10),
                "this rule never matches: with another action, it asks the same as the rule in line 10",
            ),
        ],
    );
}

#[test]
fn a_rule_inside_an_earlier_one_names_it() {
    let covered = "this rule never matches: the rule in line 10 takes all that it asks for";
    let everyone = "host world multicast broadcast all probe";
    let inside: [(Rule, Rule); 9] = [
        (rule("any", "any", &[Service::Any]), rule("web", "db1", &[tcp(1, 1)])),
        (rule("any", "10.0.0.0/8", &[tcp(1, 9)]), rule("web", "10.1.0.0/16", &[tcp(2, 3), tcp(9, 9)])),
        (rule("all", "any", &[Service::Protocol(6)]), rule("web1", "db1", &[tcp(1, 65535)])),
        (
            rule("web1 web2 probe", "host", &[Service::Any]),
            rule("web", "host", &[Service::Icmp(IcmpMatch::All)]),
        ),
        (rule("0.0.0.0/0", "any", &[Service::Any]), rule("10.0.0.0/8 11.0.0.0/8", "world", &[tcp(0, 65535)])),
        (rule("web", everyone, &[tcp(1, 2)]), rule("web", "any", &[tcp(1, 1)])),
        (rule(everyone, "web", &[tcp(1, 2)]), rule("any", "web1", &[tcp(1, 1)])),
        (rule("any", "any", &[Service::Ethertype(1)]), rule("web1", "any", &[Service::Ethertype(1)])),
        (
            rule("any", "multicast", &[Service::Any]),
            Rule { source_ports: vec![5..=6], ..rule("any", "224.0.0.0/24", &[udp(5, 5)]) },
        ),
    ];
    for (wide, narrow) in inside {
        let (wide_copy, narrow_copy) = (wide.clone(), narrow.clone());
        warns(vec![wide, narrow], &[(11, Some(10), covered)]);
        warns(vec![narrow_copy, wide_copy], &[]);
    }
}

#[test]
fn a_covering_rule_is_found_behind_others() {
    warns(
        vec![
            rule("10.1.0.0/16", "any", &[Service::Any]),
            rule("10.2.0.0/16", "any", &[tcp(1, 5)]),
            rule("10.0.0.0/8", "any", &[Service::Protocol(6)]),
            rule("10.0.0.0/12", "db1", &[tcp(1, 9)]),
        ],
        &[(13, Some(12), "this rule never matches: the rule in line 12 takes all that it asks for")],
    );
}

#[test]
fn a_rule_inside_several_earlier_ones_names_one_of_them() {
    let together = "this rule never matches: earlier rules together take all that it asks for, among them that in line 10";
    warns(
        vec![
            rule("any", "web", &[tcp(0, 1000)]),
            rule("any", "web", &[tcp(1001, 2000)]),
            rule("db1", "web", &[tcp(500, 1500)]),
        ],
        &[(12, Some(10), together)],
    );
    warns(
        vec![
            rule("10.0.0.0/9", "web", &[Service::Any]),
            rule("10.128.0.0/9", "any", &[Service::Any]),
            rule("10.0.0.0/9 10.128.0.0/9", "web", &[tcp(1, 1)]),
        ],
        &[(12, Some(10), together)],
    );
}

#[test]
fn empty_selectors_are_named() {
    warns(
        vec![rule("any", "nobody @empty", &[Service::Any]), rule("any", "nobody web", &[Service::Any])],
        &[(
            10,
            None,
            "this rule never matches: nothing is in `to`: group `nobody` has no ports, set `empty` is empty",
        )],
    );
    warns(
        vec![
            rule("multicast broadcast", "any", &[Service::Any]),
            rule("::ffff:10.0.0.0/104", "any", &[Service::Any]),
        ],
        &[
            (
                10,
                None,
                "this rule never matches: nothing is in `from`: no frame comes from a multicast address, no frame comes \
                 from the broadcast address",
            ),
            (
                11,
                None,
                "this rule never matches: nothing is in `from`: no packet has an address in ::ffff:10.0.0.0/104",
            ),
        ],
    );
}

#[test]
fn services_and_addresses_that_never_meet_are_named() {
    let icmp6 = Service::Icmp6(IcmpMatch::All);
    let from_5 = |services: &[Service]| Rule { source_ports: vec![5..=5], ..rule("any", "web", services) };
    warns(
        vec![
            rule("10.0.0.0/8", "web", std::slice::from_ref(&icmp6)),
            rule("web", "2001:db8::/32", &[Service::Icmp(IcmpMatch::All), Service::Protocol(1)]),
            rule("10.0.0.0/8", "2001:db8::/32", &[Service::Any]),
            rule("@office", "web", &[Service::Ethertype(0x88cc)]),
            rule("@office", "web", &[icmp6]),
            rule("web", "broadcast", &[Service::Ethertype(0x88cc)]),
            from_5(&[Service::Icmp(IcmpMatch::All), Service::Ethertype(7)]),
            from_5(&[Service::Icmp(IcmpMatch::All), tcp(7, 7)]),
        ],
        &[
            (10, None, "this rule never matches: its services are IPv6, and its addresses are IPv4"),
            (11, None, "this rule never matches: its services are IPv4, and its addresses are IPv6"),
            (12, None, "this rule never matches: `from` is IPv4 and `to` is IPv6"),
            (
                13,
                None,
                "this rule never matches: its services are without IP, and its addresses are IPv4 or IPv6",
            ),
            (16, None, "this rule never matches: only TCP, UDP and SCTP have source ports"),
        ],
    );
}

#[test]
fn a_policy_over_budget_still_gets_what_each_rule_shows_alone() {
    let rules = vec![rule("any", "nobody", &[Service::Any]), rule("any", "web", &[Service::Any])];
    let found = lint(&lab(rules), &Budget { rules: 1, ..Budget::default() });
    assert_eq!(found.iter().map(|warning| warning.line).collect::<Vec<_>>(), [10]);
}

#[test]
fn a_search_that_is_cut_short_says_so() {
    // The last rule is inside the first 256 together, which shows only after 256 x 256 places.
    let prefixes = |net: u8| (0..=255).map(|n| format!("10.{net}.{n}.0/24")).collect::<Vec<_>>();
    let (sources, destinations) = (prefixes(1), prefixes(2));
    let mut rules: Vec<Rule> = sources.iter().map(|from| rule(from, "any", &[Service::Any])).collect();
    rules.extend(destinations.iter().map(|to| rule("web", to, &[tcp(1, 1)])));
    rules.push(rule(&sources.join(" "), &destinations.join(" "), &[tcp(2, 2)]));
    warns(
        rules,
        &[(
            522,
            None,
            "the search for rules that never match was cut short: 1 not decided, the first in line 522",
        )],
    );
}

/// The rules that are first for some pair of classes and some service, found by asking for all of them: an audited rule
/// among all, another one among those that are enforced.
fn reached(compiled: &Compiled) -> BTreeSet<u32> {
    let services = compiled.services.iter().take(7).enumerate().flat_map(|(row, classes)| {
        let sources = if row < 3 { compiled.source_services } else { 1 };
        let classes: BTreeSet<u16> = classes.iter().copied().collect();
        let pairs = classes.into_iter().flat_map(move |class| {
            (0..sources).map(move |source| (u32::from(class) * compiled.source_services + source) as usize)
        });
        pairs.map(move |at| {
            let service = if compiled.source_services == 1 { at as u32 } else { compiled.service_pairs[at] };
            (service, row != ServiceRow::Ethertype as usize)
        })
    });
    let services: BTreeSet<(u32, bool)> = services.collect();
    let mut reached = BTreeSet::new();
    let shift = compiled.rules.iter().map(|rule| rule.enforced).max().unwrap_or(0);
    let is_audited = |rule: u32| compiled.rules.get(rule as usize).is_some_and(|rule| rule.enforced != 0);
    for (source, from) in (0..).zip(&compiled.source_chains) {
        for (destination, to) in (0..).zip(&compiled.destination_chains) {
            let is_enforced = source >= shift;
            if is_enforced != (destination >= shift) {
                continue;
            }
            let pair = compiled.pair_chains.get(&PairKey { source, destination });
            let chains = [*from, *to, pair.copied().unwrap_or(ChainEntry::EMPTY)];
            reached.extend(services.iter().filter_map(|&(service, is_ip)| {
                let answer = |entry: ChainEntry| {
                    let verdict = compiled.verdicts.get(&VerdictKey { chain: entry.chain, service });
                    verdict.copied().unwrap_or(if is_ip { entry.otherwise } else { NO_RULE })
                };
                chains.into_iter().map(answer).min().filter(|rule| is_enforced != is_audited(*rule))
            }));
        }
    }
    reached.remove(&NO_RULE);
    reached
}

/// Warnings whose rules match classes that no frame has.
fn is_about_frames(warning: &Warning) -> bool {
    warning.other_line.is_none()
}

#[test]
fn warnings_are_exactly_the_rules_that_nothing_reaches() {
    let (mut never, mut together) = (0, 0);
    for seed in 1..=300 {
        let mut random = Random::new(seed);
        let mut config: Config = policies::config(&mut random);
        config.policy.rules.truncate(25);
        let found = lint(&config, &Budget::default());
        let reached = reached(&compiled(&config));
        for (index, rule) in (0..).zip(&config.policy.rules) {
            match found.iter().find(|warning| warning.line == rule.line) {
                Some(warning) if is_about_frames(warning) => {}
                Some(warning) => assert!(!reached.contains(&index), "seed {seed}: {warning:?}"),
                None => assert!(reached.contains(&index), "seed {seed}: no warning for line {}", rule.line),
            }
        }
        never += found.len();
        together += found.iter().filter(|warning| warning.message.contains("together")).count();
        let lines: BTreeSet<u32> =
            found.iter().filter(|w| !is_about_frames(w)).map(|warning| warning.line - 10).collect();
        for _ in 0..100 {
            let query = policies::query(&mut random, &config);
            let first = first_match(&config, &query);
            assert!(
                first.is_none_or(|rule| !lines.contains(&rule)),
                "seed {seed}: {query:?} meets {first:?}"
            );
        }
    }
    assert!(never > 300 && together > 2, "{never} warnings, {together} of them by several rules");
}
