//! Audit mode from the first apply to the policy that was learned in it.

use std::fs;
use std::time::Duration;

use netctl_tests::bridge::wait_forwarding;
use netctl_tests::frame::{ACK, Build, Carrier, SYN, Tcp, eth, mac};
use netctl_tests::sandbox::Sandbox;
use netctl_tests::tap::Tap;
use serde_json::Value;

use crate::lab::{DOCUMENT, Lab};

const SOON: Duration = Duration::from_secs(20);

/// The rule for the database is only tried, and one against it as well.
fn document(audit: &str) -> String {
    let rules =
        "  { deny = \"tcp/5432\", from = \"web\", to = \"db\", name = \"tried\", audit = true },\n  { allow";
    DOCUMENT.replacen("  { allow", rules, 1).replace("[policy]\n", &format!("[policy]\n{audit}"))
}

fn json(lab: &Lab<'_>, line: &str) -> Value {
    serde_json::from_str(&lab.sh(line).expect_code(0).stdout).unwrap()
}

fn segment([from, to]: [u8; 2], [source, destination]: [u16; 2]) -> Tcp {
    // The last byte of a MAC address has the digits of the last part of the address.
    let address = |number: u8| format!("10.0.0.{number:x}");
    eth(mac(from), mac(to)).ipv4(&*address(from), &*address(to)).tcp(source, destination)
}

#[test]
fn audit_mode_is_said_wherever_someone_could_take_it_for_a_policy() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.write("host.toml", document("audit = true\n"));
        for line in ["netctl check host.toml", "netctl apply host.toml", "netctl show"] {
            let said = lab.sh(line).expect_code(0);
            assert!(said.stderr.contains("NOT enforced"), "{line}: {said}");
        }
        let listed = lab.sh("netctl port list").expect_code(0).stdout;
        assert_eq!(listed.matches("AUDIT: not enforced").count(), 2, "{listed}");
        let rows = json(&lab, "netctl port list --json");
        assert!(rows.as_array().unwrap().iter().all(|row| row["audit"] == true), "{rows}");

        lab.write("enforced.toml", document(""));
        let diff = lab.sh("netctl diff enforced.toml").expect_code(1).stdout;
        assert!(diff.contains("- audit: the policy: denials are enforced again"), "{diff}");
        let applied = lab.sh("netctl apply enforced.toml").expect_code(0);
        assert!(applied.stdout.contains("5 rules (1 audited) for 2 ports"), "{applied}");
        assert!(!lab.sh("netctl show").expect_code(0).stderr.contains("NOT"), "nothing to say any more");
    });
}

#[test]
fn explain_names_the_rule_and_exits_by_what_is_enforced() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.write("host.toml", document(""));
        lab.apply();
        for document in ["", " --document host.toml"] {
            let said = lab.sh(&format!("netctl explain web1 db1 tcp/5432{document}")).expect_code(0).stdout;
            assert!(said.starts_with("allow (audit: rule 1 (line 20) \"tried\" would deny"), "{said}");
            let said = json(&lab, &format!("netctl explain web1 db1 tcp/5432 --json{document}"));
            let audit = &said["steps"][0]["audit"];
            assert_eq!((&audit["action"], &audit["rule"]["number"]), (&"deny".into(), &1.into()), "{said}");
            lab.sh(&format!("netctl explain db1 web1 tcp/22{document}")).expect_code(1);
        }
        lab.write("host.toml", document("audit = true\n"));
        lab.apply();
        let said = lab.sh("netctl explain db1 web1 tcp/22").expect_code(0).stdout;
        assert!(said.starts_with("allow (audit: the default would deny"), "{said}");
    });
}

#[test]
fn a_policy_learned_in_audit_mode_allows_the_same_when_it_is_enforced() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.write("host.toml", document("audit = true\n"));
        lab.apply();
        let [web1, db1] = ["web1", "db1"].map(|name| {
            let tap = Tap::open(name).unwrap();
            wait_forwarding(name).unwrap();
            tap
        });
        let passes = |tap: &Tap, other: &Tap, frame: Vec<u8>| {
            tap.send(&frame).unwrap();
            other.recv_matching(SOON, |got| got == frame).unwrap().is_some()
        };
        // No rule allows what db1 opens.
        for source in [5000, 5001] {
            assert!(passes(&db1, &web1, segment([0x21, 0x11], [source, 8080]).flags(SYN).frame()));
            let back = segment([0x11, 0x21], [8080, source]).flags(SYN | ACK).frame();
            assert!(passes(&web1, &db1, back));
        }
        let events = lab.sh("netctl events").expect_code(0).stdout;
        assert_eq!(events.matches("tcp/8080  audit, would deny").count(), 4, "{events}");
        let flows = lab.sh("netctl flows --port db1").expect_code(0).stdout;
        assert!(flows.contains("allow, would deny"), "{flows}");
        // A guard's denial is none of the policy's.
        db1.send(&eth(mac(9), mac(0x11)).ipv4("10.0.0.21", "10.0.0.11").udp(1, 2).frame()).unwrap();

        let learned = lab.sh("netctl policy learn --follow 3s --since 10m").expect_code(0).stdout;
        assert!(learned.contains("{ allow = \"tcp/8080\", from = \"db1\", to = \"web1\" },"), "{learned}");
        assert!(learned.contains("4 flows at db1, web1"), "{learned}");
        assert!(!learned.contains("\"any\""), "{learned}");
        assert!(learned.contains("#   1 x db1 > web1 udp/2: spoofed-mac"), "{learned}");
        let only = json(&lab, "netctl policy learn --port web1 --json");
        assert_eq!(
            (&only["rules"][0]["flows"], only["rules"].as_array().unwrap().len()),
            (&2.into(), 1),
            "{only}"
        );

        let running = lab.sh("netctl show").expect_code(0).stdout;
        let (before, _) = running.split_once("[policy]").unwrap();
        lab.write("learned.toml", format!("{before}{learned}"));
        lab.sh("netctl apply learned.toml").expect_code(0);
        let shown = fs::read_to_string("/run/lab/learned.toml").unwrap();
        assert!(!shown.contains("audit = true"), "{shown}");
        // The connections go on, new ones are allowed by the rule, and nothing else is.
        assert!(passes(&web1, &db1, segment([0x11, 0x21], [8080, 5000]).flags(ACK).frame()));
        assert!(passes(&db1, &web1, segment([0x21, 0x11], [5002, 8080]).flags(SYN).frame()));
        lab.sh("netctl explain db1 web1 tcp/8080").expect_code(0);
        for other in ["db1 web1 tcp/8081", "web1 db1 tcp/8080", "web1 db1 tcp/5432"] {
            lab.sh(&format!("netctl explain {other}")).expect_code(1);
        }
    });
}
