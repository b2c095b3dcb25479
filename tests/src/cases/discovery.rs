//! Neighbor discovery and listener reports: a guest speaks for itself only, and is no router.

use netctl_common::verdict::{Action, Reason};

use super::case::{Rows, default, denied, from, passes, to};
use super::documents::document;
use super::stations::{DB1, HOST, PROBE, WEB1, WEB2, WORLD, link, v6};
use super::{Expected, Subject};
use crate::frame::{
    Build, Carrier, Icmp, Ipv6, Mac, OVERRIDE, ROUTER_ALERT, SOLICITED, eth, group_mac, link_local, mac,
    solicited_node,
};

const PASSES: Expected = passes(Reason::NeighborDiscovery);
const ALL_NODES: &str = "ff02::1";
const ALL_ROUTERS: &str = "ff02::2";

pub(super) fn subject() -> Subject {
    let mut rows = Rows::default();
    solicitations(&mut rows);
    advertisements(&mut rows);
    routers(&mut rows);
    form(&mut rows);
    listeners(&mut rows);
    to_guests(&mut rows);
    Subject { name: "neighbor discovery", document: document("deny", ""), cases: rows.0 }
}

/// To a group, from this MAC address.
fn group(source: Mac, address: &str, to: &str) -> Ipv6 {
    let to: std::net::Ipv6Addr = to.parse().expect("an address");
    eth(source, group_mac(to.into())).ipv6(address, to)
}

fn asks(address: &str, target: &str) -> Icmp {
    let to = solicited_node(target.parse().expect("an address"));
    eth(WEB1.mac, group_mac(to.into())).ipv6(address, to).neighbor_solicitation(target)
}

fn solicitations(rows: &mut Rows) {
    let mut row = |name: &str, icmp: Icmp, expected| rows.row(name, from("web1"), icmp.frame(), expected);
    row("a question", asks(WEB1.v6, DB1.v6).source_mac(WEB1.mac), PASSES);
    row("a question without options", asks(WEB1.v6, DB1.v6), PASSES);
    row("a question to one", v6(&WEB1, &DB1).neighbor_solicitation(DB1.v6).source_mac(WEB1.mac), PASSES);
    row("a question about anyone", asks(WEB1.v6, WORLD.v6).source_mac(WEB1.mac), PASSES);
    let spoofed = denied(Reason::SpoofedNeighbor);
    row("a question with another's MAC address", asks(WEB1.v6, DB1.v6).source_mac(WEB2.mac), spoofed);
    row(
        "a question from another's address",
        asks(WEB2.v6, DB1.v6).source_mac(WEB1.mac),
        denied(Reason::SpoofedIpv6),
    );
    row("duplicate detection of an own address", asks("::", WEB1.v6), PASSES);
    row("duplicate detection of an own link-local address", asks("::", "fe80::5054:ff:fe00:1"), PASSES);
    row("duplicate detection of another's address", asks("::", WEB2.v6), spoofed);
    row("duplicate detection of the host's address", asks("::", HOST.v6), spoofed);
    row("duplicate detection of nobody's address", asks("::", PROBE.v6), spoofed);
}

