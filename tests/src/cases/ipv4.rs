//! IPv4 headers that lie, options, fragments; lengths of what they carry. Everything else is allowed here.

use netctl_common::verdict::{Action, Reason};

use super::case::{Rows, default, denied, deny, from, to};
use super::documents::open;
use super::stations::{DB1, WEB1, link, v4};
use super::{Expected, Subject};
use crate::frame::{Build, Carrier, Ipv4, protocol};

const ALLOWED: Expected = default(Action::Allow);
/// RFC 2113.
const ROUTER_ALERT: [u8; 4] = [0x94, 4, 0, 0];

pub(super) fn subject() -> Subject {
    let mut rows = Rows::default();
    options(&mut rows);
    fragments(&mut rows);
    header(&mut rows);
    lengths(&mut rows);
    Subject { name: "IPv4", document: open(), cases: rows.0 }
}

fn ip() -> Ipv4 {
    v4(&WEB1, &DB1)
}

fn options(rows: &mut Rows) {
    let mut row = |name: &str, options: &[u8], expected| {
        let frame = ip().options(options).udp(1, 2).payload(&[0; 16]).frame();
        rows.row(&format!("{name}, from a guest"), from("web1"), frame.clone(), expected);
        rows.row(&format!("{name}, to a guest"), to("db1"), frame, expected);
    };
    row("router alert", &ROUTER_ALERT, ALLOWED);
    let no = denied(Reason::Ipv4Options);
    row("router alert with a value", &[0x94, 4, 0, 1], no);
    row("router alert and no-operations", &[0x94, 4, 0, 0, 1, 1, 1, 1], ALLOWED);
    row("no-operations and ends", &[1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0], ALLOWED);
    row("router alert that is not aligned", &[1, 1, 1, 0x94, 4, 0, 0, 0], no);
    row("an end before a no-operation", &[1, 0, 1, 0], no);
    row("no-operations", &[1; 4], ALLOWED);
    row("ends of options", &[0; 4], ALLOWED);
    row("40 bytes of no-operations", &[1; 40], ALLOWED);
    row("40 bytes of ends", &[0; 40], ALLOWED);
    row("ten router alerts", &ROUTER_ALERT.repeat(10), ALLOWED);
    row("something behind the end of options", &[0, 1, 0, 0], no);
    row("a source route behind the end of options", &[0, 131, 7, 4, 10, 0, 0, 21], no);
    row(
        "a source route behind 32 no-operations",
        &[&[1; 32][..], &[131, 7, 4, 10, 0, 0, 21, 0]].concat(),
        no,
    );
    row("router alert past the header", &[1, 1, 1, 0x94], no);
    row("router alert of 5 bytes", &[0x94, 5, 0, 0, 0, 0, 0, 0], no);
    row("an option of no length", &[7, 0, 0, 0], no);
    row("security", &[130, 4, 0, 0], no);
    row("record route", &[7, 7, 4, 0, 0, 0, 0, 0], no);
    row("loose source route", &[131, 7, 4, 10, 0, 0, 21, 0], no);
    row("strict source route", &[137, 7, 4, 10, 0, 0, 21, 0], no);
    row("timestamp", &[68, 8, 5, 0, 0, 0, 0, 0], no);
    row("40 bytes of record route", &[&[7, 39, 4][..], &[0; 37]].concat(), no);
    let ssh_behind = ip().options(&ROUTER_ALERT).tcp(80, 22).frame();
    rows.row("ports are read behind router alert", from("web1"), ssh_behind, deny("no ssh"));
    // To who takes the header for 20 bytes, this is TCP from port 148 * 256 + 4 to port 0.
    let hidden = ip().options(&ROUTER_ALERT).tcp(1, 80).frame();
    rows.row("an option is no port", from("web1"), hidden, ALLOWED);
    // Ports that would be allowed in the place of options, and SSH behind them.
    let shifted = ip().options(&[0x9c, 0x40, 0, 80]).tcp(40000, 22).frame();
    rows.row("ports in the place of options", from("web1"), shifted, no);
}

fn fragments(rows: &mut Rows) {
    let mut row = |name: &str, frame: Vec<u8>, expected| {
        rows.row(&format!("{name}, from a guest (IPv4)"), from("web1"), frame.clone(), expected);
        rows.row(&format!("{name}, to a guest (IPv4)"), to("db1"), frame, expected);
    };
    let (stray, tiny, bad) =
        (denied(Reason::StrayFragment), denied(Reason::TinyFragment), denied(Reason::BadHeader));
    let ssh = ip().fragment(0, true).tcp(40000, 22).payload(&[0; 4]).frame();
    row("a first fragment", ip().fragment(0, true).udp(1, 2).payload(&[0; 16]).frame(), ALLOWED);
    row("a first fragment of SSH", ssh, deny("no ssh"));
    row(
        "a first fragment of a longer datagram",
        ip().fragment(0, true).udp(1, 2).length(900).frame(),
        ALLOWED,
    );
    row("a middle fragment", ip().fragment(1480, true).payload(protocol::UDP, &[0; 16]).frame(), stray);
    row("a last fragment", ip().fragment(1480, false).payload(protocol::UDP, &[0; 16]).frame(), stray);
    row("a fragment at offset 8", ip().fragment(8, false).payload(protocol::TCP, &[0; 32]).frame(), stray);
    row("a tiny fragment of TCP", ip().fragment(0, true).payload(protocol::TCP, &[0; 16]).frame(), tiny);
    let options = ip().fragment(0, true).tcp(40000, 80).data_offset(7).payload(&[0; 4]);
    row("a tiny fragment without TCP's options", options.frame(), tiny);
    row("a tiny fragment of SCTP", ip().fragment(0, true).payload(protocol::SCTP, &[0; 8]).frame(), tiny);
    row("a fragment of no bytes", ip().fragment(0, true).payload(protocol::GRE, &[]).frame(), bad);
    row("a fragment with an odd end", ip().fragment(0, true).udp(1, 2).payload(&[0; 7]).frame(), bad);
    row("a fragment past 65535", ip().fragment(65512, false).payload(protocol::UDP, &[0; 9]).frame(), bad);
    row(
        "a fragment up to 65535",
        ip().fragment(65504, false).payload(protocol::UDP, &[0; 11]).frame(),
        stray,
    );
    let options = ip().options(&ROUTER_ALERT).fragment(65504, false).payload(protocol::UDP, &[0; 8]).frame();
    row("a fragment past 65535 with its options", options, bad);
    row("do not fragment", ip().dont_fragment().udp(1, 2).frame(), ALLOWED);
    row("the reserved flag", ip().reserved_flag().udp(1, 2).frame(), ALLOWED);
}

