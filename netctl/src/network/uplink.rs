//! Uplinks: NICs that netctl plugs into a network's bridge, and puts back as they were.

use super::bridge::describe;
use super::change::{Action, Change, Object};
use super::error::Problem;
use super::link::Interface;
use super::plan::Draft;
use super::step::Step;
use super::tag::UplinkTag;
use crate::config::Network;

pub(super) fn plan(draft: &mut Draft<'_>, name: &str, network: &Network) {
    for uplink in &network.uplinks {
        let Some(found) = draft.observed.named(uplink) else {
            let problem = Problem::UplinkMissing { network: name.to_owned(), uplink: uplink.clone() };
            draft.conflict(network.line, problem);
            continue;
        };
        match problem(draft, name, network, found) {
            Some(problem) => draft.conflict(network.line, problem),
            None => {
                warn_of_mtu(draft, name, network, found);
                draft.plan.start.extend(plug(draft, network, found));
            }
        }
    }
}

/// The bridge would drop the larger frames, and say nothing.
fn warn_of_mtu(draft: &mut Draft<'_>, name: &str, network: &Network, found: &Interface) {
    if let Some(mtu) = network.mtu.filter(|mtu| found.mtu < *mtu) {
        let (uplink, of_uplink) = (&found.name, found.mtu);
        draft.plan.warnings.push(format!(
            "network `{name}` has MTU {mtu}, but its uplink `{uplink}` {of_uplink}; \
             `ip link set {uplink} mtu {mtu}`, if the switch takes that"
        ));
    }
}

fn problem(draft: &Draft<'_>, name: &str, network: &Network, found: &Interface) -> Option<Problem> {
    let (network_name, uplink) = (name.to_owned(), found.name.clone());
    if found.tag().is_some() {
        return Some(Problem::UplinkOurs { network: network_name, uplink, what: describe(found) });
    }
    if let Some(master) = draft.observed.master_of(found) {
        let put_there_by_us = found.uplink_tags().iter().any(|tag| tag.bridge == master.name);
        return (master.name != network.interface && !put_there_by_us).then(|| Problem::UplinkTaken {
            network: network_name,
            uplink,
            master: master.name.clone(),
        });
    }
    // A bridge and macvtaps both want all its frames (netdev_rx_handler_register()).
    let mut others = draft.observed.interfaces().filter(|upper| upper.lower == Some(found.index));
    if let Some(upper) = others.find(|upper| upper.is_macvlan() && upper.tag().is_none()) {
        return Some(Problem::LowerInUse { network: network_name, uplink, other: upper.name.clone() });
    }
    // The kernel gives every interface a link-local address; nobody's way out hangs on it.
    let addresses: Vec<_> =
        found.addresses.iter().filter(|a| !a.is_link_local()).map(|a| a.net.to_string()).collect();
    (!addresses.is_empty()).then(|| Problem::UplinkAddresses {
        network: network_name,
        uplink,
        addresses: addresses.join(", "),
    })
}

/// Marks first, so that a crash in between leaves nothing that is not known to be netctl's.
fn plug(draft: &Draft<'_>, network: &Network, found: &Interface) -> Option<Change> {
    let interface = found.name.clone();
    let bridge = network.interface.clone();
    let in_place = draft.observed.master_of(found).is_some_and(|master| master.name == bridge);
    let marks = found.uplink_tags();
    if in_place && marks.is_empty() {
        // Someone else plugged it in; then it is not ours to release, nor to set up.
        return None;
    }
    let was_up = marks.first().map_or(found.up, |mark| mark.was_up);
    let mark = UplinkTag { index: found.index, was_up, bridge: bridge.clone() };
    let mut steps = Vec::new();
    if !marks.contains(&mark) {
        steps.push(Step::AddName { interface: interface.clone(), name: mark.to_string() });
    }
    if !in_place {
        steps.push(Step::SetMaster { interface: interface.clone(), bridge: bridge.clone() });
    }
    if !found.up {
        steps.push(Step::Up { interface: interface.clone() });
    }
    let of_other_bridges: Vec<_> = marks.into_iter().filter(|other| *other != mark).collect();
    steps.extend(unmark(&interface, &of_other_bridges));
    let action = if in_place { Action::Modify } else { Action::Add };
    let detail = format!("on bridge {bridge}, up");
    (!steps.is_empty()).then_some(Change { action, object: Object::Uplink, interface, detail, steps })
}

/// Puts an uplink back as it was; the marks go last.
pub(super) fn release(found: &Interface, master: Option<&Interface>, marks: &[UplinkTag]) -> Change {
    let interface = found.name.clone();
    let mut steps = Vec::new();
    // Someone may have moved it since; then it stays there.
    if master.is_some_and(|master| marks.iter().any(|mark| mark.bridge == master.name)) {
        steps.push(Step::ClearMaster { interface: interface.clone() });
    }
    if found.up && marks.iter().any(|mark| !mark.was_up) {
        steps.push(Step::Down { interface: interface.clone() });
    }
    steps.extend(unmark(&interface, marks));
    let bridges: Vec<_> = marks.iter().map(|mark| mark.bridge.as_str()).collect();
    let bridges = bridges.join(", ");
    // The uplink of macvtaps is on none.
    let detail = if bridges.is_empty() { "down".to_owned() } else { format!("on bridge {bridges}") };
    Change { action: Action::Remove, object: Object::Uplink, interface, detail, steps }
}

fn unmark(interface: &str, marks: &[UplinkTag]) -> impl Iterator<Item = Step> {
    marks.iter().map(|mark| Step::DeleteName { interface: interface.to_owned(), name: mark.to_string() })
}
