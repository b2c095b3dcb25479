//! Replies, both sides of a connection, its beginning, middle and end.

use netctl_common::verdict::{Action, Reason};

use super::Sequence;
use super::case::{allow, default, denied, flow, from, to};
use super::documents::{document, open};
use super::stations::{DB1, Guest, WEB1, WEB2, WORLD, ip_of, link, v4};
use crate::frame::{ACK, BROADCAST, Build, Carrier, FIN, Network, RST, SYN, eth, group_mac, protocol};

pub(super) const RULES: &str = r#"
  { allow = ["tcp/80", "udp/53", "sctp/9"], from = "web", to = "db", name = "service" },
  { allow = ["icmp/echo-request", "icmp6/echo-request"], from = "web", to = "db", name = "ping" },
  { allow = "ip/47", from = "web", to = "db", name = "gre" },
  { allow = "tcp/40000", from = "db", to = "web", name = "back" },
  { allow = "udp/5353", from = "web", to = "multicast", name = "mdns" },
  { allow = "tcp/8080", from = "world", to = "web", name = "published" },
  { allow = "icmp/13", from = "web", to = "db", name = "timestamp" },
"#;

pub(super) fn policy() -> String {
    document("deny", RULES)
}

/// A packet of each family between two stations, and one back.
pub(super) fn ways(a: &Guest, b: &Guest) -> Vec<(&'static str, Network, Network)> {
    ip_of(a, b)
        .into_iter()
        .zip(ip_of(b, a))
        .map(|((family, there), (_, back))| (family, there, back))
        .collect()
}

pub(super) fn sequences() -> Vec<Sequence> {
    [replies(), beginnings(), middles(), ends(), messages(), groups()].concat()
}

fn replies() -> Vec<Sequence> {
    let mut all = Vec::new();
    for (family, there, back) in ways(&WEB1, &DB1) {
        let (policy, service) = (policy(), "service");
        let syn = there.clone().tcp(40001, 80).frame();
        let answer = back.clone().tcp(80, 40001).flags(SYN | ACK).frame();
        let name = format!("a TCP handshake passes both ports ({family})");
        let handshake = Sequence::new(name, &policy)
            .then(from("web1"), syn.clone(), allow(service))
            .then(to("db1"), syn.clone(), allow(service))
            .then(from("db1"), answer.clone(), flow(service))
            .then(to("web1"), answer, flow(service))
            .then(from("web1"), there.clone().tcp(40001, 80).flags(ACK).frame(), flow(service))
            .then(from("web1"), syn, flow(service));
        all.push(handshake);
        for (kind, there, back) in [
            ("UDP", there.clone().udp(40001, 53).frame(), back.clone().udp(53, 40001).frame()),
            ("SCTP", there.clone().sctp(40001, 9).frame(), back.clone().sctp(9, 40001).frame()),
        ] {
            let sequence =
                Sequence::new(format!("{kind} is answered, and only after it asked ({family})"), &policy)
                    .then(to("web1"), back.clone(), default(Action::Deny))
                    .then(from("web1"), there.clone(), allow(service))
                    .then(to("web1"), back.clone(), flow(service))
                    .then(from("db1"), back, default(Action::Deny))
                    .then(from("web1"), there, flow(service));
            all.push(sequence);
        }
        let other = Sequence::new(format!("an answer from another port is none ({family})"), &policy)
            .then(from("web1"), there.clone().udp(40001, 53).frame(), allow(service))
            .then(to("web1"), back.clone().udp(54, 40001).frame(), default(Action::Deny))
            .then(to("web1"), back.clone().udp(53, 40002).frame(), default(Action::Deny));
        all.push(other);
        let gre = Sequence::new(format!("a protocol without ports is answered ({family})"), &policy)
            .then(from("web1"), there.payload(protocol::GRE, &[0; 8]).frame(), allow("gre"))
            .then(to("web1"), back.payload(protocol::GRE, &[0; 8]).frame(), flow("gre"));
        all.push(gre);
    }
    all.push(others_answer());
    all
}

fn others_answer() -> Sequence {
    let spoofed = eth(WEB2.mac, WEB1.mac).ipv4(DB1.v4, WEB1.v4).udp(53, 40001).frame();
    Sequence::new("what another guest sends in a flow's name stops at its own port", &policy())
        .then(from("web1"), v4(&WEB1, &DB1).udp(40001, 53).frame(), allow("service"))
        .then(from("web2"), spoofed, denied(Reason::SpoofedIpv4))
        .then(
            from("web1"),
            eth(WEB2.mac, DB1.mac).ipv4(WEB1.v4, DB1.v4).udp(40001, 53).frame(),
            denied(Reason::SpoofedMac),
        )
        .then(
            to("web1"),
            eth(DB1.mac, WEB2.mac).ipv4(DB1.v4, WEB1.v4).udp(53, 40001).frame(),
            denied(Reason::WrongDestination),
        )
        .then(from("web2"), v4(&WEB2, &DB1).udp(40001, 53).frame(), allow("service"))
}

