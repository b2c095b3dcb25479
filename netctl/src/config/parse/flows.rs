//! `[flows]`: how long a silent connection is remembered.

use netctl_common::flow::{DEFAULT_TIMEOUTS, TIMEOUTS};

use super::section::{Field, Section};
use crate::config::duration::{DAY, FORMS, parse_seconds, print_seconds};
use crate::config::escape::quoted;
use crate::config::report::Report;
use crate::config::tree::{Entry, Node, Value};

pub(in crate::config) const FIELDS: &[Field] =
    &[Field { name: "timeouts", example: "timeouts = { tcp-established = \"2h\", udp-unanswered = 30 }" }];

pub(in crate::config) const TIMEOUT_FIELDS: [Field; TIMEOUTS] = {
    let mut fields = [const { Field { name: "", example: "tcp-established = \"2h\"" } }; TIMEOUTS];
    let mut index = 0;
    while index < TIMEOUTS {
        fields[index].name = DEFAULT_TIMEOUTS[index].0;
        index += 1;
    }
    fields
};

/// Seconds: a week. Ticks of twice as much would still be told from the past (`flow::tick`).
pub(in crate::config) const MAX_TIMEOUT: u32 = 7 * DAY;

/// Seconds, by `flow::Timeout`; what is not named has its default.
pub(super) fn timeouts(entry: Option<&Entry<'_>>, report: &mut Report) -> [u32; TIMEOUTS] {
    let mut timeouts = DEFAULT_TIMEOUTS.map(|(_, seconds)| seconds);
    let flows = entry.and_then(|entry| Section::of(entry, FIELDS, "`flows`", report));
    let Some(table) = flows.and_then(|flows| flows.entry("timeouts")) else { return timeouts };
    let Some(table) = Section::of(table, &TIMEOUT_FIELDS, "`timeouts`", report) else { return timeouts };
    for (timeout, (name, _)) in timeouts.iter_mut().zip(DEFAULT_TIMEOUTS) {
        let read = table.node(name).and_then(|node| seconds(&table, name, node, report));
        *timeout = read.unwrap_or(*timeout);
    }
    timeouts
}

fn seconds(table: &Section<'_, '_>, name: &str, node: &Node<'_>, report: &mut Report) -> Option<u32> {
    let (seconds, written) = match &node.value {
        Value::Integer(number) => (u32::try_from(*number).ok(), number.to_string()),
        Value::String(text) => (parse_seconds(text), quoted(text)),
        _ => return table.wrong(name, "a number of seconds, or a time like \"5m\"", node, report),
    };
    let fits = seconds.filter(|seconds| (1..=MAX_TIMEOUT).contains(seconds));
    if fits.is_none() {
        let help = format!("write {FORMS}, from 1s to {}", print_seconds(MAX_TIMEOUT));
        report.error(node.span, format!("{} cannot be {written}", quoted(name)), help);
    }
    fits
}
