//! Flows that are open when their rule goes: cut at both ends with the next frame, and taken up again when it comes
//! back.

use netctl_common::verdict::Reason::{Flow, Revoked, Rule};
use netctl_tests::frame::{ACK, Build, Carrier, PSH, SYN};

use super::super::kind::{DB1, WEB1};
use super::super::row::Steps;
use super::{RULES, ip};

const NONE: &[&str] = &[];

pub(super) fn add(steps: &mut Steps) {
    let flows = || ip(WEB1, DB1).into_iter().zip(ip(DB1, WEB1));
    for ((family, there), (_, back)) in flows() {
        let (there, back) = (there.tcp(5010, 5432), back.tcp(5432, 5010));
        steps.passes(&format!("a SYN of {family}"), [WEB1, DB1], there.frame(), Rule);
        steps.passes(
            &format!("its SYN|ACK of {family}"),
            [DB1, WEB1],
            back.flags(SYN | ACK).frame(),
            Flow,
        );
    }
    steps.apply(NONE);
    for ((family, there), (_, back)) in flows() {
        let there = there.tcp(5010, 5432).flags(ACK | PSH).sequence(2).payload(b"still there?");
        let back = back.tcp(5432, 5010).flags(ACK | PSH).sequence(2).payload(b"yes");
        steps.denied(&format!("the next segment of {family}"), WEB1, there.frame(), Revoked);
        steps.denied(&format!("the next segment of {family}"), DB1, back.frame(), Revoked);
    }
    steps.apply(RULES);
    for ((family, there), _) in flows() {
        let there = there.tcp(5010, 5432).flags(ACK | PSH).sequence(3).payload(b"and now?");
        steps.passes(&format!("a later segment of {family}"), [WEB1, DB1], there.frame(), Flow);
    }
}