fn advertisements(rows: &mut Rows) {
    let spoofed = denied(Reason::SpoofedNeighbor);
    let flags = SOLICITED | OVERRIDE;
    let mut row = |name: &str, icmp: Icmp, expected| rows.row(name, from("web1"), icmp.frame(), expected);
    let tells = |target: &str| v6(&WEB1, &DB1).neighbor_advertisement(target, flags);
    row("an answer", tells(WEB1.v6).target_mac(WEB1.mac), PASSES);
    row("an answer for a second address", tells("fd00::111").target_mac(WEB1.mac), PASSES);
    let own = group(WEB1.mac, WEB1.v6, ALL_NODES).neighbor_advertisement(WEB1.v6, OVERRIDE);
    row("an announcement to all", own.target_mac(WEB1.mac), PASSES);
    row("an answer for another", tells(WEB2.v6).target_mac(WEB1.mac), spoofed);
    row("an answer for the host", tells(HOST.v6).target_mac(WEB1.mac), spoofed);
    row("an answer for the world", tells(WORLD.v6).target_mac(WEB1.mac), spoofed);
    row("an answer with another's MAC address", tells(WEB1.v6).target_mac(WEB2.mac), spoofed);
    row("a second MAC address", tells(WEB1.v6).target_mac(WEB1.mac).target_mac(WEB2.mac), spoofed);
    row(
        "a MAC address of 14 bytes",
        tells(WEB1.v6).option(2, &[0x52, 0x54, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]),
        spoofed,
    );
    let other = link(&WEB1, &DB1).ipv6(WEB2.v6, DB1.v6).neighbor_advertisement(WEB2.v6, flags);
    row("an answer as another", other.target_mac(WEB1.mac), denied(Reason::SpoofedIpv6));
    let mut probe = |name: &str, source: &str, target: &str, expected| {
        let icmp = link(&PROBE, &DB1).ipv6(source, DB1.v6).neighbor_advertisement(target, flags);
        rows.row(
            &format!("any address: {name}"),
            from("probe"),
            icmp.target_mac(PROBE.mac).frame(),
            expected,
        );
    };
    probe("an answer for nobody's", PROBE.v6, PROBE.v6, PASSES);
    probe("an answer for another port", PROBE.v6, WEB1.v6, spoofed);
    probe("an answer for the host", PROBE.v6, HOST.v6, spoofed);
    probe("an answer from a group", "ff02::1", PROBE.v6, denied(Reason::MartianAddress));
    probe("an answer from the loopback address", "::1", PROBE.v6, denied(Reason::MartianAddress));
}

fn routers(rows: &mut Rows) {
    let mut row = |name: &str, icmp: Icmp, expected| rows.row(name, from("web1"), icmp.frame(), expected);
    let local = "fe80::5054:ff:fe00:1";
    let rogue = denied(Reason::RogueRouter);
    row(
        "a router solicitation",
        group(WEB1.mac, local, ALL_ROUTERS).router_solicitation().source_mac(WEB1.mac),
        PASSES,
    );
    row(
        "a router solicitation without an address",
        group(WEB1.mac, "::", ALL_ROUTERS).router_solicitation(),
        PASSES,
    );
    let lies = group(WEB1.mac, local, ALL_ROUTERS).router_solicitation().source_mac(WEB2.mac);
    row("a router solicitation with another's MAC address", lies, denied(Reason::SpoofedNeighbor));
    let advertisement = || group(WEB1.mac, local, ALL_NODES).router_advertisement(1800);
    row("a router advertisement", advertisement().source_mac(WEB1.mac), rogue);
    row("a router advertisement with a prefix", advertisement().prefix_information("fd00:9::", 64), rogue);
    row("a router advertisement to one", v6(&WEB1, &DB1).router_advertisement(0), rogue);
    let behind = group(WEB1.mac, local, ALL_NODES).hop_by_hop(&ROUTER_ALERT).router_advertisement(1800);
    let chain = denied(Reason::ExtensionChain);
    row("a router advertisement behind an extension header", behind, chain);
    let long = group(WEB1.mac, local, ALL_NODES).destination_options(&[0; 200]).router_advertisement(1800);
    row("a router advertisement behind a long extension header", long, chain);
    let behind = v6(&WEB1, &DB1).hop_limit(255).destination_options(&[]);
    row("a question behind an extension header", behind.clone().neighbor_solicitation(DB1.v6), chain);
    row("an answer behind an extension header", behind.neighbor_advertisement(WEB1.v6, SOLICITED), chain);
    let cut = group(WEB1.mac, local, ALL_NODES).fragment(0, true, 1).router_advertisement(1800);
    row("a router advertisement in a fragment", cut, denied(Reason::Fragment));
    row("a redirect", v6(&WEB1, &DB1).nd_redirect("fe80::9", WORLD.v6), rogue);
}

