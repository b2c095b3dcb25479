//! Who is meant: `any`, ports, groups, sets, prefixes, `host`, `world`, `multicast`, `broadcast`.

use netctl_common::verdict::Action;

use super::Subject;
use super::case::{Rows, allow, default, from, to};
use super::documents::document;
use super::stations::{DB1, HOST, OFFICE, PROBE, WEB1, WEB2, WORLD, link};
use crate::frame::{BROADCAST, Build, Carrier, Network, eth, group_mac, link_local};

const RULES: &str = r#"
  { allow = "tcp/1", from = "any", to = "web1", name = "any to a port" },
  { allow = "tcp/2", from = "web", to = "db", name = "group to group" },
  { allow = "tcp/3", from = "web1", to = "any", name = "port to any" },
  { allow = "tcp/4", from = "office", to = "web", name = "set to group" },
  { allow = "tcp/5", from = "web", to = ["198.51.100.0/24", "2001:470::/32"], name = "group to prefixes" },
  { allow = "tcp/6", from = "web", to = "host", name = "group to host" },
  { allow = "tcp/7", from = "world", to = "web", name = "world to group" },
  { allow = "udp/8", from = "web", to = "multicast", name = "group to multicast" },
  { allow = "udp/9", from = "web", to = "broadcast", name = "group to broadcast" },
  { allow = "tcp/10", from = "host", to = "web", name = "host to group" },
  { allow = "tcp/11", from = ["10.0.0.0/24", "fd00::/64"], to = "db", name = "prefix to group" },
  { allow = "tcp/12", from = ["db", "web2"], to = ["probe", "office"], name = "lists" },
"#;

const DENIED: super::Expected = default(Action::Deny);

fn tcp(port: u16) -> impl Fn(Network) -> Vec<u8> {
    move |ip| ip.tcp(40000, port).frame()
}

pub(super) fn subject() -> Subject {
    let mut rows = Rows::default();
    ports_and_groups(&mut rows);
    addresses(&mut rows);
    host_and_world(&mut rows);
    group_addresses(&mut rows);
    Subject { name: "selectors", document: document("deny", RULES), cases: rows.0 }
}

fn ports_and_groups(rows: &mut Rows) {
    let any = allow("any to a port");
    rows.both("a stranger reaches a port that any may reach", to("web1"), (&WORLD, &WEB1), tcp(1), any);
    rows.both("a guest may go to a port that any may reach", from("db1"), (&DB1, &WEB1), tcp(1), any);
    rows.both(
        "the rule is about that port, not about its group",
        to("web2"),
        (&WORLD, &WEB2),
        tcp(1),
        DENIED,
    );
    let group = allow("group to group");
    rows.both("a member of a group may open", from("web1"), (&WEB1, &DB1), tcp(2), group);
    rows.both("so may another member", from("web2"), (&WEB2, &DB1), tcp(2), group);
    rows.both("the receiver's port judges the same", to("db1"), (&WEB2, &DB1), tcp(2), group);
    rows.both("a rule has a direction", from("db1"), (&DB1, &WEB1), tcp(2), DENIED);
    rows.both(
        "a member's packet to a member of no group named",
        from("web1"),
        (&WEB1, &WEB2),
        tcp(2),
        DENIED,
    );
    let port = allow("port to any");
    rows.both("a port may go to the world", from("web1"), (&WEB1, &WORLD), tcp(3), port);
    rows.both("a port may go to the host", from("web1"), (&WEB1, &HOST), tcp(3), port);
    rows.both("a port may go to a port", from("web1"), (&WEB1, &DB1), tcp(3), port);
    rows.both("another port of its group may not", from("web2"), (&WEB2, &WORLD), tcp(3), DENIED);
    let lists = allow("lists");
    rows.both("a list takes its group", from("db1"), (&DB1, &OFFICE), tcp(12), lists);
    rows.both("a list takes its port", from("web2"), (&WEB2, &OFFICE), tcp(12), lists);
    rows.both("a list takes no more", from("web1"), (&WEB1, &OFFICE), tcp(12), DENIED);
    let mut own = |name: &str, at, frame| rows.row(name, at, frame, group);
    let local = |from: &super::stations::Guest, to: &super::stations::Guest| {
        link(from, to).ipv6(link_local(from.mac), link_local(to.mac)).tcp(40000, 2).frame()
    };
    own("a link-local address is its port's, at the sender", from("web1"), local(&WEB1, &DB1));
    own("a link-local address is its port's, at the receiver", to("db1"), local(&WEB1, &DB1));
    let second = link(&WEB1, &DB1).ipv4("10.0.0.111", DB1.v4).tcp(40000, 2).frame();
    own("a second address is its port's", to("db1"), second);
}

