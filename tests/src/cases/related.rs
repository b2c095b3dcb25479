//! ICMP errors: about a packet of a flow of this port, that went the other way, and about nothing else.

use netctl_common::verdict::Reason;

use super::Sequence;
use super::case::{allow, denied, from, related, revoked, to};
use super::flows::{policy, ways};
use super::stations::{DB1, WEB1, WEB2, WORLD, ip_of, v4};
use crate::frame::{BROADCAST, Build, Carrier, Network, eth, ipv4};
use netctl_common::verdict::Action;

pub(super) fn sequences() -> Vec<Sequence> {
    let mut all = Vec::new();
    for (family, there, back) in ways(&WEB1, &DB1) {
        all.push(to_the_opener(family, &there, &back));
        all.push(from_the_opener(family, &there, &back));
        all.push(forged(family, &there, &back));
        all.push(about_a_ping(family, &there, &back));
    }
    all.extend(routers());
    all.push(to_a_group());
    all.push(revoked_flow());
    all
}

fn packet(ip: &Network, make: impl Fn(Network) -> Vec<u8>) -> Vec<u8> {
    make(ip.clone())[14..].to_vec()
}

fn to_the_opener(family: &str, there: &Network, back: &Network) -> Sequence {
    let sent = packet(there, |ip| ip.udp(40001, 53).payload(b"hello").frame());
    let yes = related("service");
    Sequence::new(format!("errors about what a guest sent ({family})"), &policy())
        .then(from("web1"), there.clone().udp(40001, 53).payload(b"hello").frame(), allow("service"))
        .then(to("web1"), back.clone().unreachable(3, &sent).frame(), yes)
        .then(to("web1"), back.clone().time_exceeded(0, &sent).frame(), yes)
        .then(to("web1"), back.clone().too_big(1280, &sent).frame(), yes)
        .then(to("web1"), back.clone().unreachable(3, &sent[..sent.len() - 5]).frame(), yes)
        .then(
            to("web1"),
            back.clone().unreachable(3, &sent[..sent.len() - 6]).frame(),
            denied(Reason::Truncated),
        )
        .then(from("db1"), back.clone().unreachable(3, &sent).frame(), denied(Reason::UnrelatedError))
}

fn from_the_opener(family: &str, there: &Network, back: &Network) -> Sequence {
    let answer = packet(back, |ip| ip.udp(53, 40001).frame());
    Sequence::new(format!("errors about what a guest received ({family})"), &policy())
        .then(from("web1"), there.clone().udp(40001, 53).frame(), allow("service"))
        .then(from("web1"), there.clone().unreachable(3, &answer).frame(), related("service"))
        .then(to("db1"), there.clone().udp(40001, 53).frame(), allow("service"))
        .then(to("db1"), there.clone().unreachable(3, &answer).frame(), related("service"))
}

fn forged(family: &str, there: &Network, back: &Network) -> Sequence {
    let no = denied(Reason::UnrelatedError);
    let sent = packet(there, |ip| ip.udp(40001, 53).frame());
    let other_port = packet(there, |ip| ip.udp(40002, 53).frame());
    let other_service = packet(there, |ip| ip.udp(40001, 54).frame());
    let other_protocol = packet(there, |ip| ip.tcp(40001, 53).frame());
    let received = packet(back, |ip| ip.udp(53, 40001).frame());
    Sequence::new(format!("errors about packets that never were ({family})"), &policy())
        .then(from("web1"), there.clone().udp(40001, 53).frame(), allow("service"))
        .then(to("web1"), back.clone().unreachable(3, &other_port).frame(), no)
        .then(to("web1"), back.clone().unreachable(3, &other_service).frame(), no)
        .then(to("web1"), back.clone().unreachable(3, &other_protocol).frame(), no)
        // Of the flow, but it went the other way.
        .then(to("web1"), back.clone().unreachable(3, &received).frame(), no)
        .then(from("web1"), there.clone().unreachable(3, &sent).frame(), no)
        .then(to("web1"), back.clone().unreachable(3, &sent).frame(), related("service"))
}

fn about_a_ping(family: &str, there: &Network, back: &Network) -> Sequence {
    let sent = packet(there, |ip| ip.echo_request(7, 1).frame());
    let other = packet(there, |ip| ip.echo_request(8, 1).frame());
    Sequence::new(format!("errors about a ping ({family})"), &policy())
        .then(from("web1"), there.clone().echo_request(7, 1).frame(), allow("ping"))
        .then(to("web1"), back.clone().time_exceeded(0, &sent).frame(), related("ping"))
        .then(to("web1"), back.clone().time_exceeded(0, &other).frame(), denied(Reason::UnrelatedError))
}

/// The error comes from a router that no rule and no flow knows.
fn routers() -> Vec<Sequence> {
    let there = ip_of(&WEB1, &DB1);
    let from_world = ip_of(&WORLD, &WEB1);
    let by_router = there.into_iter().zip(from_world).map(|((family, there), (_, back))| {
        let sent = packet(&there, |ip| ip.tcp(40001, 80).frame());
        Sequence::new(format!("an error from a router on the way ({family})"), &policy())
            .then(from("web1"), there.tcp(40001, 80).frame(), allow("service"))
            .then(to("web1"), back.too_big(1280, &sent).frame(), related("service"))
    });
    by_router.collect()
}

fn to_a_group() -> Sequence {
    let sent = ipv4(WEB1.v4, DB1.v4).udp(40001, 53).packet();
    let as_another = eth(DB1.mac, WEB1.mac).ipv4(WEB2.v4, WEB1.v4).unreachable(3, &sent).frame();
    Sequence::new("an error about a flow, to all, or as another", &policy())
        .then(from("web1"), v4(&WEB1, &DB1).udp(40001, 53).frame(), allow("service"))
        .then(
            to("web1"),
            eth(DB1.mac, BROADCAST).ipv4(DB1.v4, WEB1.v4).unreachable(3, &sent).frame(),
            denied(Reason::UnrelatedError),
        )
        .then(
            to("web1"),
            eth(DB1.mac, WEB1.mac).ipv4(DB1.v4, WEB2.v4).unreachable(3, &sent).frame(),
            denied(Reason::WrongDestination),
        )
        .then(from("db1"), as_another, denied(Reason::SpoofedIpv4))
}

fn revoked_flow() -> Sequence {
    let sent = ipv4(WEB1.v4, DB1.v4).udp(40001, 53).packet();
    let error = || v4(&DB1, &WEB1).unreachable(3, &sent).frame();
    let cut = super::documents::document(
        "deny",
        "  { reject = \"udp/53\", from = \"web\", to = \"db\", name = \"no dns\" },\n",
    );
    Sequence::new("an error about a flow that is not allowed any more", &policy())
        .then(from("web1"), v4(&WEB1, &DB1).udp(40001, 53).frame(), allow("service"))
        .apply(&cut)
        .then(to("web1"), error(), revoked(Action::Reject, Some("no dns")))
        .apply(&policy())
        .then(to("web1"), error(), related("service"))
}
