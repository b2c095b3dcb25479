//! TCP connections by their numbers: who can open, reset and close one, and who cannot. The guest's connection begins
//! with the number 1000, the other side's with 5000.

use netctl_common::verdict::{Action, Reason};

use super::Sequence;
use super::case::{Expected, allow, default, denied, flow, from, related, revoked, to};
use super::documents::document;
use super::flows::{policy, ways};
use super::stations::{DB1, WEB1};
use crate::frame::{ACK, Build, Carrier, FIN, Network, PSH, RST, SYN, URG};

const NO: Expected = denied(Reason::TcpState);
const SERVICE: &str = "service";

pub(super) fn sequences() -> Vec<Sequence> {
    let mut all = Vec::new();
    for (family, there, back) in ways(&WEB1, &DB1) {
        let both = Both { family, there, back };
        all.extend([answers(&both), fast_open(&both), resets(&both), resets_of_openings(&both)]);
        all.extend([forged_resets(&both), survives(&both), half_close(&both), forged_ends(&both)]);
        all.extend([large_segments(&both), keep_alives(&both), wraps(&both)]);
        all.extend([tuple_reuse(&both), reuse_of_open(&both), other_number(&both), half_open_peer(&both)]);
        all.extend([crossing(&both), wrong_side(&both), simultaneous(&both)]);
        all.extend([
            picked_up(&both),
            picked_up_at_the_other_side(&both),
            errors(&both),
            reverse_first(&both),
        ]);
    }
    all
}

/// Both directions of one connection, from `web1` to `db1`.
struct Both {
    family: &'static str,
    there: Network,
    back: Network,
}

impl Both {
    fn sequence(&self, name: &str) -> Sequence {
        Sequence::new(format!("{name} ({})", self.family), &policy())
    }

    /// What `web1` sends.
    fn sends(&self, flags: u8, sequence: u32, acknowledged: u32, len: usize) -> Vec<u8> {
        segment(self.there.clone().tcp(40001, 80), flags, sequence, acknowledged, len)
    }

    /// What `db1` sends.
    fn answers(&self, flags: u8, sequence: u32, acknowledged: u32, len: usize) -> Vec<u8> {
        segment(self.back.clone().tcp(80, 40001), flags, sequence, acknowledged, len)
    }

    /// The handshake, as `web1`'s port sees it.
    fn opened(&self, name: &str) -> Sequence {
        self.sequence(name)
            .then(from("web1"), self.sends(SYN, 1000, 0, 0), allow(SERVICE))
            .then(to("web1"), self.answers(SYN | ACK, 5000, 1001, 0), flow(SERVICE))
            .then(from("web1"), self.sends(ACK, 1001, 5001, 0), flow(SERVICE))
    }
}

fn segment(tcp: crate::frame::Tcp, flags: u8, sequence: u32, acknowledged: u32, len: usize) -> Vec<u8> {
    tcp.flags(flags).sequence(sequence).acknowledged(acknowledged).payload(&vec![7; len]).frame()
}

fn answers(both: &Both) -> Sequence {
    both.sequence("only the other side answers a SYN, and by its number")
        .then(from("web1"), both.sends(SYN, 1000, 0, 0), allow(SERVICE))
        .then(from("web1"), both.sends(SYN, 1000, 0, 0), flow(SERVICE))
        .then(to("web1"), both.answers(SYN | ACK, 5000, 1000, 0), NO)
        .then(to("web1"), both.answers(SYN | ACK, 5000, 1002, 0), NO)
        .then(to("web1"), both.answers(SYN | ACK, 5000, 0, 0), NO)
        .then(from("web1"), both.sends(SYN | ACK, 1000, 5001, 0), NO)
        .then(to("web1"), both.answers(SYN | ACK, 5000, 1001, 0), flow(SERVICE))
        .then(to("web1"), both.answers(SYN | ACK, 5000, 1001, 0), flow(SERVICE))
        .then(to("web1"), both.answers(SYN | ACK, 5002, 1001, 0), NO)
        .then(from("web1"), both.sends(ACK, 1001, 5001, 100), flow(SERVICE))
        // The last acknowledgment of the handshake was lost.
        .then(to("web1"), both.answers(SYN | ACK, 5000, 1001, 0), flow(SERVICE))
        .then(to("web1"), both.answers(ACK, 5001, 1101, 10), flow(SERVICE))
        .then(from("web1"), both.sends(ACK, 1101, 5011, 0), flow(SERVICE))
        .then(to("web1"), both.answers(SYN | ACK, 5000, 1001, 0), NO)
}

