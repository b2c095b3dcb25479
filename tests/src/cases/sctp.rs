//! SCTP: an INIT opens, and what belongs to an association takes one up.

use netctl_common::verdict::{Action, Reason};

use super::Sequence;
use super::case::{allow, default, denied, flow, from, to};
use super::flows::{policy, ways};
use super::stations::{DB1, WEB1};
use crate::frame::{Build, Carrier, Network};

const DATA: u8 = 0;
const INIT: u8 = 1;
const INIT_ACK: u8 = 2;
const ABORT: u8 = 6;
const SHUTDOWN: u8 = 7;
const COOKIE_ECHO: u8 = 10;
const COOKIE_ACK: u8 = 11;
const SHUTDOWN_COMPLETE: u8 = 14;

pub(super) fn sequences() -> Vec<Sequence> {
    ways(&WEB1, &DB1)
        .into_iter()
        .flat_map(|(family, there, back)| {
            let service = "service";
            let chunk = |kind| there.clone().sctp(40001, 9).chunk(kind, 0, &[0; 12]).frame();
            let answer = |kind| back.clone().sctp(9, 40001).chunk(kind, 0, &[0; 12]).frame();
            let whole = Sequence::new(format!("an SCTP association ({family})"), &policy())
                .then(from("web1"), chunk(INIT), allow(service))
                .then(to("web1"), answer(INIT_ACK), flow(service))
                .then(from("web1"), chunk(COOKIE_ECHO), flow(service))
                .then(to("web1"), answer(COOKIE_ACK), flow(service))
                .then(from("web1"), chunk(DATA), flow(service))
                .then(to("web1"), answer(SHUTDOWN), flow(service))
                .then(from("web1"), chunk(SHUTDOWN_COMPLETE), flow(service));
            let stray = [INIT_ACK, ABORT, SHUTDOWN, COOKIE_ACK, SHUTDOWN_COMPLETE].into_iter().fold(
                Sequence::new(format!("SCTP that opens nothing ({family})"), &policy()),
                |sequence, kind| sequence.then(from("web1"), chunk(kind), denied(Reason::NoFlow)),
            );
            let no_chunk = Network::clone(&there).payload(132, &[&[0x9c, 0x41, 0, 9][..], &[0; 8]].concat());
            let stray = stray.then(from("web1"), no_chunk.frame(), denied(Reason::NoFlow));
            let taken_up =
                Sequence::new(format!("SCTP is taken up by who may open it ({family})"), &policy())
                    .then(to("web1"), answer(DATA), denied(Reason::NoFlow))
                    .then(to("web1"), answer(INIT), default(Action::Deny))
                    .then(from("web1"), chunk(DATA), allow(service))
                    .then(to("web1"), answer(DATA), flow(service));
            [whole, stray, taken_up]
        })
        .collect()
}
