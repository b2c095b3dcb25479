//! What a guest may not send as a server or to a switch; and every guard of which a port does without, beside one that
//! has it.

use netctl_common::verdict::{Action, Reason};

use super::case::{Rows, default, denied, from, passes, to};
use super::documents::open;
use super::stations::{DB1, HOST, PROBE, WEB1, WEB2, WORLD, link, v4, v6};
use super::{Expected, Subject};
use crate::frame::{
    ACK, BROADCAST, Build, Carrier, Eth, Ipv6, Mac, OVERRIDE, eth, ethertype, group_mac, mac, protocol,
};

const ALLOWED: Expected = default(Action::Allow);

pub(super) fn subject() -> Subject {
    let mut rows = Rows::default();
    dhcp(&mut rows);
    link_control(&mut rows);
    tunnels(&mut rows);
    Subject { name: "guards", document: open(), cases: rows.0 }
}

fn dhcp(rows: &mut Rows) {
    let rogue = denied(Reason::RogueDhcp);
    let mut row = |name: &str, frame: Vec<u8>, expected| rows.row(name, from("web1"), frame, expected);
    let all = || eth(WEB1.mac, BROADCAST).ipv4(WEB1.v4, "255.255.255.255");
    row("an offer to all", all().udp(67, 68).frame(), rogue);
    row("an offer to one", v4(&WEB1, &DB1).udp(67, 68).frame(), rogue);
    row("an offer from another port", v4(&WEB1, &DB1).udp(1067, 68).frame(), rogue);
    row("an offer to a relay", v4(&WEB1, &WORLD).udp(67, 67).frame(), rogue);
    row("an answer of DHCPv6", v6(&WEB1, &DB1).udp(547, 546).frame(), rogue);
    row("an answer of DHCPv6 from another port", v6(&WEB1, &DB1).udp(5000, 546).frame(), rogue);
    let servers: std::net::Ipv6Addr = "ff02::1:2".parse().expect("an address");
    let asks6 = eth(WEB1.mac, group_mac(servers.into())).ipv6(WEB1.v6, servers).udp(546, 547).frame();
    row("a question of DHCPv6", asks6, ALLOWED);
    row("a renewal", v4(&WEB1, &WORLD).udp(68, 67).frame(), ALLOWED);
    row("TCP from a DHCP server's port", v4(&WEB1, &DB1).tcp(67, 80).frame(), ALLOWED);
    row("IPv4 to a DHCPv6 client's port", v4(&WEB1, &DB1).udp(5000, 546).frame(), ALLOWED);
    let mut row = |name: &str, frame: Vec<u8>, expected| rows.row(name, to("web1"), frame, expected);
    // Its answers would belong to the flow.
    row("a renewal at a guest that is no server", v4(&DB1, &WEB1).udp(68, 67).frame(), rogue);
    row("the same of DHCPv6", v6(&DB1, &WEB1).udp(546, 547).frame(), rogue);
    row("an offer to a guest", v4(&WORLD, &WEB1).udp(67, 68).frame(), ALLOWED);
    let asks = eth(DB1.mac, BROADCAST).ipv4("0.0.0.0", "255.255.255.255").udp(68, 67).frame();
    row("a question to all", asks, ALLOWED);
}

/// The group of bridges.
const STP: Mac = [0x01, 0x80, 0xc2, 0, 0, 0];

