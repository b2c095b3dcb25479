//! A document and what is there, to what has to be done. Pure: the same two values give the same plan.

use std::collections::{BTreeMap, BTreeSet};

use super::change::Plan;
use super::error::{Conflict, Problem};
use super::link::Observed;
use super::pool::Settled;
use super::step::Step;
use super::vf_step::Lower;
use super::{adopt, bridge, leftover, macvtap, room, tap, uplink};
use crate::config::{Config, Network};

/// What the parts of the planner share.
pub(super) struct Draft<'a> {
    pub config: &'a Config,
    pub observed: &'a Observed,
    pub plan: Plan,
    pub conflicts: Vec<Conflict>,
    pub consent: Consent,
    pub settled: Settled,
}

/// Whether the user agrees to changes that may cut the host off (`--yes`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Consent {
    #[default]
    NotGiven,
    Given,
}

impl Consent {
    pub(super) fn is_given(self) -> bool {
        matches!(self, Self::Given)
    }
}

impl Draft<'_> {
    pub(super) fn conflict(&mut self, line: u32, problem: Problem) {
        self.conflicts.push(Conflict { line, problem });
    }
}

/// The names that a document uses; what carries netctl's mark beside them is left over.
#[derive(Debug, Default)]
pub(super) struct Wanted<'a> {
    pub bridges: BTreeSet<&'a str>,
    /// Taps and macvtaps.
    pub ports: BTreeSet<&'a str>,
    pub uplinks: BTreeSet<&'a str>,
    /// Where the host itself is: bridges, and the uplinks of macvlan and vepa.
    pub hosts: BTreeSet<&'a str>,
    /// NICs whose virtual functions are a pool.
    pub pfs: BTreeSet<&'a str>,
    pub settled: Settled,
}

/// What to do so that the host is as `config` says. Empty if it is.
///
/// # Errors
/// Everything about the host that the document contradicts; nothing can be done then.
pub fn plan(config: &Config, observed: &Observed, consent: Consent) -> Result<Plan, Vec<Conflict>> {
    let mut draft = Draft {
        config,
        observed,
        plan: Plan::default(),
        conflicts: Vec::new(),
        consent,
        settled: Settled::default(),
    };
    check_names(&mut draft);
    let bridges = || config.networks.iter().filter(|(_, network)| network.bridge().is_some());
    bridges().for_each(|(name, network)| bridge::plan(&mut draft, name, network));
    bridges().for_each(|(name, network)| uplink::plan(&mut draft, name, network));
    tap::plan(&mut draft);
    macvtap::plan(&mut draft);
    adopt::plan(&mut draft);
    // Deleting cannot be undone: it comes after everything that may fail.
    let late = std::mem::take(&mut draft.settled.late);
    draft.plan.make.sort_by_key(|change| change.steps.iter().any(|step| is_late(step, &late)));
    let settled = std::mem::take(&mut draft.settled);
    leftover::plan(&mut draft.plan, &Wanted { settled, ..wanted(config) }, observed);
    room::clear(&mut draft.plan, observed);
    if draft.conflicts.is_empty() { Ok(draft.plan) } else { Err(draft.conflicts) }
}

/// What to do to take away everything that carries netctl's mark, and nothing else.
pub fn plan_down(observed: &Observed) -> Plan {
    let mut plan = Plan::default();
    leftover::plan(&mut plan, &Wanted::default(), observed);
    plan
}

fn wanted(config: &Config) -> Wanted<'_> {
    Wanted {
        bridges: config.networks.values().filter_map(|n| n.bridge()).collect(),
        ports: config
            .ports
            .values()
            // A guest that drives its device itself has no interface; one from before goes.
            .filter(|port| port.device.is_filtered())
            .map(|port| port.interface.as_str())
            .collect(),
        hosts: config.networks.values().filter_map(host_interface).collect(),
        uplinks: config.networks.values().flat_map(|n| &n.uplinks).map(String::as_str).collect(),
        pfs: config.networks.values().filter_map(|n| n.pool.as_ref()).map(|pool| pool.pf.as_str()).collect(),
        settled: Settled::default(),
    }
}

/// Deletes something, or needs that to be done.
fn is_late(step: &Step, late: &BTreeSet<(String, u16)>) -> bool {
    match step {
        Step::Delete { .. } => true,
        Step::CreateMacvtap(spec) => match &spec.lower {
            Lower::Vf { pf, number } => late.contains(&(pf.clone(), *number)),
            Lower::Interface(_) => false,
        },
        _ => false,
    }
}

/// The interface that has the network's `addresses`; none of a passthrough network.
fn host_interface(network: &Network) -> Option<&str> {
    Some(network.interface.as_str()).filter(|interface| !interface.is_empty())
}

/// No interface can be two things.
fn check_names(draft: &mut Draft<'_>) {
    let mut users: BTreeMap<&str, String> = BTreeMap::new();
    let config = draft.config;
    let networks = config.networks.iter().flat_map(|(name, n)| {
        let uplinks = n.uplinks.iter().map(move |u| (u, format!("the uplinks of network `{name}`"), n.line));
        let bridge = n.bridge().map(|_| (&n.interface, format!("network `{name}`"), n.line));
        bridge.into_iter().chain(uplinks)
    });
    let ports = config.ports.iter().map(|(name, p)| (&p.interface, format!("port `{name}`"), p.line));
    for (interface, user, line) in networks.chain(ports) {
        if let Some(first) = users.get(interface.as_str()) {
            let problem =
                Problem::WantedTwice { interface: interface.clone(), first: first.clone(), second: user };
            draft.conflict(line, problem);
        } else {
            users.insert(interface, user);
        }
    }
}
