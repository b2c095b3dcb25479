//! VLANs of a port, in both directions. The tag is in band here; `tests/wire.rs` and `tests/kinds.rs` have it beside the frame.

use netctl_common::verdict::{Action, Reason};

use super::case::{At, Rows, default, denied, deny, from, passes, to};
use super::documents::open;
use super::stations::{DB1, Guest, PROBE, WEB1, WEB2, WORLD, link};
use super::{Expected, Subject};
use crate::frame::{BROADCAST, Build, Carrier, Eth, eth, ethertype};

const ALLOWED: Expected = default(Action::Allow);
const TAG: Expected = denied(Reason::VlanTag);

/// `web1` in VLAN 10, `web2` a trunk of 20 and 30 to 32, `db1` in 10 and a trunk of 20, `probe` in none and a trunk of 20.
fn document() -> String {
    let keys = |text: String, guest: &Guest, keys: &str| {
        let mac = format!("mac = \"{}\"\n", crate::frame::mac_text(guest.mac));
        text.replace(&mac, &format!("{mac}{keys}\n"))
    };
    let text = keys(open(), &WEB1, "vlan = 10");
    let text = keys(text, &WEB2, "vlans = [20, \"30-32\"]");
    let text = keys(text, &DB1, "vlan = 10\nvlans = [20]");
    keys(text, &PROBE, "vlan = 0\nvlans = [20]")
}

pub(super) fn subject() -> Subject {
    let mut rows = Rows::default();
    access(&mut rows);
    trunks(&mut rows);
    more_tags(&mut rows);
    Subject { name: "VLANs", document: document(), cases: rows.0 }
}

fn udp(eth: Eth) -> Vec<u8> {
    let (source, destination) = (WEB1, DB1);
    eth.ipv4(source.v4, destination.v4).udp(1, 2).frame()
}

/// From `guest`, or to it.
fn packet(at: At, guest: &Guest, shape: impl Fn(Eth) -> Eth) -> Vec<u8> {
    if at.direction == netctl_common::verdict::Direction::FromGuest {
        shape(link(guest, &WORLD)).ipv4(guest.v4, WORLD.v4).udp(1, 2).frame()
    } else {
        shape(link(&WORLD, guest)).ipv4(WORLD.v4, guest.v4).udp(1, 2).frame()
    }
}

fn access(rows: &mut Rows) {
    let mut row = |name: &str, at: At, shape: &dyn Fn(Eth) -> Eth, expected| {
        rows.row(&format!("access: {name}"), at, packet(at, &WEB1, shape), expected);
    };
    row("a frame without a tag", from("web1"), &|eth| eth, ALLOWED);
    row("a priority tag", from("web1"), &|eth| eth.vlan(0xe000), ALLOWED);
    row("the port's own tag", from("web1"), &|eth| eth.vlan(10), TAG);
    row("another tag", from("web1"), &|eth| eth.vlan(11), TAG);
    row("the last tag", from("web1"), &|eth| eth.vlan(0x0fff), TAG);
    row("a frame without a tag", to("web1"), &|eth| eth, TAG);
    row("a priority tag", to("web1"), &|eth| eth.vlan(0xe000), TAG);
    row("the port's VLAN", to("web1"), &|eth| eth.vlan(10), ALLOWED);
    row("the port's VLAN with priority", to("web1"), &|eth| eth.vlan(0xf00a), ALLOWED);
    row("another VLAN", to("web1"), &|eth| eth.vlan(11), TAG);
    row("802.1ad", to("web1"), &|eth| eth.tag(ethertype::SERVICE_VLAN, 10), TAG);
    let arp = |eth: Eth| eth.arp_request(WORLD.v4, WEB1.v4).frame();
    rows.row("access: ARP of another VLAN", to("web1"), arp(eth(WORLD.mac, BROADCAST).vlan(11)), TAG);
    let own = arp(eth(WORLD.mac, BROADCAST).vlan(10));
    rows.row("access: ARP of the port's VLAN", to("web1"), own, passes(Reason::Arp));
    let ssh = link(&WORLD, &WEB1).vlan(10).ipv4(WORLD.v4, WEB1.v4).tcp(1, 22).frame();
    rows.row("access: rules are about what is behind the tag", to("web1"), ssh, deny("no ssh"));
    let broken = link(&WORLD, &WEB1).vlan(11).ipv4(WORLD.v4, WEB1.v4).ihl(3).udp(1, 2).frame();
    rows.row("access: a broken frame of another VLAN", to("web1"), broken, TAG);
    let broken = link(&WORLD, &WEB1).vlan(10).ipv4(WORLD.v4, WEB1.v4).ihl(3).udp(1, 2).frame();
    rows.row("access: a broken frame of the port's", to("web1"), broken, denied(Reason::BadHeader));
    rows.row("access: to a port of the same VLAN", from("web1"), udp(link(&WEB1, &DB1)), ALLOWED);
    let cut = udp(link(&WORLD, &WEB1).vlan(10))[..17].to_vec();
    rows.row("access: a frame that ends in its tag", to("web1"), cut, TAG);
}