/// RFC 7413.
fn fast_open(both: &Both) -> Sequence {
    both.sequence("data with the SYN, acknowledged in part")
        .then(from("web1"), both.sends(SYN, 1000, 0, 100), allow(SERVICE))
        .then(to("web1"), both.answers(SYN | ACK, 5000, 1102, 0), NO)
        .then(to("web1"), both.answers(SYN | ACK, 5000, 1001, 0), flow(SERVICE))
        .then(to("web1"), both.answers(ACK, 5001, 1101, 0), flow(SERVICE))
        .then(from("web1"), both.sends(RST, 1100, 0, 0), NO)
        .then(from("web1"), both.sends(RST, 1101, 0, 0), flow(SERVICE))
}

/// RFC 5961, 3.2.
fn resets(both: &Both) -> Sequence {
    both.opened("a reset has the number that is expected, or one of a window behind it")
        .then(from("web1"), both.sends(ACK, 1001, 5001, 500), flow(SERVICE))
        .then(to("web1"), both.answers(ACK, 5001, 1501, 900), flow(SERVICE))
        .then(to("web1"), both.answers(RST, 5000, 0, 0), NO)
        .then(to("web1"), both.answers(RST, 5001 + 65536, 0, 0), NO)
        .then(to("web1"), both.answers(RST | ACK, 0, 1501, 0), NO)
        .then(from("web1"), both.sends(RST, 1500, 0, 0), NO)
        .then(to("web1"), both.answers(RST, 5001, 0, 0), flow(SERVICE))
        .then(to("web1"), both.answers(RST, 5901, 0, 0), flow(SERVICE))
        .then(to("web1"), both.answers(RST, 5001 + 65535, 0, 0), flow(SERVICE))
        .then(from("web1"), both.sends(RST | ACK, 1501, 5001, 0), flow(SERVICE))
}

fn resets_of_openings(both: &Both) -> Sequence {
    both.sequence("an opening is refused by its number")
        .then(from("web1"), both.sends(SYN, 1000, 0, 0), allow(SERVICE))
        .then(to("web1"), both.answers(RST, 0, 0, 0), NO)
        .then(to("web1"), both.answers(RST | ACK, 0, 1000, 0), NO)
        .then(to("web1"), both.answers(RST | ACK, 0, 1002, 0), NO)
        .then(to("web1"), both.answers(RST | ACK, 0, 1001, 0), flow(SERVICE))
        .then(from("web1"), both.sends(SYN, 2000, 0, 0), allow(SERVICE))
        // At the other port, whose guest was asked.
        .then(to("db1"), both.sends(SYN, 1000, 0, 0), allow(SERVICE))
        .then(to("db1"), both.sends(RST, 999, 0, 0), NO)
        .then(to("db1"), both.sends(RST, 1000 + 65536, 0, 0), NO)
        .then(to("db1"), both.sends(RST, 1001, 0, 0), flow(SERVICE))
}

/// Data of who is not on the path moves nothing, so that no reset fits afterwards that did not before.
fn forged_resets(both: &Both) -> Sequence {
    both.opened("forged data opens no window for a reset")
        .then(to("web1"), both.answers(ACK, 800_000, 1001, 1000), flow(SERVICE))
        .then(to("web1"), both.answers(RST, 801_000, 0, 0), NO)
        .then(to("web1"), both.answers(ACK, 5001, 700_000, 0), flow(SERVICE))
        .then(from("web1"), both.sends(RST, 1001, 0, 0), flow(SERVICE))
        .then(from("web1"), both.sends(RST, 700_000, 0, 0), NO)
}

fn survives(both: &Both) -> Sequence {
    both.opened("a reset that nobody believed ends nothing")
        .then(to("web1"), both.answers(RST, 5001 + 300, 0, 0), flow(SERVICE))
        // The guest asks back (RFC 5961, 3.2).
        .then(from("web1"), both.sends(ACK, 1001, 5001, 0), flow(SERVICE))
        .wait(6 * 3600 - 1)
        .then(to("web1"), both.answers(ACK, 5001, 1001, 10), flow(SERVICE))
}

fn half_close(both: &Both) -> Sequence {
    both.opened("who has ended still receives")
        .then(from("web1"), both.sends(FIN | ACK, 1001, 5001, 0), flow(SERVICE))
        .then(to("web1"), both.answers(ACK, 5001, 1002, 1000), flow(SERVICE))
        .then(from("web1"), both.sends(ACK, 1002, 6001, 0), flow(SERVICE))
        .then(from("web1"), both.sends(SYN, 9000, 0, 0), flow(SERVICE))
        .then(to("web1"), both.answers(ACK | PSH | URG, 6001, 1002, 1000), flow(SERVICE))
        .then(to("web1"), both.answers(FIN | ACK, 7001, 1002, 0), flow(SERVICE))
        .then(from("web1"), both.sends(ACK, 1002, 7002, 0), flow(SERVICE))
        .then(from("web1"), both.sends(SYN, 9000, 0, 0), allow(SERVICE))
}

