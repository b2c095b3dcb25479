//! To more than one: broadcast and multicast, on the link and by address, and what hides behind them.

use netctl_common::verdict::{Action, Reason};

use super::Subject;
use super::case::{Rows, allow, default, denied, from, to};
use super::documents::document;
use super::stations::{DB1, HOST, WEB1, WEB2, WORLD, link};
use crate::frame::{BROADCAST, Build, Carrier, Eth, eth, group_mac};

const RULES: &str = r#"
  { allow = "udp/67", from = "web", to = "broadcast", name = "dhcp" },
  { allow = "udp/5353", from = "web", to = "multicast", name = "mdns" },
  { allow = "ip/igmp", from = "web", to = "multicast", name = "igmp" },
  { allow = "udp/9000", from = "any", to = "web2", name = "to one" },
  { allow = "udp/9001", from = "any", to = ["10.0.0.0/24", "fd00::/64"], name = "to a prefix" },
  { allow = "udp/9002", from = "host", to = ["224.0.0.0/24", "ff02::/16"], name = "to a prefix of groups" },
"#;

pub(super) fn subject() -> Subject {
    let mut rows = Rows::default();
    dhcp(&mut rows);
    multicast(&mut rows);
    disguised(&mut rows);
    Subject { name: "groups", document: document("deny", RULES), cases: rows.0 }
}

fn to_group(mac: [u8; 6], group: &str) -> Eth {
    eth(mac, group_mac(group.parse().expect("an address")))
}

fn dhcp(rows: &mut Rows) {
    let rogue = denied(Reason::RogueDhcp);
    let denied = default(Action::Deny);
    let discover = |mac| eth(mac, BROADCAST).ipv4("0.0.0.0", "255.255.255.255").udp(68, 67).frame();
    rows.row("a guest asks for an address", from("web1"), discover(WEB1.mac), allow("dhcp"));
    rows.row("it reaches a server, as that guest", to("db1"), discover(WEB1.mac), allow("dhcp"));
    rows.row("one of another group asks", from("db1"), discover(DB1.mac), denied);
    rows.row("the world asks", to("db1"), discover(WORLD.mac), denied);
    let offer = eth(DB1.mac, BROADCAST).ipv4(DB1.v4, "255.255.255.255").udp(67, 68).frame();
    rows.row("a guest offers addresses", from("db1"), offer, rogue);
    let renewal = eth(WEB1.mac, BROADCAST).ipv4(WEB1.v4, "255.255.255.255").udp(68, 67).frame();
    rows.row("a guest renews its address", from("web1"), renewal, allow("dhcp"));
}

fn multicast(rows: &mut Rows) {
    let v4 = to_group(WEB1.mac, "224.0.0.251").ipv4(WEB1.v4, "224.0.0.251").udp(5353, 5353).frame();
    let v6 = to_group(WEB1.mac, "ff02::fb").ipv6(WEB1.v6, "ff02::fb").udp(5353, 5353).frame();
    for (at, way) in [(from("web1"), "from its sender"), (to("db1"), "to a receiver")] {
        rows.row(&format!("mDNS {way} (IPv4)"), at, v4.clone(), allow("mdns"));
        rows.row(&format!("mDNS {way} (IPv6)"), at, v6.clone(), allow("mdns"));
    }
    let igmp = to_group(WEB1.mac, "224.0.0.22").ipv4(WEB1.v4, "224.0.0.22").ttl(1);
    let igmp = igmp.options(&[0x94, 4, 0, 0]).payload(2, &[0x22, 0, 0, 0, 0, 0, 0, 0]).frame();
    rows.row("IGMP with router alert", from("web1"), igmp, allow("igmp"));
    let single = link(&WEB1, &DB1).ipv4(WEB1.v4, "224.0.0.251").udp(5353, 5353).frame();
    rows.row(
        "a group's address in a frame to one, from a guest",
        from("web1"),
        single.clone(),
        allow("mdns"),
    );
    rows.row("a group's address in a frame to one, to a guest", to("db1"), single, allow("mdns"));
    let all = eth(WEB1.mac, BROADCAST).ipv4(WEB1.v4, "224.0.0.251").udp(5353, 5353).frame();
    rows.row("a group's address in a frame to all", from("web1"), all, allow("mdns"));
    let prefix = allow("to a prefix of groups");
    let v4 = to_group(HOST.mac, "224.0.0.9").ipv4(HOST.v4, "224.0.0.9").udp(1, 9002).frame();
    let v6 = to_group(HOST.mac, "ff02::9").ipv6(HOST.v6, "ff02::9").udp(1, 9002).frame();
    rows.row("a group in a prefix (IPv4)", to("web1"), v4, prefix);
    rows.row("a group in a prefix (IPv6)", to("web1"), v6, prefix);
    let spoofed = to_group(WEB1.mac, "224.0.0.251").ipv4(WEB2.v4, "224.0.0.251").udp(5353, 5353).frame();
    rows.row("mDNS as another (IPv4)", from("web1"), spoofed, denied(Reason::SpoofedIpv4));
    let spoofed = to_group(WEB1.mac, "ff02::fb").ipv6(WEB2.v6, "ff02::fb").udp(5353, 5353).frame();
    rows.row("mDNS as another (IPv6)", from("web1"), spoofed, denied(Reason::SpoofedIpv6));
    let error = to_group(WEB1.mac, "224.0.0.251").ipv4(WEB1.v4, "224.0.0.251").unreachable(3, &[0x45; 28]);
    rows.row("an error to a group", from("web1"), error.frame(), denied(Reason::UnrelatedError));
}

/// One's own address in a frame to many would get round the rules about the one.
fn disguised(rows: &mut Rows) {
    let wrong = denied(Reason::WrongDestination);
    let mac = group_mac("224.0.0.1".parse().expect("an address"));
    for (at, way) in [(from("web1"), "from a guest"), (to("db1"), "to another"), (to("web2"), "to that one")]
    {
        let row = |link: Eth| link.ipv4(WEB1.v4, WEB2.v4).udp(1, 9000).frame();
        rows.row(
            &format!("one's address in a frame to all, {way}"),
            at,
            row(eth(WEB1.mac, BROADCAST)),
            wrong,
        );
        rows.row(&format!("one's address in a frame to a group, {way}"), at, row(eth(WEB1.mac, mac)), wrong);
        let six = eth(WEB1.mac, BROADCAST).ipv6(WEB1.v6, WEB2.v6).udp(1, 9000).frame();
        rows.row(&format!("one's IPv6 address in a frame to all, {way}"), at, six, wrong);
    }
    let all = |port| eth(WEB1.mac, BROADCAST).ipv4(WEB1.v4, "10.0.0.255").udp(68, port).frame();
    rows.row("a subnet's broadcast is broadcast", from("web1"), all(67), allow("dhcp"));
    rows.row("a subnet's broadcast is not its prefix", from("web1"), all(9001), default(Action::Deny));
    let host = eth(WEB1.mac, BROADCAST).ipv4(WEB1.v4, HOST.v4).udp(68, 67).frame();
    rows.row("the host's address in a frame to all", from("web1"), host, wrong);
    let broadcast = link(&WEB1, &WEB2).ipv4(WEB1.v4, "255.255.255.255").udp(68, 67).frame();
    rows.row("broadcast in a frame to one", from("web1"), broadcast, allow("dhcp"));
}
