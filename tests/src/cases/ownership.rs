//! Whose addresses: sources of a guest, destinations of what comes to it. Everything else is allowed here.

use netctl_common::verdict::{Action, Reason};

use super::case::{Rows, default, denied, from, to};
use super::documents::{open, with_tenants};
use super::stations::{DB1, Guest, HOST, PROBE, WEB1, WEB2, WORLD, link};
use super::{Expected, Subject};
use crate::frame::{BROADCAST, Build, Carrier, Mac, eth, link_local};

const ALLOWED: Expected = default(Action::Allow);

pub(super) fn subject() -> Subject {
    let mut rows = Rows::default();
    stations(&mut rows);
    listed(&mut rows);
    unlisted(&mut rows);
    without_address(&mut rows);
    destinations(&mut rows);
    Subject { name: "ownership", document: with_tenants(&open()), cases: rows.0 }
}

fn stations(rows: &mut Rows) {
    let mut row = |name: &str, mac: Mac, expected| {
        let frame = eth(mac, DB1.mac).ipv4(WEB1.v4, DB1.v4).udp(1, 2).frame();
        rows.row(&format!("{name} (IPv4)"), from("web1"), frame, expected);
        let frame = eth(mac, DB1.mac).ipv6(WEB1.v6, DB1.v6).udp(1, 2).frame();
        rows.row(&format!("{name} (IPv6)"), from("web1"), frame, expected);
        let frame = eth(mac, DB1.mac).payload(0x88b5, b"x").frame();
        let expected = if expected == ALLOWED { denied(Reason::UnknownEthertype) } else { expected };
        rows.row(&format!("{name} (no IP)"), from("web1"), frame, expected);
    };
    let spoofed = denied(Reason::SpoofedMac);
    row("the own MAC address", WEB1.mac, ALLOWED);
    row("another guest's MAC address", WEB2.mac, spoofed);
    row("the host's MAC address", HOST.mac, spoofed);
    row("a group's MAC address", [1, 0, 0x5e, 0, 0, 1], spoofed);
    row("a MAC address of zeros", [0; 6], spoofed);
    row("one bit of the MAC address", [0x52, 0x54, 0, 0, 1, 1], spoofed);
}

/// `web1` sends from addresses that it has or has not.
fn listed(rows: &mut Rows) {
    let mut row = |name: &str, v4: &str, v6: &str, allowed: bool| {
        let (one, other) = if allowed {
            (ALLOWED, ALLOWED)
        } else {
            (denied(Reason::SpoofedIpv4), denied(Reason::SpoofedIpv6))
        };
        let frame = link(&WEB1, &DB1).ipv4(v4, DB1.v4).tcp(1, 80).frame();
        rows.row(&format!("{name} (IPv4)"), from("web1"), frame, one);
        let frame = link(&WEB1, &DB1).ipv6(v6, DB1.v6).tcp(1, 80).frame();
        rows.row(&format!("{name} (IPv6)"), from("web1"), frame, other);
    };
    row("the own address", WEB1.v4, WEB1.v6, true);
    row("the own second address", "10.0.0.111", "fd00::111", true);
    row("another guest's address", WEB2.v4, WEB2.v6, false);
    row("the receiver's address", DB1.v4, DB1.v6, false);
    row("the host's address", HOST.v4, HOST.v6, false);
    row("nobody's address of the network", PROBE.v4, PROBE.v6, false);
    row("an address of the world", WORLD.v4, WORLD.v6, false);
    let mut local = |name: &str, mac, expected| {
        let frame = link(&WEB1, &DB1).ipv6(link_local(mac), DB1.v6).udp(1, 2).frame();
        rows.row(name, from("web1"), frame, expected);
    };
    local("the own link-local address", WEB1.mac, ALLOWED);
    local("another guest's link-local address", WEB2.mac, denied(Reason::SpoofedIpv6));
    local("a link-local address of nobody", WORLD.mac, denied(Reason::SpoofedIpv6));
}