/// Seen by how long the connection may be silent: 5 minutes half closed, hours open.
fn forged_ends(both: &Both) -> Sequence {
    both.opened("an end outside of the window is none, and one that data follows neither")
        .then(to("web1"), both.answers(FIN | ACK, 5001 + 65536, 1001, 0), flow(SERVICE))
        .then(to("web1"), both.answers(FIN | ACK, 4000, 1001, 0), flow(SERVICE))
        .wait(600)
        .then(to("web1"), both.answers(ACK, 5001, 1001, 10), flow(SERVICE))
        .then(to("web1"), both.answers(FIN | ACK, 5011, 1001, 0), flow(SERVICE))
        .then(to("web1"), both.answers(ACK, 5011, 1001, 10), flow(SERVICE))
        .wait(600)
        .then(to("web1"), both.answers(ACK, 5021, 1001, 10), flow(SERVICE))
        .then(to("web1"), both.answers(FIN | ACK, 5031, 1001, 0), flow(SERVICE))
        .wait(600)
        .then(to("web1"), both.answers(ACK, 5032, 1001, 0), denied(Reason::NoFlow))
}

/// With TSO a segment is as long as a packet can be.
fn large_segments(both: &Both) -> Sequence {
    both.opened("segments of 60,000 bytes")
        .then(from("web1"), both.sends(ACK, 1001, 5001, 60_000), flow(SERVICE))
        .then(from("web1"), both.sends(ACK, 61_001, 5001, 60_000), flow(SERVICE))
        .then(to("web1"), both.answers(ACK, 5001, 121_001, 60_000), flow(SERVICE))
        .then(to("web1"), both.answers(ACK, 65_001, 121_001, 60_000), flow(SERVICE))
        .then(to("web1"), both.answers(RST, 125_001, 0, 0), flow(SERVICE))
        .then(from("web1"), both.sends(RST, 121_000, 0, 0), NO)
        .then(from("web1"), both.sends(RST, 121_001, 0, 0), flow(SERVICE))
}

fn keep_alives(both: &Both) -> Sequence {
    both.opened("a keep-alive repeats a number")
        .then(from("web1"), both.sends(ACK, 1000, 5001, 0), flow(SERVICE))
        .then(to("web1"), both.answers(ACK, 5001, 1001, 0), flow(SERVICE))
        .then(to("web1"), both.answers(ACK, 5000, 1001, 1), flow(SERVICE))
        .then(from("web1"), both.sends(ACK, 1001, 5001, 0), flow(SERVICE))
        .then(from("web1"), both.sends(RST | ACK, 1001, 5001, 0), flow(SERVICE))
}

fn wraps(both: &Both) -> Sequence {
    both.sequence("numbers that pass 2^32")
        .then(from("web1"), both.sends(SYN, u32::MAX, 0, 0), allow(SERVICE))
        .then(to("web1"), both.answers(SYN | ACK, u32::MAX - 1, 1, 0), NO)
        .then(to("web1"), both.answers(SYN | ACK, u32::MAX - 1, 0, 0), flow(SERVICE))
        .then(from("web1"), both.sends(ACK, 0, u32::MAX, 500), flow(SERVICE))
        .then(to("web1"), both.answers(ACK, u32::MAX, 500, 500), flow(SERVICE))
        .then(from("web1"), both.sends(ACK, 500, 499, 0), flow(SERVICE))
        .then(to("web1"), both.answers(RST, 498, 0, 0), NO)
        .then(to("web1"), both.answers(RST, 499, 0, 0), flow(SERVICE))
}

fn tuple_reuse(both: &Both) -> Sequence {
    both.opened("the same ports again, after the end")
        .then(from("web1"), both.sends(FIN | ACK, 1001, 5001, 0), flow(SERVICE))
        .then(to("web1"), both.answers(FIN | ACK, 5001, 1002, 0), flow(SERVICE))
        .then(from("web1"), both.sends(ACK, 1002, 5002, 0), flow(SERVICE))
        .then(from("web1"), both.sends(SYN, 90_000, 0, 0), allow(SERVICE))
        .then(to("web1"), both.answers(SYN | ACK, 70_000, 1001, 0), NO)
        .then(to("web1"), both.answers(SYN | ACK, 70_000, 90_001, 0), flow(SERVICE))
        .then(from("web1"), both.sends(ACK, 90_001, 70_001, 10), flow(SERVICE))
        .then(to("web1"), both.answers(RST, 5002, 0, 0), NO)
        .then(to("web1"), both.answers(RST, 70_001, 0, 0), flow(SERVICE))
}

