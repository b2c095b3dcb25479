//! The steps of one decision, each with its verdict and what it saw.

use netctl_common::abi::{NO_RULE, port_flags};
use netctl_common::verdict::{Direction, Reason, Verdict};
use serde::Serialize;

use super::held;
use super::party::End;
use super::seen::Seen;
use crate::config::{Config, NetworkKind};
use crate::names::{self, Names};

/// One step of a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stage {
    /// `frame`, `vlan`, `guards`, `flow`, `classes`, `chain`, `rule`, `limits`, `forward`.
    pub step: &'static str,
    /// `pass`, `deny`, `reject`; `none` where there is nothing to ask; `skip` where it was not asked.
    pub verdict: &'static str,
    pub text: String,
}

/// Steps, in the order in which a frame goes through them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Frame,
    Vlan,
    Guards,
    Flow,
    Rules,
    Limits,
    Forward,
}

/// Where a decision ended: at the end, if the frame goes on.
const fn ended(verdict: &Verdict) -> Place {
    if verdict.allows() {
        return Place::Forward;
    }
    match verdict.reason {
        Reason::NoPolicy
        | Reason::UnknownPort
        | Reason::Internal
        | Reason::Truncated
        | Reason::BadHeader
        | Reason::Fragment
        | Reason::ExtensionChain
        | Reason::BadTcpFlags => Place::Frame,
        Reason::VlanTag => Place::Vlan,
        Reason::Flow
        | Reason::Related
        | Reason::NoFlow
        | Reason::UnrelatedError
        | Reason::Revoked
        | Reason::TcpState
        | Reason::FlowTable => Place::Flow,
        Reason::Rule | Reason::Default | Reason::Audit | Reason::UnknownEthertype => Place::Rules,
        Reason::FlowLimit
        | Reason::PacketLimit
        | Reason::BitLimit
        | Reason::BroadcastLimit
        | Reason::MulticastLimit
        | Reason::UnknownUnicastLimit => Place::Limits,
        _ => Place::Guards,
    }
}

pub(super) struct At<'a> {
    pub(super) config: &'a Config,
    pub(super) names: &'a Names,
    pub(super) port: &'a str,
    pub(super) direction: Direction,
    pub(super) verdict: Verdict,
    pub(super) seen: &'a Seen,
    pub(super) ends: &'a [End; 2],
    /// The local port that an interface is.
    pub(super) port_at: &'a dyn Fn(u32) -> Option<String>,
    /// Whether flows were looked at.
    pub(super) as_new: bool,
}