fn link_control(rows: &mut Rows) {
    let control = denied(Reason::LinkControl);
    let to_group = |last: u8| eth(WEB1.mac, [0x01, 0x80, 0xc2, 0, 0, last]);
    let mut row = |name: &str, frame: Vec<u8>, expected| rows.row(name, from("web1"), frame, expected);
    row("STP", eth(WEB1.mac, STP).llc(0x42, 0x42, 3).payload(0, &[0; 35]).frame(), control);
    row("pause", to_group(1).payload(0x8808, &[0, 1, 0xff, 0xff]).frame(), control);
    row("LACP", to_group(2).payload(0x8809, &[1; 50]).frame(), control);
    row("EAPOL", to_group(3).payload(0x888e, &[1; 50]).frame(), control);
    row("LLDP", to_group(0x0e).payload(ethertype::LLDP, &[2; 50]).frame(), control);
    row("the last of the groups", to_group(0x0f).payload(0x88b5, &[2; 50]).frame(), control);
    row("IP to a group of switches", to_group(0).ipv4(WEB1.v4, DB1.v4).udp(1, 2).frame(), control);
    row("ARP to a group of switches", to_group(0).arp_request(WEB1.v4, DB1.v4).frame(), control);
    row("the group behind them", to_group(0x10).arp_request(WEB1.v4, DB1.v4).frame(), passes(Reason::Arp));
    row("pause to a station", link(&WEB1, &DB1).payload(0x8808, &[0, 1, 0, 9]).frame(), control);
    row("pause to all", eth(WEB1.mac, BROADCAST).payload(0x8808, &[0, 1, 0, 9]).frame(), control);
    row("LACP to a station", link(&WEB1, &DB1).payload(0x8809, &[1; 50]).frame(), control);
    let lldp = eth(WORLD.mac, [0x01, 0x80, 0xc2, 0, 0, 0x0e]).payload(ethertype::LLDP, &[2; 50]).frame();
    rows.row("LLDP of a switch", to("web1"), lldp, denied(Reason::UnknownEthertype));
}

/// As the protocol that they are.
fn tunnels(rows: &mut Rows) {
    // SSH, which the document denies, is inside.
    let inside = crate::frame::ipv4(WEB1.v4, DB1.v4).tcp(40000, 22).packet();
    let inside6 = crate::frame::ipv6(WEB1.v6, DB1.v6).tcp(40000, 22).packet();
    let gre = [&[0, 0, 8, 0][..], &inside].concat();
    for (name, number, payload) in
        [("IP in IP", 4, &inside), ("IPv6 in IP", 41, &inside6), ("GRE", protocol::GRE, &gre)]
    {
        let packet = |ip: crate::frame::Network| ip.payload(number, payload).frame();
        rows.both(name, from("web1"), (&WEB1, &DB1), packet, ALLOWED);
        rows.both(name, to("db1"), (&WEB1, &DB1), packet, ALLOWED);
    }
}

/// `probe` does without all guards, `web1` has them.
pub(super) fn subject_without() -> Subject {
    let mut rows = Rows::default();
    addresses(&mut rows);
    resolution(&mut rows);
    forms(&mut rows);
    receiver(&mut rows);
    Subject { name: "without guards", document: without(), cases: rows.0 }
}

/// Guards of this file's subject; the others have their own.
const OFF: &str = "guards = { mac = false, ip = false, arp = false, neighbor = false, router = false, \
                   dhcp-server = false, link-control = false, llc = false, options = false, martian = false, \
                   destination = false }\n";

fn without() -> String {
    let rule = "  { allow = \"ether/0x88b5\", from = \"any\", to = \"any\", name = \"experiment\" },\n  { deny = \"tcp/22\"";
    let text = open().replace(
        "addresses = \"any\"\n",
        &format!("addresses = [\"{}\", \"{}\"]\n{OFF}", PROBE.v4, PROBE.v6),
    );
    text.replace("  { deny = \"tcp/22\"", rule)
}

fn own() -> Eth {
    link(&PROBE, &DB1)
}

