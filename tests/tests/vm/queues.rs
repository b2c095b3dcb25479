//! Four queues, handed over by number to the machine's QEMU and to a newer one, on a tap and on a macvtap: frames pass
//! as the policy says.

use std::fs;
use std::path::Path;

use netctl_tests::machine::{Boot, Machine, QEMU, newer_qemu};
use netctl_tests::sandbox::Sandbox;
use netctl_tests::switch::Switch;

use crate::lab::{check, counted};

const GUEST: Boot<'static> = Boot { port: "web1", ipv4: "10.0.0.11/24", ipv6: "fd00::11/64", processors: 4 };

/// The port, what it may do, and a network of one kind below it.
fn document(network: &str) -> String {
    format!(
        "[networks.lab]\n{network}\naddresses = [\"10.0.0.1/24\", \"fd00::1/64\"]\n\n\
         [ports.web1]\nnetwork = \"lab\"\nmac = \"52:54:00:00:00:11\"\naddresses = [\"10.0.0.11\", \"fd00::11\"]\n\
         queues = 4\n\n\
         [policy]\ndefault = \"deny\"\nrules = [\n  \
         {{ allow = [\"icmp/echo-request\", \"icmp6/echo-request\"], from = \"web1\", to = \"host\" }},\n]\n"
    )
}

/// A guest of `qemu` on the port of a document that is applied reaches what it may, over four queues.
#[track_caller]
fn obeys(sandbox: &Sandbox, qemu: &Path) {
    let mut guest = Machine::start_in(sandbox, GUEST, qemu).unwrap_or_else(|e| panic!("{e:#}"));
    guest.wait_ready().unwrap_or_else(|e| panic!("{e:#}"));
    let line = fs::read(format!("/proc/{}/cmdline", guest.pid())).unwrap();
    let line = String::from_utf8_lossy(&line).replace('\0', " ");
    let fds = line.split_once("fds=").and_then(|(_, rest)| rest.split([',', ' ']).next()).unwrap();
    assert_eq!(fds.split(':').count(), 4, "{line}");
    assert!(line.contains(",mq=on,vectors=10"), "{line}");

    for allowed in ["ping:10.0.0.1", "ping:fd00::1"] {
        assert_eq!(check(&mut guest, allowed), "ok", "{allowed}");
    }
    assert!(counted(sandbox, "web1", "from-guest", "rule") > 0, "its rule allowed it");
    for denied in ["connect:10.0.0.1:22", "connect:[fd00::1]:22"] {
        let before = counted(sandbox, "web1", "from-guest", "default");
        assert_eq!(check(&mut guest, denied), "fail timeout", "{denied}");
        assert!(counted(sandbox, "web1", "from-guest", "default") > before, "{denied}");
    }
}

#[track_caller]
fn apply(sandbox: &Sandbox, network: &str) {
    fs::write("/run/host.toml", document(network)).unwrap();
    sandbox.netctl(["apply", "/run/host.toml"]).expect_code(0);
}

fn on_a_tap(qemu: &Path) {
    Sandbox::run(|sandbox| {
        apply(sandbox, "kind = \"bridge\"");
        obeys(sandbox, qemu);
    });
}

fn on_a_macvtap(qemu: &Path) {
    Sandbox::run(|sandbox| {
        let switch = Switch::new(sandbox, "switch").unwrap();
        switch.nic("up0").unwrap();
        fs::write("/proc/sys/net/ipv6/conf/up0/disable_ipv6", "0").unwrap();
        // The switch is in the same sandbox: on its own interface the host would answer for an address of `up0`.
        fs::write("/proc/sys/net/ipv4/conf/all/arp_ignore", "1").unwrap();
        apply(sandbox, "kind = \"macvlan\"\nuplinks = [\"up0\"]\nhost-access = true");
        obeys(sandbox, qemu);
    });
}

#[test]
fn four_queues_of_a_tap_serve_a_guest_of_the_machines_qemu() {
    on_a_tap(QEMU.as_ref());
}

#[test]
fn four_queues_of_a_macvtap_serve_a_guest_of_the_machines_qemu() {
    on_a_macvtap(QEMU.as_ref());
}

#[test]
fn four_queues_of_a_tap_serve_a_guest_of_a_newer_qemu() {
    on_a_tap(&newer_qemu().unwrap());
}

#[test]
fn four_queues_of_a_macvtap_serve_a_guest_of_a_newer_qemu() {
    on_a_macvtap(&newer_qemu().unwrap());
}
