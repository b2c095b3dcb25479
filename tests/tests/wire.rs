//! netctl on real taps: guests made of smoltcp, raw frames, and `netctl` itself as an operator calls it. As root;
//! every test is in network and mount namespaces of its own. What a frame means is asked of the counters and
//! events, by reason: "did not arrive" alone proves nothing.

#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "wire/change.rs"]
mod change;
#[path = "wire/clsact.rs"]
mod clsact;
#[path = "wire/demo.rs"]
mod demo;
#[path = "wire/forward.rs"]
mod forward;
#[path = "wire/host.rs"]
mod host;
#[path = "wire/kill.rs"]
mod kill;
#[path = "wire/link.rs"]
mod link;
#[path = "wire/new_port.rs"]
mod new_port;
#[path = "wire/policy.rs"]
mod policy;
#[path = "wire/process.rs"]
mod process;
#[path = "wire/reject.rs"]
mod reject;
#[path = "wire/stream.rs"]
mod stream;

use std::time::Duration;

use netctl_tests::frame::{Mac, mac};
use netctl_tests::lab::Lab;
use netctl_tests::sandbox::Sandbox;

/// Enough for anything that happens at all.
const SOON: Duration = Duration::from_secs(30);
/// Enough to call it silence: a guest asks again several times in it.
const A_WHILE: Duration = Duration::from_millis(400);

/// Guests of every test: name, group, last byte of the MAC address, last part of both addresses.
const PORTS: [(&str, &str, u8); 4] =
    [("web1", "web", 11), ("web2", "web", 12), ("db1", "db", 21), ("db2", "db", 22)];

/// A document with the four ports, a host at 10.0.0.254 and fd00::fe, `deny` as the default, and these rules.
fn document(rules: &[&str]) -> String {
    let mut text = String::from(
        "[networks.lab]\nkind = \"bridge\"\nmtu = 9000\naddresses = [\"10.0.0.254/24\", \"fd00::fe/64\"]\n",
    );
    for (name, group, number) in PORTS {
        text += &port(name, group, number);
    }
    text + &policy(rules)
}

fn port(name: &str, group: &str, number: u8) -> String {
    format!(
        "[ports.{name}]\nnetwork = \"lab\"\nmac = \"52:54:00:00:00:{number:02x}\"\n\
         addresses = [\"10.0.0.{number}\", \"fd00::{number}\"]\ngroups = [\"{group}\"]\n"
    )
}

fn policy(rules: &[&str]) -> String {
    format!("[policy]\ndefault = \"deny\"\nrules = [\n{}\n]\n", rules.join(",\n"))
}

fn mac_of(name: &str) -> Mac {
    PORTS.iter().find(|port| port.0 == name).map(|port| mac(port.2)).unwrap()
}

/// Runs a test with a guest on each port.
fn in_lab(rules: &[&str], test: impl FnOnce(&Lab<'_>) + Send) {
    Sandbox::run(|sandbox| test(&Lab::up(sandbox, &document(rules)).unwrap()));
}

/// Runs a test without guests.
fn in_bare_lab(rules: &[&str], test: impl FnOnce(&Lab<'_>) + Send) {
    Sandbox::run(|sandbox| test(&Lab::bare(sandbox, &document(rules)).unwrap()));
}