fn addresses(rows: &mut Rows) {
    rows.both("who is in a set may come", to("web1"), (&OFFICE, &WEB1), tcp(4), allow("set to group"));
    rows.both("who is not in it may not", to("web1"), (&WORLD, &WEB1), tcp(4), DENIED);
    rows.both("nobody may go to it", from("web1"), (&WEB1, &OFFICE), tcp(4), DENIED);
    let prefix = allow("group to prefixes");
    rows.both("a prefix holds its addresses", from("web1"), (&WEB1, &WORLD), tcp(5), prefix);
    rows.both("a prefix holds no others", from("web1"), (&WEB1, &OFFICE), tcp(5), DENIED);
    let edges = [
        ("198.51.99.255", DENIED),
        ("198.51.100.0", prefix),
        ("198.51.100.255", prefix),
        ("198.51.101.0", DENIED),
    ];
    for (address, expected) in edges {
        let frame = link(&WEB1, &WORLD).ipv4(WEB1.v4, address).tcp(40000, 5).frame();
        rows.row(&format!("{address} against 198.51.100.0/24"), from("web1"), frame, expected);
    }
    let edges = [
        ("2001:46f:ffff:ffff:ffff:ffff:ffff:ffff", DENIED),
        ("2001:470::", prefix),
        ("2001:470:ffff:ffff:ffff:ffff:ffff:ffff", prefix),
        ("2001:471::", DENIED),
    ];
    for (address, expected) in edges {
        let frame = link(&WEB1, &WORLD).ipv6(WEB1.v6, address).tcp(40000, 5).frame();
        rows.row(&format!("{address} against 2001:470::/32"), from("web1"), frame, expected);
    }
    let inside = allow("prefix to group");
    rows.both("a port is in the prefix that holds its address", to("db1"), (&WEB1, &DB1), tcp(11), inside);
    rows.both("an address of nobody is in it too", to("db1"), (&PROBE, &DB1), tcp(11), inside);
    rows.both(
        "at its own port, a guest is its port and not the address that it chose",
        from("probe"),
        (&PROBE, &DB1),
        tcp(11),
        DENIED,
    );
}

fn host_and_world(rows: &mut Rows) {
    let host = allow("group to host");
    rows.both("the host is the host", from("web1"), (&WEB1, &HOST), tcp(6), host);
    rows.both("the world is not the host", from("web1"), (&WEB1, &WORLD), tcp(6), DENIED);
    rows.both("a port is not the host", from("web1"), (&WEB1, &DB1), tcp(6), DENIED);
    let local = link(&WEB1, &HOST).ipv6(link_local(WEB1.mac), link_local(HOST.mac)).tcp(40000, 6).frame();
    rows.row("the bridge's link-local address is the host", from("web1"), local, host);
    rows.both("the host may come", to("web1"), (&HOST, &WEB1), tcp(10), allow("host to group"));
    rows.both("the world is not the host that may come", to("web1"), (&WORLD, &WEB1), tcp(10), DENIED);
    let world = allow("world to group");
    rows.both("the world may come", to("web1"), (&WORLD, &WEB1), tcp(7), world);
    rows.both("a set is part of the world", to("web1"), (&OFFICE, &WEB1), tcp(7), world);
    rows.both("an address that no port lists is of the world", to("web1"), (&PROBE, &WEB1), tcp(7), world);
    rows.both("a port is not the world", to("web1"), (&DB1, &WEB1), tcp(7), DENIED);
    rows.both("the host is not the world", to("web1"), (&HOST, &WEB1), tcp(7), DENIED);
}

fn group_addresses(rows: &mut Rows) {
    let (v4, v6) = ("239.1.1.1", "ff05::1:1");
    let to_v4 = |port| {
        let mac = group_mac("239.1.1.1".parse().expect("an address"));
        eth(WEB1.mac, mac).ipv4(WEB1.v4, v4).udp(40000, port).frame()
    };
    let to_v6 = |port| {
        let mac = group_mac("ff05::1:1".parse().expect("an address"));
        eth(WEB1.mac, mac).ipv6(WEB1.v6, v6).udp(40000, port).frame()
    };
    let to_all =
        |address: &str, port| eth(WEB1.mac, BROADCAST).ipv4(WEB1.v4, address).udp(40000, port).frame();
    let multicast = allow("group to multicast");
    for (way, at) in [("from the sender", from("web1")), ("to a receiver", to("web2"))] {
        rows.row(&format!("multicast {way} (IPv4)"), at, to_v4(8), multicast);
        rows.row(&format!("multicast {way} (IPv6)"), at, to_v6(8), multicast);
        let broadcast = allow("group to broadcast");
        rows.row(&format!("limited broadcast {way}"), at, to_all("255.255.255.255", 9), broadcast);
        rows.row(&format!("a subnet's broadcast {way}"), at, to_all("10.0.0.255", 9), broadcast);
        rows.row(&format!("broadcast is not multicast {way}"), at, to_all("255.255.255.255", 8), DENIED);
        rows.row(&format!("multicast is not broadcast {way} (IPv4)"), at, to_v4(9), DENIED);
        rows.row(&format!("multicast is not broadcast {way} (IPv6)"), at, to_v6(9), DENIED);
    }
}
