//! Flows and events to (who, towards whom, what).

use std::collections::{BTreeMap, HashSet};

use netctl_common::abi::{Event, FlowEntry, FlowKey, event_flags};
use netctl_common::flow::{self, seen};
use netctl_common::frame::{Tuple, number};
use netctl_common::verdict::{Action, Direction, Reason};

use super::evidence::Evidence;
use super::party::{Party, party, service};
use crate::config::{Config, Service};
use crate::names;

/// Below are the ports of services that no client is given as its own (RFC 6335, 6); from the other one on are those that
/// Linux gives to clients (net.ipv4.ip_local_port_range).
const SYSTEM_PORTS: u16 = 1024;
const CLIENT_PORTS: u16 = 32768;

/// Who opened what towards whom.
pub(super) type Opened = (Party, Party, Service);

/// Collects what was seen.
#[derive(Debug, Default)]
pub struct Learner {
    pub(super) opened: BTreeMap<Opened, Evidence>,
    /// What was denied, in words, and how many frames.
    pub(super) denied: BTreeMap<String, u64>,
    /// What cannot be proposed, in words, and how many frames or flows.
    pub(super) left_out: BTreeMap<String, u64>,
    /// Flows that were counted: port, key, and when they began.
    counted: HashSet<(String, FlowKey, u32)>,
}

/// A port that judged something, in the document that ran then.
#[derive(Clone, Copy, Debug)]
pub struct Judge<'a> {
    pub config: &'a Config,
    pub port: &'a str,
}

impl Judge<'_> {
    fn zone(&self) -> &str {
        let network =
            self.config.ports.get(self.port).and_then(|port| self.config.networks.get(&port.network));
        network.map_or("", |network| network.zone.as_str())
    }

    /// Source and destination of a packet that passed in `direction`: the port's own end is the port.
    fn ends(&self, tuple: &Tuple, direction: Direction) -> (Party, Party) {
        let own = || Party::Port(self.port.to_owned());
        let other = |address| party(self.config, self.zone(), names::address(address));
        match direction {
            Direction::FromGuest => (own(), other(tuple.destination)),
            Direction::ToGuest if tuple.destination.is_group() => {
                (other(tuple.source), other(tuple.destination))
            }
            Direction::ToGuest => (other(tuple.source), own()),
        }
    }
}

impl Learner {
    /// `from` opened `what` towards `to`.
    pub fn saw(&mut self, opened: (Party, Party, Service), evidence: &Evidence) {
        self.opened.entry(opened).and_modify(|known| known.add(evidence)).or_insert_with(|| evidence.clone());
    }

    /// A live flow of a port's table; `now` in ticks. Seen again, it is no other flow.
    pub fn flow(&mut self, judge: Judge<'_>, (key, entry): (&FlowKey, &FlowEntry), now: u32) {
        if !self.counted.insert((judge.port.to_owned(), *key, entry.created)) {
            return;
        }
        let opener = Direction::decode(entry.opener);
        let tuple = key.opening(opener);
        let guessed = is_answer(&tuple, entry.seen & seen::PICKED_UP != 0);
        let (tuple, opener) = if guessed { (turned(&tuple), opener.opposite()) } else { (tuple, opener) };
        let (from, to) = judge.ends(&tuple, opener);
        let what = service(tuple.protocol, tuple.destination_port);
        if !matches!(Action::decode(u32::from(entry.action)), Action::Allow) {
            let words = denied((&from, &to), &tuple, Reason::Revoked.name());
            *self.denied.entry(words).or_default() += 1;
            return;
        }
        let ago = |ticks: u32| flow::seconds(now.wrapping_sub(ticks));
        let evidence =
            Evidence { guessed, ..Evidence::at(judge.port, ago(entry.created), ago(entry.last_seen)) };
        self.saw((from, to, what), &evidence);
    }

    /// What a port told of. Connections stand in the tables; only frames to groups do not. `now` in nanoseconds.
    pub fn event(&mut self, judge: Judge<'_>, event: &Event, now: u64) {
        let reason = Reason::decode(event.reason).map_or("unknown", Reason::name);
        if event.flags & event_flags::ADDRESSES == 0 || event.source.is_unspecified() && !is_from_guest(event)
        {
            let words = format!("without IP addresses, at {}: {reason}", judge.port);
            *self.left_out.entry(words).or_default() += 1;
            return;
        }
        let tuple = Tuple {
            source: event.source,
            destination: event.destination,
            protocol: event.protocol,
            source_port: event.source_port,
            destination_port: event.destination_port,
        };
        let (from, to) = judge.ends(&tuple, Direction::decode(event.direction));
        let allowed = matches!(Action::decode(u32::from(event.action)), Action::Allow);
        if !allowed {
            *self.denied.entry(denied((&from, &to), &tuple, reason)).or_default() += 1;
        } else if tuple.destination.is_group() || to == Party::Broadcast {
            let ago = now.saturating_sub(event.time) as f64 / 1e9;
            let what = service(tuple.protocol, tuple.destination_port);
            self.saw((from, to, what), &Evidence::at(judge.port, ago, ago));
        }
    }
}

fn is_from_guest(event: &Event) -> bool {
    Direction::decode(event.direction) == Direction::FromGuest
}

/// Whether what looks like the first packet is the answer of a service: its connection was there before.
fn is_answer(tuple: &Tuple, picked_up: bool) -> bool {
    let (source, destination) = (tuple.source_port, tuple.destination_port);
    match tuple.protocol {
        number::TCP => picked_up && source < destination,
        number::UDP => source < SYSTEM_PORTS && destination >= CLIENT_PORTS,
        _ => false,
    }
}

fn turned(tuple: &Tuple) -> Tuple {
    Tuple {
        source: tuple.destination,
        destination: tuple.source,
        source_port: tuple.destination_port,
        destination_port: tuple.source_port,
        ..*tuple
    }
}

fn denied((from, to): (&Party, &Party), tuple: &Tuple, reason: &str) -> String {
    let word = |party: &Party| match party {
        Party::Port(name) => name.clone(),
        Party::Host => "host".to_owned(),
        Party::Broadcast => "broadcast".to_owned(),
        Party::Address(ip) => ip.to_string(),
    };
    let what = names::service(tuple.protocol, tuple.destination_port);
    format!("{} > {} {what}: {reason}", word(from), word(to))
}
