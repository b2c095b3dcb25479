//! ARP and neighbor discovery: no rule allows them, and they pass.

use netctl_common::verdict::Reason::{Arp, NeighborDiscovery};
use netctl_tests::frame::{BROADCAST, Build, OVERRIDE, SOLICITED, eth, group_mac, link_local, solicited_node};

use super::super::kind::{DB1, WEB1};
use super::super::row::Steps;
use super::link;

pub(super) fn add(steps: &mut Steps) {
    let asks = eth(WEB1.mac, BROADCAST).arp_request(WEB1.v4, DB1.v4).frame();
    steps.spreads("an ARP request", WEB1, asks, Arp);
    let tells = link(DB1, WEB1).arp_reply(DB1.v4, WEB1.v4).target_mac(WEB1.mac).frame();
    steps.passes("an ARP reply", [DB1, WEB1], tells, Arp);
    steps.spreads(
        "gratuitous ARP",
        DB1,
        eth(DB1.mac, BROADCAST).arp_gratuitous(DB1.v4).frame(),
        Arp,
    );

    let group = solicited_node(DB1.v6.parse().unwrap());
    let asks = eth(WEB1.mac, group_mac(group.into())).ipv6(WEB1.v6, group).neighbor_solicitation(DB1.v6);
    steps.spreads("a neighbor solicitation", WEB1, asks.source_mac(WEB1.mac).frame(), NeighborDiscovery);
    let tells = link(DB1, WEB1).ipv6(DB1.v6, WEB1.v6).neighbor_advertisement(DB1.v6, SOLICITED | OVERRIDE);
    steps.passes(
        "a neighbor advertisement",
        [DB1, WEB1],
        tells.target_mac(DB1.mac).frame(),
        NeighborDiscovery,
    );
    let probe = eth(WEB1.mac, group_mac(group.into())).ipv6("::", solicited_node(WEB1.v6.parse().unwrap()));
    let probe = probe.neighbor_solicitation(WEB1.v6).frame();
    steps.spreads("duplicate address detection", WEB1, probe, NeighborDiscovery);
    let routers = "ff02::2".parse().unwrap();
    let asks = eth(WEB1.mac, group_mac(routers)).ipv6(link_local(WEB1.mac), "ff02::2").router_solicitation();
    steps.spreads(
        "a router solicitation",
        WEB1,
        asks.source_mac(WEB1.mac).frame(),
        NeighborDiscovery,
    );
    let listeners = "ff02::16".parse().unwrap();
    let report = eth(DB1.mac, group_mac(listeners)).ipv6(link_local(DB1.mac), "ff02::16");
    steps.spreads("an MLD report", DB1, report.mld_report("ff02::fb").frame(), NeighborDiscovery);
}
