//! Where frames to a guest come from: a local port's address, only from that port; the host's, only from the host. Where
//! a network's host cannot know it, any.

use netctl_common::mark;
use netctl_common::verdict::{Action, Reason};

use super::case::{Came, Expected, Rows, allow, default, denied, flow, from, passes, to};
use super::documents::{document, on, open};
use super::stations::{DB1, Guest, HOST, PROBE, WEB1, WEB2, WORLD, link};
use super::{Sequence, Subject};
use crate::frame::{
    ACK, BROADCAST, Build, Carrier, Mac, Network, OVERRIDE, SYN, eth, group_mac, mac, solicited_node,
};

const ALLOWED: Expected = default(Action::Allow);
const STOLEN: Expected = denied(Reason::SpoofedOrigin);
/// A port of another network in the same zone.
const FAR: Guest = Guest { mac: mac(9), v4: "10.0.7.1", v6: "fd07::1" };
const FAR_PORT: &str = "[networks.far]\nkind = \"bridge\"\n[ports.far1]\nnetwork = \"far\"\nmac = \"52:54:00:00:00:09\"\naddresses = [\"10.0.7.1\", \"fd07::1\"]\n";

pub(super) fn subjects() -> Vec<Subject> {
    let macvlan = "kind = \"macvlan\"\nuplinks = [\"eth1\"]\n";
    let local = "kind = \"vepa\"\nhairpin = \"local\"\nuplinks = [\"eth1\"]\n";
    let vepa = "kind = \"vepa\"\nuplinks = [\"eth1\"]\n";
    let far = format!("{FAR_PORT}{}", open());
    let without = |text: &str| without_guard(text, &DB1);
    let (far_without, macvlan_without) = (without(&far), without(&on(macvlan)));
    vec![
        Subject { name: "origin on a bridge", document: far, cases: on_bridge() },
        Subject { name: "origin on a macvlan", document: on(macvlan), cases: on_macvlan(true) },
        Subject {
            name: "origin on a vepa with local hairpin",
            document: on(local),
            cases: on_macvlan(false),
        },
        Subject { name: "origin on a vepa", document: on(vepa), cases: on_vepa() },
        Subject { name: "no origin on a bridge", document: far_without, cases: without_on_bridge() },
        Subject { name: "no origin on a macvlan", document: macvlan_without, cases: without_on_macvlan() },
    ]
}

/// The document with the guard of one port off.
fn without_guard(text: &str, guest: &Guest) -> String {
    let mac = format!("mac = \"{}\"\n", crate::frame::mac_text(guest.mac));
    assert_eq!(text.matches(&mac).count(), 1, "{text}");
    text.replace(&mac, &format!("{mac}guards = {{ origin = false }}\n"))
}

/// `db1` takes everyone's word, and `web2` still takes nobody's.
fn without_on_bridge() -> Vec<super::Case> {
    let mut rows = Rows::default();
    let nobody = mac(0x77);
    for came in [Came::By("web2"), Came::By("far1"), Came::Outside, Came::Bridge] {
        let at = to("db1").came(came);
        for (whose, guest) in [("a guest's", &WEB1), ("the host's", &HOST), ("the world's", &WORLD)] {
            rows.both(&format!("{whose} addresses, {came:?}"), at, (guest, &DB1), udp, ALLOWED);
            let routed = as_other(nobody, guest);
            rows.both(&format!("{whose} IP address, {came:?}"), at, (&routed, &DB1), udp, ALLOWED);
            let masked = as_other(guest.mac, &WORLD);
            rows.both(&format!("{whose} MAC address, {came:?}"), at, (&masked, &DB1), udp, ALLOWED);
        }
        resolution(&mut rows, came, ALLOWED);
    }
    let guarded = to("web2").came(Came::Outside);
    rows.both("a guest's addresses, at a port with the guard", guarded, (&WEB1, &WEB2), udp, STOLEN);
    rows.0
}

fn without_on_macvlan() -> Vec<super::Case> {
    let mut rows = Rows::default();
    for came in [Came::By("web2"), Came::Outside, Came::Unseen] {
        let at = to("db1").came(came);
        rows.both(&format!("a guest's addresses, {came:?}"), at, (&WEB1, &DB1), udp, ALLOWED);
        let group = eth(mac(0x77), BROADCAST).ipv4(WEB1.v4, "255.255.255.255").udp(1, 2).frame();
        rows.row(&format!("to everyone, {came:?}"), at, group, ALLOWED);
    }
    let guarded = to("web2").came(Came::Outside);
    rows.both("a guest's addresses, at a port with the guard", guarded, (&WEB1, &WEB2), udp, STOLEN);
    rows.0
}

fn udp(ip: Network) -> Vec<u8> {
    ip.udp(40001, 53).frame()
}

