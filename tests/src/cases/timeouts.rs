//! How long a silent flow lives. Just before its time it is one, a little after it is none: a clock of ticks
//! may make a second 1 % longer.

use netctl_common::verdict::{Action, Reason};

use super::Sequence;
use super::case::{allow, default, denied, flow, from, to};
use super::flows::{policy, ways};
use super::stations::{DB1, WEB1};
use crate::frame::{ACK, Build, Carrier, FIN, Network, RST, SYN, fragments, protocol};

pub(super) fn sequences() -> Vec<Sequence> {
    let mut all = chosen();
    for (family, there, back) in ways(&WEB1, &DB1) {
        all.extend(tcp(family, &there, &back));
        all.extend(others(family, &there, &back));
    }
    all
}

/// Established connections: RFC 5382, REQ-5 asks for 2 h 4 min at least.
fn tcp(family: &str, there: &Network, back: &Network) -> Vec<Sequence> {
    let tcp = |flags| there.clone().tcp(40001, 80).flags(flags).frame();
    let answer = |flags| back.clone().tcp(80, 40001).flags(flags).frame();
    let (service, gone) = (flow("service"), denied(Reason::NoFlow));
    let sequence = |name: &str| Sequence::new(format!("{name} ({family})"), &policy());
    let opened = |name: &str| sequence(name).then(from("web1"), tcp(SYN), allow("service"));
    let answered = |name: &str| opened(name).then(to("web1"), answer(SYN | ACK), service);
    vec![
        opened("an unanswered SYN waits a minute").wait(59).then(to("web1"), answer(SYN | ACK), service),
        opened("an unanswered SYN waits no longer").wait(62).then(to("web1"), answer(SYN | ACK), gone),
        answered("a connection lives for hours").wait(2 * 3600 + 240).then(to("web1"), answer(ACK), service),
        answered("a connection lives six hours").wait(6 * 3600 - 1).then(to("web1"), answer(ACK), service),
        answered("a connection lives no longer").wait(6 * 3660).then(to("web1"), answer(ACK), gone),
        answered("every frame gives a connection its time back")
            .wait(6 * 3600 - 1)
            .then(to("web1"), answer(ACK), service)
            .wait(6 * 3600 - 1)
            .then(from("web1"), tcp(ACK), service),
        answered("half closed")
            .then(from("web1"), tcp(FIN | ACK), service)
            .wait(299)
            .then(to("web1"), answer(ACK), service)
            .wait(305)
            .then(to("web1"), answer(ACK), gone),
        answered("closed")
            .then(from("web1"), tcp(FIN | ACK), service)
            .then(to("web1"), answer(FIN | ACK), service)
            .wait(29)
            .then(from("web1"), tcp(ACK), service)
            .wait(31)
            .then(to("web1"), answer(ACK), gone),
        answered("reset").then(to("web1"), answer(RST), service).wait(11).then(to("web1"), answer(ACK), gone),
        answered("a connection that goes on was not reset")
            .then(to("web1"), answer(RST), service)
            .wait(9)
            .then(to("web1"), answer(ACK), service)
            .wait(6 * 3600 - 1)
            .then(to("web1"), answer(ACK), service),
        sequence("a connection that was taken up is an established one")
            .then(from("web1"), tcp(ACK), allow("service"))
            .wait(6 * 3600 - 1)
            .then(to("web1"), answer(ACK), service),
        answered("the side that may open it takes an old connection up")
            .wait(6 * 3660)
            .then(from("web1"), tcp(ACK), allow("service"))
            .then(to("web1"), answer(ACK), service),
    ]
}

fn others(family: &str, there: &Network, back: &Network) -> Vec<Sequence> {
    let no = default(Action::Deny);
    let udp = || there.clone().udp(40001, 53).frame();
    let reply = || back.clone().udp(53, 40001).frame();
    let sequence = |name: &str| Sequence::new(format!("{name} ({family})"), &policy());
    let asked = |name: &str| sequence(name).then(from("web1"), udp(), allow("service"));
    let ping = |name: &str| {
        sequence(name).then(from("web1"), there.clone().echo_request(7, 1).frame(), allow("ping"))
    };
    let pong = || back.clone().echo_reply(7, 1).frame();
    let gre = || back.clone().payload(protocol::GRE, &[0; 8]).frame();
    let tunnel = |name: &str| {
        sequence(name).then(from("web1"), there.clone().payload(protocol::GRE, &[0; 8]).frame(), allow("gre"))
    };
    vec![
        asked("an answer within 30 seconds").wait(29).then(to("web1"), reply(), flow("service")),
        asked("an answer after 30 seconds").wait(31).then(to("web1"), reply(), no),
        asked("a dialog within 3 minutes").then(to("web1"), reply(), flow("service")).wait(179).then(
            to("web1"),
            reply(),
            flow("service"),
        ),
        asked("a dialog after 3 minutes")
            .then(to("web1"), reply(), flow("service"))
            .wait(183)
            .then(to("web1"), reply(), no)
            .then(from("web1"), udp(), allow("service")),
        ping("a ping's answer within 30 seconds").wait(29).then(to("web1"), pong(), flow("ping")),
        ping("a ping's answer after 30 seconds").wait(31).then(to("web1"), pong(), denied(Reason::NoFlow)),
        tunnel("a tunnel's answer within 30 seconds").wait(29).then(to("web1"), gre(), flow("gre")),
        tunnel("a tunnel's answer after 30 seconds").wait(31).then(to("web1"), gre(), no),
    ]
}

/// As the document says.
fn chosen() -> Vec<Sequence> {
    const FLOWS: &str =
        "[flows]\ntimeouts = { tcp-established = \"1h\", udp-unanswered = 5, fragment = \"2s\" }\n";
    let policy = format!("{}\n{FLOWS}", policy());
    let mut all = Vec::new();
    for (family, there, back) in ways(&WEB1, &DB1) {
        let udp = there.clone().udp(40001, 53).payload(&[7; 60]).frame();
        let pieces = fragments(&udp, 7, 24);
        let sequence = Sequence::new(format!("times that the document says ({family})"), &policy)
            .then(from("web1"), there.clone().tcp(40001, 80).frame(), allow("service"))
            .then(to("web1"), back.clone().tcp(80, 40001).flags(SYN | ACK).frame(), flow("service"))
            .then(from("web1"), udp, allow("service"))
            .then(from("web1"), pieces[0].clone(), flow("service"))
            .wait(1)
            .then(from("web1"), pieces[1].clone(), flow("service"))
            .wait(2)
            .then(from("web1"), pieces[2].clone(), denied(Reason::StrayFragment))
            .wait(4)
            .then(to("web1"), back.clone().udp(53, 40001).frame(), default(Action::Deny))
            .wait(3590)
            .then(to("web1"), back.clone().tcp(80, 40001).flags(ACK).frame(), flow("service"))
            .wait(3660)
            .then(to("web1"), back.tcp(80, 40001).flags(ACK).frame(), denied(Reason::NoFlow));
        all.push(sequence);
    }
    all
}
