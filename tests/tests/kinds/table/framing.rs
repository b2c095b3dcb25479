//! Frames of unusual shape: tags, which a tap holds beside the frame and a macvtap in it, fragments, options and
//! unknown types. Inside are services that are open.

use netctl_common::verdict::Reason::{
    BadTcpFlags, Flow, Ipv4Options, LlcFrame, OverlappingFragment, RoutingHeader, Rule, StrayFragment,
    TinyFragment, Truncated, UnknownEthertype, VlanTag,
};
use netctl_tests::frame::{
    BROADCAST, Build, Carrier, Eth, FIN, SYN, eth, ethertype, fragments as cut, protocol,
};

use super::super::kind::{DB1, Station, WEB1, WORLD};
use super::super::row::Steps;
use super::link;

const PRIORITY: u16 = 0x6000;
/// Record route.
const OPTION: [u8; 7] = [7, 7, 4, 0, 0, 0, 0];

pub(super) fn add(steps: &mut Steps) {
    for (name, tag) in tags() {
        let [v4, v6, arp] = tagged(WEB1, DB1, &tag);
        steps.denied(&format!("IPv4 with {name}"), WEB1, v4, VlanTag);
        steps.denied(&format!("IPv6 with {name}"), WEB1, v6, VlanTag);
        steps.denied(&format!("ARP with {name}"), WEB1, arp, VlanTag);
        let [v4, v6, arp] = tagged(WORLD, WEB1, &tag);
        steps.refused(&format!("IPv4 with {name}"), WEB1, v4, VlanTag);
        steps.refused(&format!("IPv6 with {name}"), WEB1, v6, VlanTag);
        steps.refused_by_all(&format!("ARP with {name}"), arp, VlanTag);
    }
    fragments(steps);
    others(steps);
}

type Tag = fn(Eth) -> Eth;

fn tags() -> [(&'static str, Tag); 5] {
    [
        ("an 802.1Q tag", |eth| eth.vlan(5)),
        ("a priority tag and an 802.1Q tag", |eth| eth.vlan(PRIORITY).vlan(5)),
        ("a service tag", |eth| eth.tag(ethertype::SERVICE_VLAN, 5)),
        ("a service tag and an 802.1Q tag", |eth| eth.tag(ethertype::SERVICE_VLAN, 5).vlan(6)),
        ("two 802.1Q tags", |eth| eth.vlan(5).vlan(6)),
    ]
}

fn tagged(from: Station, to: Station, tag: &Tag) -> [Vec<u8>; 3] {
    [
        tag(link(from, to)).ipv4(from.v4, to.v4).udp(5001, 53).frame(),
        tag(link(from, to)).ipv6(from.v6, to.v6).udp(5001, 53).frame(),
        tag(eth(from.mac, BROADCAST)).arp_request(from.v4, to.v4).frame(),
    ]
}

/// 8 kB in fragments as a NIC with an MTU of 1500 sends them.
fn fragments(steps: &mut Steps) {
    let payload: Vec<u8> = (0..8000u32).map(|number| number as u8).collect();
    let v4 = link(WEB1, DB1).ipv4(WEB1.v4, DB1.v4).udp(5021, 53).payload(&payload).frame();
    let v6 = link(WEB1, DB1).ipv6(WEB1.v6, DB1.v6).udp(5021, 53).payload(&payload).frame();
    for (family, whole, size) in [("IPv4", v4, 1480), ("IPv6", v6, 1448)] {
        let pieces = cut(&whole, 9, size);
        let row = |text: &str| format!("{text} of {family}");
        steps.denied(&row("a fragment before the first one"), WEB1, pieces[1].clone(), StrayFragment);
        steps.passes(&row("the first fragment"), [WEB1, DB1], pieces[0].clone(), Rule);
        for (number, piece) in pieces.iter().enumerate().skip(1) {
            steps.passes(&row(&format!("fragment {number}")), [WEB1, DB1], piece.clone(), Flow);
        }
        steps.denied(
            &row("a fragment over the first one"),
            WEB1,
            cut(&whole, 9, 8)[100].clone(),
            OverlappingFragment,
        );
        let other = cut(&whole, 10, size);
        steps.denied(&row("a fragment of another datagram"), WEB1, other[1].clone(), StrayFragment);
    }
    let short = link(WEB1, DB1).ipv4(WEB1.v4, DB1.v4).id(11).fragment(0, true);
    let short = short.payload(protocol::TCP, &[0; 16]).frame();
    steps.denied("a first fragment with half a header", WEB1, short, TinyFragment);
    let world = link(WORLD, WEB1).ipv4(WORLD.v4, WEB1.v4).tcp(5021, 443).payload(&payload).frame();
    let pieces = cut(&world, 9, 1480);
    steps.refused("a fragment before the first", WEB1, pieces[1].clone(), StrayFragment);
}

fn others(steps: &mut Steps) {
    let ipv4 = || link(WEB1, DB1).ipv4(WEB1.v4, DB1.v4);
    let ipv6 = || link(WEB1, DB1).ipv6(WEB1.v6, DB1.v6);
    steps.denied("IPv4 options", WEB1, ipv4().options(&OPTION).udp(5001, 53).frame(), Ipv4Options);
    let routed = ipv6().routing(0, 1, &[0; 20]).udp(5001, 53).frame();
    steps.denied("a routing header", WEB1, routed, RoutingHeader);
    let christmas = ipv4().tcp(5005, 5432).flags(SYN | FIN).frame();
    steps.denied("SYN and FIN together", WEB1, christmas, BadTcpFlags);
    steps.denied("half a TCP header", WEB1, ipv4().payload(protocol::TCP, &[0; 10]).frame(), Truncated);
    let unknown = link(WEB1, DB1).payload(0x88b5, b"experiment").frame();
    steps.denied("an unknown ethertype", WEB1, unknown, UnknownEthertype);
    let llc = link(WEB1, DB1).llc(0x42, 0x42, 3).payload(0, b"logical link").frame();
    steps.denied("LLC", WEB1, llc, LlcFrame);
    let snap = link(WEB1, DB1).snap([0, 0, 0]).ipv4(WEB1.v4, DB1.v4).udp(5001, 53).frame();
    steps.denied("IPv4 behind SNAP", WEB1, snap, LlcFrame);
}
