//! What is counted: frames by port and reason, and by rule.

use netctl_common::abi::{Counter, RuleEntry, rule_flags};
use netctl_common::verdict::{Action, Direction, REASONS, Reason};
use serde::Serialize;

use crate::names::RuleName;
use crate::output::Row;
use crate::state::State;

/// What passed a second, between two looks.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Rate {
    packets_per_second: f64,
    bytes_per_second: f64,
}

impl Rate {
    /// `seconds` after `before`.
    pub(super) fn new(before: Counter, now: Counter, seconds: f64) -> Self {
        // Tenths are as exact as the clock.
        let rate =
            |before: u64, now: u64| (now.saturating_sub(before) as f64 / seconds * 10.0).round() / 10.0;
        Self {
            packets_per_second: rate(before.packets, now.packets),
            bytes_per_second: rate(before.bytes, now.bytes),
        }
    }

    fn cells(rate: Option<&Self>) -> [String; 2] {
        rate.map_or_else(
            || ["-", "-"].map(str::to_owned),
            |rate| [rate.packets_per_second, rate.bytes_per_second].map(|number| number.to_string()),
        )
    }
}

/// A row that has counted something.
pub(super) trait Counted {
    fn counter(&self) -> Counter;
    /// Whether they are the same row of two looks.
    fn is(&self, other: &Self) -> bool;
    fn set_rate(&mut self, rate: Rate);
}

#[derive(Serialize)]
pub(super) struct ReasonRow {
    /// `-`: interfaces that are no ports of the running policy.
    port: String,
    direction: &'static str,
    reason: &'static str,
    packets: u64,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none", flatten)]
    rate: Option<Rate>,
}

impl Row for ReasonRow {
    const HEADS: &'static [&'static str] = &["PORT", "DIRECTION", "REASON", "PACKETS", "BYTES"];
    fn cells(&self) -> Vec<String> {
        let [packets, bytes] = [self.packets, self.bytes].map(|n| n.to_string());
        vec![self.port.clone(), self.direction.to_owned(), self.reason.to_owned(), packets, bytes]
    }
}

impl Counted for ReasonRow {
    fn counter(&self) -> Counter {
        Counter { packets: self.packets, bytes: self.bytes }
    }
    fn is(&self, other: &Self) -> bool {
        (&self.port, self.direction, self.reason) == (&other.port, other.direction, other.reason)
    }
    fn set_rate(&mut self, rate: Rate) {
        self.rate = Some(rate);
    }
}

#[derive(Serialize)]
pub(super) struct RuleRow {
    #[serde(flatten)]
    rule: RuleName,
    action: &'static str,
    /// Counts what the rule would have decided.
    audited: bool,
    packets: u64,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none", flatten)]
    rate: Option<Rate>,
}

impl RuleRow {
    pub(super) fn new(state: &State, index: u32, (entry, counter): &(RuleEntry, Counter)) -> Option<Self> {
        Some(Self {
            rule: state.names.rule(index)?.clone(),
            action: Action::decode(entry.action).name(),
            audited: entry.flags & rule_flags::AUDIT != 0,
            packets: counter.packets,
            bytes: counter.bytes,
            rate: None,
        })
    }

    /// It never decided.
    pub(super) fn is_unused(&self) -> bool {
        self.packets == 0
    }
}

impl Row for RuleRow {
    const HEADS: &'static [&'static str] = &["RULE", "LINE", "ACTION", "PACKETS", "BYTES", "TEXT"];
    fn cells(&self) -> Vec<String> {
        let [packets, bytes] = [self.packets, self.bytes].map(|n| n.to_string());
        let (number, line) = (self.rule.number.to_string(), self.rule.line.to_string());
        let would = if self.audited { "would " } else { "" };
        vec![number, line, format!("{would}{}", self.action), packets, bytes, self.rule.text.clone()]
    }
}

impl Counted for RuleRow {
    fn counter(&self) -> Counter {
        Counter { packets: self.packets, bytes: self.bytes }
    }
    /// A rule that says the same goes on counting, wherever a new document has it.
    fn is(&self, other: &Self) -> bool {
        (self.rule.number, &self.rule.text) == (other.rule.number, &other.rule.text)
    }
    fn set_rate(&mut self, rate: Rate) {
        self.rate = Some(rate);
    }
}

/// A row with its rate.
#[derive(Serialize)]
#[serde(transparent)]
pub(super) struct Rated<'a, R>(pub &'a R);

impl Row for Rated<'_, ReasonRow> {
    const HEADS: &'static [&'static str] =
        &["PORT", "DIRECTION", "REASON", "PACKETS", "BYTES", "PACKETS/S", "BYTES/S"];
    fn cells(&self) -> Vec<String> {
        let mut cells = self.0.cells();
        cells.extend(Rate::cells(self.0.rate.as_ref()));
        cells
    }
}

impl Row for Rated<'_, RuleRow> {
    const HEADS: &'static [&'static str] =
        &["RULE", "LINE", "ACTION", "PACKETS", "BYTES", "PACKETS/S", "BYTES/S", "TEXT"];
    fn cells(&self) -> Vec<String> {
        let mut cells = self.0.cells();
        let text = cells.pop();
        cells.extend(Rate::cells(self.0.rate.as_ref()));
        cells.extend(text);
        cells
    }
}

/// Of one port; only what was counted at all.
pub(super) fn reasons(port: &str, counters: &[Counter]) -> Vec<ReasonRow> {
    let each = |direction: Direction| Reason::ALL.iter().map(move |reason| (direction, *reason));
    Direction::ALL
        .into_iter()
        .flat_map(each)
        .filter_map(|(direction, reason)| {
            let counter = counters.get(direction as usize * REASONS + reason as usize)?;
            (counter.packets > 0).then(|| ReasonRow {
                port: port.to_owned(),
                direction: direction.name(),
                reason: reason.name(),
                packets: counter.packets,
                bytes: counter.bytes,
                rate: None,
            })
        })
        .collect()
}

/// Gives rows the rates since `before`; what was not there then had counted nothing.
pub(super) fn rate<R: Counted>(rows: &mut [R], before: &[R], seconds: f64) {
    for row in rows {
        let was = before.iter().find(|other| row.is(other)).map(Counted::counter).unwrap_or_default();
        row.set_rate(Rate::new(was, row.counter(), seconds));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_what_passed_a_second_and_never_negative() {
        let counter = |packets, bytes| Counter { packets, bytes };
        let rate = |before, now, seconds| {
            let Rate { packets_per_second, bytes_per_second } = Rate::new(before, now, seconds);
            (packets_per_second, bytes_per_second)
        };
        assert_eq!(rate(counter(10, 1000), counter(40, 2000), 2.0), (15.0, 500.0));
        assert_eq!(rate(counter(0, 0), counter(1, 100), 3.0), (0.3, 33.3));
        assert_eq!(rate(counter(10, 1000), counter(0, 0), 2.0), (0.0, 0.0), "made anew");
    }
}