fn trunks(rows: &mut Rows) {
    let mut row = |name: &str, at: At, guest: &Guest, shape: &dyn Fn(Eth) -> Eth, expected| {
        rows.row(&format!("{name}: {}", at.port), at, packet(at, guest, shape), expected);
    };
    for (at, guest) in [
        (from("web2"), &WEB2),
        (to("web2"), &WEB2),
        (from("db1"), &DB1),
        (to("db1"), &DB1),
        (from("probe"), &PROBE),
    ] {
        row("a VLAN of the list", at, guest, &|eth| eth.vlan(20), ALLOWED);
        row("a VLAN of the list with priority", at, guest, &|eth| eth.vlan(0x6014), ALLOWED);
        row("a VLAN of nobody", at, guest, &|eth| eth.vlan(21), TAG);
    }
    for (vlan, expected) in
        [(29, TAG), (30, ALLOWED), (31, ALLOWED), (32, ALLOWED), (33, TAG), (4094, TAG), (4095, TAG)]
    {
        row(&format!("VLAN {vlan} of a range"), from("web2"), &WEB2, &|eth| eth.vlan(vlan), expected);
        row(&format!("VLAN {vlan} of a range"), to("web2"), &WEB2, &|eth| eth.vlan(vlan), expected);
    }
    row("no tag at a trunk", from("web2"), &WEB2, &|eth| eth, TAG);
    row("no tag at a trunk", to("web2"), &WEB2, &|eth| eth, TAG);
    row("a priority tag at a trunk", from("web2"), &WEB2, &|eth| eth.vlan(0x2000), TAG);
    row("no tag, which is VLAN 10", from("db1"), &DB1, &|eth| eth, ALLOWED);
    row("VLAN 10, which is untagged", from("db1"), &DB1, &|eth| eth.vlan(10), TAG);
    row("VLAN 10, which is untagged", to("db1"), &DB1, &|eth| eth.vlan(10), ALLOWED);
    row("no tag, which is no VLAN of its", to("db1"), &DB1, &|eth| eth, TAG);
    row("no tag, which is none on the network too", from("probe"), &PROBE, &|eth| eth, ALLOWED);
    row("a priority tag, which is none", from("probe"), &PROBE, &|eth| eth.vlan(0xa000), ALLOWED);
}

fn more_tags(rows: &mut Rows) {
    for (name, at, guest) in
        [("access", from("web1"), &WEB1), ("trunk", from("web2"), &WEB2), ("trunk", to("web2"), &WEB2)]
    {
        let mut row = |what: &str, shape: &dyn Fn(Eth) -> Eth| {
            rows.row(&format!("{name}: {what}"), at, packet(at, guest, shape), TAG);
        };
        row("two tags", &|eth| eth.vlan(20).vlan(20));
        row("a tag behind a priority tag", &|eth| eth.vlan(0).vlan(20));
        row("a tag behind a service tag", &|eth| eth.tag(ethertype::SERVICE_VLAN, 20).vlan(20));
        row("a service tag behind a tag", &|eth| eth.vlan(20).tag(ethertype::SERVICE_VLAN, 20));
        row("a service tag", &|eth| eth.tag(ethertype::SERVICE_VLAN, 20));
        row("an old service tag", &|eth| eth.tag(0x9100, 20));
        row("three tags", &|eth| eth.vlan(20).vlan(20).vlan(20));
    }
    let llc = |at: At| packet(at, &WEB2, |eth| eth.vlan(20).snap([0, 0, 0]));
    rows.row("SNAP behind a tag", from("web2"), llc(from("web2")), denied(Reason::LlcFrame));
}