fn addresses(rows: &mut Rows) {
    let mut row = |name: &str, frame: Vec<u8>, expected| rows.row(name, from("probe"), frame, expected);
    row("another's MAC address", eth(mac(0x77), DB1.mac).ipv4(PROBE.v4, DB1.v4).udp(1, 2).frame(), ALLOWED);
    row("another's IPv4 address", own().ipv4(WORLD.v4, DB1.v4).udp(1, 2).frame(), ALLOWED);
    row("another port's IPv4 address", own().ipv4(WEB1.v4, DB1.v4).udp(1, 2).frame(), ALLOWED);
    row("another port's IPv6 address", own().ipv6(WEB1.v6, DB1.v6).udp(1, 2).frame(), ALLOWED);
    row("a loopback address", own().ipv4("127.0.0.1", DB1.v4).udp(1, 2).frame(), ALLOWED);
    row("an IPv4-compatible address", own().ipv6("::10.0.0.99", DB1.v6).udp(1, 2).frame(), ALLOWED);
    let mapped = own().ipv6("::ffff:10.0.0.99", DB1.v6).udp(1, 2).frame();
    row("an IPv4-mapped address is never one", mapped, denied(Reason::MartianAddress));
    row("an offer of DHCP", own().ipv4(PROBE.v4, DB1.v4).udp(67, 68).frame(), ALLOWED);
    row("an answer of DHCPv6", own().ipv6(PROBE.v6, DB1.v6).udp(547, 546).frame(), ALLOWED);
    row("an ICMP redirect", own().ipv4(PROBE.v4, DB1.v4).icmp(5, 0).frame(), ALLOWED);
}

fn resolution(rows: &mut Rows) {
    let (arp, nd) = (passes(Reason::Arp), passes(Reason::NeighborDiscovery));
    let mut row = |name: &str, at, frame: Vec<u8>, expected| rows.row(name, at, frame, expected);
    let lies = own().arp_reply(WEB1.v4, DB1.v4).sender_mac(mac(0x66));
    row("ARP as another", from("probe"), lies.frame(), arp);
    row(
        "the same at a receiver with its guards",
        to("web2"),
        eth(PROBE.mac, WEB2.mac).arp_reply(WEB1.v4, WEB2.v4).sender_mac(mac(0x66)).frame(),
        denied(Reason::SpoofedArp),
    );
    let claims = eth(WORLD.mac, PROBE.mac).arp_reply(WEB1.v4, PROBE.v4).frame();
    row("ARP that claims a local guest's address", to("probe"), claims, arp);
    let tells = |ip: Ipv6| ip.neighbor_advertisement(WEB1.v6, OVERRIDE).target_mac(mac(0x66)).frame();
    row("an advertisement as another", from("probe"), tells(own().ipv6(PROBE.v6, DB1.v6)), nd);
    let to_probe = eth(WORLD.mac, PROBE.mac).ipv6(WORLD.v6, PROBE.v6);
    row("an advertisement for a local guest's address", to("probe"), tells(to_probe), nd);
    let routed = own().ipv6(PROBE.v6, DB1.v6).neighbor_advertisement(PROBE.v6, OVERRIDE);
    let routed_frame = own().ipv6(PROBE.v6, DB1.v6).hop_limit(254).neighbor_advertisement(PROBE.v6, OVERRIDE);
    row("an advertisement", from("probe"), routed.frame(), nd);
    row("one that was routed", from("probe"), routed_frame.frame(), denied(Reason::BadHeader));
    let all: std::net::Ipv6Addr = "ff02::1".parse().expect("an address");
    let router = eth(PROBE.mac, group_mac(all.into())).ipv6(PROBE.v6, all).router_advertisement(1800);
    row("a router advertisement", from("probe"), router.source_mac(PROBE.mac).frame(), nd);
    row(
        "an ICMPv6 redirect",
        from("probe"),
        own().ipv6(PROBE.v6, DB1.v6).nd_redirect("fe80::9", WORLD.v6).frame(),
        nd,
    );
}

