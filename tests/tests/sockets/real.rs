//! Two real guests whose QEMUs have no tap: `-netdev stream` and `-netdev dgram` on what `netctl run` hands over, with the
//! machine's QEMU and with a newer one. The policy holds, and its counters say so.

use std::fs;
use std::path::Path;

use netctl_common::verdict::Direction::{FromGuest, ToGuest};
use netctl_common::verdict::Reason;
use netctl_tests::lab::{Counted, Lab};
use netctl_tests::machine::{Boot, Machine, QEMU, newer_qemu};
use netctl_tests::sandbox::Sandbox;

use crate::lab::{BRIDGE, relays_of, wait_until, with};

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
        for guest in [&mut web, &mut database] {
            guest.wait_ready().unwrap_or_else(|e| panic!("{e:#}"));
        }
        let line = fs::read(format!("/proc/{}/cmdline", web.pid())).unwrap();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        assert!(line.contains(&format!("-netdev {socket},id=web1,")) && !line.contains("tap,"), "{line}");
        assert_eq!(relays_of(None).len(), 2);

        for service in ["listen:tcp/5432", "listen:tcp/22"] {
            assert_eq!(check(&mut database, service), "ok", "{service}");
        }
        for allowed in [
            "ping:10.0.0.21",
            "ping:fd00::21",
            "connect:10.0.0.21:5432",
            "connect:[fd00::21]:5432",
            "bulk:10.0.0.21:5432:512",
        ] {
            assert_eq!(check(&mut web, allowed), "ok", "{allowed}");
        }
        for (port, direction, reason) in [
            ("web1", FromGuest, Reason::Rule),
            ("db1", ToGuest, Reason::Rule),
            ("db1", FromGuest, Reason::Flow),
            ("web1", ToGuest, Reason::Flow),
        ] {
            assert!(lab.stats(port, direction, reason).unwrap() >= 3, "{port} {direction:?} {reason:?}");
        }
        denied(lab, &mut web, "connect:10.0.0.21:22", ("web1", FromGuest, Reason::Default));
        denied(lab, &mut database, "ping:fd00::11", ("db1", FromGuest, Reason::Default));

        web.kill();
        wait_until("its relay has ended", || relays_of(None).len() == 1);
        assert_eq!(check(&mut database, "listen:tcp/23"), "ok", "the other goes on");
    });
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
