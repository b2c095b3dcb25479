//! Two real guests whose QEMUs have no tap: `-netdev stream` and `-netdev dgram` on what `netctl run` hands over, with the
//! machine's QEMU and with a newer one. And two that were started by hand, on what `netctl relay` serves. The policy holds, and
//! its counters say so.

use std::fs;
use std::path::Path;

use netctl_common::verdict::Direction::{FromGuest, ToGuest};
use netctl_common::verdict::Reason;
use netctl_tests::lab::{Counted, Lab};
use netctl_tests::machine::{Boot, Machine, QEMU, newer_qemu};
use netctl_tests::process::Running;
use netctl_tests::sandbox::Sandbox;

use crate::lab::{BRIDGE, relay, relays_of, wait_until, with};

const WEB: Boot<'static> = Boot { port: "web1", ipv4: "10.0.0.11/24", ipv6: "fd00::11/64", processors: 1 };
const DATABASE: Boot<'static> =
    Boot { port: "db1", ipv4: "10.0.0.21/24", ipv6: "fd00::21/64", processors: 1 };

#[test]
fn two_guests_of_the_machines_qemu_obey_on_streams() {
    obey("stream", QEMU.as_ref());
}

#[test]
fn two_guests_of_the_machines_qemu_obey_on_messages() {
    obey("dgram", QEMU.as_ref());
}

#[test]
fn two_guests_of_a_newer_qemu_obey_on_streams() {
    obey("stream", &newer_qemu().unwrap());
}

#[test]
fn two_guests_of_a_newer_qemu_obey_on_messages() {
    obey("dgram", &newer_qemu().unwrap());
}

fn obey(socket: &str, qemu: &Path) {
    with(BRIDGE, |sandbox, lab| {
        let [mut web, mut database] = [WEB, DATABASE].map(|boot| start(sandbox, boot, qemu, socket));
        wait_ready([&mut web, &mut database]);
        let line = fs::read(format!("/proc/{}/cmdline", web.pid())).unwrap();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        assert!(line.contains(&format!("-netdev {socket},id=web1,")) && !line.contains("tap,"), "{line}");
        assert_eq!(relays_of(None).len(), 2);

        follow_the_policy(lab, &mut web, &mut database);

        web.kill();
        wait_until("its relay has ended", || relays_of(None).len() == 1);
        assert_eq!(check(&mut database, "listen:tcp/23"), "ok", "the other goes on");
    });
}

/// What the policy of [`crate::lab`] lets them do, and what not.
fn follow_the_policy(lab: &Lab<'_>, web: &mut Machine, database: &mut Machine) {
    for service in ["listen:tcp/5432", "listen:tcp/22"] {
        assert_eq!(check(database, service), "ok", "{service}");
    }
    for allowed in [
        "ping:10.0.0.21",
        "ping:fd00::21",
        "connect:10.0.0.21:5432",
        "connect:[fd00::21]:5432",
        "bulk:10.0.0.21:5432:512",
    ] {
        assert_eq!(check(web, allowed), "ok", "{allowed}");
    }
    for (port, direction, reason) in [
        ("web1", FromGuest, Reason::Rule),
        ("db1", ToGuest, Reason::Rule),
        ("db1", FromGuest, Reason::Flow),
        ("web1", ToGuest, Reason::Flow),
    ] {
        assert!(lab.stats(port, direction, reason).unwrap() >= 3, "{port} {direction:?} {reason:?}");
    }
    denied(lab, web, "connect:10.0.0.21:22", ("web1", FromGuest, Reason::Default));
    denied(lab, database, "ping:fd00::11", ("db1", FromGuest, Reason::Default));
}

/// Started by hand, and connected to `netctl relay`: (relay's words, QEMU's backend) for each guest.
fn obey_relays(qemu: &Path, [web, database]: [(&[&str], &str); 2]) {
    with(BRIDGE, |sandbox, lab| {
        let (_web_relay, mut web) = by_hand(sandbox, WEB, qemu, ("52:54:00:00:00:11", web));
        let (_database_relay, mut database) =
            by_hand(sandbox, DATABASE, qemu, ("52:54:00:00:00:21", database));
        wait_ready([&mut web, &mut database]);
        follow_the_policy(lab, &mut web, &mut database);
    });
}

#[test]
fn guests_of_the_machines_qemu_obey_relays_at_a_path_that_listen_and_of_datagrams() {
    obey_relays(QEMU.as_ref(), [UNIX_LISTEN, UNIX_DATAGRAM]);
}

