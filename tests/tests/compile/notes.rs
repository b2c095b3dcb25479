//! Rules that are said to change nothing, and that it is so; rules that allow very much.

use netctl::compile::reference::{first_enforced, first_match};
use netctl::compile::{Budget, lint, notes};
use netctl::config::{Config, IcmpMatch, Log, Rule, Service};
use netctl_common::verdict::Action;
use netctl_tests::policies::{self, Random};

use crate::lab::{lab, rule, tcp, udp};

/// Line, other line, and the message.
#[track_caller]
fn says(config: &Config, expected: &[(u32, Option<u32>, &str)]) {
    let found = notes(config, &Budget::default());
    let found: Vec<_> = found.iter().map(|w| (w.line, w.other_line, w.message.as_str())).collect();
    assert_eq!(found, expected);
}

fn deny(from: &str, to: &str, services: &[Service]) -> Rule {
    Rule { action: Action::Deny, ..rule(from, to, services) }
}

#[test]
fn a_rule_that_a_later_one_or_the_default_replaces_is_named() {
    const RULE_12: &str = "this rule changes nothing: without it, the rule in line 12 does the same";
    const DEFAULT: &str = "this rule changes nothing: without it, the policy's default does the same";
    let rules = vec![
        rule("web1", "db1", &[tcp(5432, 5432)]),
        deny("web2", "10.9.0.0/16", &[Service::Any]),
        rule("web", "db1", &[tcp(5000, 6000)]),
    ];
    says(&lab(rules), &[(10, Some(12), RULE_12), (11, None, DEFAULT)]);
}

#[test]
fn a_rule_before_one_that_does_else_is_needed() {
    let own = || rule("web1", "db1", &[tcp(5432, 5432)]);
    let after = || rule("web", "db1", &[tcp(5000, 6000)]);
    let log = Log { rate: None, packets: 1 };
    for between in [
        deny("web", "any", &[tcp(5432, 5432)]),
        deny("10.0.0.0/24", "db1", &[Service::Protocol(6)]),
        Rule { action: Action::Reject, ..rule("any", "any", &[tcp(0, 65535)]) },
        Rule { audit: true, ..deny("web1", "any", &[Service::Any]) },
        Rule { log: Some(log), ..rule("web1", "db1", &[tcp(5400, 5500)]) },
    ] {
        says(&lab(vec![own(), between, after()]), &[]);
    }
    // These tell something that the later one does not.
    says(&lab(vec![Rule { log: Some(log), ..own() }, after()]), &[]);
    says(&lab(vec![Rule { audit: true, ..own() }, after()]), &[]);
    // What the default does with frames without IP is fixed.
    let mut config = lab(vec![rule("web1", "any", &[Service::Ethertype(0x88cc)])]);
    config.policy.default = Action::Allow;
    says(&config, &[]);
}

#[test]
fn of_two_that_are_the_same_only_the_later_one_is_named_and_as_never_matching() {
    let config = lab(vec![rule("web1", "db1", &[tcp(1, 1)]), rule("web1", "db1", &[tcp(1, 1)])]);
    says(&config, &[]);
    assert_eq!(lint(&config, &Budget::default())[0].line, 11);
}

#[test]
fn rules_that_allow_very_much_say_what() {
    let mut config = lab(vec![
        rule("web", "world", &[udp(53, 53), Service::Any]),
        rule("@office", "any", &[Service::Any]),
        rule("web1", "0.0.0.0/0", &[Service::Any]),
        rule("web1", "db1", &[tcp(1, 65535)]),
        rule("web1", "db1", &[Service::Any]),
        rule("any", "web", &[tcp(443, 443), Service::Icmp(IcmpMatch::All)]),
        Rule { action: Action::Reject, ..rule("any", "any", &[Service::Any]) },
    ]);
    config.sets.get_mut("office").unwrap().push("::/0".parse().unwrap());
    says(
        &config,
        &[
            (10, None, "this rule is wide: it allows every service to `world`"),
            (11, None, "this rule is wide: it allows every service from `office`, which holds ::/0 to `any`"),
            (12, None, "this rule is wide: it allows every service to `0.0.0.0/0`"),
            (13, None, "this rule is wide: it allows every port of `tcp/1-65535`"),
            (13, Some(14), "this rule changes nothing: without it, the rule in line 14 does the same"),
        ],
    );
}

/// Without every rule that is said to change nothing or never to match, the policy does the same.
#[test]
fn policies_do_the_same_without_what_is_said_to_change_nothing() {
    let (mut said, mut by_rules, mut asked) = (0, 0, 0);
    for seed in 1..=400 {
        let mut random = Random::new(seed);
        let mut config = policies::config(&mut random);
        config.policy.rules.truncate(40);
        // Many of them are alike.
        config.policy.rules.iter_mut().for_each(|rule| rule.log = None);
        // Those that match nothing even alone may match queries that are no frames.
        let dead = lint(&config, &Budget::default()).into_iter().filter(|found| found.other_line.is_some());
        let mut lines: Vec<u32> = dead.map(|found| found.line).collect();
        let found = notes(&config, &Budget::default());
        let nothing = found.iter().filter(|note| note.message.contains("changes nothing"));
        said += nothing.clone().count();
        by_rules += nothing.clone().filter(|note| note.other_line.is_some()).count();
        lines.extend(nothing.map(|note| note.line));
        let mut without = config.clone();
        without.policy.rules.retain(|rule| !lines.contains(&rule.line));
        for _ in 0..200 {
            let query = policies::query(&mut random, &config);
            // What is enforced, and which audited rule tells of it.
            let does = |config: &Config| {
                let rule = |number: Option<u32>| number.map(|number| &config.policy.rules[number as usize]);
                let enforced = rule(first_enforced(config, &query)).map_or(
                    match query.service {
                        netctl::compile::reference::Wanted::Ip { .. } => config.policy.default,
                        _ => Action::Deny,
                    },
                    |rule| rule.action,
                );
                let told = rule(first_match(config, &query)).filter(|rule| rule.audit).map(|rule| rule.line);
                (enforced, told)
            };
            assert_eq!(does(&config), does(&without), "seed {seed}: {query:?}, without {lines:?}");
            asked += 1;
        }
    }
    assert!(said > 300 && by_rules > 30, "{said} rules, {by_rules} of them by others; {asked} queries");
}