fn beginnings() -> Vec<Sequence> {
    let mut all = Vec::new();
    for (family, there, back) in ways(&WEB1, &DB1) {
        let name = format!("a SYN of the side that did not open is judged by itself ({family})");
        let sequence = Sequence::new(name, &policy())
            .then(from("web1"), there.clone().tcp(40001, 80).frame(), allow("service"))
            .then(to("web1"), back.clone().tcp(80, 40001).frame(), default(Action::Deny))
            .then(from("web1"), there.clone().tcp(40001, 80).flags(ACK).frame(), flow("service"));
        all.push(sequence);
        let name = format!("a SYN of the other side that a rule allows opens the other way ({family})");
        let sequence = Sequence::new(name, &policy())
            .then(from("web1"), there.clone().tcp(40000, 80).frame(), allow("service"))
            .then(to("web1"), back.clone().tcp(80, 40000).frame(), allow("back"))
            .then(from("web1"), there.clone().tcp(40000, 80).flags(SYN | ACK).frame(), flow("back"));
        all.push(sequence);
        let name = format!("what was denied opens nothing ({family})");
        let sequence = Sequence::new(name, &policy())
            .then(from("web1"), there.clone().tcp(40001, 81).frame(), default(Action::Deny))
            .then(to("web1"), back.clone().tcp(81, 40001).flags(SYN | ACK).frame(), denied(Reason::NoFlow))
            .then(from("web1"), there.tcp(40001, 81).flags(ACK).frame(), denied(Reason::NoFlow));
        all.push(sequence);
    }
    all
}

fn middles() -> Vec<Sequence> {
    let mut all = Vec::new();
    for (family, there, back) in ways(&WEB1, &DB1) {
        let middle = there.clone().tcp(40001, 80).flags(ACK).frame();
        let answer = back.clone().tcp(80, 40001).flags(ACK).frame();
        let name = format!("a connection is taken up by the side that may open it ({family})");
        let sequence = Sequence::new(name, &policy())
            .then(to("web1"), answer.clone(), denied(Reason::NoFlow))
            .then(from("web1"), middle.clone(), allow("service"))
            .then(to("web1"), answer.clone(), flow("service"))
            .then(from("db1"), answer, denied(Reason::NoFlow))
            .then(to("db1"), middle, allow("service"));
        all.push(sequence);
        let name = format!("an end is taken up like a middle ({family})");
        let sequence = Sequence::new(name, &policy())
            .then(from("web1"), there.clone().tcp(40001, 80).flags(FIN | ACK).frame(), allow("service"))
            .then(to("web1"), back.clone().tcp(80, 40001).flags(FIN | ACK).frame(), flow("service"));
        all.push(sequence);
        let name = format!("an open default takes up what any side sends ({family})");
        let sequence = Sequence::new(name, &open())
            .then(from("web1"), there.tcp(40001, 80).flags(ACK).frame(), default(Action::Allow))
            .then(to("web1"), back.tcp(80, 40001).flags(ACK).frame(), super::case::passes(Reason::Flow));
        all.push(sequence);
    }
    all
}

fn ends() -> Vec<Sequence> {
    let mut all = Vec::new();
    for (family, there, back) in ways(&WEB1, &DB1) {
        let tcp = |flags| there.clone().tcp(40001, 80).flags(flags).frame();
        let answer = |flags| back.clone().tcp(80, 40001).flags(flags).frame();
        let (service, syn) = ("service", allow("service"));
        let reset = Sequence::new(format!("after a reset, a SYN begins anew ({family})"), &policy())
            .then(from("web1"), tcp(SYN), syn)
            .then(to("web1"), answer(RST | ACK), flow(service))
            .then(from("web1"), tcp(ACK), flow(service))
            .then(from("web1"), tcp(SYN), syn);
        all.push(reset);
        let closed = Sequence::new(format!("after both ends, a SYN begins anew ({family})"), &policy())
            .then(from("web1"), tcp(SYN), syn)
            .then(to("web1"), answer(SYN | ACK), flow(service))
            .then(from("web1"), tcp(FIN | ACK), flow(service))
            .then(from("web1"), tcp(SYN), flow(service))
            .then(to("web1"), answer(FIN | ACK), flow(service))
            .then(from("web1"), tcp(ACK), flow(service))
            .then(from("web1"), tcp(SYN), syn);
        all.push(closed);
        let nonsense = Sequence::new(format!("nonsense is denied inside a flow too ({family})"), &policy())
            .then(from("web1"), tcp(SYN), syn)
            .then(from("web1"), tcp(SYN | FIN), denied(Reason::BadTcpFlags))
            .then(to("web1"), answer(0), denied(Reason::BadTcpFlags))
            .then(to("web1"), answer(SYN | ACK), flow(service));
        all.push(nonsense);
    }
    all
}

