//! Rows that only the report has.

use netctl_common::abi::{Counter, RuleEntry, rule_flags};
use netctl_common::verdict::{Action, Direction, REASONS, Reason};
use serde::Serialize;

use crate::config::Diagnostic;
use crate::error::Error;
use crate::kernel::running::RunningPort;
use crate::metrics::FlowTable;
use crate::names::RuleName;
use crate::output::Row;
use crate::state::State;
use crate::told::FrameRow;

/// What was counted at a port, for one reason.
#[derive(Serialize)]
pub(super) struct CountRow {
    /// `-`: interfaces that are no ports of the running policy.
    port: String,
    direction: &'static str,
    reason: &'static str,
    packets: u64,
    bytes: u64,
    /// What the reason means.
    meaning: &'static str,
}

impl Row for CountRow {
    const HEADS: &'static [&'static str] = &["PORT", "DIRECTION", "REASON", "PACKETS", "BYTES", "MEANING"];
    fn cells(&self) -> Vec<String> {
        let [packets, bytes] = [self.packets, self.bytes].map(|number| number.to_string());
        let words = [self.direction, self.reason].map(str::to_owned);
        let [direction, reason] = words;
        vec![self.port.clone(), direction, reason, packets, bytes, self.meaning.trim().to_owned()]
    }
}

impl CountRow {
    /// Only what was counted at all.
    pub(super) fn of(port: &str, counters: &[Counter]) -> Vec<Self> {
        let each =
            Direction::ALL.into_iter().flat_map(|it| Reason::ALL.iter().map(move |reason| (it, *reason)));
        each.filter_map(|(direction, reason)| {
            let counter = counters.get(direction as usize * REASONS + reason as usize)?;
            (counter.packets > 0).then(|| Self {
                port: port.to_owned(),
                direction: direction.name(),
                reason: reason.name(),
                packets: counter.packets,
                bytes: counter.bytes,
                meaning: reason.describe(),
            })
        })
        .collect()
    }
}

/// A rule, and what it decided itself.
#[derive(Serialize)]
pub(super) struct RuleRow {
    #[serde(flatten)]
    rule: RuleName,
    action: &'static str,
    audited: bool,
    packets: u64,
    bytes: u64,
    /// It has decided nothing yet.
    pub(super) unused: bool,
}

impl Row for RuleRow {
    const HEADS: &'static [&'static str] = &["RULE", "LINE", "ACTION", "PACKETS", "BYTES", "NAME", "TEXT"];
    fn cells(&self) -> Vec<String> {
        let [packets, bytes] = [self.packets, self.bytes].map(|number| number.to_string());
        let would = if self.audited { "would " } else { "" };
        vec![
            self.rule.number.to_string(),
            self.rule.line.to_string(),
            format!("{would}{}", self.action),
            if self.unused { "unused".to_owned() } else { packets },
            bytes,
            self.rule.name.clone().unwrap_or_default(),
            self.rule.text.clone(),
        ]
    }
}

impl RuleRow {
    pub(super) fn of(state: &State, index: u32, (entry, counter): (RuleEntry, Counter)) -> Option<Self> {
        Some(Self {
            rule: state.names.rule(index)?.clone(),
            action: Action::decode(entry.action).name(),
            audited: entry.flags & rule_flags::AUDIT != 0,
            packets: counter.packets,
            bytes: counter.bytes,
            unused: counter.packets == 0,
        })
    }
}

/// The flow tables of a port.
#[derive(Serialize)]
pub(super) struct FlowsRow {
    port: String,
    #[serde(flatten)]
    table: FlowTable,
    /// Entries that were ever made.
    made: u64,
}

impl Row for FlowsRow {
    const HEADS: &'static [&'static str] = &["PORT", "LIVE", "SETTLED", "OPENING", "SIZE", "MADE"];
    fn cells(&self) -> Vec<String> {
        let FlowTable { live, settled, opening, size } = self.table;
        let numbers = [live, settled, opening, size, self.made].map(|number| number.to_string());
        [self.port.clone()].into_iter().chain(numbers).collect()
    }
}

impl FlowsRow {
    pub(super) fn of(state: &State, port: &RunningPort) -> Result<Self, Error> {
        let table = FlowTable::of(state, port)?;
        Ok(Self { port: port.name(), table, made: state.kernel.flows_made(port.entry.id)?.packets })
    }
}

/// A frame that was denied.
#[derive(Serialize)]
#[serde(transparent)]
pub(super) struct DenyRow(pub(super) FrameRow);

impl Row for DenyRow {
    const HEADS: &'static [&'static str] =
        &["AT", "VERDICT", "PORT", "DIRECTION", "FROM", "TO", "SERVICE", "REASON", "RULE"];
    fn cells(&self) -> Vec<String> {
        let Self(row) = self;
        let end = |address: Option<std::net::IpAddr>, mac: &String| {
            address.map_or_else(|| mac.clone(), |address| address.to_string())
        };
        let rule = match (&row.rule, row.former_rule) {
            (Some(rule), _) => rule.to_string(),
            (None, Some(number)) => format!("rule {number} of generation {}", row.generation),
            (None, None) => String::new(),
        };
        vec![
            row.when.local(),
            row.action.to_owned(),
            row.port.clone(),
            row.direction.to_owned(),
            end(row.source, &row.source_mac),
            end(row.destination, &row.destination_mac),
            row.service.clone(),
            row.reason.to_owned(),
            rule,
        ]
    }
}

/// What is doubtful in the document that runs.
#[derive(Serialize)]
#[serde(transparent)]
pub(super) struct FindingRow(pub(super) Diagnostic);

impl Row for FindingRow {
    const HEADS: &'static [&'static str] = &["LINE", "WARNING", "WHAT TO DO"];
    fn cells(&self) -> Vec<String> {
        vec![self.0.line.to_string(), self.0.message.clone(), self.0.help.clone()]
    }
}
