//! Fragments: after their first one, which is judged as the packet would be, and behind its end.

use netctl_common::verdict::{Action, Reason};

use super::Sequence;
use super::case::{allow, default, denied, deny, flow, from, related, revoked, to};
use super::documents::document;
use super::flows::{policy, ways};
use super::stations::{DB1, WEB1, WEB2, ip_of};
use crate::frame::{Build, Carrier, Network, eth, fragments, group_mac, protocol};

pub(super) fn sequences() -> Vec<Sequence> {
    let mut all = Vec::new();
    for (family, there, back) in ways(&WEB1, &DB1) {
        let name = |text: &str| Sequence::new(format!("{text} ({family})"), &policy());
        all.push(of_one_packet(name("fragments follow their first one"), &there));
        all.push(of_a_reply(name("fragments of a reply"), &there, &back));
        all.push(strays(name("fragments without their first one"), &there, &back));
        all.push(overlaps(name("fragments over what was judged"), &there));
        all.push(of_what_is_denied(name("fragments of what is denied"), &there, &back));
        all.push(of_revoked(name("fragments of a flow that was revoked"), &there, &back));
        all.push(of_tcp(name("fragments of TCP"), &there));
        all.push(of_errors(name("an error in fragments"), &there, &back));
        all.push(about_fragments(name("an error about a fragment"), &there, &back));
        all.push(by_time(name("fragments that come late"), &there));
    }
    all.push(of_multicast());
    all.push(of_others());
    all
}

fn udp(ip: &Network, source: u16, destination: u16, id: u32) -> Vec<Vec<u8>> {
    fragments(&ip.clone().udp(source, destination).payload(&[7; 60]).frame(), id, 24)
}

fn of_one_packet(sequence: Sequence, there: &Network) -> Sequence {
    let pieces = udp(there, 40001, 53, 7);
    sequence
        .then(from("web1"), pieces[0].clone(), allow("service"))
        .then(from("web1"), pieces[1].clone(), flow("service"))
        .then(from("web1"), pieces[2].clone(), flow("service"))
        // Once more, in any order.
        .then(from("web1"), pieces[2].clone(), flow("service"))
        .then(from("web1"), pieces[0].clone(), flow("service"))
        .then(to("db1"), pieces[0].clone(), allow("service"))
        .then(to("db1"), pieces[1].clone(), flow("service"))
}

fn of_a_reply(sequence: Sequence, there: &Network, back: &Network) -> Sequence {
    let pieces = udp(back, 53, 40001, 7);
    sequence
        .then(from("web1"), there.clone().udp(40001, 53).frame(), allow("service"))
        .then(to("web1"), pieces[0].clone(), flow("service"))
        .then(to("web1"), pieces[1].clone(), flow("service"))
}

fn strays(sequence: Sequence, there: &Network, back: &Network) -> Sequence {
    let stray = denied(Reason::StrayFragment);
    let (pieces, other) = (udp(there, 40001, 53, 7), udp(there, 40001, 53, 0x0001_0008));
    let as_gre = there.clone().payload(protocol::GRE, &[7; 68]).frame();
    sequence
        .then(from("web1"), pieces[1].clone(), stray)
        .then(from("web1"), pieces[0].clone(), allow("service"))
        .then(from("web1"), other[1].clone(), stray)
        .then(from("web1"), fragments(&as_gre, 7, 24)[1].clone(), stray)
        // Neither the other direction nor another port has anything from it.
        .then(to("web1"), udp(back, 53, 40001, 7)[1].clone(), stray)
        .then(to("db1"), pieces[1].clone(), stray)
        .then(from("web1"), pieces[1].clone(), flow("service"))
}

fn overlaps(sequence: Sequence, there: &Network) -> Sequence {
    let over = denied(Reason::OverlappingFragment);
    let whole = there.clone().udp(40001, 53).payload(&[7; 60]).frame();
    let (large, small) = (fragments(&whole, 7, 24), fragments(&whole, 7, 8));
    sequence
        .then(from("web1"), large[0].clone(), allow("service"))
        .then(from("web1"), small[1].clone(), over)
        .then(from("web1"), small[2].clone(), over)
        .then(from("web1"), small[3].clone(), flow("service"))
}

fn of_what_is_denied(sequence: Sequence, there: &Network, back: &Network) -> Sequence {
    let stray = denied(Reason::StrayFragment);
    let (pieces, unasked) = (udp(there, 40001, 54, 7), udp(back, 53, 40001, 7));
    sequence
        .then(from("web1"), pieces[0].clone(), default(Action::Deny))
        .then(from("web1"), pieces[1].clone(), stray)
        .then(to("web1"), unasked[0].clone(), default(Action::Deny))
        .then(to("web1"), unasked[1].clone(), stray)
}

