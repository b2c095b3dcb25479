//! Two guests reach each other as far as the policy goes, and what it denies is counted with its reason.

use netctl_tests::machine::Machine;
use netctl_tests::sandbox::Sandbox;

use crate::lab::{DATABASE, WEB, apply, boot, check, counted};

/// The guest's check fails, and the port's counter for the reason has risen.
#[track_caller]
fn denied(sandbox: &Sandbox, guest: &mut Machine, port: &str, wanted: (&str, &str)) {
    let (question, reason) = wanted;
    let before = counted(sandbox, port, "from-guest", reason);
    assert_eq!(check(guest, question), "fail timeout", "{question} from {port}");
    let after = counted(sandbox, port, "from-guest", reason);
    assert!(after > before, "{question} from {port}: reason `{reason}` stays at {before}");
}

#[track_caller]
fn events(sandbox: &Sandbox) -> Vec<serde_json::Value> {
    let printed = sandbox.netctl(["events", "--json"]).expect_code(0).stdout;
    printed.lines().map(|line| serde_json::from_str(line).expect("one object a line")).collect()
}

#[test]
fn guests_reach_what_the_policy_allows_and_nothing_else() {
    Sandbox::run(|sandbox| {
        apply(sandbox);
        let [mut web, mut database] = boot(sandbox, [WEB, DATABASE]);
        for service in ["listen:tcp/5432", "listen:tcp/22"] {
            assert_eq!(check(&mut database, service), "ok", "{service}");
        }
        assert_eq!(check(&mut web, "listen:tcp/80"), "ok");

        for allowed in [
            "connect:10.0.0.21:5432",
            "connect:[fd00::21]:5432",
            "ping:10.0.0.21",
            "ping:fd00::21",
            "ping:10.0.0.1",
            "ping:fd00::1",
            "bulk:10.0.0.21:5432:512",
            "bulk:[fd00::21]:5432:512",
        ] {
            assert_eq!(check(&mut web, allowed), "ok", "{allowed}");
        }
        assert!(counted(sandbox, "db1", "to-guest", "rule") > 0, "the receiver's port judges too");

        denied(sandbox, &mut web, "web1", ("connect:10.0.0.21:22", "default"));
        denied(sandbox, &mut web, "web1", ("connect:[fd00::21]:22", "default"));
        denied(sandbox, &mut database, "db1", ("connect:10.0.0.11:80", "rule"));
        denied(sandbox, &mut database, "db1", ("ping:fd00::11", "rule"));

        let denies = events(sandbox);
        let by_rule = denies.iter().find(|event| event["port"] == "db1" && event["reason"] == "rule");
        let rule = by_rule.map(|event| event["rule"]["name"].clone());
        assert_eq!(rule, Some("a database opens nothing".into()), "{denies:?}");
    });
}
