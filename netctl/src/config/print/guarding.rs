//! `guards`, `vlan` and `vlans` of a port: what differs from the default.

use std::fmt;

use netctl_common::abi::guards;

use super::List;
use crate::config::guarding::{Guards, Vlans};
use crate::config::model::Port;

pub(super) fn print_port(f: &mut fmt::Formatter<'_>, port: &Port) -> fmt::Result {
    let off: Vec<String> = off(port.guards).map(|name| format!("{name} = false")).collect();
    if !off.is_empty() {
        writeln!(f, "guards = {{ {} }}", off.join(", "))?;
    }
    let Vlans { access, trunk, native_untagged } = &port.vlans;
    if let Some(vlan) = access.or(native_untagged.then_some(0)) {
        writeln!(f, "vlan = {vlan}")?;
    }
    if !trunk.is_empty() {
        writeln!(f, "vlans = {}", List(ranges(&port.vlans).into_iter()))?;
    }
    Ok(())
}

/// Guards that are off, by name.
fn off(on: Guards) -> impl Iterator<Item = &'static str> {
    guards::NAMES.into_iter().filter(move |(_, guard)| on.0 & guard == 0).map(|(name, _)| name)
}

/// The VLANs of a trunk: `10` and `"20-30"`.
fn ranges(vlans: &Vlans) -> Vec<String> {
    let mut runs: Vec<(u16, u16)> = Vec::new();
    for vlan in &vlans.trunk {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == *vlan => *last = *vlan,
            _ => runs.push((*vlan, *vlan)),
        }
    }
    let text = |(first, last)| match first == last {
        true => format!("{first}"),
        false => format!("\"{first}-{last}\""),
    };
    runs.into_iter().map(text).collect()
}

/// What a port has besides its addresses, for one line: `vlan 10, without router`. Empty where that is the default.
pub fn print_guarding(port: &Port) -> String {
    let Vlans { access, native_untagged, .. } = &port.vlans;
    let mut parts = Vec::new();
    if let Some(vlan) = access.or(native_untagged.then_some(0)) {
        parts.push(format!("vlan {vlan}"));
    }
    if !port.vlans.trunk.is_empty() {
        parts.push(format!("vlans {}", ranges(&port.vlans).join(" ").replace('"', "")));
    }
    parts.extend(off(port.guards).map(|name| format!("without guard {name}")));
    parts.join(", ")
}
