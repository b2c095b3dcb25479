//! `guards`, `vlan` and `vlans` of a port, and its `limits`: what differs from the default.

use std::fmt;
use std::ops::RangeInclusive;

use super::List;
use crate::config::guarding::{Limits, Vlans};
use crate::config::model::Port;

pub(super) fn print_port(f: &mut fmt::Formatter<'_>, port: &Port) -> fmt::Result {
    let off: Vec<String> = port.guards.off().map(|name| format!("{name} = false")).collect();
    if !off.is_empty() {
        writeln!(f, "guards = {{ {} }}", off.join(", "))?;
    }
    if let Some(vlan) = port.vlans.untagged() {
        writeln!(f, "vlan = {vlan}")?;
    }
    if !port.vlans.trunk.is_empty() {
        let quoted = |vlans: String| if vlans.contains('-') { format!("\"{vlans}\"") } else { vlans };
        writeln!(f, "vlans = {}", List(print_trunk(&port.vlans).into_iter().map(quoted)))?;
    }
    Ok(())
}

/// The VLANs of a trunk: `10` and `20-30`.
pub fn print_trunk(vlans: &Vlans) -> Vec<String> {
    let text = |range: RangeInclusive<u16>| match range.into_inner() {
        (first, last) if first == last => first.to_string(),
        (first, last) => format!("{first}-{last}"),
    };
    vlans.ranges().into_iter().map(text).collect()
}

/// What a port has besides its addresses, for one line: `vlan 10, without guard router`. Empty where that is the default.
pub fn print_guarding(port: &Port) -> String {
    let mut parts = Vec::new();
    if let Some(vlan) = port.vlans.untagged() {
        parts.push(format!("vlan {vlan}"));
    }
    if !port.vlans.trunk.is_empty() {
        parts.push(format!("vlans {}", print_trunk(&port.vlans).join(" ")));
    }
    parts.extend(port.guards.off().map(|name| format!("without guard {name}")));
    if port.limits != Limits::default() {
        parts.push(format!("limits {}", port.limits));
    }
    parts.join(", ")
}
