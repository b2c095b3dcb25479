//! Macvtaps that have to go before others can be made: an uplink has one in mode passthru, or any number in the other
//! modes (drivers/net/macvlan.c, macvlan_common_newlink()).

use std::collections::{BTreeMap, BTreeSet};

use super::bridge::delete;
use super::change::{Action, Change, Object, Plan};
use super::link::{Interface, Kind, MacvtapFacts, Mode, Observed};
use super::step::{MacvtapSpec, Step};
use super::tag::Tag;
use super::vf_step::Lower;

/// Moves the removal of what is in the way before the making of what it is in the way of. To be called when the plan
/// is complete.
pub(super) fn clear(plan: &mut Plan, observed: &Observed) {
    for_bridges(plan, observed);
    let blockers: BTreeMap<u32, &Interface> =
        plan.make.iter().filter_map(created).flat_map(|spec| in_the_way(spec, observed)).collect();
    if blockers.is_empty() {
        return;
    }
    let removals: Vec<Change> = blockers.values().filter_map(|found| removal(plan, found)).collect();
    let lowers: BTreeSet<u32> = blockers.values().filter_map(|found| found.lower).collect();
    let waits = |change: &Change| {
        let on_crowded =
            |spec: &MacvtapSpec| lower(spec, observed).is_some_and(|lower| lowers.contains(&lower.index));
        deletes(change) || created(change).is_some_and(on_crowded) || takes_name(change, &blockers)
    };
    let (late, early): (Vec<_>, Vec<_>) = std::mem::take(&mut plan.make).into_iter().partition(waits);
    plan.make = early.into_iter().chain(removals).chain(late).collect();
}

/// A bridge takes no port that has macvtaps.
fn for_bridges(plan: &mut Plan, observed: &Observed) {
    let plugged: BTreeSet<&str> = plan
        .start
        .iter()
        .flat_map(|change| &change.steps)
        .filter_map(|step| match step {
            Step::SetMaster { interface, .. } => Some(interface.as_str()),
            _ => None,
        })
        .collect();
    let lower_of = |found: &Interface| observed.interfaces().find(|lower| Some(lower.index) == found.lower);
    let blockers: Vec<Step> = observed
        .interfaces()
        .filter(|found| lower_of(found).is_some_and(|lower| plugged.contains(lower.name.as_str())))
        .map(delete)
        .collect();
    let is_blocker = |change: &mut Change| change.steps.iter().any(|step| blockers.contains(step));
    plan.make.extend(plan.remove.extract_if(.., is_blocker));
}

/// Functions of a pool have one guest each; who gets which is the pool's business.
fn lower<'o>(spec: &MacvtapSpec, observed: &'o Observed) -> Option<&'o Interface> {
    match &spec.lower {
        Lower::Interface(name) => observed.named(name),
        Lower::Vf { .. } => None,
    }
}

/// Only netctl's own: someone else's is a conflict.
fn in_the_way<'o>(spec: &MacvtapSpec, observed: &'o Observed) -> Vec<(u32, &'o Interface)> {
    let Some(lower) = lower(spec, observed) else { return Vec::new() };
    let others = observed
        .interfaces()
        .filter(|found| found.lower == Some(lower.index) && found.tag().is_some())
        .filter(|found| (spec.mode == Mode::Passthru || is_passthru(found)) && found.name != spec.interface);
    others.map(|found| (found.index, found)).collect()
}

/// Whether it has its uplink for itself, and has lent it its address.
pub(super) fn is_passthru(found: &Interface) -> bool {
    matches!(found.kind, Kind::Macvtap(MacvtapFacts { mode: Mode::Passthru }))
}

/// The removal as it was planned, or out of the change that makes the interface anew.
fn removal(plan: &mut Plan, found: &Interface) -> Option<Change> {
    let step = delete(found);
    if let Some(place) = plan.remove.iter().position(|change| change.steps.contains(&step)) {
        return Some(plan.remove.remove(place));
    }
    let change = plan.make.iter_mut().find(|change| change.steps.contains(&step))?;
    change.steps.retain(|other| *other != step);
    let port = match found.tag() {
        Some(Tag::Port(port)) => format!("port {port} "),
        _ => String::new(),
    };
    let detail = format!("{port}makes room for another; the guest that uses it loses its NIC");
    let (action, object, interface) = (Action::Remove, Object::Macvtap, found.name.clone());
    Some(Change { action, object, interface, detail, steps: vec![step] })
}

fn created(change: &Change) -> Option<&MacvtapSpec> {
    change.steps.iter().find_map(|step| match step {
        Step::CreateMacvtap(spec) => Some(spec),
        _ => None,
    })
}

fn deletes(change: &Change) -> bool {
    change.steps.iter().any(|step| matches!(step, Step::Delete { .. }))
}

fn takes_name(change: &Change, blockers: &BTreeMap<u32, &Interface>) -> bool {
    blockers.values().any(|found| found.name == change.interface)
}
