//! Addresses that are not the sender's own, at each layer. With them, services that are open to the right sender.

use netctl_common::verdict::Reason::{
    MartianAddress, RogueRouter, SpoofedArp, SpoofedIpv4, SpoofedIpv6, SpoofedMac, SpoofedNeighbor,
};
use netctl_tests::frame::{BROADCAST, Build, Carrier, OVERRIDE, eth, group_mac, link_local, mac};

use super::super::kind::{DB1, WEB1, WORLD};
use super::super::row::Steps;
use super::link;

const ALL_NODES: &str = "ff02::1";

pub(super) fn add(steps: &mut Steps) {
    for (what, source) in
        [("the other guest's MAC", DB1.mac), ("the world's MAC", WORLD.mac), ("nobody's MAC", mac(0x77))]
    {
        let v4 = eth(source, DB1.mac).ipv4(WEB1.v4, DB1.v4).udp(5001, 53).frame();
        steps.denied(&format!("IPv4 with {what}"), WEB1, v4, SpoofedMac);
        let v6 = eth(source, DB1.mac).ipv6(WEB1.v6, DB1.v6).udp(5001, 53).frame();
        steps.denied(&format!("IPv6 with {what}"), WEB1, v6, SpoofedMac);
        let arp = eth(source, BROADCAST).arp_request(WEB1.v4, DB1.v4).frame();
        steps.denied(&format!("ARP with {what}"), WEB1, arp, SpoofedMac);
    }
    for (what, v4, v6) in [("the world's", WORLD.v4, WORLD.v6), ("nobody's", "10.0.0.99", "fd00::99")] {
        let frame = link(WEB1, DB1).ipv4(v4, DB1.v4).udp(5001, 53).frame();
        steps.denied(&format!("{what} IPv4 address"), WEB1, frame, SpoofedIpv4);
        let frame = link(WEB1, DB1).ipv6(v6, DB1.v6).udp(5001, 53).frame();
        steps.denied(&format!("{what} IPv6 address"), WEB1, frame, SpoofedIpv6);
    }
    let frame = link(DB1, WEB1).ipv4(WEB1.v4, WEB1.v4).udp(5001, 53).frame();
    steps.denied("the receiver's own IPv4 address", DB1, frame, SpoofedIpv4);
    let frame = link(WEB1, DB1).ipv4("127.0.0.1", DB1.v4).udp(5001, 53).frame();
    steps.denied("a loopback address", WEB1, frame, MartianAddress);
    resolution(steps);
}

fn resolution(steps: &mut Steps) {
    let arp = eth(WEB1.mac, BROADCAST).arp_gratuitous(DB1.v4).frame();
    steps.denied("gratuitous ARP for the other guest", WEB1, arp, SpoofedArp);
    let arp = link(WEB1, DB1).arp_reply("10.0.0.254", DB1.v4).frame();
    steps.denied("an ARP reply for the router", WEB1, arp, SpoofedArp);
    let arp = link(WEB1, DB1).arp_reply(WEB1.v4, DB1.v4).sender_mac(mac(0x77)).frame();
    steps.denied("an ARP reply with another MAC inside", WEB1, arp, SpoofedArp);

    let all = || eth(WEB1.mac, group_mac(ALL_NODES.parse().unwrap()));
    let tells = all().ipv6(WEB1.v6, ALL_NODES).neighbor_advertisement(DB1.v6, OVERRIDE).target_mac(WEB1.mac);
    steps.denied("an advertisement of the other guest's address", WEB1, tells.frame(), SpoofedNeighbor);
    let tells = all().ipv6(WEB1.v6, ALL_NODES).neighbor_advertisement(WEB1.v6, OVERRIDE).target_mac(mac(0x77));
    steps.denied("an advertisement with another MAC inside", WEB1, tells.frame(), SpoofedNeighbor);
    let tells = all().ipv6(DB1.v6, ALL_NODES).neighbor_advertisement(DB1.v6, OVERRIDE).target_mac(WEB1.mac);
    steps.denied("an advertisement in the other guest's name", WEB1, tells.frame(), SpoofedIpv6);
    let router = all().ipv6(link_local(WEB1.mac), ALL_NODES).router_advertisement(1800);
    steps.denied("a router advertisement", WEB1, router.frame(), RogueRouter);
}