fn header(rows: &mut Rows) {
    let mut row = |name: &str, frame: Vec<u8>, expected| rows.row(name, from("web1"), frame, expected);
    let bad = denied(Reason::BadHeader);
    let truncated = denied(Reason::Truncated);
    row("a header of 16 bytes", ip().ihl(4).udp(1, 2).frame(), bad);
    row("a header of no bytes", ip().ihl(0).udp(1, 2).frame(), bad);
    row("a header longer than the packet", ip().ihl(15).tcp(1, 80).frame(), bad);
    row("a header that claims the ports", ip().ihl(6).tcp(1, 80).frame(), denied(Reason::Ipv4Options));
    row("version 6 where 4 is announced", ip().version(6).udp(1, 2).frame(), bad);
    row("version 0", ip().version(0).udp(1, 2).frame(), bad);
    row(
        "IPv6 in a frame of IPv4",
        link(&WEB1, &DB1).type_field(0x0800).ipv6(WEB1.v6, DB1.v6).udp(1, 2).frame(),
        bad,
    );
    row("a total length below the header's", ip().total_length(19).udp(1, 2).frame(), bad);
    row("a total length of zero, as TSO has it", ip().total_length(0).tcp(1, 80).frame(), bad);
    row("a total length past the frame", ip().total_length(29).udp(1, 2).frame(), truncated);
    row("the greatest total length", ip().total_length(65535).udp(1, 2).frame(), truncated);
    row("a wrong header checksum", ip().checksum(1).udp(1, 2).frame(), ALLOWED);
    row("a time to live of zero", ip().ttl(0).udp(1, 2).frame(), ALLOWED);
    row("ICMPv6 in IPv4", ip().payload(protocol::ICMP6, &[128, 0, 0, 0, 0, 1, 0, 1]).frame(), bad);
    row("padding behind the packet", ip().udp(1, 2).padded(), ALLOWED);
    let padded = ip().total_length(28).tcp(1, 80).frame();
    row("a TCP header that lies in the padding", padded, truncated);
}

fn lengths(rows: &mut Rows) {
    let pair = (&WEB1, &DB1);
    let (bad, truncated) = (denied(Reason::BadHeader), denied(Reason::Truncated));
    let mut both = |name: &str, make: &dyn Fn(crate::frame::Network) -> Vec<u8>, expected| {
        rows.both(name, from("web1"), pair, make, expected);
    };
    both("a UDP length below its header", &|ip| ip.udp(1, 2).length(7).frame(), bad);
    both("a UDP length past the packet", &|ip| ip.udp(1, 2).payload(b"x").length(10).frame(), bad);
    both("a UDP length of zero", &|ip| ip.udp(1, 2).length(0).frame(), bad);
    both("a UDP length short of the packet", &|ip| ip.udp(1, 2).payload(b"xyz").length(9).frame(), ALLOWED);
    both("UDP of 7 bytes", &|ip| ip.payload(protocol::UDP, &[0; 7]).frame(), truncated);
    both("UDP of no bytes", &|ip| ip.payload(protocol::UDP, &[]).frame(), truncated);
    both("TCP of 19 bytes", &|ip| ip.payload(protocol::TCP, &[0x50; 19]).frame(), truncated);
    both("a TCP header of 16 bytes", &|ip| ip.tcp(1, 80).data_offset(4).frame(), bad);
    both("a TCP header of no bytes", &|ip| ip.tcp(1, 80).data_offset(0).frame(), bad);
    both("a TCP header past the packet", &|ip| ip.tcp(1, 80).data_offset(6).frame(), bad);
    both("TCP options", &|ip| ip.tcp(1, 80).options(&[2, 4, 5, 0xb4]).frame(), ALLOWED);
    both("SCTP of 11 bytes", &|ip| ip.payload(protocol::SCTP, &[0; 11]).frame(), truncated);
    both("wrong checksums of TCP", &|ip| ip.tcp(1, 80).checksum(1).frame(), ALLOWED);
    both("partial checksums of UDP", &|ip| ip.udp(1, 80).partial_checksum().frame(), ALLOWED);
    rows.row("ICMP of 7 bytes", from("web1"), ip().payload(protocol::ICMP, &[8; 7]).frame(), truncated);
    let v6 = super::stations::v6(&WEB1, &DB1).payload(protocol::ICMP6, &[128; 7]).frame();
    rows.row("ICMPv6 of 7 bytes", from("web1"), v6, truncated);
}
