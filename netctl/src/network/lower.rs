//! The NICs below macvtaps: which one a port is on, and whether it can be used. A NIC that was down is set up and
//! marked, so that it is set down again when nobody uses it any more.

use std::collections::BTreeMap;

use super::bridge::describe;
use super::change::{Action, Change, Object};
use super::error::Problem;
use super::link::{Interface, Kind, MacvtapFacts, Mode};
use super::plan::Draft;
use super::pool;
use super::step::Step;
use super::tag::UplinkTag;
use super::vf_step::Lower;
use crate::config::{Device, Network, NetworkKind, PortKind};

/// What a macvtap is on.
#[derive(Clone, Debug)]
pub(super) struct Place<'a> {
    pub lower: Lower,
    /// `None` where it is still to be made.
    pub found: Option<&'a Interface>,
}

/// The uplink of each port that is a macvtap of netctl's. What is wrong with an uplink is a conflict, and its ports
/// are left out.
pub(super) fn assign<'a>(draft: &mut Draft<'a>) -> BTreeMap<&'a str, Place<'a>> {
    let config = draft.config;
    let mut lowers: BTreeMap<&str, &Interface> = BTreeMap::new();
    for (name, network) in &config.networks {
        if network.kind.port_kind() != PortKind::Macvtap {
            continue;
        }
        let usable: Vec<_> =
            network.uplinks.iter().filter_map(|uplink| usable(draft, (name, network), uplink)).collect();
        if usable.len() < network.uplinks.len() {
            continue;
        }
        for lower in &usable {
            draft.plan.start.extend(set_up(lower));
        }
        match network.kind {
            NetworkKind::Passthrough => one_each(draft, (name, network), &usable, &mut lowers),
            _ => {
                let ports = config.ports.iter().filter(|(_, port)| port.network == *name);
                lowers.extend(ports.filter_map(|(port, _)| Some((port.as_str(), *usable.first()?))));
            }
        }
    }
    let place =
        |found: &'a Interface| Place { lower: Lower::Interface(found.name.clone()), found: Some(found) };
    let mut lowers = lowers.into_iter().map(|(port, found)| (port, place(found))).collect();
    pool::assign(draft, &mut lowers);
    lowers
}

/// Ports stay where they are; those that name their uplink get it, the others what is left, in the order of both.
fn one_each<'a>(
    draft: &mut Draft<'a>,
    (name, network): (&str, &'a Network),
    usable: &[&'a Interface],
    lowers: &mut BTreeMap<&'a str, &'a Interface>,
) {
    if network.pool.is_some() {
        return;
    }
    let config = draft.config;
    let ports: Vec<_> = config
        .ports
        .iter()
        .filter(|(_, port)| port.network == name && port.device == Device::Made)
        .map(|(name, port)| (name.as_str(), port))
        .collect();
    let mut free: Vec<&Interface> = usable.to_vec();
    let mut take = |port: &'a str, wanted: &dyn Fn(&Interface) -> bool| {
        if lowers.contains_key(port) {
            return;
        }
        if let Some(place) = free.iter().position(|lower| wanted(lower)) {
            lowers.insert(port, free.remove(place));
        }
    };
    for (port, facts) in &ports {
        if let Some(uplink) = &facts.uplink {
            take(port, &|lower| lower.name == *uplink);
        }
    }
    for (port, facts) in ports.iter().filter(|(_, facts)| facts.uplink.is_none()) {
        let now = draft.observed.named(&facts.interface).and_then(|found| found.lower);
        take(port, &|lower| Some(lower.index) == now);
    }
    for (port, _) in ports.iter().filter(|(_, facts)| facts.uplink.is_none()) {
        take(port, &|_| true);
    }
    for (port, facts) in &ports {
        if !lowers.contains_key(port) {
            let (port, network, guests) = ((*port).to_owned(), name.to_owned(), ports.len());
            let problem = Problem::NoUplinkLeft { port, network, guests, uplinks: usable.len() };
            draft.conflicts.push(super::error::Conflict { line: facts.line, problem });
        }
    }
}

fn usable<'a>(
    draft: &mut Draft<'a>,
    (name, network): (&str, &Network),
    uplink: &str,
) -> Option<&'a Interface> {
    let observed = draft.observed;
    let Some(found) = observed.named(uplink) else {
        let problem = Problem::UplinkMissing { network: name.to_owned(), uplink: uplink.to_owned() };
        draft.conflict(network.line, problem);
        return None;
    };
    if let Some(problem) = problem(draft, (name, network), found) {
        draft.conflict(network.line, problem);
        return None;
    }
    if let Some(id) = found.xdp {
        draft.plan.warnings.push(format!(
            "uplink `{uplink}` of network `{name}` has XDP program {id}, which sees frames before netctl: \
             what it drops or redirects reaches no guest"
        ));
    }
    Some(found)
}

fn problem(draft: &Draft<'_>, (name, network): (&str, &Network), found: &Interface) -> Option<Problem> {
    let (network_name, uplink) = (name.to_owned(), found.name.clone());
    if found.tag().is_some() {
        return Some(Problem::UplinkOurs { network: network_name, uplink, what: describe(found) });
    }
    // Both want to be the one receiver of its frames (netdev_rx_handler_register()).
    if let Some(master) = draft.observed.master_of(found) {
        let master = master.name.clone();
        return Some(Problem::LowerTaken { network: network_name, uplink, master });
    }
    if matches!(found.kind, Kind::Bridge(_) | Kind::Tap(_) | Kind::Macvtap(_)) {
        return Some(Problem::NoNic { network: network_name, uplink, what: describe(found) });
    }
    let exclusive = matches!(network.kind, NetworkKind::Passthrough);
    let others = draft.observed.interfaces().filter(|upper| upper.lower == Some(found.index));
    let foreign = others.filter(|upper| !is_ours(draft, upper)).find(|upper| {
        let passthru = matches!(upper.kind, Kind::Macvtap(MacvtapFacts { mode: Mode::Passthru, .. }));
        passthru || (exclusive && upper.is_macvlan())
    });
    if let Some(upper) = foreign {
        let other = upper.name.clone();
        return Some(Problem::LowerInUse { network: network_name, uplink, other });
    }
    (exclusive && found.default_route && !draft.consent.is_given())
        .then_some(Problem::CutsHostOff { network: network_name, uplink })
}

/// Of this document or of one before.
fn is_ours(draft: &Draft<'_>, upper: &Interface) -> bool {
    upper.tag().is_some() || draft.config.ports.values().any(|port| port.interface == upper.name)
}

/// The mark first: what is up without a mark, was up before.
pub(super) fn set_up(found: &Interface) -> Option<Change> {
    if found.up {
        return None;
    }
    let interface = found.name.clone();
    let mark = UplinkTag { index: found.index, was_up: false, bridge: String::new() };
    let mut steps = Vec::new();
    if !found.uplink_tags().contains(&mark) {
        steps.push(Step::AddName { interface: interface.clone(), name: mark.to_string() });
    }
    steps.push(Step::Up { interface: interface.clone() });
    Some(Change { action: Action::Modify, object: Object::Uplink, interface, detail: "up".to_owned(), steps })
}