#[test]
fn guests_of_a_newer_qemu_obey_relays_at_a_path_that_listen_and_of_datagrams() {
    obey_relays(&newer_qemu().unwrap(), [UNIX_LISTEN, UNIX_DATAGRAM]);
}

#[test]
fn guests_of_the_machines_qemu_obey_relays_over_tcp_and_that_connect() {
    obey_relays(QEMU.as_ref(), [TCP_LISTEN, UNIX_CONNECT]);
}

#[test]
fn guests_of_a_newer_qemu_obey_relays_over_tcp_and_that_connect() {
    obey_relays(&newer_qemu().unwrap(), [TCP_CONNECT, UNIX_CONNECT]);
}

const UNIX_LISTEN: (&[&str], &str) =
    (&["--listen", "unix:/run/relay"], "stream,addr.type=unix,addr.path=/run/relay");
const UNIX_CONNECT: (&[&str], &str) =
    (&["--connect", "unix:/run/vmm"], "stream,server=on,addr.type=unix,addr.path=/run/vmm");
const UNIX_DATAGRAM: (&[&str], &str) = (
    &["--connect", "unix-dgram:/run/vmm", "--bind", "/run/own"],
    "dgram,local.type=unix,local.path=/run/vmm,remote.type=unix,remote.path=/run/own",
);
const TCP_LISTEN: (&[&str], &str) =
    (&["--listen", "tcp:5001"], "stream,addr.type=inet,addr.host=127.0.0.1,addr.port=5001");
const TCP_CONNECT: (&[&str], &str) = (
    &["--connect", "tcp:127.0.0.1:5002"],
    "stream,server=on,addr.type=inet,addr.host=127.0.0.1,addr.port=5002",
);

/// In the order in which they find each other: whoever listens comes first.
fn by_hand(
    sandbox: &Sandbox,
    boot: Boot<'_>,
    qemu: &Path,
    (mac, (words, backend)): (&str, (&[&str], &str)),
) -> (Running, Machine) {
    let words: Vec<&str> = [boot.port].iter().chain(words).copied().collect();
    let machine =
        || Machine::start_by_hand(sandbox, boot, qemu, (mac, backend)).unwrap_or_else(|e| panic!("{e:#}"));
    if words.contains(&"--listen") {
        let relay = relay(sandbox, &words);
        return (relay, machine());
    }
    let machine = machine();
    wait_until("QEMU listens", || is_there(backend));
    (relay(sandbox, &words), machine)
}

/// Whether a relay can connect, by proc(5): in `net/tcp` state LISTEN is 0A, in `net/unix` flag 10000 is that it listens.
fn is_there(backend: &str) -> bool {
    let read = |table: &str| fs::read_to_string(format!("/proc/thread-self/net/{table}")).unwrap_or_default();
    let column = |line: &str, number| line.split_whitespace().nth(number).unwrap_or_default().to_owned();
    if backend.contains("inet") {
        return read("tcp").lines().any(|line| column(line, 3) == "0A");
    }
    let flags = if backend.starts_with("dgram") { "00000000" } else { "00010000" };
    read("unix").lines().any(|line| line.ends_with(" /run/vmm") && column(line, 3) == flags)
}

fn wait_ready(guests: [&mut Machine; 2]) {
    for guest in guests {
        guest.wait_ready().unwrap_or_else(|e| panic!("{e:#}"));
    }
}

fn start(sandbox: &Sandbox, boot: Boot<'_>, qemu: &Path, socket: &str) -> Machine {
    let nic = format!("{{{}.{socket}}}", boot.port);
    Machine::start_on(sandbox, boot, qemu, &nic).unwrap_or_else(|e| panic!("{e:#}"))
}

#[track_caller]
fn check(machine: &mut Machine, check: &str) -> String {
    machine.check(check).unwrap_or_else(|e| panic!("{e:#}"))
}

/// The check fails in silence, and the reason is counted.
#[track_caller]
fn denied(lab: &Lab<'_>, guest: &mut Machine, question: &str, counted: Counted<'_>) {
    let count = || lab.stats(counted.0, counted.1, counted.2).unwrap();
    let before = count();
    assert_eq!(check(guest, question), "fail timeout", "{question}");
    assert!(count() > before, "{question}: {counted:?} stays at {before}");
}
