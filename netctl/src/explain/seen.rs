//! What the data path saw of a frame on its way to a verdict.

use netctl_common::abi::{Answer, NO_CLASS};
use netctl_common::flow::{TICK_BITS, TIMEOUTS, state_name};
use netctl_common::frame::{Layer, number};
use netctl_common::verdict::Direction;
use serde::Serialize;

use crate::names::{Names, RuleName};

/// The answer of a twin, with what it takes to read it.
pub(super) struct Seen {
    pub(super) answer: Answer,
    flow_is_live: bool,
}

impl Seen {
    pub(super) fn new(answer: Answer, timeouts: &[u32; TIMEOUTS]) -> Self {
        let found = answer.flow.generation != 0;
        let flow_is_live = found && answer.flow.is_live(answer.key.protocol, answer.now, timeouts);
        Self { answer, flow_is_live }
    }

    pub(super) const fn layer(&self) -> Layer {
        match self.answer.layer {
            1 => Layer::Arp,
            2 => Layer::Ipv4,
            3 => Layer::Ipv6,
            _ => Layer::Other,
        }
    }

    pub(super) const fn is_ip(&self) -> bool {
        matches!(self.layer(), Layer::Ipv4 | Layer::Ipv6)
    }

    pub(super) const fn rules_asked(&self) -> bool {
        self.answer.service_class != NO_CLASS
    }

    /// Whether the table was asked for a flow.
    pub(super) const fn flow_asked(&self) -> bool {
        self.is_ip() && self.answer.key.protocol != 0
    }

    /// Who opened the flow that the frame belongs to, if there is one.
    pub(super) fn opener(&self) -> Option<Direction> {
        self.flow_is_live.then(|| Direction::decode(self.answer.flow.opener))
    }

    /// The flow, if there is one.
    pub(super) fn flow(&self, names: &Names) -> Option<Flow> {
        let Answer { flow, key, now, .. } = &self.answer;
        let seconds = |since: u32| (u64::from(now.wrapping_sub(since)) << TICK_BITS) / 1_000_000_000;
        self.flow_is_live.then(|| Flow {
            state: state_name(key.protocol, flow.seen),
            opened: Direction::decode(flow.opener).name(),
            generation: flow.generation,
            rule: names.rule(flow.rule).cloned(),
            age_seconds: seconds(flow.created),
            idle_seconds: seconds(flow.last_seen),
        })
    }

    /// Source and destination: IP addresses (also ARP's), or MAC addresses.
    pub(super) fn addresses(&self) -> [String; 2] {
        let answer = &self.answer;
        if self.layer() == Layer::Other {
            [answer.source_mac, answer.destination_mac].map(crate::names::mac)
        } else {
            [answer.source, answer.destination].map(|it| crate::names::address(it).to_string())
        }
    }

    /// Of a frame without IP, its ethertype; ARP has rules of its own.
    pub(super) fn service(&self) -> String {
        let answer = &self.answer;
        match self.layer() {
            Layer::Arp => "arp".to_owned(),
            Layer::Other if answer.ethertype == number::ETHERTYPE_ARP => "arp".to_owned(),
            Layer::Other => format!("ether/{:#06x}", answer.ethertype),
            Layer::Ipv4 | Layer::Ipv6 => crate::names::service(answer.protocol, answer.destination_port),
        }
    }
}

/// A flow that answers for a frame.
#[derive(Clone, Debug, Serialize)]
pub struct Flow {
    pub state: &'static str,
    /// The direction of its first frame.
    pub opened: &'static str,
    /// The generation that judged it last.
    pub generation: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleName>,
    pub age_seconds: u64,
    pub idle_seconds: u64,
}