fn messages() -> Vec<Sequence> {
    let mut all = Vec::new();
    for (family, there, back) in ways(&WEB1, &DB1) {
        let name = format!("a ping is answered once it asked, by its number ({family})");
        let stray = denied(Reason::NoFlow);
        let sequence = Sequence::new(name, &policy())
            .then(to("web1"), back.clone().echo_reply(7, 1).frame(), stray)
            .then(from("web1"), there.clone().echo_request(7, 1).frame(), allow("ping"))
            .then(to("web1"), back.clone().echo_reply(7, 1).frame(), flow("ping"))
            .then(to("web1"), back.clone().echo_reply(8, 1).frame(), stray)
            .then(from("web1"), there.clone().echo_reply(7, 1).frame(), stray)
            .then(to("web1"), back.clone().echo_request(7, 1).frame(), default(Action::Deny))
            .then(from("web1"), there.clone().echo_request(7, 2).frame(), flow("ping"));
        all.push(sequence);
        let name = format!("a guest answers the ping that came to it ({family})");
        let sequence = Sequence::new(name, &policy())
            .then(from("db1"), back.clone().echo_reply(7, 1).frame(), stray)
            .then(to("db1"), there.echo_request(7, 1).frame(), allow("ping"))
            .then(from("db1"), back.echo_reply(7, 1).frame(), flow("ping"));
        all.push(sequence);
    }
    let timestamp = Sequence::new("a timestamp reply is for the rules", &policy())
        .then(from("web1"), v4(&WEB1, &DB1).icmp(13, 0).frame(), allow("timestamp"))
        .then(from("web1"), v4(&WEB1, &DB1).icmp(13, 0).frame(), flow("timestamp"))
        .then(to("web1"), v4(&DB1, &WEB1).icmp(14, 0).frame(), default(Action::Deny))
        .then(to("web1"), v4(&DB1, &WEB1).icmp(13, 0).frame(), default(Action::Deny));
    all.push(timestamp);
    all
}

fn groups() -> Vec<Sequence> {
    let mdns = || {
        let mac = group_mac("224.0.0.251".parse().expect("an address"));
        eth(WEB1.mac, mac).ipv4(WEB1.v4, "224.0.0.251").udp(5353, 5353).frame()
    };
    let multicast = Sequence::new("what goes to a group opens no flow", &policy())
        .then(from("web1"), mdns(), allow("mdns"))
        .then(from("web1"), mdns(), allow("mdns"))
        .then(to("web1"), v4(&DB1, &WEB1).udp(5353, 5353).frame(), default(Action::Deny));
    let disguised = Sequence::new("a flow's packet in a frame to all is not of the flow", &policy())
        .then(from("web1"), v4(&WEB1, &DB1).udp(40001, 53).frame(), allow("service"))
        .then(
            to("web1"),
            eth(DB1.mac, BROADCAST).ipv4(DB1.v4, WEB1.v4).udp(53, 40001).frame(),
            denied(Reason::WrongDestination),
        );
    let world = Sequence::new("a flow that the world opened", &policy())
        .then(to("web1"), v4(&WORLD, &WEB1).tcp(5000, 8080).frame(), allow("published"))
        .then(from("web1"), v4(&WEB1, &WORLD).tcp(8080, 5000).flags(SYN | ACK).frame(), flow("published"))
        .then(
            from("web1"),
            v4(&WEB1, &WORLD).tcp(8080, 5001).flags(SYN | ACK).frame(),
            denied(Reason::NoFlow),
        )
        .then(
            from("web1"),
            link(&WEB1, &WORLD).ipv4("10.0.0.111", WORLD.v4).tcp(8080, 5000).flags(ACK).frame(),
            denied(Reason::NoFlow),
        );
    vec![multicast, disguised, world]
}
