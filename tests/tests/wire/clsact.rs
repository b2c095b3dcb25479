//! Enforcement by clsact filters, as on kernels before 6.6: forced here by `NETCTL_NO_TCX`.

use std::process::Command;

use netctl_common::verdict::Reason;
use netctl_tests::bridge::wait_forwarding;
use netctl_tests::cli;
use netctl_tests::frame::{Build, Carrier, eth};
use netctl_tests::sandbox::Sandbox;
use netctl_tests::tap::Tap;

use super::{A_WHILE, SOON, document, mac_of};

const RULE: &str = r#"{ allow = "tcp/5432", from = "web", to = "db" }"#;

fn apply(sandbox: &Sandbox) {
    let mut command = Command::new(cli::binary().unwrap());
    command.args(["apply", "/run/clsact.toml"]).env("NETCTL_NO_TCX", "1");
    sandbox.finish(command).unwrap().expect_code(0);
}

fn filters(sandbox: &Sandbox, interface: &str, hook: &str) -> usize {
    let mut command = Command::new("tc");
    command.args(["filter", "show", "dev", interface, hook]);
    sandbox.finish(command).unwrap().stdout.matches("handle 0x6e63").count()
}

/// Frames that `web1` was refused by the default.
fn denied(sandbox: &Sandbox) -> u64 {
    let stats = sandbox.netctl(["stats", "--json"]).json();
    let rows = stats["ports"].as_array().unwrap();
    let of_web1 = rows.iter().filter(|row| row["port"] == "web1" && row["reason"] == Reason::Default.name());
    of_web1.map(|row| row["packets"].as_u64().unwrap()).sum()
}

#[test]
fn without_tcx_one_filter_on_each_hook_enforces_the_policy() {
    Sandbox::run(|sandbox| {
        std::fs::write("/run/clsact.toml", document(&[RULE])).unwrap();
        apply(sandbox);
        apply(sandbox);
        for (interface, hook) in
            [("web1", "ingress"), ("web1", "egress"), ("db1", "ingress"), ("db1", "egress")]
        {
            assert_eq!(filters(sandbox, interface, hook), 1, "{interface} {hook}");
        }
        let (web1, db1) = (Tap::open("web1").unwrap(), Tap::open("db1").unwrap());
        for name in ["web1", "db1"] {
            wait_forwarding(name).unwrap();
        }
        let segment =
            |port| eth(mac_of("web1"), mac_of("db1")).ipv4("10.0.0.11", "10.0.0.21").tcp(40000, port).frame();
        let arrives = |port: u16, limit| {
            web1.send(&segment(port)).unwrap();
            let wanted = |frame: &[u8]| frame.get(36..38) == Some(&port.to_be_bytes()[..]);
            db1.recv_matching(limit, wanted).unwrap().is_some()
        };
        assert!(arrives(5432, SOON));
        assert_eq!(denied(sandbox), 0);
        assert!(!arrives(22, A_WHILE));
        assert_eq!(denied(sandbox), 1, "judged once, by one filter");
    });
}
