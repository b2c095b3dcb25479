//! What carries netctl's mark and is not wanted any more.

use super::address;
use super::bridge::delete;
use super::change::{Action, Change, Object, Plan};
use super::link::{Address, Interface, Kind, Observed};
use super::plan::Wanted;
use super::tag::Tag;
use super::{pool, uplink};

/// Ports before bridges, so that no bridge is left with ports while it goes.
pub(super) fn plan(plan: &mut Plan, wanted: &Wanted<'_>, observed: &Observed) {
    let (ports, others): (Vec<_>, Vec<_>) =
        stale(wanted, observed).partition(|i| matches!(i.kind, Kind::Tap(_) | Kind::Macvtap(_)));
    plan.remove.extend(ports.iter().map(|port| remove(port)));
    pool::release(plan, wanted, observed);
    for interface in observed.interfaces() {
        if interface.tag().is_none() {
            plan.remove.extend(give_back(wanted, observed, interface));
        }
    }
    plan.remove.extend(others.iter().map(|bridge| remove(bridge)));
}

fn stale<'a>(wanted: &'a Wanted<'_>, observed: &'a Observed) -> impl Iterator<Item = &'a Interface> {
    let is_wanted = |name: &str| wanted.bridges.contains(name) || wanted.ports.contains(name);
    observed.interfaces().filter(move |i| {
        i.tag().is_some() && !is_wanted(&i.name) && !wanted.settled.deleted.contains(&i.index)
    })
}

fn remove(found: &Interface) -> Change {
    let object = match found.kind {
        Kind::Tap(_) => Object::Tap,
        Kind::Macvtap(_) => Object::Macvtap,
        _ => Object::Bridge,
    };
    let what = match found.tag() {
        Some(Tag::Port(name)) => format!("port {name}"),
        Some(Tag::Network(name)) => format!("network {name}"),
        Some(Tag::HalfMade) | None => "left by an interrupted command".to_owned(),
    };
    let in_use = if found.in_use() { "; the guest that uses it loses its NIC" } else { "" };
    Change {
        action: Action::Remove,
        object,
        interface: found.name.clone(),
        detail: what + in_use,
        steps: vec![delete(found)],
    }
}

/// Addresses and uplinks: other people's interfaces lose what netctl added to them.
fn give_back(wanted: &Wanted<'_>, observed: &Observed, found: &Interface) -> Vec<Change> {
    let mut changes = Vec::new();
    if !wanted.bridges.contains(found.name.as_str()) {
        let ours: Vec<Address> = found.addresses.iter().filter(|a| a.is_ours()).copied().collect();
        changes = address::remove(&found.name, &found.addresses, &ours);
    }
    let tags = found.uplink_tags();
    let used = [&wanted.uplinks, &wanted.pfs];
    if !tags.is_empty() && !used.iter().any(|names| names.contains(found.name.as_str())) {
        changes.push(uplink::release(found, observed.master_of(found), &tags));
    }
    changes
}