/// From one station in the name of another.
fn as_other(mac: Mac, of: &Guest) -> Guest {
    Guest { mac, ..*of }
}

fn on_bridge() -> Vec<super::Case> {
    let mut rows = Rows::default();
    let db1 = to("db1");
    let nobody = mac(0x77);
    for (came, web1, host, world) in [
        (Came::By("web1"), ALLOWED, STOLEN, ALLOWED),
        (Came::By("web2"), STOLEN, STOLEN, ALLOWED),
        (Came::By("far1"), STOLEN, STOLEN, ALLOWED),
        (Came::Outside, STOLEN, STOLEN, ALLOWED),
        (Came::Bridge, ALLOWED, ALLOWED, ALLOWED),
        (Came::Unseen, ALLOWED, ALLOWED, ALLOWED),
    ] {
        let at = db1.came(came);
        rows.both(&format!("a guest's addresses, {came:?}"), at, (&WEB1, &DB1), udp, web1);
        let routed = as_other(nobody, &WEB1);
        rows.both(&format!("a guest's IP address, {came:?}"), at, (&routed, &DB1), udp, web1);
        let masked = as_other(WEB1.mac, &WORLD);
        rows.both(&format!("a guest's MAC address, {came:?}"), at, (&masked, &DB1), udp, web1);
        rows.both(&format!("the host's addresses, {came:?}"), at, (&HOST, &DB1), udp, host);
        let router = as_other(nobody, &HOST);
        rows.both(&format!("the host's IP address, {came:?}"), at, (&router, &DB1), udp, host);
        let bridge = as_other(HOST.mac, &WORLD);
        rows.both(&format!("the host's MAC address, {came:?}"), at, (&bridge, &DB1), udp, host);
        rows.both(&format!("the world's addresses, {came:?}"), at, (&WORLD, &DB1), udp, world);
        rows.both(&format!("an address of nobody, {came:?}"), at, (&PROBE_ADDRESS, &DB1), udp, world);
        let elsewhere = as_other(nobody, &FAR);
        rows.both(&format!("a guest's of another network, {came:?}"), at, (&elsewhere, &DB1), udp, world);
        resolution(&mut rows, came, web1);
        let groups = eth(nobody, BROADCAST).ipv4(WEB1.v4, "255.255.255.255").udp(1, 2).frame();
        rows.row(&format!("to everyone, {came:?}"), at, groups, web1);
    }
    let spoofed = from("web1").came(Came::Outside);
    rows.both("the guest's own frames are not asked", spoofed, (&WEB1, &DB1), udp, ALLOWED);
    let marked = db1.came(Came::Outside).marked(mark::FROM_HOST);
    rows.both("a mark says nothing on a bridge", marked, (&WEB1, &DB1), udp, STOLEN);
    rows.0
}

/// Like [`PROBE`] without its MAC address.
const PROBE_ADDRESS: Guest = Guest { mac: mac(0x78), ..PROBE };

/// ARP and neighbor discovery in a guest's name, with its MAC address in the message but not in the frame.
fn resolution(rows: &mut Rows, came: Came, expected: Expected) {
    let at = to("db1").came(came);
    let arp = if expected == ALLOWED { passes(Reason::Arp) } else { expected };
    let nd = if expected == ALLOWED { passes(Reason::NeighborDiscovery) } else { expected };
    let nobody = mac(0x77);
    let tells = eth(nobody, DB1.mac).arp_reply(WEB1.v4, DB1.v4).sender_mac(WEB1.mac).frame();
    rows.row(&format!("an ARP reply, {came:?}"), at, tells, arp);
    let gratuitous = eth(nobody, BROADCAST).arp_gratuitous(WEB1.v4).sender_mac(WEB1.mac).frame();
    rows.row(&format!("gratuitous ARP, {came:?}"), at, gratuitous, arp);
    let other = eth(nobody, BROADCAST).arp_request(WORLD.v4, DB1.v4).frame();
    rows.row(&format!("ARP of nobody's address, {came:?}"), at, other, passes(Reason::Arp));
    let advertises = link(&WEB1, &DB1)
        .ipv6("fd00::99", DB1.v6)
        .neighbor_advertisement(WEB1.v6.parse().unwrap_or(std::net::Ipv6Addr::UNSPECIFIED), OVERRIDE)
        .target_mac(WEB1.mac)
        .frame();
    rows.row(&format!("an advertisement, {came:?}"), at, advertises, nd);
    let group = solicited_node(DB1.v6.parse().unwrap_or(std::net::Ipv6Addr::UNSPECIFIED));
    let asks =
        eth(nobody, group_mac(group.into())).ipv6(as_ip(WEB1.v6), group).neighbor_solicitation(as_ip(DB1.v6));
    rows.row(&format!("a solicitation, {came:?}"), at, asks.frame(), nd);
}

