//! First match wins, and the default decides what no rule matches.

use netctl_common::verdict::{Action, Reason};

use super::Subject;
use super::case::{Rows, allow, default, denied, deny, from, reject, to};
use super::documents::{document, open};
use super::stations::{DB1, HOST, OFFICE, WEB1, WEB2, WORLD, link};
use crate::frame::{ACK, Build, Carrier, Network, eth, mac};

const RULES: &str = r#"
  { deny = "tcp/22", from = "web", to = "db", name = "deny first" },
  { allow = "tcp/22-23", from = "web", to = "db", name = "allow second" },
  { reject = "tcp/20-30", from = "any", to = "any", name = "reject third" },
  { allow = "tcp/25", from = "any", to = "any", name = "never reached" },
  { allow = "tcp/443", from = "web1", to = "office", name = "pair" },
  { deny = "tcp/443", from = "web1", to = "any", name = "source only" },
  { reject = "tcp/443", from = "any", to = "host", name = "destination only" },
  { allow = "tcp/443", from = "any", to = "any", name = "anyone", log = true },
  { deny = "any", from = "web2", to = "any", name = "all of web2" },
  { allow = "udp/53", from = "web2", to = "host", name = "behind all of web2" },
"#;

fn tcp(port: u16) -> impl Fn(Network) -> Vec<u8> {
    move |ip| ip.tcp(40000, port).frame()
}

pub(super) fn subject() -> Subject {
    let mut rows = Rows::default();
    let pair = (&WEB1, &DB1);
    rows.both("a deny before an allow", from("web1"), pair, tcp(22), deny("deny first"));
    rows.both("an allow before a reject", from("web1"), pair, tcp(23), allow("allow second"));
    rows.both("a reject before an allow", from("web1"), pair, tcp(25), reject("reject third"));
    rows.both("a reject at the receiver", to("db1"), pair, tcp(30), reject("reject third"));
    rows.both("a port past all rules", from("web1"), pair, tcp(31), default(Action::Reject));
    rows.both("a pair before its two sides", from("web1"), (&WEB1, &OFFICE), tcp(443), allow("pair"));
    rows.both("a source before a destination", from("web1"), (&WEB1, &HOST), tcp(443), deny("source only"));
    let destination = reject("destination only");
    rows.both("a destination before anyone", from("db1"), (&DB1, &HOST), tcp(443), destination);
    rows.both("anyone at last", from("db1"), (&DB1, &WORLD), tcp(443), allow("anyone"));
    rows.both("a rule for any service", from("web2"), (&WEB2, &WORLD), tcp(80), deny("all of web2"));
    let dns = |ip: Network| ip.udp(1, 53).frame();
    rows.both("a rule behind one that takes all", from("web2"), (&WEB2, &HOST), dns, deny("all of web2"));
    let middle = |ip: Network| ip.tcp(40000, 31).flags(ACK).frame();
    let refused = default(Action::Reject);
    rows.both("the middle of a connection that nothing allows", from("web1"), pair, middle, refused);
    let middle = |ip: Network| ip.tcp(40000, 22).flags(ACK).frame();
    let deny_first = deny("deny first");
    rows.both("the middle of a connection that a rule denies", from("web1"), pair, middle, deny_first);
    Subject { name: "order", document: document("reject", RULES), cases: rows.0 }
}

/// A default of `allow` opens no guard.
pub(super) fn subject_open() -> Subject {
    let mut rows = Rows::default();
    let pair = (&WEB1, &DB1);
    let allowed = default(Action::Allow);
    rows.both("what no rule matches", from("web1"), pair, tcp(80), allowed);
    rows.both("what a rule denies", from("web1"), pair, tcp(22), deny("no ssh"));
    rows.both("anything to a guest", to("web1"), (&WORLD, &WEB1), |ip| ip.payload(99, &[1]).frame(), allowed);
    let unknown = link(&WEB1, &DB1).payload(0x88b5, b"x").frame();
    rows.row("an unknown ethertype", from("web1"), unknown, denied(Reason::UnknownEthertype));
    let no_flow = denied(Reason::NoFlow);
    rows.both(
        "an echo reply without a request",
        from("web1"),
        pair,
        |ip| ip.echo_reply(1, 1).frame(),
        no_flow,
    );
    let spoofed = eth(mac(9), DB1.mac).ipv4(WEB1.v4, DB1.v4).udp(1, 2).frame();
    rows.row("another's MAC address", from("web1"), spoofed, denied(Reason::SpoofedMac));
    let stranger = denied(Reason::UnknownPort);
    let lo = super::NO_PORT_INTERFACE;
    rows.both("an interface that is no port, from it", from(lo), pair, tcp(80), stranger);
    rows.both("an interface that is no port, to it", to(lo), pair, tcp(80), stranger);
    Subject { name: "an open default", document: open(), cases: rows.0 }
}
