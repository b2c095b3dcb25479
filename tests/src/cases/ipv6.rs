//! IPv6 headers that lie, and chains of extension headers. Everything else is allowed here.

use netctl_common::verdict::{Action, Reason};

use super::case::{Rows, default, denied, deny, from, to};
use super::documents::open;
use super::stations::{DB1, WEB1, link, v6};
use super::{Expected, Subject};
use crate::frame::{Build, Carrier, Ipv6, ROUTER_ALERT, protocol};

const ALLOWED: Expected = default(Action::Allow);

pub(super) fn subject() -> Subject {
    let mut rows = Rows::default();
    walked(&mut rows);
    not_walked(&mut rows);
    fragments(&mut rows);
    header(&mut rows);
    Subject { name: "IPv6", document: open(), cases: rows.0 }
}

fn ip() -> Ipv6 {
    v6(&WEB1, &DB1)
}

fn with_destination_options(count: usize) -> Ipv6 {
    (0..count).fold(ip(), |ip, _| ip.destination_options(&[]))
}

fn both_ways(rows: &mut Rows, name: &str, frame: Vec<u8>, expected: Expected) {
    rows.row(&format!("{name}, from a guest"), from("web1"), frame.clone(), expected);
    rows.row(&format!("{name}, to a guest"), to("db1"), frame, expected);
}

fn walked(rows: &mut Rows) {
    let mut row = |name: &str, ip: Ipv6, expected| {
        let (port, expected) = if expected == ALLOWED { (80, ALLOWED) } else { (22, expected) };
        both_ways(rows, name, ip.tcp(40000, port).frame(), expected);
    };
    let ssh = deny("no ssh");
    row("hop-by-hop options", ip().hop_by_hop(&ROUTER_ALERT), ALLOWED);
    row("destination options", ip().destination_options(&[]), ALLOWED);
    row("both", ip().hop_by_hop(&ROUTER_ALERT).destination_options(&[1; 20]), ALLOWED);
    row("six headers", with_destination_options(6), ALLOWED);
    row("the longest header", ip().destination_options(&[0; 1022]), ALLOWED);
    row("SSH behind hop-by-hop options", ip().hop_by_hop(&ROUTER_ALERT), ssh);
    row("SSH behind six headers", with_destination_options(6), ssh);
    // A TCP header to port 80, in the place where TCP without extension headers would be.
    let fake = [0, 80, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 2, 0, 0];
    row("SSH behind options that look like TCP", ip().destination_options(&fake), ssh);
}

fn not_walked(rows: &mut Rows) {
    let mut row = |name: &str, ip: Ipv6, reason| {
        both_ways(rows, name, ip.tcp(40000, 80).frame(), denied(reason));
    };
    row("seven headers", with_destination_options(7), Reason::ExtensionChain);
    row("twenty headers", with_destination_options(20), Reason::ExtensionChain);
    let late = ip().destination_options(&[]).hop_by_hop(&ROUTER_ALERT);
    row("hop-by-hop options that are not the first", late, Reason::ExtensionChain);
    let twice = ip().hop_by_hop(&ROUTER_ALERT).hop_by_hop(&ROUTER_ALERT);
    row("hop-by-hop options twice", twice, Reason::ExtensionChain);
    for kind in [0, 2, 3, 4] {
        let routing = ip().routing(kind, 1, &[0; 20]);
        row(&format!("a routing header of type {kind}"), routing, Reason::RoutingHeader);
    }
    row("a routing header with nothing left", ip().routing(4, 0, &[0; 20]), Reason::RoutingHeader);
    let behind = ip().hop_by_hop(&ROUTER_ALERT).destination_options(&[]).routing(0, 1, &[0; 20]);
    row("a routing header behind others", behind, Reason::RoutingHeader);
    row(
        "a fragment behind six headers",
        with_destination_options(6).fragment(0, true, 7),
        Reason::ExtensionChain,
    );
    let long = ip().destination_options(&[]).extension_length(255);
    row("a header that ends past the packet", long, Reason::Truncated);
    let jumbo = ip().hop_by_hop(&[0xc2, 4, 0, 1, 0, 0]).payload_length(0);
    row("a jumbogram", jumbo, Reason::Truncated);
}

