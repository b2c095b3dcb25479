//! TCP, UDP and ping between the guests: what a rule allows, its replies, and what no rule allows.

use netctl_common::verdict::Reason::{Default, Flow, NoFlow, Rule, UnrelatedError};
use netctl_tests::frame::{ACK, Build, Carrier, FIN, PSH, SYN, ipv4};

use super::super::kind::{DB1, WEB1};
use super::super::row::Steps;
use super::{ip, link};

pub(super) fn add(steps: &mut Steps) {
    tcp(steps);
    udp(steps);
    ping(steps);
    denied(steps);
}

fn tcp(steps: &mut Steps) {
    for ((family, there), (_, back)) in ip(WEB1, DB1).into_iter().zip(ip(DB1, WEB1)) {
        let there = there.tcp(5000, 5432);
        let back = back.tcp(5432, 5000);
        let name = |what| format!("{what} of {family}");
        steps.passes(&name("a SYN"), [WEB1, DB1], there.clone().frame(), Rule);
        steps.passes(&name("its SYN|ACK"), [DB1, WEB1], back.clone().flags(SYN | ACK).frame(), Flow);
        steps.passes(&name("the ACK"), [WEB1, DB1], there.clone().flags(ACK).sequence(2).frame(), Flow);
        let data = back.flags(ACK | PSH).sequence(2).payload(&[7; 1400]);
        steps.passes(&name("data"), [DB1, WEB1], data.frame(), Flow);
        let closes = there.flags(ACK | FIN).sequence(2);
        steps.passes(&name("a FIN"), [WEB1, DB1], closes.frame(), Flow);
    }
}

fn udp(steps: &mut Steps) {
    for ((family, there), (_, back)) in ip(WEB1, DB1).into_iter().zip(ip(DB1, WEB1)) {
        let query = there.udp(5001, 53).payload(b"who?").frame();
        steps.passes(&format!("a UDP query of {family}"), [WEB1, DB1], query, Rule);
        let answer = back.udp(53, 5001).payload(b"me").frame();
        steps.passes(&format!("its answer of {family}"), [DB1, WEB1], answer, Flow);
    }
}

fn ping(steps: &mut Steps) {
    for ((family, there), (_, back)) in ip(DB1, WEB1).into_iter().zip(ip(WEB1, DB1)) {
        let request = there.echo_request(7, 1).body(b"ping").frame();
        steps.passes(&format!("an echo request of {family}"), [DB1, WEB1], request, Rule);
        let reply = back.echo_reply(7, 1).body(b"ping").frame();
        steps.passes(&format!("its reply of {family}"), [WEB1, DB1], reply, Flow);
    }
}

fn denied(steps: &mut Steps) {
    for (family, ip) in ip(WEB1, DB1) {
        let name = |what| format!("{what} of {family}");
        steps.denied(&name("a SYN to another service"), WEB1, ip.clone().tcp(5002, 22).frame(), Default);
        steps.denied(&name("UDP to another service"), WEB1, ip.clone().udp(5002, 123).frame(), Default);
        steps.denied(&name("a stray ACK"), WEB1, ip.clone().tcp(5003, 22).flags(ACK).frame(), NoFlow);
        steps.denied(&name("an echo reply to nothing"), WEB1, ip.echo_reply(9, 1).frame(), NoFlow);
    }
    for (family, ip) in ip(DB1, WEB1) {
        let name = format!("a SYN of {family} the other way");
        steps.denied(&name, DB1, ip.tcp(5004, 5432).frame(), Default);
    }
    let inner = ipv4(WEB1.v4, DB1.v4).udp(6000, 6000).packet();
    let error = link(DB1, WEB1).ipv4(DB1.v4, WEB1.v4).unreachable(3, &inner).frame();
    steps.denied("an ICMP error about nothing", DB1, error, UnrelatedError);
}
