//! `limits = { … }` of a port.

use std::ops::RangeInclusive;

use netctl_common::limit::Limit;

use super::section::{Field, Section};
use crate::config::guarding::{DirectionLimits, Limits, Rate};
use crate::config::rate::{Amount, amount};
use crate::config::report::Report;
use crate::config::tree::{Entry, Node, Value};

const DIRECTIONS: &[Field] = &[
    Field { name: "from-guest", example: "from-guest = { bits = \"100M\" }" },
    Field { name: "to-guest", example: "to-guest = { bits = \"1G\" }" },
];

const LIMITS: &[Field] = &[
    Field { name: "bits", example: "bits = \"100M\"" },
    Field { name: "packets", example: "packets = 10000" },
    Field { name: "broadcast", example: "broadcast = 50" },
    Field { name: "multicast", example: "multicast = 100" },
    Field { name: "unknown-unicast", example: "unknown-unicast = 50" },
    Field { name: "new-flows", example: "new-flows = 1000" },
];

const RATE: &[Field] =
    &[Field { name: "rate", example: "rate = \"1G\"" }, Field { name: "burst", example: "burst = \"256K\"" }];

pub(super) fn limits(port: &Section<'_, '_>, report: &mut Report) -> Limits {
    let Some(entry) = port.entry("limits") else { return Limits::default() };
    if ["vfio", "vdpa"].into_iter().any(|key| port.entry(key).is_some()) {
        let message =
            "a port whose guest drives its device itself cannot be limited: its frames pass the host by";
        report.error(entry.key, message, "remove it");
    }
    let Some(limits) = Section::of(entry, DIRECTIONS, "`limits`", report) else { return Limits::default() };
    Limits {
        from_guest: direction(&limits, "from-guest", report),
        to_guest: direction(&limits, "to-guest", report),
    }
}

fn direction(limits: &Section<'_, '_>, name: &str, report: &mut Report) -> DirectionLimits {
    let mut found = DirectionLimits::default();
    let Some(entry) = limits.entry(name) else { return found };
    let Some(section) = Section::of(entry, LIMITS, &format!("`{name}`"), report) else { return found };
    for limit in Limit::ALL {
        if let Some(entry) = section.entry(limit.name()) {
            *found.of_mut(limit) = rate(entry, limit, report);
        }
    }
    found
}

/// A rate, or a table of rate and burst.
fn rate(entry: &Entry<'_>, limit: Limit, report: &mut Report) -> Option<Rate> {
    let name = limit.name();
    if !matches!(entry.node.value, Value::Table(_)) {
        let per_second = number(&entry.node, name, Rate::rates(limit), report)?;
        return Some(Rate { per_second, burst: None });
    }
    let section = Section::of(entry, RATE, &format!("`{name}`"), report)?;
    if section.entry("rate").is_none() {
        section.missing("rate", &format!("`{name}`"), report);
    }
    let per_second = section.node("rate").and_then(|node| number(node, "rate", Rate::rates(limit), report));
    let burst = section.node("burst").and_then(|node| number(node, "burst", Rate::bursts(limit), report));
    let rate = Rate { per_second: per_second?, burst };
    if let (false, Some(node)) = (rate.fills(limit), section.node("burst")) {
        let message =
            format!("at this rate, `burst` of {} is more than an hour's", Amount(rate.burst_of(limit)));
        report.error(node.span, message, "a second's worth is plenty; leave it out for the default");
    }
    Some(rate)
}

fn number(node: &Node<'_>, name: &str, range: RangeInclusive<u64>, report: &mut Report) -> Option<u64> {
    let value = match &node.value {
        Value::Integer(value) => u64::try_from(*value).ok(),
        Value::String(text) => amount(text),
        Value::Invalid => return None,
        other => {
            let message = format!("`{name}` takes a number, not {}", other.kind());
            report.error(node.span, message, "write it like 500, \"10K\", \"100M\" or \"2.5G\"");
            return None;
        }
    };
    let fits = value.filter(|value| range.contains(value));
    if fits.is_none() {
        let (least, most) = (Amount(*range.start()), Amount(*range.end()));
        let message = format!("`{name}` is not a number from {least} to {most}");
        report.error(node.span, message, "write it like 500, \"10K\", \"100M\" or \"2.5G\"");
    }
    fits
}