fn form(rows: &mut Rows) {
    let mut row = |name: &str, frame: Vec<u8>, reason| rows.row(name, from("web1"), frame, denied(reason));
    let ask = |ip: Ipv6| ip.neighbor_solicitation(DB1.v6).source_mac(WEB1.mac);
    row("a hop limit of 254", ask(v6(&WEB1, &DB1).hop_limit(254)).frame(), Reason::BadHeader);
    row("a code", ask(v6(&WEB1, &DB1)).code(1).frame(), Reason::BadHeader);
    let bare = v6(&WEB1, &DB1).hop_limit(255).icmp(136, 0).frame();
    row("an answer without a target", bare, Reason::Truncated);
    let short = v6(&WEB1, &DB1).hop_limit(255).icmp(135, 0).body(&[0xfd; 15]).frame();
    row("a question with 15 bytes of a target", short, Reason::Truncated);
    let padding = v6(&WEB1, &DB1).hop_limit(255).payload_length(8).icmp(135, 0).body(&[0; 16]).frame();
    row("a target that lies in the padding", padding, Reason::Truncated);
    let plain = || v6(&WEB1, &DB1).neighbor_solicitation(DB1.v6);
    let zero = v6(&WEB1, &DB1)
        .hop_limit(255)
        .icmp(135, 0)
        .body(&[&[0xfd; 16][..], &[1, 0, 0, 0, 0, 0, 0, 0]].concat());
    row("an option of no length", zero.frame(), Reason::BadHeader);
    let past = v6(&WEB1, &DB1)
        .hop_limit(255)
        .icmp(135, 0)
        .body(&[&[0xfd; 16][..], &[14, 2, 0, 0, 0, 0, 0, 0]].concat());
    row("an option past the packet", past.frame(), Reason::Truncated);
    let many = (0..5).fold(plain(), |icmp, _| icmp.option(14, &[0; 6]));
    row("five options", many.frame(), Reason::BadHeader);
    let hidden = (0..4).fold(plain(), |icmp, _| icmp.option(14, &[0; 6])).source_mac(WEB2.mac);
    row("another's MAC address behind four options", hidden.frame(), Reason::BadHeader);
    let four = (0..4).fold(plain(), |icmp, _| icmp.option(14, &[0; 6]));
    rows.row("four options", from("web1"), four.frame(), PASSES);
}

fn listeners(rows: &mut Rows) {
    let mut row = |name: &str, icmp: Icmp, expected| rows.row(name, from("web1"), icmp.frame(), expected);
    let local = "fe80::5054:ff:fe00:1";
    row("a listener's report", group(WEB1.mac, local, "ff02::16").mld_report("ff02::5"), PASSES);
    row(
        "a listener's report without an address",
        group(WEB1.mac, "::", "ff02::16").mld_report("ff02::5"),
        PASSES,
    );
    let other = group(WEB1.mac, WEB2.v6, "ff02::16").mld_report("ff02::5");
    row("a listener's report as another", other, denied(Reason::SpoofedIpv6));
    let query = group(WEB1.mac, local, ALL_NODES).hop_limit(1).hop_by_hop(&ROUTER_ALERT).icmp(130, 0);
    row("a listener query is for the rules", query, default(Action::Deny));
    let one = v6(&WEB1, &DB1).mld_report("ff02::5");
    row("a listener's report to one is for the rules", one, default(Action::Deny));
}

