//! `log = true`, or `log = { rate = 10, packets = 5 }`: what is told of connections that a rule decides.

use std::num::NonZeroU16;

use super::section::{Field, Section};
use crate::config::model::Log;
use crate::config::report::Report;
use crate::config::tree::Value;

pub(in crate::config) const FIELDS: &[Field] =
    &[Field { name: "rate", example: "rate = 10" }, Field { name: "packets", example: "packets = 5" }];

/// `None`: nothing, or it was wrong, which is reported.
pub(super) fn log(rule: &Section<'_, '_>, report: &mut Report) -> Option<Log> {
    let entry = rule.entry("log")?;
    match &entry.node.value {
        Value::Boolean(log) => log.then_some(Log::OPENINGS),
        Value::Table(_) => {
            let table = Section::of(entry, FIELDS, "`log`", report)?;
            let rate = table.integer("rate", 1..=u16::MAX, report).and_then(NonZeroU16::new);
            let packets = table.integer("packets", 1..=u16::from(u8::MAX), report);
            let packets = packets.and_then(|packets| u8::try_from(packets).ok());
            Some(Log { rate, packets: packets.unwrap_or(Log::OPENINGS.packets) })
        }
        _ => rule.wrong("log", "true, false or a table", &entry.node, report),
    }
}