/// Both ends forgot the connection without a word.
fn reuse_of_open(both: &Both) -> Sequence {
    both.opened("the same ports again, without an end")
        .then(from("web1"), both.sends(SYN, 90_000, 0, 0), flow(SERVICE))
        // Until the answer comes, the old connection is one.
        .then(to("web1"), both.answers(ACK, 5001, 1001, 10), flow(SERVICE))
        .then(to("web1"), both.answers(SYN | ACK, 70_000, 90_002, 0), NO)
        .then(to("web1"), both.answers(SYN | ACK, 70_000, 90_001, 0), flow(SERVICE))
        .then(from("web1"), both.sends(ACK, 90_001, 70_001, 10), flow(SERVICE))
        .then(to("web1"), both.answers(RST, 5011, 0, 0), NO)
        .then(to("web1"), both.answers(RST, 70_001, 0, 0), flow(SERVICE))
}

fn other_number(both: &Both) -> Sequence {
    both.sequence("a SYN with another number is another opening")
        .then(from("web1"), both.sends(SYN, 1000, 0, 0), allow(SERVICE))
        .then(from("web1"), both.sends(SYN, 2000, 0, 0), allow(SERVICE))
        .then(to("web1"), both.answers(SYN | ACK, 5000, 1001, 0), NO)
        .then(to("web1"), both.answers(SYN | ACK, 5000, 2001, 0), flow(SERVICE))
}

/// RFC 9293, 3.5.1: the other side still knows a connection that the opener has lost.
fn half_open_peer(both: &Both) -> Sequence {
    both.opened("a lost connection is found by a SYN, reset and opened again")
        .then(from("web1"), both.sends(SYN, 90_000, 0, 0), flow(SERVICE))
        .then(to("web1"), both.answers(ACK, 5001, 1001, 0), flow(SERVICE))
        .then(from("web1"), both.sends(RST, 1001, 0, 0), flow(SERVICE))
        .then(from("web1"), both.sends(SYN, 90_000, 0, 0), allow(SERVICE))
        .then(to("web1"), both.answers(SYN | ACK, 70_000, 90_001, 0), flow(SERVICE))
        // The same where the flow was forgotten, at both ports.
        .then(to("db1"), both.sends(SYN, 90_000, 0, 0), allow(SERVICE))
        .then(from("db1"), both.answers(ACK, 5001, 1001, 0), flow(SERVICE))
        .then(to("db1"), both.sends(RST, 1001, 0, 0), flow(SERVICE))
        .then(to("db1"), both.sends(SYN, 90_000, 0, 0), allow(SERVICE))
        .then(from("db1"), both.answers(SYN | ACK, 70_000, 90_001, 0), flow(SERVICE))
}

/// 40000 at `web1` is open to `db1`, and 80 at `db1` to `web1`.
fn crossing(both: &Both) -> Sequence {
    let sends = |flags, sequence, acknowledged| {
        segment(both.there.clone().tcp(40000, 80), flags, sequence, acknowledged, 0)
    };
    let answers = |flags, sequence, acknowledged| {
        segment(both.back.clone().tcp(80, 40000), flags, sequence, acknowledged, 0)
    };
    both.sequence("a SYN of the other side harms no open connection, and may begin the next")
        .then(from("web1"), sends(SYN, 1000, 0), allow(SERVICE))
        .then(to("web1"), answers(SYN | ACK, 5000, 1001), flow(SERVICE))
        .then(to("web1"), answers(SYN, 700_000, 0), allow("back"))
        .then(from("web1"), sends(ACK, 1001, 5001), flow(SERVICE))
        .then(to("web1"), answers(RST, 700_001, 0), NO)
        .then(from("web1"), sends(SYN | ACK, 90_000, 700_000), NO)
        .then(from("web1"), sends(SYN | ACK, 90_000, 700_001), flow("back"))
        .then(to("web1"), answers(ACK, 700_001, 90_001), flow("back"))
        .then(to("web1"), answers(RST, 5001, 0), NO)
}

fn wrong_side(both: &Both) -> Sequence {
    both.opened("a SYN of the other side that no rule allows")
        .then(to("web1"), both.answers(SYN, 70_000, 0, 0), default(Action::Deny))
        .then(from("web1"), both.sends(SYN | ACK, 90_000, 70_001, 0), NO)
        .then(to("web1"), both.answers(ACK, 5001, 1001, 10), flow(SERVICE))
}

