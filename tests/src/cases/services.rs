//! What for: ports and their ranges, source ports, ICMP messages, other IP protocols.

use netctl_common::verdict::Action;

use super::case::{Rows, allow, default, from, to};
use super::documents::document;
use super::stations::{DB1, WEB1, WORLD, v4, v6};
use super::{Expected, Subject};
use crate::frame::{Build, Carrier, protocol};

const RULES: &str = r#"
  { allow = "tcp/80", from = "web", to = "db", name = "one port" },
  { allow = "tcp/1000-2000", from = "web", to = "db", name = "range" },
  { allow = ["tcp/0", "tcp/65535"], from = "web", to = "db", name = "ends" },
  { allow = "udp/53", from = "web", to = "db", name = "udp" },
  { allow = "sctp/9", from = "web", to = "db", name = "sctp" },
  { allow = ["icmp/echo-request", "icmp6/echo-request"], from = "web", to = "db", name = "ping" },
  { allow = "icmp/13/0", from = "web", to = "db", name = "timestamp" },
  { allow = "ip/47", from = "web", to = "db", name = "gre" },
  { allow = "tcp/7000", from = "web", to = "db", source-ports = ["500-600", 700], name = "source ports" },
  { allow = "udp/123", from = "web", to = "db", source-ports = 123, name = "ntp" },
  { allow = "udp", from = "db", to = "world", name = "all of udp" },
  { allow = "any", from = "world", to = "web2", name = "everything" },
"#;

const DENIED: Expected = default(Action::Deny);

pub(super) fn subject() -> Subject {
    let mut rows = Rows::default();
    ports(&mut rows);
    source_ports(&mut rows);
    others(&mut rows);
    everything(&mut rows);
    Subject { name: "services", document: document("deny", RULES), cases: rows.0 }
}

fn ports(rows: &mut Rows) {
    let pair = (&WEB1, &DB1);
    let cases = [
        (79, DENIED),
        (80, allow("one port")),
        (81, DENIED),
        (999, DENIED),
        (1000, allow("range")),
        (1500, allow("range")),
        (2000, allow("range")),
        (2001, DENIED),
        (0, allow("ends")),
        (1, DENIED),
        (65534, DENIED),
        (65535, allow("ends")),
    ];
    for (port, expected) in cases {
        let name = format!("TCP port {port} against 0, 80, 1000-2000 and 65535");
        rows.both(&name, from("web1"), pair, |ip| ip.tcp(40000, port).frame(), expected);
    }
    rows.both("UDP to its port", from("web1"), pair, |ip| ip.udp(40000, 53).frame(), allow("udp"));
    rows.both("TCP to UDP's port", from("web1"), pair, |ip| ip.tcp(40000, 53).frame(), DENIED);
    rows.both("UDP to TCP's port", from("web1"), pair, |ip| ip.udp(40000, 80).frame(), DENIED);
    rows.both("SCTP to its port", from("web1"), pair, |ip| ip.sctp(40000, 9).frame(), allow("sctp"));
    rows.both("SCTP to another port", from("web1"), pair, |ip| ip.sctp(40000, 10).frame(), DENIED);
    rows.both("UDP to SCTP's port", from("web1"), pair, |ip| ip.udp(40000, 9).frame(), DENIED);
    rows.both(
        "the port that counts is the destination",
        from("web1"),
        pair,
        |ip| ip.tcp(80, 81).frame(),
        DENIED,
    );
}

fn source_ports(rows: &mut Rows) {
    let pair = (&WEB1, &DB1);
    let yes = allow("source ports");
    for (port, expected) in
        [(499, DENIED), (500, yes), (600, yes), (601, DENIED), (699, DENIED), (700, yes), (701, DENIED)]
    {
        let name = format!("source port {port} against 500-600 and 700");
        rows.both(&name, from("web1"), pair, |ip| ip.tcp(port, 7000).frame(), expected);
    }
    rows.both("UDP from the right port", from("web1"), pair, |ip| ip.udp(123, 123).frame(), allow("ntp"));
    rows.both("UDP from a wrong port", from("web1"), pair, |ip| ip.udp(124, 123).frame(), DENIED);
    let frame = |ip: crate::frame::Network| ip.tcp(500, 80).frame();
    rows.both("a rule without source ports takes any", from("web1"), pair, frame, allow("one port"));
}

fn others(rows: &mut Rows) {
    let (pair, at) = ((&WEB1, &DB1), from("web1"));
    rows.both("ping", at, pair, |ip| ip.echo_request(1, 1).frame(), allow("ping"));
    rows.both("ping at its receiver", to("db1"), pair, |ip| ip.echo_request(1, 1).frame(), allow("ping"));
    rows.row("a timestamp request", at, v4(&WEB1, &DB1).icmp(13, 0).frame(), allow("timestamp"));
    rows.row("a timestamp request with another code", at, v4(&WEB1, &DB1).icmp(13, 1).frame(), DENIED);
    rows.row("another message (IPv4)", at, v4(&WEB1, &DB1).icmp(17, 0).frame(), DENIED);
    rows.row("another message (IPv6)", at, v6(&WEB1, &DB1).icmp(139, 0).frame(), DENIED);
    rows.both("GRE by its number", at, pair, |ip| ip.gre(0x0800, &[0x45]).frame(), allow("gre"));
    rows.both("another protocol", at, pair, |ip| ip.payload(protocol::ESP, &[0; 16]).frame(), DENIED);
    rows.both("GRE without a payload", at, pair, |ip| ip.payload(protocol::GRE, &[]).frame(), allow("gre"));
}

fn everything(rows: &mut Rows) {
    let (pair, at, yes) = ((&WORLD, &super::stations::WEB2), to("web2"), allow("everything"));
    rows.both("any takes TCP", at, pair, |ip| ip.tcp(1, 1).frame(), yes);
    rows.both("any takes SCTP", at, pair, |ip| ip.sctp(1, 1).frame(), yes);
    rows.both("any takes ping", at, pair, |ip| ip.echo_request(1, 1).frame(), yes);
    rows.both("any takes a protocol without a name", at, pair, |ip| ip.payload(253, &[]).frame(), yes);
    let (pair, at, yes) = ((&DB1, &WORLD), from("db1"), allow("all of udp"));
    rows.both("a protocol takes its first port", at, pair, |ip| ip.udp(0, 0).frame(), yes);
    rows.both("a protocol takes its last port", at, pair, |ip| ip.udp(1, 65535).frame(), yes);
    rows.both("a protocol takes no other", at, pair, |ip| ip.tcp(1, 65535).frame(), DENIED);
}
