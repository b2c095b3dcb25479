//! Small documents, and what becomes of their tests.

use super::*;
use crate::config::parse;
use crate::explain::Rehearsal;

const PORTS: &str = r#"
[networks.lab]
kind = "bridge"
addresses = ["10.0.0.1/24"]
[ports.web1]
network = "lab"
addresses = ["10.0.0.11", "fd00::11"]
groups = ["web"]
[ports.db1]
network = "lab"
addresses = ["10.0.0.21", "fd00::21"]
[ports.guest]
network = "lab"
addresses = "learn"
"#;

/// A document with these lines, and a test on each of the others: `FROM TO SERVICE EXPECT`.
fn verified(policy: &str, tests: &[&str]) -> Verified {
    let mut text = format!("{PORTS}{policy}\n");
    for test in tests {
        let [from, to, service, expect] = test.split(' ').collect::<Vec<_>>()[..] else { panic!("{test}") };
        text += &format!(
            "[[test]]\nfrom = \"{from}\"\nto = \"{to}\"\nservice = \"{service}\"\nexpect = \"{expect}\"\n"
        );
    }
    let config = parse("host.toml", &text).unwrap().config;
    let rehearsal = Rehearsal::new(&config, &text).unwrap();
    verify(&mut rehearsal.asking(), &config, config.tests.iter().map(|test| (test, None)))
}

#[track_caller]
fn check(policy: &str, tests: &[(&str, Passed)]) -> Verified {
    let verified = verified(policy, &tests.iter().map(|(test, _)| *test).collect::<Vec<_>>());
    for ((test, expected), found) in tests.iter().zip(&verified.tests) {
        assert_eq!(found.result, *expected, "{test}: {found:#?}");
    }
    verified
}

#[test]
fn a_test_passes_where_what_comes_is_what_it_expects() {
    let policy = r#"[policy]
rules = [
  { allow = "tcp/5432", from = "web", to = "db1" },
  { reject = "tcp/22", from = "any", to = "db1" },
]"#;
    let verified = check(
        policy,
        &[
            ("web1 db1 tcp/5432 allow", Passed::Pass),
            ("web1 db1 tcp/5432 reject", Passed::Fail),
            ("web1 db1 tcp/22 reject", Passed::Pass),
            ("web1 db1 tcp/22 deny", Passed::Fail),
            ("db1 web1 icmp deny", Passed::Pass),
            ("world/192.0.2.7 db1 tcp/22 reject", Passed::Pass),
            ("host web1 tcp/80 allow", Passed::Fail),
            ("guest/10.0.0.31 db1 tcp/22 reject", Passed::Pass),
            // Nobody has learned the address any more.
            ("10.0.0.31 db1 tcp/22 reject", Passed::Pass),
            ("guest db1 tcp/22 reject", Passed::NotAsked),
            ("host web1 icmp6 deny", Passed::NotAsked),
        ],
    );
    assert_eq!((verified.passed, verified.failed), (6, 5));
    assert_eq!(verified.touched, [2, 5]);
    let came: Vec<_> = verified.tests.iter().map(|test| test.came).collect();
    assert_eq!(came[..4], [Some("allow"), Some("allow"), Some("reject"), Some("reject")]);
    assert_eq!(came[9], None);
}

#[test]
fn a_test_is_about_all_addresses_that_its_ends_have() {
    let policy = "[policy]\nrules = [{ allow = \"tcp/5432\", from = \"10.0.0.0/8\", to = \"db1\" }]";
    let verified = check(
        policy,
        &[
            ("web1 db1 tcp/5432 allow", Passed::Fail),
            ("web1 db1 tcp/5432 deny", Passed::Fail),
            ("web1/10.0.0.11 db1 tcp/5432 allow", Passed::Pass),
            ("web1 db1/fd00::21 tcp/5432 deny", Passed::Pass),
        ],
    );
    let sources: Vec<_> =
        verified.tests.iter().map(|test| test.answer.as_ref().unwrap().source.as_str()).collect();
    assert_eq!(sources, ["fd00::11", "10.0.0.11", "10.0.0.11", "fd00::11"]);
}

#[test]
fn what_audit_mode_lets_be_is_told_and_does_not_fail() {
    let rules = "rules = [{ allow = \"tcp/80\", from = \"any\", to = \"web1\" }]";
    check(
        &format!("[policy]\naudit = true\n{rules}"),
        &[
            ("host web1 tcp/80 allow", Passed::Pass),
            ("host web1 tcp/81 deny", Passed::NotEnforced),
            ("db1 web1 tcp/81 deny", Passed::NotEnforced),
            ("host web1 tcp/81 allow", Passed::Pass),
            ("host web1 tcp/81 reject", Passed::Fail),
        ],
    );
    let tried = "[policy]\ndefault = \"allow\"\n\
                 rules = [{ deny = \"tcp/80\", from = \"any\", to = \"web1\", audit = true }]";
    let verified = check(
        tried,
        &[("host web1 tcp/80 allow", Passed::Pass), ("host web1 tcp/80 deny", Passed::NotEnforced)],
    );
    assert_eq!(verified.touched, [2], "an audited rule is touched by what it would decide");
}

#[test]
fn ports_with_very_many_addresses_are_asked_about_one_by_one() {
    let all = |subnet: u8| (1..=40).map(|n| format!("\"10.9.{subnet}.{n}\"")).collect::<Vec<_>>().join(", ");
    let port = |name: &str, n| format!("[ports.{name}]\nnetwork = \"lab\"\naddresses = [{}]\n", all(n));
    check(
        &format!("{}{}", port("many1", 1), port("many2", 2)),
        &[("many1 many2 tcp/1 deny", Passed::NotAsked), ("many1/10.9.1.1 many2 tcp/1 deny", Passed::Pass)],
    );
}