/// RFC 9293, figure 7.
fn simultaneous(both: &Both) -> Sequence {
    let sends = |flags, sequence, acknowledged| {
        segment(both.there.clone().tcp(40000, 80), flags, sequence, acknowledged, 0)
    };
    let answers = |flags, sequence, acknowledged| {
        segment(both.back.clone().tcp(80, 40000), flags, sequence, acknowledged, 0)
    };
    both.sequence("both sides open at once")
        .then(from("web1"), sends(SYN, 1000, 0), allow(SERVICE))
        .then(to("web1"), answers(SYN, 5000, 0), allow("back"))
        .then(from("web1"), sends(SYN | ACK, 1000, 5001), flow("back"))
        .then(to("web1"), answers(SYN | ACK, 5000, 1001), flow("back"))
        .then(from("web1"), sends(ACK, 1001, 5001), flow("back"))
        .then(to("web1"), answers(ACK, 5001, 1001), flow("back"))
}

fn picked_up(both: &Both) -> Sequence {
    both.sequence("a connection that was taken up is guarded too")
        .then(from("web1"), both.sends(ACK, 1001, 5001, 100), allow(SERVICE))
        .then(to("web1"), both.answers(RST, 800_000, 0, 0), NO)
        .then(to("web1"), both.answers(SYN | ACK, 5000, 1001, 0), NO)
        .then(to("web1"), both.answers(ACK, 5001, 1101, 100), flow(SERVICE))
        .then(from("web1"), both.sends(ACK, 1101, 5101, 0), flow(SERVICE))
        .then(to("web1"), both.answers(RST, 5100, 0, 0), NO)
        .then(to("web1"), both.answers(RST, 5101, 0, 0), flow(SERVICE))
}

fn picked_up_at_the_other_side(both: &Both) -> Sequence {
    both.sequence("the guest's first segment tells what a forged one said wrong")
        .then(to("db1"), both.sends(ACK, 800_000, 900_000, 100), allow(SERVICE))
        .then(from("db1"), both.answers(ACK, 5001, 1001, 100), flow(SERVICE))
        .then(to("db1"), both.sends(RST, 800_100, 0, 0), NO)
        .then(to("db1"), both.sends(ACK, 1001, 5101, 100), flow(SERVICE))
        .then(from("db1"), both.answers(RST, 900_000, 0, 0), NO)
        .then(from("db1"), both.answers(FIN | ACK, 5101, 1101, 0), flow(SERVICE))
        .then(to("db1"), both.sends(RST, 1101, 0, 0), flow(SERVICE))
}

fn errors(both: &Both) -> Sequence {
    let about = |sequence, len| {
        let sent = both.sends(ACK, sequence, 5001, len);
        both.back.clone().too_big(1280, &sent[14..]).frame()
    };
    let no = denied(Reason::UnrelatedError);
    both.opened("an error is about a segment that is on its way")
        .then(from("web1"), both.sends(ACK, 1001, 5001, 1400), flow(SERVICE))
        .then(to("web1"), about(1001, 1400), related(SERVICE))
        .then(to("web1"), about(2401, 0), related(SERVICE))
        .then(to("web1"), about(1000, 1400), no)
        .then(to("web1"), about(2402, 1400), no)
        .then(to("web1"), both.answers(ACK, 5001, 2401, 0), flow(SERVICE))
        .then(to("web1"), about(1001, 1400), no)
}

/// Whatever comes first after the change, and at whichever port.
fn reverse_first(both: &Both) -> Sequence {
    let no = revoked(Action::Deny, Some("no web"));
    let cut = document("deny", "  { deny = \"tcp/80\", from = \"web\", to = \"db\", name = \"no web\" },\n");
    let error = both.back.clone().too_big(1280, &both.sends(ACK, 1001, 5001, 0)[14..]).frame();
    both.opened("a revoked connection ends with the next frame, of either side")
        .then(to("db1"), both.sends(SYN, 1000, 0, 0), allow(SERVICE))
        .then(from("db1"), both.answers(SYN | ACK, 5000, 1001, 0), flow(SERVICE))
        .apply(&cut)
        .then(from("db1"), both.answers(ACK, 5001, 1001, 10), no)
        .then(to("web1"), both.answers(ACK, 5001, 1001, 10), no)
        .then(to("web1"), error, no)
        .then(to("web1"), both.answers(RST, 5001, 0, 0), no)
        .then(from("web1"), both.sends(ACK, 1001, 5001, 10), no)
        .then(to("db1"), both.sends(ACK, 1001, 5001, 10), no)
}