fn to_guests(rows: &mut Rows) {
    let mut row = |name: &str, icmp: Icmp, expected| rows.row(name, to("web1"), icmp.frame(), expected);
    let router = "fe80::1";
    row(
        "a router's advertisement to a guest",
        group(WORLD.mac, router, ALL_NODES).router_advertisement(1800),
        PASSES,
    );
    row("a question to a guest", v6(&DB1, &WEB1).neighbor_solicitation(WEB1.v6).source_mac(DB1.mac), PASSES);
    row("an answer to a guest", v6(&DB1, &WEB1).neighbor_advertisement(DB1.v6, SOLICITED), PASSES);
    let routed = v6(&WORLD, &WEB1).hop_limit(63).neighbor_advertisement(HOST.v6, SOLICITED);
    row("an answer that was routed", routed, denied(Reason::BadHeader));
    let routed = group(WORLD.mac, router, ALL_NODES).hop_limit(254).router_advertisement(1800);
    row("a router's advertisement that was routed", routed, denied(Reason::BadHeader));
    let astray = eth(WORLD.mac, DB1.mac).ipv6(link_local(WORLD.mac), WEB1.v6).neighbor_solicitation(WEB1.v6);
    row("a question to another MAC address", astray, denied(Reason::WrongDestination));
    let spoofed = denied(Reason::SpoofedNeighbor);
    let tells = |from: &super::stations::Guest, target: &str| {
        link(from, &WEB1).ipv6(WORLD.v6, WEB1.v6).neighbor_advertisement(target, OVERRIDE)
    };
    row("an answer from nowhere about a local guest", tells(&WORLD, DB1.v6).target_mac(WORLD.mac), spoofed);
    row("the same without its MAC address", tells(&WORLD, DB1.v6), spoofed);
    row(
        "an answer from a local guest with another MAC address",
        tells(&DB1, DB1.v6).target_mac(mac(0x66)),
        spoofed,
    );
    row("an answer about a local guest from another", tells(&WEB2, DB1.v6).target_mac(WEB2.mac), spoofed);
    row(
        "an answer from nowhere about the guest itself",
        tells(&WORLD, WEB1.v6).target_mac(WORLD.mac),
        spoofed,
    );
    row("the host answers for a local guest", tells(&HOST, DB1.v6).target_mac(HOST.mac), PASSES);
    row("an answer about nobody here", tells(&WORLD, "fd00::77").target_mac(WORLD.mac), PASSES);
    let detects = |target: &str| {
        let to = solicited_node(target.parse().expect("an address"));
        eth(WORLD.mac, group_mac(to.into())).ipv6("::", to).neighbor_solicitation(target)
    };
    row("another claims the guest's address", detects(WEB1.v6), spoofed);
    row("another claims a local guest's address", detects(DB1.v6), spoofed);
    row("another claims an address of nobody here", detects("fd00::77"), PASSES);
    let asks = link(&WORLD, &WEB1).ipv6(DB1.v6, WEB1.v6).neighbor_solicitation(WEB1.v6);
    row("a question as a local guest, with another MAC address", asks.source_mac(WORLD.mac), spoofed);
    let guest = group(WORLD.mac, DB1.v6, ALL_NODES).router_advertisement(1800).source_mac(WORLD.mac);
    row("a router's advertisement as a local guest", guest, spoofed);
    let all = |count: u8| {
        let icmp = group(WORLD.mac, router, ALL_NODES).router_advertisement(1800).source_mac(WORLD.mac);
        (1..count).fold(icmp, |icmp, _| icmp.option(24, &[0; 6]))
    };
    row("a router's advertisement with ten options", all(10), PASSES);
    row("a router's advertisement with seventeen options", all(17), denied(Reason::BadHeader));
    let zero = group(WORLD.mac, router, ALL_NODES).hop_limit(255).icmp(134, 0);
    let zero = zero.body(&[&[0; 8][..], &[1, 0, 0, 0, 0, 0, 0, 0]].concat());
    row("a router's advertisement with an option of no length", zero, denied(Reason::BadHeader));
    let from_group = link(&WORLD, &WEB1).ipv6("ff02::1", WEB1.v6).neighbor_advertisement(HOST.v6, OVERRIDE);
    row("an answer from a group to a guest", from_group, denied(Reason::MartianAddress));
}