fn forms(rows: &mut Rows) {
    let unknown = denied(Reason::UnknownEthertype);
    let llc = denied(Reason::LlcFrame);
    let mut row = |name: &str, frame: Vec<u8>, expected| rows.row(name, from("probe"), frame, expected);
    let snap = |number: u16| own().snap([0, 0, 0]).payload(number, b"payload").frame();
    row("SNAP with an ethertype of a rule", snap(0x88b5), super::case::allow("experiment"));
    row("SNAP with another", snap(0x88b6), unknown);
    row("ARP in SNAP", own().snap([0, 0, 0]).arp_request(PROBE.v4, DB1.v4).frame(), llc);
    row("IPv4 in SNAP", own().snap([0, 0, 0]).ipv4(PROBE.v4, DB1.v4).udp(1, 2).frame(), llc);
    row("IPv6 in SNAP", own().snap([0, 0, 0]).ipv6(PROBE.v6, DB1.v6).udp(1, 2).frame(), llc);
    row("a tag in SNAP", snap(0x8100), llc);
    row("a length in SNAP", snap(0x05ff), llc);
    row("SNAP of another organization", own().snap([0, 0, 0xf8]).payload(0x88b5, b"x").frame(), llc);
    row("LLC", own().llc(0x42, 0x42, 3).payload(0, &[0; 35]).frame(), llc);
    row("STP", eth(PROBE.mac, STP).llc(0x42, 0x42, 3).payload(0, &[0; 35]).frame(), llc);
    let lldp = |number| eth(PROBE.mac, [0x01, 0x80, 0xc2, 0, 0, 0x0e]).payload(number, &[2; 50]).frame();
    row("LLDP without a rule", lldp(ethertype::LLDP), unknown);
    row("what a rule allows, to a group of switches", lldp(0x88b5), super::case::allow("experiment"));
    row(
        "SNAP past the frame",
        own().snap([0, 0, 0]).type_field(99).payload(0x88b5, b"x").frame(),
        denied(Reason::Truncated),
    );
    row(
        "SNAP that its length cuts off",
        own().snap([0, 0, 0]).type_field(7).payload(0x88b5, b"x").frame(),
        llc,
    );
    row(
        "a length above the greatest",
        own().snap([0, 0, 0]).type_field(1501).payload(0x88b5, &[0; 2000]).frame(),
        llc,
    );
    row("LACP", own().payload(0x8809, &[1; 50]).frame(), unknown);
    row(
        "a source route",
        own().ipv4(PROBE.v4, DB1.v4).options(&[131, 7, 4, 10, 0, 0, 21, 0]).udp(1, 2).frame(),
        ALLOWED,
    );
    let ssh = own().ipv4(PROBE.v4, DB1.v4).options(&[131, 7, 4, 10, 0, 0, 21, 0]).tcp(1, 22).frame();
    row("SSH behind a source route", ssh, super::case::deny("no ssh"));
    let routing = |port| own().ipv6(PROBE.v6, DB1.v6).routing(4, 1, &[0; 20]).tcp(40000, port).frame();
    row("a routing header", routing(80), ALLOWED);
    row("SSH behind a routing header", routing(22), super::case::deny("no ssh"));
}

fn receiver(rows: &mut Rows) {
    let mut row = |name: &str, frame: Vec<u8>, expected| rows.row(name, to("probe"), frame, expected);
    row(
        "a frame for another MAC address",
        eth(DB1.mac, mac(0x66)).ipv4(DB1.v4, PROBE.v4).udp(1, 2).frame(),
        ALLOWED,
    );
    row(
        "a packet for another IPv4 address",
        eth(DB1.mac, PROBE.mac).ipv4(DB1.v4, WORLD.v4).udp(1, 2).frame(),
        ALLOWED,
    );
    row(
        "a packet for another IPv6 address",
        eth(DB1.mac, PROBE.mac).ipv6(DB1.v6, WORLD.v6).udp(1, 2).frame(),
        ALLOWED,
    );
    row("a renewal of DHCP", eth(DB1.mac, PROBE.mac).ipv4(DB1.v4, PROBE.v4).udp(68, 67).frame(), ALLOWED);
    row(
        "a group as source",
        eth(WORLD.mac, PROBE.mac).ipv4("224.0.0.1", PROBE.v4).udp(1, 2).frame(),
        ALLOWED,
    );
    row(
        "what fits nothing still fits nothing",
        eth(HOST.mac, PROBE.mac).ipv4(HOST.v4, PROBE.v4).tcp(1, 2).flags(0).frame(),
        denied(Reason::BadTcpFlags),
    );
    let stray = eth(WEB2.mac, PROBE.mac).ipv4(WEB2.v4, PROBE.v4).tcp(1, 22).flags(ACK).frame();
    row("rules go on", stray, super::case::deny("no ssh"));
}