/// `addresses = "any"`: whatever nobody else owns.
fn unlisted(rows: &mut Rows) {
    let mut row = |name: &str, v4: &str, v6: &str, allowed: bool| {
        let (one, other) = if allowed {
            (ALLOWED, ALLOWED)
        } else {
            (denied(Reason::SpoofedIpv4), denied(Reason::SpoofedIpv6))
        };
        let frame = link(&PROBE, &DB1).ipv4(v4, DB1.v4).tcp(1, 80).frame();
        rows.row(&format!("any address: {name} (IPv4)"), from("probe"), frame, one);
        let frame = link(&PROBE, &DB1).ipv6(v6, DB1.v6).tcp(1, 80).frame();
        rows.row(&format!("any address: {name} (IPv6)"), from("probe"), frame, other);
    };
    row("nobody's", PROBE.v4, PROBE.v6, true);
    row("one of the world", WORLD.v4, WORLD.v6, true);
    row("another port's", WEB1.v4, WEB1.v6, false);
    row("another port's second", "10.0.0.111", "fd00::111", false);
    row("the host's", HOST.v4, HOST.v6, false);
    row("one of another zone", "10.9.0.1", "fd09::1", true);
    let mut local = |name: &str, mac, expected| {
        let frame = link(&PROBE, &DB1).ipv6(link_local(mac), DB1.v6).udp(1, 2).frame();
        rows.row(name, from("probe"), frame, expected);
    };
    local("any address: the own link-local one", PROBE.mac, ALLOWED);
    local("any address: another port's link-local one", WEB1.mac, denied(Reason::SpoofedIpv6));
}

/// What a guest may send before it has an address.
fn without_address(rows: &mut Rows) {
    let mut row = |name: &str, frame, expected| rows.row(name, from("web1"), frame, expected);
    let all = || eth(WEB1.mac, BROADCAST).ipv4("0.0.0.0", "255.255.255.255");
    let spoofed = denied(Reason::SpoofedIpv4);
    row("a DHCP client without an address", all().udp(68, 67).frame(), ALLOWED);
    row("a DHCP client's port to another", all().udp(68, 68).frame(), spoofed);
    row("another port to DHCP's", all().udp(67, 67).frame(), spoofed);
    row("TCP from DHCP's port without an address", all().tcp(68, 67).frame(), spoofed);
    let other = eth(WEB1.mac, BROADCAST).ipv4(WEB2.v4, "255.255.255.255").udp(68, 67).frame();
    row("a DHCP client with another's address", other, spoofed);
    let six = link(&WEB1, &DB1).ipv6("::", DB1.v6).udp(546, 547).frame();
    row("IPv6 without an address", six, denied(Reason::MartianAddress));
}

fn destinations(rows: &mut Rows) {
    let wrong = denied(Reason::WrongDestination);
    let udp = |ip: crate::frame::Network| ip.udp(1, 2).frame();
    let at = to("web1");
    rows.both("to the own address", at, (&WORLD, &WEB1), udp, ALLOWED);
    let other_mac = Guest { mac: WEB2.mac, ..WEB1 };
    rows.both("to another MAC address", at, (&WORLD, &other_mac), udp, wrong);
    let other_ip = Guest { mac: WEB1.mac, ..WEB2 };
    rows.both("to another guest's address", at, (&WORLD, &other_ip), udp, wrong);
    let of_world = Guest { mac: WEB1.mac, ..WORLD };
    rows.both("to an address of the world", at, (&DB1, &of_world), udp, wrong);
    let of_host = Guest { mac: WEB1.mac, ..HOST };
    rows.both("to the host's address", at, (&DB1, &of_host), udp, wrong);
    let routed = Guest { mac: PROBE.mac, ..WORLD };
    rows.both("any address: to one of the world", to("probe"), (&DB1, &routed), udp, ALLOWED);
    let taken = Guest { mac: PROBE.mac, ..WEB1 };
    rows.both("any address: to another port's", to("probe"), (&DB1, &taken), udp, wrong);
    let frame = eth(WORLD.mac, WEB2.mac).payload(0x88b5, b"x").frame();
    rows.row("to another MAC address (no IP)", at, frame, wrong);
    let frame = eth(WORLD.mac, WEB2.mac).arp_request(WORLD.v4, WEB1.v4).frame();
    rows.row("to another MAC address (ARP)", at, frame, wrong);
}
