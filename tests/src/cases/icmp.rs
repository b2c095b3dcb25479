//! ICMP without a flow: errors about nothing, replies to nothing, messages that only routers send.

use netctl_common::verdict::{Action, Reason};

use super::case::{Rows, default, denied, from, to};
use super::documents::open;
use super::stations::{DB1, WEB1, WEB2, WORLD, v4, v6};
use super::{Expected, Subject};
use crate::frame::{Build, Carrier, Network, ipv4, ipv6};

const ALLOWED: Expected = default(Action::Allow);

pub(super) fn subject() -> Subject {
    let mut rows = Rows::default();
    errors(&mut rows);
    cut_errors(&mut rows);
    others(&mut rows);
    Subject { name: "ICMP", document: open(), cases: rows.0 }
}

fn errors(rows: &mut Rows) {
    let no = denied(Reason::UnrelatedError);
    let inner = |network: &Network| match network {
        Network::V4(_) => ipv4(DB1.v4, WEB1.v4).udp(1, 2).packet(),
        Network::V6(_) => ipv6(DB1.v6, WEB1.v6).udp(1, 2).packet(),
    };
    let mut row = |name: &str, make: &dyn Fn(Network) -> Vec<u8>| {
        rows.both(&format!("{name}, from a guest"), from("web1"), (&WEB1, &DB1), make, no);
        rows.both(&format!("{name}, to a guest"), to("db1"), (&WEB1, &DB1), make, no);
    };
    row("unreachable, about no flow", &|ip| {
        let inner = inner(&ip);
        ip.unreachable(1, &inner).frame()
    });
    row("time exceeded, about no flow", &|ip| {
        let inner = inner(&ip);
        ip.time_exceeded(0, &inner).frame()
    });
    row("too big, about no flow", &|ip| {
        let inner = inner(&ip);
        ip.too_big(1280, &inner).frame()
    });
    let foreign = ipv4(DB1.v4, WEB2.v4).udp(1, 2).packet();
    let frame = v4(&WEB1, &DB1).unreachable(3, &foreign).frame();
    rows.row("an error about a packet to another", from("web1"), frame, no);
    let problem = v4(&WEB1, &DB1).icmp(12, 0).body(&ipv4(DB1.v4, WEB1.v4).udp(1, 2).packet()).frame();
    rows.row("a parameter problem about no flow (IPv4)", from("web1"), problem, no);
    let problem = v6(&WEB1, &DB1).icmp(4, 0).body(&ipv6(DB1.v6, WEB1.v6).udp(1, 2).packet()).frame();
    rows.row("a parameter problem about no flow (IPv6)", from("web1"), problem, no);
}

fn cut_errors(rows: &mut Rows) {
    let mut row = |name: &str, frame: Vec<u8>, reason| rows.row(name, from("web1"), frame, denied(reason));
    let inner = ipv4(DB1.v4, WEB1.v4).udp(1, 2).packet();
    let inner6 = ipv6(DB1.v6, WEB1.v6).udp(1, 2).packet();
    let cut = Reason::Truncated;
    row("an error that shows nothing (IPv4)", v4(&WEB1, &DB1).unreachable(3, &[]).frame(), cut);
    row("an error that shows nothing (IPv6)", v6(&WEB1, &DB1).unreachable(1, &[]).frame(), cut);
    row(
        "an error that shows 7 bytes of UDP (IPv4)",
        v4(&WEB1, &DB1).unreachable(3, &inner[..27]).frame(),
        cut,
    );
    row(
        "an error that shows 7 bytes of UDP (IPv6)",
        v6(&WEB1, &DB1).unreachable(1, &inner6[..47]).frame(),
        cut,
    );
    let padding = v4(&WEB1, &DB1).total_length(28).unreachable(3, &inner).frame();
    row("an error whose packet lies in the padding (IPv4)", padding, cut);
    let padding = v6(&WEB1, &DB1).payload_length(8).unreachable(1, &inner6).frame();
    row("an error whose packet lies in the padding (IPv6)", padding, cut);
    let bad = ipv4(DB1.v4, WEB1.v4).ihl(4).udp(1, 2).packet();
    row(
        "an error about a header of 16 bytes",
        v4(&WEB1, &DB1).unreachable(3, &bad).frame(),
        Reason::BadHeader,
    );
    row("an error of IPv4 about IPv6", v4(&WEB1, &DB1).unreachable(3, &inner6).frame(), Reason::BadHeader);
    row(
        "an error of IPv6 about IPv4",
        v6(&WEB1, &DB1).unreachable(1, &[inner, vec![0; 40]].concat()).frame(),
        Reason::BadHeader,
    );
    let later = ipv4(DB1.v4, WEB1.v4).fragment(8, false).udp(1, 2).packet();
    row("an error about a later fragment", v4(&WEB1, &DB1).unreachable(3, &later).frame(), Reason::Fragment);
    let chain = ipv6(DB1.v6, WEB1.v6).destination_options(&[]).udp(1, 2).packet();
    row(
        "an error about a chain of headers",
        v6(&WEB1, &DB1).unreachable(1, &chain).frame(),
        Reason::ExtensionChain,
    );
}

fn others(rows: &mut Rows) {
    let ping = |ip: Network| ip.echo_request(1, 1).frame();
    rows.both("ping, from a guest", from("web1"), (&WEB1, &DB1), ping, ALLOWED);
    rows.both("ping, to a guest", to("db1"), (&WEB1, &DB1), ping, ALLOWED);
    let reply = |ip: Network| ip.echo_reply(1, 1).frame();
    let stray = denied(Reason::NoFlow);
    rows.both("a reply to nothing, from a guest", from("web1"), (&WEB1, &DB1), reply, stray);
    rows.both("a reply to nothing, to a guest", to("web1"), (&WORLD, &WEB1), reply, stray);
    let rogue = denied(Reason::RogueRouter);
    rows.row("a guest redirects", from("web1"), v4(&WEB1, &DB1).icmp(5, 1).body(&[0x45; 28]).frame(), rogue);
    rows.row("a guest is a router", from("web1"), v4(&WEB1, &DB1).icmp(9, 0).body(&[0; 8]).frame(), rogue);
    let redirect = v4(&WORLD, &WEB1).icmp(5, 1).body(&[0x45; 28]).frame();
    rows.row("a redirect to a guest is for the rules", to("web1"), redirect, ALLOWED);
    rows.row("a source quench is for the rules", from("web1"), v4(&WEB1, &DB1).icmp(4, 0).frame(), ALLOWED);
    rows.row("a timestamp request", from("web1"), v4(&WEB1, &DB1).icmp(13, 0).frame(), ALLOWED);
    rows.row(
        "a message of no known type (IPv4)",
        from("web1"),
        v4(&WEB1, &DB1).icmp(200, 7).frame(),
        ALLOWED,
    );
    rows.row(
        "a message of no known type (IPv6)",
        from("web1"),
        v6(&WEB1, &DB1).icmp(200, 7).frame(),
        ALLOWED,
    );
    rows.row("an error of no known type (IPv6)", from("web1"), v6(&WEB1, &DB1).icmp(100, 0).frame(), ALLOWED);
}
