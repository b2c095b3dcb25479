//! The host that the guests of these tests run on: one network, a policy, and what was counted.

use std::fs;
use std::path::Path;

use netctl_tests::machine::{Boot, Machine};
use netctl_tests::sandbox::Sandbox;
use serde_json::Value;

const DOCUMENT: &str = r#"
[networks.lab]
kind = "bridge"
addresses = ["10.0.0.1/24", "fd00::1/64"]

[ports.web1]
network = "lab"
mac = "52:54:00:00:00:11"
addresses = ["10.0.0.11", "fd00::11"]
groups = ["web"]

[ports.db1]
network = "lab"
mac = "52:54:00:00:00:21"
addresses = ["10.0.0.21", "fd00::21"]
groups = ["db"]
queues = 2

[policy]
default = "deny"
rules = [
  { allow = "tcp/5432", from = "web", to = "db", name = "app to database" },
  { allow = ["icmp/echo-request", "icmp6/echo-request"], from = "web", to = "db" },
  { deny = "any", from = "db", to = "any", name = "a database opens nothing" },
  { allow = ["icmp/echo-request", "icmp6/echo-request"], from = "any", to = "host" },
]
"#;

pub(crate) const WEB: Boot<'static> =
    Boot { port: "web1", ipv4: "10.0.0.11/24", ipv6: "fd00::11/64", processors: 1 };
pub(crate) const DATABASE: Boot<'static> =
    Boot { port: "db1", ipv4: "10.0.0.21/24", ipv6: "fd00::21/64", processors: 2 };

/// Applies the document.
#[track_caller]
pub(crate) fn apply(sandbox: &Sandbox) {
    apply_text(sandbox, DOCUMENT);
}

/// Applies the document with a rule before all others.
#[track_caller]
pub(crate) fn apply_with(sandbox: &Sandbox, rule: &str) {
    apply_text(sandbox, &DOCUMENT.replace("rules = [", &format!("rules = [\n  {rule},")));
}

#[track_caller]
fn apply_text(sandbox: &Sandbox, document: &str) {
    let file = Path::new("/run/host.toml");
    fs::write(file, document).unwrap();
    sandbox.netctl(["apply", "/run/host.toml"]).expect_code(0);
}

/// Starts guests side by side, and waits for all of them.
#[track_caller]
pub(crate) fn boot<const N: usize>(sandbox: &Sandbox, boots: [Boot<'_>; N]) -> [Machine; N] {
    let mut machines = boots.map(|boot| Machine::start(sandbox, boot).unwrap_or_else(|e| panic!("{e:#}")));
    for machine in &mut machines {
        machine.wait_ready().unwrap_or_else(|e| panic!("{e:#}"));
    }
    machines
}

/// What the guest answers to a check.
#[track_caller]
pub(crate) fn check(machine: &mut Machine, check: &str) -> String {
    machine.check(check).unwrap_or_else(|e| panic!("{e:#}"))
}

/// Packets that a port has counted for a reason, as `netctl stats --json` shows them.
#[track_caller]
pub(crate) fn counted(sandbox: &Sandbox, port: &str, direction: &str, reason: &str) -> u64 {
    let stats = sandbox.netctl(["stats", "--json"]).expect_code(0).json();
    let is_it =
        |row: &&Value| row["port"] == port && row["direction"] == direction && row["reason"] == reason;
    let rows = stats["ports"].as_array().expect("stats --json has a list of ports");
    rows.iter().find(is_it).map_or(0, |row| row["packets"].as_u64().expect("packets is a number"))
}