/// Also where a later fragment is the first frame after the change.
fn of_revoked(sequence: Sequence, there: &Network, back: &Network) -> Sequence {
    let cut = document("deny", "  { deny = \"udp/53\", from = \"web\", to = \"db\", name = \"no dns\" },\n");
    let no = revoked(Action::Deny, Some("no dns"));
    let (pieces, answer) = (udp(there, 40001, 53, 7), udp(back, 53, 40001, 8));
    sequence
        .then(from("web1"), pieces[0].clone(), allow("service"))
        .then(to("db1"), pieces[0].clone(), allow("service"))
        .then(to("web1"), answer[0].clone(), flow("service"))
        .then(from("db1"), answer[0].clone(), flow("service"))
        .apply(&cut)
        .then(from("web1"), pieces[1].clone(), no)
        .then(from("db1"), answer[1].clone(), no)
        .then(to("web1"), answer[1].clone(), no)
        .then(to("db1"), pieces[1].clone(), no)
        .then(from("web1"), pieces[0].clone(), no)
}

fn of_tcp(sequence: Sequence, there: &Network) -> Sequence {
    let segment = |port| there.clone().tcp(40001, port).payload(&[7; 60]).frame();
    let (pieces, denied_pieces) = (fragments(&segment(80), 7, 24), fragments(&segment(81), 8, 24));
    sequence
        .then(from("web1"), pieces[0].clone(), allow("service"))
        .then(from("web1"), pieces[1].clone(), flow("service"))
        .then(from("web1"), denied_pieces[0].clone(), default(Action::Deny))
        .then(from("web1"), denied_pieces[1].clone(), denied(Reason::StrayFragment))
}

fn of_errors(sequence: Sequence, there: &Network, back: &Network) -> Sequence {
    let sent = there.clone().udp(40001, 53).frame();
    let error = back.clone().unreachable(3, &sent[14..]).frame();
    let pieces = fragments(&error, 7, 16);
    sequence
        .then(from("web1"), sent, allow("service"))
        .then(to("web1"), pieces[0].clone(), denied(Reason::Fragment))
        .then(to("web1"), pieces[1].clone(), denied(Reason::StrayFragment))
        .then(to("web1"), error, related("service"))
}

fn about_fragments(sequence: Sequence, there: &Network, back: &Network) -> Sequence {
    let pieces = udp(there, 40001, 53, 7);
    let about = |piece: &[u8]| back.clone().time_exceeded(1, &piece[14..]).frame();
    sequence
        .then(from("web1"), pieces[0].clone(), allow("service"))
        .then(to("web1"), about(&pieces[0]), related("service"))
        .then(to("web1"), about(&pieces[1]), denied(Reason::Fragment))
}

fn by_time(sequence: Sequence, there: &Network) -> Sequence {
    let pieces = udp(there, 40001, 53, 7);
    sequence
        .then(from("web1"), pieces[0].clone(), allow("service"))
        .wait(29)
        .then(from("web1"), pieces[1].clone(), flow("service"))
        .wait(2)
        .then(from("web1"), pieces[2].clone(), denied(Reason::StrayFragment))
}

fn of_multicast() -> Sequence {
    let mac = group_mac("224.0.0.251".parse().expect("an address"));
    let ip = eth(WEB1.mac, mac).ipv4(WEB1.v4, "224.0.0.251");
    let pieces = fragments(&ip.udp(5353, 5353).payload(&[7; 60]).frame(), 7, 24);
    Sequence::new("fragments to a group", &policy())
        .then(from("web1"), pieces[1].clone(), denied(Reason::StrayFragment))
        .then(from("web1"), pieces[0].clone(), allow("mdns"))
        .then(from("web1"), pieces[1].clone(), allow("mdns"))
}

/// Who sends another's fragments is another.
fn of_others() -> Sequence {
    let rules = "  { deny = \"udp/53\", from = \"web2\", to = \"db\", name = \"not you\" },
  { allow = \"udp/53\", from = \"web\", to = \"db\", name = \"service\" },\n";
    let [(_, one), _] = ip_of(&WEB1, &DB1);
    let [(_, two), _] = ip_of(&WEB2, &DB1);
    let forged: Network = eth(WEB2.mac, DB1.mac).ipv4(WEB1.v4, DB1.v4).into();
    Sequence::new("fragments of another guest", &document("deny", rules))
        .then(from("web1"), udp(&one, 40001, 53, 7)[0].clone(), allow("service"))
        .then(from("web2"), udp(&two, 40001, 53, 7)[0].clone(), deny("not you"))
        .then(from("web2"), udp(&two, 40001, 53, 7)[1].clone(), denied(Reason::StrayFragment))
        .then(from("web2"), udp(&forged, 40001, 53, 7)[1].clone(), denied(Reason::StrayFragment))
}
