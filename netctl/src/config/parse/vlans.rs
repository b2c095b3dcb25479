//! `vlan` and `vlans` of a port.

use std::collections::BTreeSet;

use super::kind::MAX_VLAN;
use super::section::{Section, list_fits};
use crate::config::escape::quoted;
use crate::config::guarding::Vlans;
use crate::config::model::Device;
use crate::config::report::Report;
use crate::config::source::Span;
use crate::config::tree::{Node, Value};

pub(super) fn vlans(section: &Section<'_, '_>, device: Device, report: &mut Report) -> Vlans {
    let trunk = section.node("vlans").map(|node| trunk(section, node, report)).unwrap_or_default();
    let vlan = section.integer("vlan", 0..=MAX_VLAN, report);
    let vlans = Vlans {
        access: vlan.filter(|vlan| *vlan != 0),
        native_untagged: vlan == Some(0) && section.entry("vlans").is_some(),
        trunk,
    };
    if let Some(node) = section.node("vlan") {
        check_access(section, &vlans, vlan, node.span, report);
    }
    for key in ["vlan", "vlans"] {
        if let Some(node) = section.node(key)
            && !device.is_filtered()
        {
            let message =
                format!("a port that is not filtered has no `{key}`: nothing on the host tags its frames");
            report.error(node.span, message, "remove it; a `pool` has a `vlan` that the NIC itself tags");
        }
    }
    vlans
}

fn check_access(
    section: &Section<'_, '_>,
    vlans: &Vlans,
    vlan: Option<u16>,
    place: Span,
    report: &mut Report,
) {
    if vlan == Some(0) && section.entry("vlans").is_none() {
        let message = "`vlan = 0` says something only beside `vlans`: untagged frames are in no VLAN";
        report.error(place, message, "remove it, or write a VLAN from 1 to 4094");
    }
    if let Some(vlan) = vlans.access
        && vlans.trunk.contains(&vlan)
    {
        let message = format!("VLAN {vlan} is untagged (`vlan`) and tagged (`vlans`) to the guest");
        report.error(place, message, "take it out of one of the two");
    }
}

/// The VLANs of a list of numbers and ranges.
fn trunk(section: &Section<'_, '_>, list: &Node<'_>, report: &mut Report) -> BTreeSet<u16> {
    const WANT: &str = "a list of VLANs and ranges of them";
    let mut trunk = BTreeSet::new();
    let Value::Array(items) = &list.value else {
        section.wrong::<()>("vlans", WANT, list, report);
        return trunk;
    };
    if items.is_empty() {
        report.error(list.span, "`vlans` is empty", "name at least one VLAN, or remove it");
    }
    if !list_fits("vlans", items.len(), list.span, report) {
        return trunk;
    }
    for item in items {
        let range = match &item.value {
            Value::Integer(number) => Some((*number, *number)),
            Value::String(text) => range(text),
            _ => {
                section.wrong::<()>("vlans", WANT, item, report);
                continue;
            }
        };
        let fits = |number: i64| u16::try_from(number).ok().filter(|vlan| (1..=MAX_VLAN).contains(vlan));
        match range.and_then(|(first, last)| Some((fits(first)?, fits(last)?))) {
            Some((first, last)) if first <= last => trunk.extend(first..=last),
            _ => refuse(item, report),
        }
    }
    trunk
}

/// First and last of "20-30", written as numbers are.
fn range(text: &str) -> Option<(i64, i64)> {
    let number = |digits: &str| {
        let value = digits.parse::<u16>().ok().filter(|value| value.to_string() == digits)?;
        Some(i64::from(value))
    };
    let (first, last) = text.split_once('-')?;
    Some((number(first)?, number(last)?))
}

fn refuse(item: &Node<'_>, report: &mut Report) {
    let message = match &item.value {
        Value::Integer(number) => format!("{number} is no VLAN"),
        Value::String(text) => format!("{} is no range of VLANs", quoted(text)),
        _ => return,
    };
    report.error(item.span, message, "write a number from 1 to 4094, or a range like \"20-30\"");
}
