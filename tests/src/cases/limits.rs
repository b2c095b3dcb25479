//! Frames over a limit of their port. On the host, whose clock stands still, buckets are exact to the frame.

use netctl_common::verdict::{Action, Reason};

use super::Sequence;
use super::case::{At, Expected, allow, denied, deny, flow, from, passes, to};
use super::documents::document;
use super::stations::{DB1, WEB1, WORLD, link, v4, v6};
use crate::frame::{ACK, BROADCAST, Build, Carrier, SYN, eth, group_mac};

/// A lab whose `web1` has these limits.
fn lab(limits: &str) -> String {
    let rules = "
  { deny = \"tcp/22\", from = \"any\", to = \"any\", name = \"no ssh\" },
  { allow = \"any\", from = \"any\", to = \"any\", name = \"rest\" },
";
    format!("{}\n[ports.web1.limits]\n{limits}\n", document("deny", rules))
}

/// Many steps of one kind.
fn many(sequence: Sequence, count: usize, at: At, frame: &[u8], expected: Expected) -> Sequence {
    (0..count).fold(sequence, |sequence, _| sequence.then(at, frame.to_vec(), expected))
}

/// So that only the host runs it: how long the kernel takes for some frames is not known.
fn paused(sequence: Sequence) -> Sequence {
    sequence.wait(2)
}

pub(super) fn sequences() -> Vec<Sequence> {
    vec![
        packets(),
        both_ways(),
        bits(),
        broadcast(),
        multicast(),
        unknown(),
        answered(),
        taken_up(),
        flows(),
        flows_in(),
    ]
    .into_iter()
    .chain([denied_frames(), all_or_none(), changes(), slower()])
    .collect()
}

fn packets() -> Sequence {
    let frame = v4(&WEB1, &DB1).udp(40001, 53).frame();
    let other = v6(&WEB1, &DB1).udp(40001, 53).frame();
    let limits = "from-guest = { packets = { rate = 1, burst = 64 } }";
    let full = Sequence::new("packets pass as long as there are tokens, of whatever family", &lab(limits))
        .then(from("web1"), frame.clone(), allow("rest"))
        .then(from("web1"), other.clone(), allow("rest"));
    let empty = many(full, 62, from("web1"), &frame, flow("rest"))
        .then(from("web1"), frame.clone(), denied(Reason::PacketLimit))
        .then(from("web1"), other.clone(), denied(Reason::PacketLimit))
        .then(to("web1"), v4(&DB1, &WEB1).udp(53, 40001).frame(), flow("rest"))
        .then(from("db1"), v4(&DB1, &WEB1).udp(53, 40001).frame(), allow("rest"));
    let refilled = paused(empty)
        .then(from("web1"), frame.clone(), flow("rest"))
        .then(from("web1"), other, denied(Reason::PacketLimit))
        .wait(1000);
    // The flow is over by then.
    let reopened = refilled.then(from("web1"), frame.clone(), allow("rest"));
    many(reopened, 63, from("web1"), &frame, flow("rest")).then(
        from("web1"),
        frame,
        denied(Reason::PacketLimit),
    )
}

fn both_ways() -> Sequence {
    let there = v4(&WEB1, &DB1).udp(40001, 53).frame();
    let back = v4(&DB1, &WEB1).udp(53, 40001).frame();
    let limits = "from-guest = { packets = { rate = 1, burst = 64 } }\nto-guest = { packets = { rate = 1, burst = 65 } }";
    let opened = Sequence::new("the directions have buckets of their own", &lab(limits)).then(
        from("web1"),
        there.clone(),
        allow("rest"),
    );
    let there_only = many(opened, 63, from("web1"), &there, flow("rest"));
    let both = many(there_only, 65, to("web1"), &back, flow("rest"));
    paused(both.then(from("web1"), there, denied(Reason::PacketLimit)).then(
        to("web1"),
        back,
        denied(Reason::PacketLimit),
    ))
}

/// A frame of 1500 bytes takes 12 seconds to come: the kernel is not as slow as that.
fn bits() -> Sequence {
    let big = v4(&WEB1, &DB1).udp(40001, 53).payload(&[0; 1458]).frame();
    assert_eq!(big.len(), 1500);
    let limits = "from-guest = { bits = { rate = \"1K\", burst = 72100 } }";
    let opened = Sequence::new("bits are those of whole frames", &lab(limits)).then(
        from("web1"),
        big.clone(),
        allow("rest"),
    );
    many(opened, 47, from("web1"), &big, flow("rest")).then(from("web1"), big, denied(Reason::BitLimit)).then(
        from("web1"),
        v4(&WEB1, &DB1).udp(40001, 53).frame(),
        flow("rest"),
    )
}

fn broadcast() -> Sequence {
    let ask = link_to_all().arp_request(WEB1.v4, DB1.v4).frame();
    let dhcp = link_to_all().ipv4("0.0.0.0", "255.255.255.255").udp(68, 67).frame();
    let group = multicast_frame();
    let sequence = Sequence::new(
        "broadcast counts ARP too, and multicast does not count",
        &lab("from-guest = { broadcast = { rate = 1, burst = 2 } }"),
    )
    .then(from("web1"), ask.clone(), passes(Reason::Arp))
    .then(from("web1"), dhcp.clone(), allow("rest"))
    .then(from("web1"), ask.clone(), denied(Reason::BroadcastLimit))
    .then(from("web1"), dhcp, denied(Reason::BroadcastLimit))
    .then(from("web1"), group, allow("rest"))
    .then(from("web1"), link(&WEB1, &DB1).arp_request(WEB1.v4, DB1.v4).frame(), passes(Reason::Arp));
    paused(sequence).then(from("web1"), ask, passes(Reason::Arp))
}

fn link_to_all() -> crate::frame::Eth {
    eth(WEB1.mac, BROADCAST)
}

fn multicast_frame() -> Vec<u8> {
    let mac = group_mac("224.0.0.251".parse().expect("an address"));
    eth(WEB1.mac, mac).ipv4(WEB1.v4, "224.0.0.251").udp(5353, 5353).frame()
}

fn multicast() -> Sequence {
    let ask = link_to_all().arp_request(WEB1.v4, DB1.v4).frame();
    let sequence = Sequence::new(
        "multicast has a limit of its own",
        &lab("from-guest = { multicast = { rate = 1, burst = 1 } }"),
    )
    .then(from("web1"), multicast_frame(), allow("rest"))
    .then(from("web1"), multicast_frame(), denied(Reason::MulticastLimit))
    .then(from("web1"), ask, passes(Reason::Arp));
    paused(sequence)
}

fn unknown() -> Sequence {
    let out = |port| v4(&WEB1, &WORLD).udp(port, 53).frame();
    let sequence = Sequence::new(
        "unicast to a MAC address that nobody has is unknown, also within its flow, until it is answered",
        &lab("from-guest = { unknown-unicast = { rate = 1, burst = 3 } }"),
    )
    .then(from("web1"), out(1), allow("rest"))
    .then(from("web1"), out(1), flow("rest"))
    .then(from("web1"), link(&WEB1, &WORLD).arp_request(WEB1.v4, WORLD.v4).frame(), passes(Reason::Arp))
    .then(from("web1"), out(1), denied(Reason::UnknownUnicastLimit))
    .then(from("web1"), v4(&WEB1, &DB1).udp(1, 53).frame(), allow("rest"))
    .then(to("web1"), v4(&WORLD, &WEB1).udp(53, 1).frame(), flow("rest"))
    .then(from("web1"), out(1), flow("rest"))
    .then(from("web1"), out(2), denied(Reason::UnknownUnicastLimit));
    paused(sequence)
}

fn answered() -> Sequence {
    let out = |flags| v4(&WEB1, &WORLD).tcp(40001, 80).flags(flags).frame();
    let back = v4(&WORLD, &WEB1).tcp(80, 40001).flags(SYN | ACK).frame();
    let opened = Sequence::new(
        "a connection through a router costs one packet to nobody known",
        &lab("from-guest = { unknown-unicast = { rate = 1, burst = 1 } }"),
    )
    .then(from("web1"), out(SYN), allow("rest"))
    .then(to("web1"), back, flow("rest"));
    paused(many(opened, 8, from("web1"), &out(ACK), flow("rest")))
}

fn taken_up() -> Sequence {
    let out = || v4(&WEB1, &WORLD).tcp(40001, 80).flags(ACK).frame();
    let opened = Sequence::new(
        "a connection that was taken up in the middle is answered when an answer comes",
        &lab("from-guest = { unknown-unicast = { rate = 1, burst = 2 } }"),
    )
    .then(from("web1"), out(), allow("rest"))
    .then(from("web1"), out(), flow("rest"))
    .then(from("web1"), out(), denied(Reason::UnknownUnicastLimit))
    .then(to("web1"), v4(&WORLD, &WEB1).tcp(80, 40001).flags(ACK).frame(), flow("rest"));
    paused(many(opened, 4, from("web1"), &out(), flow("rest")))
}

fn flows() -> Sequence {
    let open = |port| v4(&WEB1, &DB1).udp(port, 53).frame();
    let sequence = Sequence::new(
        "a flow takes a token when it is opened, and a flow that is not opened is not there",
        &lab("from-guest = { new-flows = { rate = 1, burst = 2 } }"),
    )
    .then(from("web1"), open(1), allow("rest"))
    .then(from("web1"), open(2), allow("rest"))
    .then(from("web1"), open(3), denied(Reason::FlowLimit))
    .then(from("web1"), open(3), denied(Reason::FlowLimit))
    .then(from("web1"), open(1), flow("rest"))
    .then(to("web1"), v4(&DB1, &WEB1).udp(53, 2).frame(), flow("rest"))
    // Its own way: the other side opens.
    .then(to("web1"), v4(&DB1, &WEB1).udp(9, 9).frame(), allow("rest"))
    .then(from("web1"), v4(&WEB1, &DB1).udp(9, 9).frame(), flow("rest"))
    .then(from("web1"), link_to_all().arp_request(WEB1.v4, DB1.v4).frame(), passes(Reason::Arp));
    paused(sequence).then(from("web1"), open(3), allow("rest")).then(
        from("web1"),
        open(4),
        denied(Reason::FlowLimit),
    )
}

fn flows_in() -> Sequence {
    let open = |port| v4(&DB1, &WEB1).tcp(port, 80).frame();
    let sequence = Sequence::new(
        "flows to a guest are limited at its port, not at the sender's",
        &lab("to-guest = { new-flows = { rate = 1, burst = 1 } }"),
    )
    .then(from("db1"), open(1), allow("rest"))
    .then(to("web1"), open(1), allow("rest"))
    .then(from("db1"), open(2), allow("rest"))
    .then(to("web1"), open(2), denied(Reason::FlowLimit))
    .then(from("web1"), v4(&WEB1, &DB1).udp(1, 1).frame(), allow("rest"));
    paused(sequence)
}

fn denied_frames() -> Sequence {
    let spoofed = link(&WEB1, &DB1).ipv4(DB1.v4, WEB1.v4).udp(1, 1).frame();
    let ssh = v4(&WEB1, &DB1).tcp(40001, 22).frame();
    let fine = v4(&WEB1, &DB1).udp(40001, 53).frame();
    let limits = "from-guest = { packets = { rate = 1, burst = 64 }, new-flows = { rate = 1, burst = 1 } }";
    let sequence = Sequence::new("what guards and rules deny takes no token", &lab(limits));
    let refused = many(sequence, 100, from("web1"), &ssh, deny("no ssh"));
    let refused = many(refused, 100, from("web1"), &spoofed, denied(Reason::SpoofedIpv4));
    let opened = refused.then(from("web1"), fine.clone(), allow("rest"));
    paused(many(opened, 63, from("web1"), &fine, flow("rest")).then(
        from("web1"),
        fine,
        denied(Reason::PacketLimit),
    ))
}

fn all_or_none() -> Sequence {
    let ask = link_to_all().arp_request(WEB1.v4, DB1.v4).frame();
    let fine = v4(&WEB1, &DB1).udp(40001, 53).frame();
    let limits = "from-guest = { packets = { rate = 1, burst = 64 }, broadcast = { rate = 1, burst = 1 } }";
    let sequence = Sequence::new("a frame that one limit denies takes nothing from another", &lab(limits))
        .then(from("web1"), ask.clone(), passes(Reason::Arp));
    let refused = many(sequence, 100, from("web1"), &ask, denied(Reason::BroadcastLimit));
    let opened = refused.then(from("web1"), fine.clone(), allow("rest"));
    let empty = many(opened, 62, from("web1"), &fine, flow("rest"));
    paused(empty.then(from("web1"), fine, denied(Reason::PacketLimit)))
        .then(from("web1"), ask.clone(), passes(Reason::Arp))
        // Both are empty now: the storm's is the first.
        .then(from("web1"), ask, denied(Reason::BroadcastLimit))
}

fn changes() -> Sequence {
    let limits = "from-guest = { new-flows = { rate = 1, burst = 1 } }";
    let open = |port| v4(&WEB1, &DB1).udp(port, 53).frame();
    let sequence = Sequence::new("another document does not refill the buckets", &lab(limits))
        .then(from("web1"), open(1), allow("rest"))
        .apply(&format!("{} # again", lab(limits)))
        .then(from("web1"), open(2), denied(Reason::FlowLimit))
        .apply(&document("allow", ""))
        .then(from("web1"), open(2), super::case::default(Action::Allow))
        .apply(&lab(limits))
        .then(from("web1"), open(3), denied(Reason::FlowLimit));
    paused(sequence).then(from("web1"), open(3), allow("rest"))
}

fn slower() -> Sequence {
    let slow = "from-guest = { new-flows = { rate = 1, burst = 1000 } }";
    let fast = "from-guest = { new-flows = { rate = 1000, burst = 1 } }";
    let open = |number: u16| v4(&WEB1, &DB1).udp(10_000 + number, 53).frame();
    let sequence = Sequence::new("what a slow limit has used up does not stop a faster one", &lab(slow));
    let sequence =
        (1..=1000).fold(sequence, |sequence, port| sequence.then(from("web1"), open(port), allow("rest")));
    let changed = sequence.then(from("web1"), open(2000), denied(Reason::FlowLimit)).apply(&lab(fast)).then(
        from("web1"),
        open(2000),
        denied(Reason::FlowLimit),
    );
    paused(changed).then(from("web1"), open(2000), allow("rest"))
}
