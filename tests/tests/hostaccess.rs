//! `host-access`: guests on macvtaps and the host on their uplink, which the macvlan driver keeps apart, reach each
//! other as the policy says. And whether the switch behind the uplink does its part for vepa. As root; every test is in network and mount namespaces of its own.

#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "hostaccess/groups.rs"]
mod groups;
#[path = "hostaccess/offloads.rs"]
mod offloads;
#[path = "hostaccess/probe.rs"]
mod probe;
#[path = "hostaccess/reach.rs"]
mod reach;
#[path = "hostaccess/traces.rs"]
mod traces;
#[path = "hostaccess/way.rs"]
mod way;

use std::fs;
use std::net::IpAddr;
use std::thread;
use std::time::{Duration, Instant};

use netctl_tests::frame::{Mac, mac, mac_text};
use netctl_tests::lab::{Family, Lab};
use netctl_tests::sandbox::Sandbox;
use netctl_tests::switch::Switch;

/// Enough for anything that happens at all.
const SOON: Duration = Duration::from_secs(30);
/// Enough to call it silence: a guest asks again several times in it.
const A_WHILE: Duration = Duration::from_millis(400);

/// A network on `up0`, and the switch behind it.
struct Kind {
    /// Keys of the network.
    network: &'static str,
    /// Whether the switch sends frames back where they came from.
    reflects: bool,
    /// Whether guests reach each other there.
    siblings: bool,
}

const MACVLAN: Kind = Kind { network: "kind = \"macvlan\"", reflects: false, siblings: true };
const PRIVATE: Kind =
    Kind { network: "kind = \"macvlan\"\nprivate = true", reflects: false, siblings: false };
const VEPA: Kind = Kind { network: "kind = \"vepa\"", reflects: true, siblings: true };
/// On a switch that does not do its part.
const LONELY_VEPA: Kind = Kind { network: "kind = \"vepa\"", reflects: false, siblings: false };
const LOCAL_VEPA: Kind =
    Kind { network: "kind = \"vepa\"\nhairpin = \"local\"", reflects: true, siblings: true };

const ALL: [&Kind; 5] = [&MACVLAN, &PRIVATE, &VEPA, &LONELY_VEPA, &LOCAL_VEPA];

/// Name, group, last byte of the MAC address, last part of both addresses.
const PORTS: [(&str, &str, u8); 3] = [("web1", "web", 11), ("web2", "web", 12), ("db1", "db", 21)];

const ACCESS: &str = "host-access = true\naddresses = [\"10.0.0.254/24\", \"fd00::fe/64\"]\n";

/// `host`: what the network says about it.
fn document(kind: &Kind, host: &str, rules: &[&str]) -> String {
    let mut text = format!("[networks.lab]\n{}\nuplinks = [\"up0\"]\n{host}", kind.network);
    for (name, group, number) in PORTS {
        let mac = mac_text(mac(number));
        text += &format!(
            "[ports.{name}]\nnetwork = \"lab\"\nmac = \"{mac}\"\n\
             addresses = [\"10.0.0.{number}\", \"fd00::{number}\"]\ngroups = [\"{group}\"]\n"
        );
    }
    text + &format!("[policy]\ndefault = \"deny\"\nrules = [\n{}\n]\n", rules.join(",\n"))
}

fn mac_of(name: &str) -> Mac {
    PORTS.iter().find(|port| port.0 == name).map(|port| mac(port.2)).unwrap()
}

fn host(family: Family) -> IpAddr {
    match family {
        Family::V4 => "10.0.0.254".parse().unwrap(),
        Family::V6 => "fd00::fe".parse().unwrap(),
    }
}

/// The host's NIC on a switch, and the host speaks IPv6 on it.
fn wire<'s>(sandbox: &'s Sandbox, kind: &Kind) -> Switch<'s> {
    let switch = Switch::new(sandbox, "switch").unwrap();
    switch.nic("up0").unwrap();
    switch.reflect("up0", kind.reflects).unwrap();
    fs::write("/proc/sys/net/ipv6/conf/up0/disable_ipv6", "0").unwrap();
    // The switch is in the same sandbox: on its own interface the host would answer for an address of `up0`.
    fs::write("/proc/sys/net/ipv4/conf/all/arp_ignore", "1").unwrap();
    wait_addresses(sandbox);
    switch
}

/// The kernel uses an IPv6 address only after it has made sure that nobody else has it (RFC 4862, 5.4).
fn wait_addresses(sandbox: &Sandbox) {
    let deadline = Instant::now() + SOON;
    while !sandbox.ip("-6 addr show dev up0 tentative").is_empty() {
        let addresses = sandbox.ip("-6 addr show dev up0");
        assert!(!addresses.contains("dadfailed"), "somebody answered the host:\n{addresses}");
        assert!(Instant::now() < deadline, "an address stays tentative:\n{addresses}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Runs a test with a guest on each port, once for each kind.
fn on_each(kinds: &[&Kind], rules: &[&str], test: impl Fn(&Kind, &Lab<'_>, &Switch<'_>) + Sync) {
    for kind in kinds {
        Sandbox::run(|sandbox| {
            let switch = wire(sandbox, kind);
            let lab = Lab::up(sandbox, &document(kind, ACCESS, rules)).unwrap();
            wait_addresses(sandbox);
            test(kind, &lab, &switch);
        });
    }
}
