//! One flow in words.

use std::net::IpAddr;

use netctl_common::abi::{FlowEntry, FlowKey};
use netctl_common::flow;
use netctl_common::verdict::{Action, Direction};
use serde::Serialize;

use crate::names::{self, RuleName};
use crate::output::Row;
use crate::state::State;
use crate::would::Would;

#[derive(Serialize)]
pub(super) struct FlowRow<'a> {
    pub port: &'a str,
    /// The side that opened it.
    source: IpAddr,
    destination: IpAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_port: Option<u16>,
    service: String,
    /// Of the opener, at this port.
    direction: &'static str,
    state: &'static str,
    action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a RuleName>,
    /// What would have been decided but for audit mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    would: Option<Would>,
    generation: u32,
    /// Seconds since the first frame.
    age: f64,
    /// Seconds since the last frame.
    idle: f64,
    from_guest_packets: u64,
    from_guest_bytes: u64,
    to_guest_packets: u64,
    to_guest_bytes: u64,
    /// With `--rates`.
    #[serde(skip_serializing_if = "Option::is_none", flatten)]
    pub rates: Option<Rates>,
}

/// What passed between two looks, a second.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Rates {
    from_guest_packets_per_second: f64,
    from_guest_bytes_per_second: f64,
    to_guest_packets_per_second: f64,
    to_guest_bytes_per_second: f64,
}

impl Rates {
    /// `seconds` between `before` and `now`; a flow that was not there before began at 0.
    pub(super) fn new(before: Option<&FlowEntry>, now: &FlowEntry, seconds: f64) -> Self {
        let rate = |direction: usize, of: fn(&netctl_common::abi::Counter) -> u64| {
            let before = before.map_or(0, |entry| of(&entry.counters[direction]));
            let passed = of(&now.counters[direction]).saturating_sub(before) as f64;
            // Tenths are as exact as the clock.
            (passed / seconds * 10.0).round() / 10.0
        };
        Self {
            from_guest_packets_per_second: rate(0, |counter| counter.packets),
            from_guest_bytes_per_second: rate(0, |counter| counter.bytes),
            to_guest_packets_per_second: rate(1, |counter| counter.packets),
            to_guest_bytes_per_second: rate(1, |counter| counter.bytes),
        }
    }
}

impl<'a> FlowRow<'a> {
    pub(super) fn new(
        port: &'a str,
        (key, entry): (&FlowKey, &FlowEntry),
        (state, now): (&'a State, u32),
    ) -> Self {
        let opener = Direction::decode(entry.opener);
        let opening = key.opening(opener);
        let [from_guest, to_guest] = entry.counters;
        // A flow of an older generation was decided by a rule whose number means another one now.
        let is_current = entry.generation == state.root.generation;
        Self {
            port,
            source: names::address(opening.source),
            destination: names::address(opening.destination),
            source_port: (opening.source_port != 0).then_some(opening.source_port),
            service: names::service(key.protocol, opening.destination_port),
            direction: opener.name(),
            state: flow::state_name(key.protocol, entry.seen),
            action: Action::decode(u32::from(entry.action)).name(),
            rule: state.names.rule(entry.rule).filter(|_| is_current),
            would: Would::of(entry.audited, &state.config, &state.names).filter(|_| is_current),
            generation: entry.generation,
            age: flow::seconds(now.wrapping_sub(entry.created)),
            idle: flow::seconds(now.wrapping_sub(entry.last_seen)),
            from_guest_packets: from_guest.packets,
            from_guest_bytes: from_guest.bytes,
            to_guest_packets: to_guest.packets,
            to_guest_bytes: to_guest.bytes,
            rates: None,
        }
    }

    fn source(&self) -> String {
        self.source_port.map_or_else(|| self.source.to_string(), |port| format!("{}:{port}", self.source))
    }

    fn verdict(&self) -> String {
        match &self.would {
            Some(would) => format!("{}, would {}", self.action, would.action),
            None => self.action.to_owned(),
        }
    }

    /// For a stream of lines.
    pub(super) fn line(&self, event: &str) -> String {
        let rule = self.rule.map_or_else(String::new, |rule| format!("  {rule}"));
        format!(
            "{event:<6} {:<12} {} > {}  {}  {}  {}  from-guest {}/{}  to-guest {}/{}{rule}",
            self.port,
            self.source(),
            self.destination,
            self.service,
            self.state,
            self.verdict(),
            self.from_guest_packets,
            self.from_guest_bytes,
            self.to_guest_packets,
            self.to_guest_bytes,
        )
    }
}

impl Row for FlowRow<'_> {
    const HEADS: &'static [&'static str] = &[
        "PORT",
        "FROM",
        "TO",
        "SERVICE",
        "STATE",
        "VERDICT",
        "RULE",
        "AGE",
        "IDLE",
        "FROM-GUEST",
        "TO-GUEST",
    ];
    fn cells(&self) -> Vec<String> {
        vec![
            self.port.to_owned(),
            self.source(),
            self.destination.to_string(),
            self.service.clone(),
            self.state.to_owned(),
            self.verdict(),
            self.rule.map_or_else(|| "-".to_owned(), |rule| rule.number.to_string()),
            format!("{:.1}s", self.age),
            format!("{:.1}s", self.idle),
            format!("{}/{}", self.from_guest_packets, self.from_guest_bytes),
            format!("{}/{}", self.to_guest_packets, self.to_guest_bytes),
        ]
    }
}

/// A flow with its rates.
#[derive(Serialize)]
#[serde(transparent)]
pub(super) struct RatedRow<'a>(pub FlowRow<'a>);

impl Row for RatedRow<'_> {
    const HEADS: &'static [&'static str] = &[
        "PORT",
        "FROM",
        "TO",
        "SERVICE",
        "STATE",
        "VERDICT",
        "RULE",
        "AGE",
        "IDLE",
        "FROM-GUEST",
        "TO-GUEST",
        "FROM-GUEST/S",
        "TO-GUEST/S",
    ];
    fn cells(&self) -> Vec<String> {
        let mut cells = self.0.cells();
        cells.extend(self.0.rates.iter().flat_map(|rates| {
            [
                format!("{}/{}", rates.from_guest_packets_per_second, rates.from_guest_bytes_per_second),
                format!("{}/{}", rates.to_guest_packets_per_second, rates.to_guest_bytes_per_second),
            ]
        }));
        cells
    }
}