fn as_ip(text: &str) -> std::net::Ipv6Addr {
    crate::frame::ToIp::to_ip(text)
}

/// The sender's port marks the frame; the interface of the frame says nothing.
fn on_macvlan(groups_too: bool) -> Vec<super::Case> {
    let mut rows = Rows::default();
    for (came, web1) in [
        (Came::By("web1"), ALLOWED),
        (Came::By("web2"), STOLEN),
        (Came::Outside, STOLEN),
        (Came::Unseen, STOLEN),
    ] {
        let at = to("db1").came(came);
        rows.both(&format!("a guest's addresses, {came:?}"), at, (&WEB1, &DB1), udp, web1);
        let routed = as_other(mac(0x77), &WEB1);
        rows.both(&format!("a guest's IP address, {came:?}"), at, (&routed, &DB1), udp, web1);
        let masked = as_other(WEB1.mac, &WORLD);
        rows.both(&format!("a guest's MAC address, {came:?}"), at, (&masked, &DB1), udp, web1);
        rows.both(&format!("the world's addresses, {came:?}"), at, (&WORLD, &DB1), udp, ALLOWED);
        let group = eth(mac(0x77), BROADCAST).ipv4(WEB1.v4, "255.255.255.255").udp(1, 2).frame();
        let to_all = if groups_too { web1 } else { ALLOWED };
        rows.row(&format!("to everyone, {came:?}"), at, group, to_all);
    }
    let host = to("db1").marked(mark::FROM_HOST);
    rows.both("what the host sends", host, (&WEB1, &DB1), udp, ALLOWED);
    let other = to("db1").marked(0x1234);
    rows.both("a mark of someone else's", other, (&WEB1, &DB1), udp, STOLEN);
    rows.0
}

/// All frames come from the switch.
fn on_vepa() -> Vec<super::Case> {
    let mut rows = Rows::default();
    for came in [Came::By("web1"), Came::By("web2"), Came::Outside] {
        let at = to("db1").came(came);
        rows.both(&format!("a guest's addresses, {came:?}"), at, (&WEB1, &DB1), udp, ALLOWED);
    }
    rows.0
}

/// A flow remembers where its frames come from, and asks again when that changes.
pub(super) fn sequences() -> Vec<Sequence> {
    const RULES: &str = "  { allow = \"tcp/80\", from = \"web\", to = \"db\", name = \"service\" },\n";
    let text = document("deny", RULES);
    let without = super::documents::document_without("10.0.0.111", "deny", RULES);
    let mut all = Vec::new();
    for (family, ip) in super::stations::ip_of(&WEB1, &DB1) {
        let segment = |flags| ip.clone().tcp(40001, 80).flags(flags).frame();
        let [port, other, wire, host] = [Came::By("web1"), Came::By("web2"), Came::Outside, Came::Bridge]
            .map(|came| to("db1").came(came));
        let sequence = Sequence::new(format!("a flow is not taken over from elsewhere ({family})"), &text)
            .then(wire, segment(SYN), STOLEN)
            .then(port, segment(SYN), allow("service"))
            .then(port, segment(ACK), flow("service"))
            .then(wire, segment(ACK), STOLEN)
            .then(other, segment(ACK), STOLEN)
            .then(port, segment(ACK), flow("service"))
            .then(host, segment(ACK), flow("service"))
            .then(wire, segment(ACK), STOLEN)
            .apply(&without)
            .then(wire, segment(ACK), STOLEN)
            .then(port, segment(ACK), flow("service"));
        all.push(sequence);
        let unguarded = without_guard(&text, &DB1);
        let sequence =
            Sequence::new(format!("without the guard a flow goes on from anywhere ({family})"), &unguarded)
                .then(port, segment(SYN), allow("service"))
                .then(wire, segment(ACK), flow("service"))
                .then(other, segment(ACK), flow("service"))
                .apply(&text)
                .then(wire, segment(ACK), STOLEN)
                .then(port, segment(ACK), flow("service"));
        all.push(sequence);
    }
    for (family, ip) in super::stations::ip_of(&DB1, &WEB1) {
        let back = |flags| ip.clone().tcp(80, 40001).flags(flags).frame();
        let there = super::stations::ip_of(&WEB1, &DB1).into_iter().find(|(name, _)| *name == family);
        let Some((_, there)) = there else { continue };
        let sequence = Sequence::new(format!("nobody else answers for a guest ({family})"), &text)
            .then(from("web1"), there.tcp(40001, 80).flags(SYN).frame(), allow("service"))
            .then(to("web1").came(Came::Outside), back(SYN | ACK), STOLEN)
            .then(to("web1").came(Came::By("db1")), back(SYN | ACK), flow("service"));
        all.push(sequence);
    }
    all
}
