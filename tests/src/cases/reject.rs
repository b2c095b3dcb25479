//! Rejected frames, and netctl's own answers to them, which are known by their mark and by nothing else.

use netctl_common::mark;
use netctl_common::verdict::{Action, Reason};

use super::case::{Rows, default, denied, from, passes, reject, to};
use super::documents::document;
use super::stations::{DB1, OFFICE, WEB1, WORLD};
use super::{Expected, Subject};
use crate::frame::{ACK, Build, Carrier, Network, RST, SYN};

const RULES: &str = "  { reject = \"any\", from = \"any\", to = \"any\", name = \"refused\" },\n";

pub(super) fn subject() -> Subject {
    let mut rows = Rows::default();
    let syn = |ip: Network| ip.tcp(40001, 80).flags(SYN).frame();
    rows.both("a rule rejects, from a guest", from("web1"), (&WEB1, &DB1), syn, reject("refused"));
    rows.both("a rule rejects, to a guest", to("web1"), (&WORLD, &WEB1), syn, reject("refused"));
    let udp = |ip: Network| ip.udp(40001, 53).payload(b"who is there?").frame();
    rows.both("a datagram", from("web1"), (&WEB1, &DB1), udp, reject("refused"));
    rows.both("a datagram, to a guest", to("web1"), (&OFFICE, &WEB1), udp, reject("refused"));
    let ping = |ip: Network| ip.echo_request(7, 1).frame();
    rows.both("an echo request", from("web1"), (&WEB1, &WORLD), ping, reject("refused"));
    let middle = |ip: Network| ip.tcp(40001, 80).flags(ACK).payload(b"more").frame();
    rows.both("in the middle of a connection", from("web1"), (&WEB1, &DB1), middle, reject("refused"));
    rows.both("a reset of no flow", from("web1"), (&WEB1, &DB1), reset, denied(Reason::NoFlow));
    answers(&mut rows);
    Subject { name: "reject", document: document("deny", RULES), cases: rows.0 }
}

pub(super) fn subject_default() -> Subject {
    let mut rows = Rows::default();
    let refused = default(Action::Reject);
    let syn = |ip: Network| ip.tcp(40001, 80).flags(SYN).frame();
    rows.both("no rule, from a guest", from("web1"), (&WEB1, &DB1), syn, refused);
    rows.both("no rule, to a guest", to("web1"), (&WORLD, &WEB1), syn, refused);
    let middle = |ip: Network| ip.tcp(40001, 80).flags(ACK).payload(b"more").frame();
    rows.both("in the middle of a connection", from("web1"), (&WEB1, &DB1), middle, refused);
    rows.both("a reset of no flow", to("web1"), (&WORLD, &WEB1), reset, denied(Reason::NoFlow));
    Subject { name: "default reject", document: document("reject", ""), cases: rows.0 }
}

fn reset(ip: Network) -> Vec<u8> {
    ip.tcp(80, 40001).flags(RST | ACK).frame()
}

fn answers(rows: &mut Rows) {
    const ANSWER: Expected = passes(Reason::Answer);
    let marked = |at: super::At| at.marked(mark::ANSWER);
    let unreachable = |ip: Network| {
        let inner = ip.clone().udp(53, 40001).packet();
        ip.unreachable(1, &inner).frame()
    };
    rows.both("netctl's reset, to a guest", marked(to("web1")), (&DB1, &WEB1), reset, ANSWER);
    rows.both("netctl's reset, for one on the way", marked(from("web1")), (&WEB1, &WORLD), reset, ANSWER);
    rows.both("netctl's reset, for a local guest", marked(from("web1")), (&WEB1, &DB1), reset, ANSWER);
    rows.both("netctl's error, to a guest", marked(to("web1")), (&DB1, &WEB1), unreachable, ANSWER);
    rows.both("netctl's error, on the way", marked(from("web1")), (&WEB1, &WORLD), unreachable, ANSWER);
    let no = denied(Reason::UnrelatedError);
    rows.both("the same error of a guest", from("web1"), (&WEB1, &WORLD), unreachable, no);
    let host = to("web1").marked(mark::FROM_HOST);
    rows.both("an error with the host's mark", host, (&DB1, &WEB1), unreachable, no);
    let almost = to("web1").marked(mark::ANSWER ^ 1);
    rows.both("a reset with nearly that mark", almost, (&DB1, &WEB1), reset, denied(Reason::NoFlow));
}
