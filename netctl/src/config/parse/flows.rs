//! `[flows]`: how long a silent connection is remembered.

use netctl_common::flow::{DEFAULT_TIMEOUTS, TIMEOUTS};

use super::section::{Field, Section};
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
pub(in crate::config) const MAX_TIMEOUT: u32 = 7 * 24 * 3600;

/// Suffixes and what they stand for, in seconds.
const UNITS: [(char, u32); 4] = [('s', 1), ('m', 60), ('h', 3600), ('d', 24 * 3600)];

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
        Value::String(text) => (of_text(text), quoted(text)),
        _ => return table.wrong(name, "a number of seconds, or a time like \"5m\"", node, report),
    };
    let fits = seconds.filter(|seconds| (1..=MAX_TIMEOUT).contains(seconds));
    if fits.is_none() {
        let help = "write seconds, or a number with s, m, h or d, from 1s to 7d";
        report.error(node.span, format!("{} cannot be {written}", quoted(name)), help);
    }
    fits
}

/// A number and a unit.
fn of_text(text: &str) -> Option<u32> {
    let (unit, seconds) = UNITS.into_iter().find(|(unit, _)| text.ends_with(*unit))?;
    let number = text.strip_suffix(unit)?;
    // `parse` takes a plus sign as well.
    let digits = number.bytes().all(|byte| byte.is_ascii_digit());
    let number: u32 = if digits { number.parse().ok()? } else { return None };
    number.checked_mul(seconds)
}

/// As the document has it: the largest unit that divides it.
pub fn print_timeout(seconds: u32) -> String {
    let unit = UNITS.into_iter().rev().find(|(_, unit)| seconds.is_multiple_of(*unit));
    let (unit, size) = unit.unwrap_or(('s', 1));
    format!("{}{unit}", seconds / size)
}