impl At<'_> {
    /// Up to the one that denied.
    pub(super) fn stages(&self) -> Vec<Stage> {
        let end = ended(&self.verdict);
        let mut stages = Vec::new();
        let mut add = |place: Place, told: Option<Stage>| {
            if place <= end {
                stages.extend(told);
            }
        };
        add(Place::Frame, Some(self.frame(end)));
        add(Place::Vlan, self.vlan(end));
        add(Place::Guards, Some(self.guards(end)));
        add(Place::Flow, self.flow(end));
        if end >= Place::Flow {
            stages.extend(self.rules(end));
        }
        if end >= Place::Limits {
            stages.push(self.limits(end));
        }
        if end == Place::Forward {
            stages.push(self.forward());
        }
        stages
    }

    const fn verdict_at(&self, place: Place, end: Place) -> &'static str {
        if place as u8 == end as u8 && !self.verdict.allows() { self.verdict.action.name() } else { "pass" }
    }

    fn because(&self) -> String {
        self.verdict.reason.describe().trim().trim_end_matches('.').to_owned()
    }

    fn frame(&self, end: Place) -> Stage {
        let answer = &self.seen.answer;
        let text = if end == Place::Frame {
            self.because()
        } else {
            let [source, destination] = [answer.source, answer.destination].map(names::address);
            let macs = || [answer.source_mac, answer.destination_mac].map(names::mac);
            let service = self.seen.service();
            if self.seen.is_ip() {
                let from = if matches!(answer.protocol, 6 | 17 | 132) {
                    format!(", source port {}", answer.source_port)
                } else {
                    String::new()
                };
                format!("{service} {source} > {destination}{from}")
            } else {
                let [source, destination] = macs();
                format!("{service} {source} > {destination}")
            }
        };
        Stage { step: "frame", verdict: self.verdict_at(Place::Frame, end), text }
    }

    fn vlan(&self, end: Place) -> Option<Stage> {
        let (vlan, tag) = (self.seen.answer.vlan, self.seen.answer.tag & 0xfff);
        let goes_on = if tag == 0 { "without a tag".to_owned() } else { format!("with tag {tag}") };
        let text = match end {
            Place::Vlan => self.because(),
            _ if vlan == 0 => return None,
            _ => format!("VLAN {vlan} on the network; goes on {goes_on}"),
        };
        Some(Stage { step: "vlan", verdict: self.verdict_at(Place::Vlan, end), text })
    }

    fn guards(&self, end: Place) -> Stage {
        let verdict = self.verdict_at(Place::Guards, end);
        if verdict != "pass" {
            return Stage { step: "guards", verdict, text: self.because() };
        }
        let whose = match self.direction {
            Direction::FromGuest => format!("its sender's addresses are {}'s", self.port),
            Direction::ToGuest => format!("it is for {}, and from who it says", self.port),
        };
        let by_flow = self.seen.opener().is_some() && !self.seen.rules_asked();
        let mut text =
            if by_flow { "the MAC address; addresses when the flow began".to_owned() } else { whose };
        let off = self.config.ports.get(self.port).map(|port| port.guards.off().collect::<Vec<_>>());
        if let Some(off) = off.filter(|off| !off.is_empty()) {
            text += &format!("; without guard {}", off.join(", "));
        }
        Stage { step: "guards", verdict, text }
    }

    fn flow(&self, end: Place) -> Option<Stage> {
        let verdict = self.verdict_at(Place::Flow, end);
        let stage = |verdict, text| Some(Stage { step: "flow", verdict, text });
        if let Some(flow) = self.seen.flow(self.names) {
            let rule = flow
                .rule
                .as_ref()
                .map_or_else(String::new, |rule| format!(", decided by {rule}: {}", rule.text));
            let (state, opened) = (flow.state, flow.opened);
            let (age, idle) = (flow.age_seconds, flow.idle_seconds);
            let denied = if verdict == "pass" { String::new() } else { format!(": {}", self.because()) };
            return stage(
                verdict,
                format!("{state}, opened {opened} {age} s ago, silent for {idle} s{rule}{denied}"),
            );
        }
        match verdict {
            "pass" if self.as_new && self.seen.is_ip() => stage("skip", "not asked (--as-new)".to_owned()),
            "pass" if self.seen.flow_asked() => stage("none", "no flow; the rules decide".to_owned()),
            "pass" => None,
            _ => stage(verdict, self.because()),
        }
    }

    /// Classes, chains and the rule.
    fn rules(&self, end: Place) -> Vec<Stage> {
        if !self.seen.rules_asked() {
            return Vec::new();
        }
        let pass = |step, text| Stage { step, verdict: "pass", text };
        let rule = self.names.rule(self.verdict.rule);
        let decided = match rule {
            Some(rule) => format!("{rule}: {}", rule.text),
            None if self.verdict.reason == Reason::UnknownEthertype => self.because(),
            None => format!("the default is {}", self.config.policy.default.name()),
        };
        let verdict = match end {
            Place::Flow | Place::Rules => self.verdict.action.name(),
            _ => "pass",
        };
        vec![
            pass("classes", self.classes()),
            pass("chain", self.chains()),
            Stage { step: "rule", verdict, text: decided },
        ]
    }

    fn classes(&self) -> String {
        let [source, destination] = self.ends;
        let told = |end: &End| {
            let class = end.class.map_or_else(String::new, |class| format!(" (class {class})"));
            format!("{} is {}{class}", end.address, end.is.join(", "))
        };
        format!("{}; {}", told(source), told(destination))
    }

    fn chains(&self) -> String {
        let told = |(what, rule): (&str, u32)| match self.names.rule(rule) {
            Some(rule) => format!("{what}: rule {}", rule.number),
            None => format!("{what}: {}", if rule == NO_RULE { "none" } else { "?" }),
        };
        let [to, from, both] = self.seen.answer.chains;
        [("from any", to), ("to any", from), ("between the two", both)].map(told).join(", ")
    }

    fn limits(&self, end: Place) -> Stage {
        let verdict = self.verdict_at(Place::Limits, end);
        if verdict != "pass" {
            return Stage { step: "limits", verdict, text: self.because() };
        }
        let limits = self.config.ports.get(self.port).map(|port| {
            let of_side = port.limits.each().filter(|(side, ..)| *side == self.direction);
            of_side.map(|(_, limit, _)| limit.name()).collect::<Vec<_>>()
        });
        match limits.filter(|limits| !limits.is_empty()) {
            Some(limits) if self.seen.answer.port_flags & port_flags::LIMITED != 0 => {
                Stage { step: "limits", verdict, text: format!("{} have tokens", limits.join(", ")) }
            }
            _ => Stage { step: "limits", verdict: "none", text: "no limit in this direction".to_owned() },
        }
    }

    fn forward(&self) -> Stage {
        let answer = &self.seen.answer;
        let copy = if answer.host_copy == 0 { "" } else { "; a copy to the host" };
        let text = match (self.direction, answer.redirect) {
            (Direction::ToGuest, _) => "to the guest".to_owned(),
            (Direction::FromGuest, 0) => format!("{}{copy}", self.way_on()),
            (Direction::FromGuest, ifindex) => match (self.port_at)(ifindex) {
                Some(port) => format!("redirected to port {port}{copy}"),
                None => format!("redirected to the host, in at interface {ifindex}"),
            },
        };
        Stage { step: "forward", verdict: "pass", text }
    }

    /// Without a redirect.
    fn way_on(&self) -> String {
        let network = self.config.ports.get(self.port).map(|port| port.network.as_str());
        let Some(network) = network.and_then(|name| self.config.networks.get(name)) else {
            return "on, by the kernel's own way".to_owned();
        };
        let name = &network.interface;
        match network.kind {
            NetworkKind::Bridge => format!("on to bridge {name}"),
            NetworkKind::Macvlan(_) => format!("on to the macvlan driver on {name}"),
            NetworkKind::Vepa(_) => format!("on to the switch behind {name}"),
            NetworkKind::Passthrough => "on to its uplink".to_owned(),
        }
    }
}

/// Whether a reason is a guard's or a limit's.
pub(super) fn is_held(reason: Reason, direction: Direction) -> bool {
    held::guard(reason, direction).is_some() || held::limit(reason).is_some() || reason == Reason::VlanTag
}
