//! TCP flags of a segment without a flow. Everything else is allowed here.

use netctl_common::verdict::{Action, Reason};

use super::Subject;
use super::case::{Rows, default, denied, deny, from, to};
use super::documents::open;
use super::stations::{DB1, WEB1};
use crate::frame::{ACK, Build, Carrier, FIN, Network, PSH, RST, SYN, URG};

/// RFC 3168.
const ECN: u8 = 0xc0;

pub(super) fn subject() -> Subject {
    let mut rows = Rows::default();
    let allowed = default(Action::Allow);
    let nonsense = denied(Reason::BadTcpFlags);
    let stray = denied(Reason::NoFlow);
    let cases = [
        ("SYN", SYN, allowed),
        ("SYN that asks for ECN", SYN | ECN, allowed),
        ("ACK takes a connection up", ACK, allowed),
        ("ACK with data", ACK | PSH, allowed),
        ("ACK with urgent data", ACK | PSH | URG, allowed),
        ("FIN with ACK takes the end of a connection up", FIN | ACK, allowed),
        ("SYN with ACK answers nothing", SYN | ACK, stray),
        ("RST ends nothing", RST, stray),
        ("RST with ACK ends nothing", RST | ACK, stray),
        ("FIN without ACK", FIN, nonsense),
        ("FIN, PSH and URG without ACK", FIN | PSH | URG, nonsense),
        ("no flags", 0, nonsense),
        ("PSH alone", PSH, nonsense),
        ("URG and PSH", URG | PSH, nonsense),
        ("SYN with FIN", SYN | FIN, nonsense),
        ("SYN with RST", SYN | RST, nonsense),
        ("FIN with RST", FIN | RST, nonsense),
        ("SYN, FIN and ACK", SYN | FIN | ACK, nonsense),
        ("all flags", 0xff, nonsense),
    ];
    for (name, flags, expected) in cases {
        let make = |ip: Network| ip.tcp(40000, 80).flags(flags).frame();
        rows.both(&format!("{name}, from a guest"), from("web1"), (&WEB1, &DB1), make, expected);
        rows.both(&format!("{name}, to a guest"), to("db1"), (&WEB1, &DB1), make, expected);
    }
    let middle = |ip: Network| ip.tcp(40000, 22).flags(ACK).frame();
    let no_ssh = deny("no ssh");
    rows.both("a connection that a rule denies is not taken up", from("web1"), (&WEB1, &DB1), middle, no_ssh);
    Subject { name: "TCP flags", document: open(), cases: rows.0 }
}
