//! What comes from the switch and goes there: a peer that is no guest, and the router of the segment.

use netctl_common::verdict::Reason::{
    Arp, Default, Flow, NeighborDiscovery, NoFlow, Rule, WrongDestination,
};
use netctl_tests::frame::{
    ACK, BROADCAST, Build, Carrier, SYN, eth, group_mac, link_local, mac, solicited_node,
};

use super::super::kind::{DB1, WEB1, WORLD};
use super::super::row::Steps;
use super::{ip, link};

pub(super) fn add(steps: &mut Steps) {
    for ((family, there), (_, back)) in ip(WORLD, WEB1).into_iter().zip(ip(WEB1, WORLD)) {
        let there = there.tcp(5000, 443);
        let name = |what| format!("{what} of {family}");
        steps.arrives(&name("a SYN"), WEB1, there.clone().frame(), Rule);
        let answers = back.tcp(443, 5000).flags(SYN | ACK);
        steps.leaves(&name("its SYN|ACK"), WEB1, answers.frame(), Flow);
        steps.arrives(&name("the ACK"), WEB1, there.flags(ACK).sequence(2).frame(), Flow);
    }
    for (family, ip) in ip(WORLD, DB1) {
        let name = |what| format!("{what} of {family}");
        steps.refused(&name("a SYN"), DB1, ip.clone().tcp(5000, 443).frame(), Default);
        steps.refused(&name("an ACK"), DB1, ip.clone().tcp(5000, 443).flags(ACK).frame(), NoFlow);
        steps.arrives(&name("an echo request"), DB1, ip.echo_request(8, 1).frame(), Rule);
    }
    let other = link(WORLD, WEB1).ipv4(WORLD.v4, "10.0.0.99").tcp(5000, 443).frame();
    steps.refused("a SYN to another address at this MAC", WEB1, other, WrongDestination);
    router(steps);
}

/// Routers are stations of the world; guests take their word.
fn router(steps: &mut Steps) {
    let all = || eth(WORLD.mac, group_mac("ff02::1".parse().unwrap())).ipv6(link_local(WORLD.mac), "ff02::1");
    let tells = all().router_advertisement(1800).source_mac(WORLD.mac).prefix_information("fd00::", 64);
    steps.reaches_all("a router advertisement", tells.frame(), NeighborDiscovery);
    let hopped = all().hop_limit(64).router_advertisement(1800).frame();
    steps.refused_by_all(
        "a router advertisement from elsewhere",
        hopped,
        netctl_common::verdict::Reason::BadHeader,
    );
    let group = solicited_node(DB1.v6.parse().unwrap());
    let asks = eth(WORLD.mac, group_mac(group.into())).ipv6(link_local(WORLD.mac), group);
    let asks = asks.neighbor_solicitation(DB1.v6).source_mac(WORLD.mac).frame();
    steps.reaches_all("a neighbor solicitation", asks, NeighborDiscovery);
    let asks = eth(WORLD.mac, BROADCAST).arp_request(WORLD.v4, DB1.v4).frame();
    steps.reaches_all("an ARP request", asks, Arp);
    let queries = eth(mac(0xfd), group_mac("224.0.0.251".parse().unwrap())).ipv4(WORLD.v4, "224.0.0.251");
    steps.reaches_all("mDNS", queries.udp(5353, 5353).frame(), Rule);
}