fn fragments(rows: &mut Rows) {
    let mut row = |name: &str, frame: Vec<u8>, expected| both_ways(rows, name, frame, expected);
    let (stray, tiny, bad) =
        (denied(Reason::StrayFragment), denied(Reason::TinyFragment), denied(Reason::BadHeader));
    let first = || ip().fragment(0, true, 7);
    row("a first fragment", first().udp(1, 2).payload(&[0; 8]).frame(), ALLOWED);
    row("a first fragment of SSH", first().tcp(40000, 22).payload(&[0; 4]).frame(), deny("no ssh"));
    let behind = ip().destination_options(&[]).fragment(0, true, 7).udp(1, 2);
    row("a fragment behind options", behind.frame(), ALLOWED);
    let hidden = first().destination_options(&[]).tcp(40000, 22).payload(&[0; 4]);
    row("SSH behind options of a first fragment", hidden.frame(), deny("no ssh"));
    let tiny_chain = first().destination_options(&[]).extension_length(3).payload(protocol::UDP, &[0; 8]);
    row("a first fragment that ends in its options", tiny_chain.frame(), tiny);
    row("a first fragment that ends in TCP", first().payload(protocol::TCP, &[0; 16]).frame(), tiny);
    row("a later fragment", ip().fragment(1280, false, 7).tcp(40000, 80).frame(), stray);
    row("an atomic fragment", ip().fragment(0, false, 7).tcp(40000, 80).frame(), ALLOWED);
    row("an atomic fragment of SSH", ip().fragment(0, false, 7).tcp(40000, 22).frame(), deny("no ssh"));
    let twice = ip().fragment(0, false, 7).fragment(0, true, 7).udp(1, 2);
    row("a fragment of a fragment", twice.frame(), denied(Reason::ExtensionChain));
    row("a fragment with an odd end", first().udp(1, 2).payload(&[0; 7]).frame(), bad);
    row("a fragment past 65535", ip().fragment(65528, false, 7).payload(protocol::UDP, &[0; 8]).frame(), bad);
    row(
        "half a fragment header",
        ip().payload(protocol::FRAGMENT, &[17, 0, 0, 1]).frame(),
        denied(Reason::Truncated),
    );
}

fn header(rows: &mut Rows) {
    let mut row = |name: &str, frame: Vec<u8>, expected| rows.row(name, from("web1"), frame, expected);
    let (bad, truncated) = (denied(Reason::BadHeader), denied(Reason::Truncated));
    row("version 4 where 6 is announced", ip().version(4).udp(1, 2).frame(), bad);
    row("version 15", ip().version(15).udp(1, 2).frame(), bad);
    let inside = link(&WEB1, &DB1).type_field(0x86dd).ipv4(WEB1.v4, DB1.v4).udp(1, 2).payload(&[0; 40]);
    row("IPv4 in a frame of IPv6", inside.frame(), bad);
    row("a payload length past the frame", ip().payload_length(9).udp(1, 2).frame(), truncated);
    row("a payload length of zero, as TSO has it", ip().payload_length(0).tcp(1, 80).frame(), truncated);
    row("a TCP header that lies in the padding", ip().payload_length(8).tcp(1, 80).frame(), truncated);
    row("padding behind the packet", [ip().udp(1, 2).frame(), vec![0; 9]].concat(), ALLOWED);
    row("ICMP in IPv6", ip().payload(protocol::ICMP, &[8, 0, 0, 0, 0, 1, 0, 1]).frame(), bad);
    row("a flow label", ip().flow_label(0xfffff).udp(1, 2).frame(), ALLOWED);
    row("no next header", ip().payload(protocol::NO_NEXT_HEADER, &[]).frame(), ALLOWED);
    row(
        "an authentication header is a protocol",
        ip().authentication(1, &[0; 12]).tcp(1, 22).frame(),
        ALLOWED,
    );
    let mapped = Reason::MartianAddress;
    let from_mapped = link(&WEB1, &DB1).ipv6("::ffff:10.0.0.11", DB1.v6).udp(1, 2);
    row("an IPv4-mapped source", from_mapped.frame(), denied(mapped));
    let to_mapped = link(&WEB1, &DB1).ipv6(WEB1.v6, "::ffff:10.0.0.21").udp(1, 2);
    row("an IPv4-mapped destination", to_mapped.frame(), denied(mapped));
    let to_guest = link(&WEB1, &DB1).ipv6("::ffff:10.0.0.11", "::ffff:10.0.0.21").udp(1, 2);
    rows.row("IPv4-mapped addresses to a guest", to("db1"), to_guest.frame(), denied(mapped));
}
