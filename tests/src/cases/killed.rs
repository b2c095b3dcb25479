//! A flow that an operator has ended stays denied until it is idle, whatever is applied; only a SYN begins anew.

use netctl_common::verdict::{Action, Reason};

use super::Sequence;
use super::case::{allow, default, denied, flow, from, revoked, to};
use super::flows::{policy, ways};
use super::stations::{DB1, WEB1};
use crate::frame::{ACK, Build, Carrier, FIN, Network, RST, SYN};

/// Idle for longer than any other state of TCP may be, and than UDP.
const A_WHILE: u64 = 3600;

pub(super) fn sequences() -> Vec<Sequence> {
    ways(&WEB1, &DB1)
        .into_iter()
        .flat_map(|(family, there, back)| connections(family, &there, &back))
        .collect()
}

fn connections(family: &str, there: &Network, back: &Network) -> Vec<Sequence> {
    let no = revoked(Action::Deny, None);
    let tcp = |flags| there.clone().tcp(40001, 80).flags(flags).frame();
    let answer = |flags| back.clone().tcp(80, 40001).flags(flags).frame();
    let sequence = |name: &str| Sequence::new(format!("{name} ({family})"), &policy());
    let killed = |name: &str| {
        sequence(name)
            .then(from("web1"), tcp(SYN), allow("service"))
            .then(to("web1"), answer(SYN | ACK), flow("service"))
            .then(from("web1"), tcp(ACK), flow("service"))
            .kill()
    };
    let udp = |port| there.clone().udp(40001, port).frame();
    vec![
        killed("what goes on in a killed connection is denied, both ways")
            .then(from("web1"), tcp(ACK), no)
            .then(to("web1"), answer(ACK), no)
            .then(from("web1"), tcp(FIN | ACK), no),
        killed("a killed connection is not taken up again by a later policy")
            .apply(&policy())
            .then(from("web1"), tcp(ACK), no)
            .then(to("web1"), answer(ACK), no)
            .apply(&policy())
            .then(from("web1"), tcp(ACK), no),
        killed("a killed connection is not taken up again after an hour, even where its ends have given up")
            .then(from("web1"), tcp(RST | ACK), no)
            .wait(A_WHILE)
            .then(to("web1"), answer(ACK), no)
            .wait(A_WHILE)
            .then(from("web1"), tcp(ACK), no),
        killed("a killed connection begins anew with a SYN between the same ports")
            .then(to("web1"), answer(SYN | ACK), denied(Reason::TcpState))
            .then(from("web1"), tcp(SYN), allow("service"))
            .then(to("web1"), answer(SYN | ACK), flow("service"))
            .then(from("web1"), tcp(ACK), flow("service")),
        killed("a SYN of the other side is asked of the policy").then(
            to("web1"),
            answer(SYN),
            default(Action::Deny),
        ),
        sequence("a SYN that was asked again is not answered once the connection is killed")
            .then(from("web1"), tcp(SYN), allow("service"))
            .then(to("web1"), answer(SYN | ACK), flow("service"))
            .then(from("web1"), tcp(ACK), flow("service"))
            .then(from("web1"), tcp(SYN), flow("service"))
            .kill()
            .then(to("web1"), answer(SYN | ACK), denied(Reason::TcpState)),
        sequence("a killed dialog of UDP is denied until both are silent")
            .then(from("web1"), udp(53), allow("service"))
            .kill()
            .then(from("web1"), udp(53), no)
            .apply(&policy())
            .then(to("web1"), back.clone().udp(53, 40001).frame(), no)
            .wait(179)
            .then(from("web1"), udp(53), no)
            .wait(183)
            .then(from("web1"), udp(53), allow("service")),
    ]
}
