//! Tests of a policy: what `policy test` prints, what `check` says of them, and what `apply` refuses.

use netctl_tests::sandbox::Sandbox;
use serde_json::{Value, json};

use crate::lab::{DOCUMENT, Lab};

fn test(words: [&str; 4]) -> String {
    let [from, to, service, expect] = words;
    format!("[[test]]\nfrom = \"{from}\"\nto = \"{to}\"\nservice = \"{service}\"\nexpect = \"{expect}\"\n")
}

/// Lines 25 and 30.
fn document(expect: &str) -> String {
    let good = test(["web1", "db1", "tcp/5432", "allow"]);
    format!("{DOCUMENT}{good}{}", test(["host", "web1", "udp/99", expect]))
}

#[test]
fn a_failed_test_says_what_came_instead_and_by_which_rule() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.write("bad.toml", document("allow"));
        let said = lab.sh("netctl policy test bad.toml --coverage").expect_code(1);
        let expected = r#"FAILED: line 30
  host (10.0.0.1) > web1 (10.0.0.11) udp/99: expected to be allowed, is denied
  web1 to-guest: deny, rule: A rule decided.
    rule 4 (line 23) "never 99": { deny = "udp/99", from = "host", to = "web", name = "never 99" },
  ask: netctl explain host web1 udp/99 --document bad.toml
2 tests: 1 passed, 1 failed

RULE  LINE  TESTS  TEXT
1     20    1      { allow = "tcp/5432", from = "web", to = "db", name = "app to database" }
2     21    0      { allow = "icmp/echo-request", from = "world", to = "web" }
3     22    0      { allow = "udp/5353", from = "host", to = "web" }
4     23    1      { deny = "udp/99", from = "host", to = "web", name = "never 99" }
4 rules, 2 touched by no test
"#;
        assert_eq!(said.stdout, expected);

        let said = lab.sh("netctl policy test bad.toml --coverage --json").expect_code(1);
        let json: Value = serde_json::from_str(&said.stdout).unwrap();
        assert_eq!((&json["passed"], &json["failed"]), (&json!(1), &json!(1)));
        let mut failed = json["tests"][1].clone();
        assert_eq!(failed["answer"]["steps"][0]["rule"]["line"], 23);
        failed.as_object_mut().unwrap().remove("answer");
        assert_eq!(
            failed,
            json!({ "line": 30, "from": "host", "to": "web1", "service": "udp/99", "expect": "allow",
                    "result": "fail", "came": "deny" })
        );
        assert_eq!(json["coverage"][3]["tests"], 1);
        assert_eq!(json["coverage"][1]["tests"], 0);

        lab.write("good.toml", document("deny"));
        let said = lab.sh("netctl policy test good.toml").expect_code(0);
        assert_eq!(said.stdout, "2 tests: 2 passed, 0 failed\n");
        assert_eq!(
            lab.sh("netctl policy test host.toml").expect_code(0).stdout,
            "0 tests: 0 passed, 0 failed\n"
        );
    });
}

#[test]
fn tests_in_files_of_their_own_are_read_as_strictly() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.write("good.toml", test(["web1", "db1", "tcp/5432", "allow"]));
        lab.write("failing.toml", test(["web1", "db1", "tcp/5432", "deny"]));
        lab.write("typo.toml", test(["web1", "bd1", "tcp/5432", "deny"]));
        lab.write("alien.toml", "[policy]\n");
        lab.sh("netctl policy test host.toml --tests good.toml").expect_code(0);
        let said =
            lab.sh("netctl policy test host.toml --tests good.toml --tests failing.toml").expect_code(1);
        assert!(said.stdout.starts_with("FAILED: failing.toml line 1\n"), "{said}");
        let said = lab.sh("netctl policy test host.toml --tests typo.toml --tests alien.toml").expect_code(1);
        assert!(said.stdout.is_empty(), "{said}");
        for words in ["typo.toml:3:6", "did you mean `db1`?", "alien.toml:1:2", "has no key `policy`"] {
            assert!(said.stderr.contains(words), "{words}: {said}");
        }
        lab.sh("netctl policy test host.toml --tests missing.toml").expect_code(2);
    });
}

#[test]
fn check_and_apply_refuse_a_document_whose_tests_fail() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.apply();
        lab.write("bad.toml", document("allow").replace("udp/5353", "udp/5354"));
        let said = lab.sh("netctl check bad.toml").expect_code(1);
        for words in [
            "error: the test fails: host > web1 udp/99 is denied, not allowed",
            "bad.toml:30:1",
            "rule 4 decides",
        ] {
            assert!(said.stderr.contains(words), "{words}: {said}");
        }
        for line in [
            "netctl apply bad.toml",
            "netctl apply bad.toml --confirm 60s",
            "netctl apply bad.toml --dry-run",
        ] {
            let said = lab.sh(line).expect_code(1);
            assert!(
                said.stderr.contains("not allowed") && said.stderr.contains("--skip-tests"),
                "{line}: {said}"
            );
        }
        assert_eq!(lab.sh("netctl show").expect_code(0).stdout, DOCUMENT, "nothing changed");

        let said = lab.sh("netctl apply bad.toml --skip-tests").expect_code(0);
        assert!(said.stderr.contains("although tests fail"), "{said}");
        assert!(
            lab.sh("netctl show").expect_code(0).stdout.contains("[[test]]"),
            "tests stay in the document"
        );
        // What edits the running document does not run its tests, and a test is no part of the policy.
        lab.sh("netctl port add web2 --network lab --address 10.0.0.12").expect_code(0);
        lab.sh("netctl port remove web2").expect_code(0);
        lab.write("good.toml", document("deny").replace("udp/5353", "udp/5354"));
        assert_eq!(lab.sh("netctl diff good.toml").expect_code(0).stdout, "");
        let said = lab.sh("netctl check good.toml").expect_code(0);
        assert_eq!(said.stdout, "good.toml: 4 rules for 2 ports are fine, 2 tests pass\n");
    });
}
