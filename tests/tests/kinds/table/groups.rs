//! Broadcast and multicast from guests: judged frame by frame, and delivered although no guest has told the host
//! which groups it listens to.

use netctl_common::verdict::Reason::{Default, Rule};
use netctl_tests::frame::{BROADCAST, Build, Carrier, eth, group_mac, link_local};

use super::super::kind::{DB1, WEB1};
use super::super::row::Steps;

pub(super) fn add(steps: &mut Steps) {
    for (from, name) in [(WEB1, "mDNS"), (DB1, "mDNS back")] {
        let v4 = eth(from.mac, group_mac("224.0.0.251".parse().unwrap())).ipv4(from.v4, "224.0.0.251");
        steps.spreads(&format!("{name} of IPv4"), from, v4.udp(5353, 5353).frame(), Rule);
        let v6 = eth(from.mac, group_mac("ff02::fb".parse().unwrap())).ipv6(from.v6, "ff02::fb");
        steps.spreads(&format!("{name} of IPv6"), from, v6.udp(5353, 5353).frame(), Rule);
    }
    let servers = || eth(WEB1.mac, group_mac("ff02::1:2".parse().unwrap()));
    let asks = servers().ipv6(link_local(WEB1.mac), "ff02::1:2").udp(546, 547).payload(&[1, 0, 0, 1]);
    steps.spreads("a DHCPv6 solicitation", WEB1, asks.frame(), Rule);
    let other = servers().ipv6(WEB1.v6, "ff02::1:2").udp(546, 548);
    steps.denied("another service of a group", WEB1, other.frame(), Default);

    let to_all = |number| eth(WEB1.mac, BROADCAST).ipv4(WEB1.v4, "255.255.255.255").udp(5006, number).frame();
    steps.spreads("a broadcast that a rule allows", WEB1, to_all(9), Rule);
    steps.denied("another broadcast", WEB1, to_all(10), Default);
    let directed = eth(WEB1.mac, BROADCAST).ipv4(WEB1.v4, "10.0.0.255").udp(5006, 9).frame();
    steps.spreads("a directed broadcast", WEB1, directed, Rule);
    let back = eth(DB1.mac, BROADCAST).ipv4(DB1.v4, "255.255.255.255").udp(5006, 9).frame();
    steps.denied("the broadcast of a guest of another group", DB1, back, Default);
}
