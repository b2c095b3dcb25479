//! The macvtap of a port: made on its uplink, set up. Macvlan, passthrough and vepa networks differ in its mode.

use std::collections::BTreeSet;

use super::bridge::{delete, describe};
use super::change::{Action, Change, Object};
use super::error::Problem;
use super::link::{Interface, Kind, MacvtapFacts, Mode, Observed};
use super::lower::{self, Place};
use super::multicast::{self, is_solicited_node};
use super::plan::Draft;
use super::room::is_passthru;
use super::step::{MacvtapSpec, Settings, Step};
use super::tag::port_alias;
use super::vf_step::Lower;
use crate::config::{Device, Hairpin, Mac, Network, NetworkKind, Port, PortKind, Siblings};

/// One port and what follows for its interface.
struct Wish<'a> {
    name: &'a str,
    port: &'a Port,
    alias: String,
    mode: Mode,
    lower: &'a Place<'a>,
    /// As the document says it, bytes.
    mtu: Option<u32>,
}

pub(super) fn plan(draft: &mut Draft<'_>) {
    let config = draft.config;
    let lowers = lower::assign(draft);
    for (name, port) in &config.ports {
        // The parser has resolved the network's name.
        let Some(network) = config.networks.get(&port.network) else { continue };
        let Some(lower) = lowers.get(name.as_str()) else { continue };
        if network.kind.port_kind() != PortKind::Macvtap || port.device != Device::Made {
            continue;
        }
        let wish = Wish {
            name,
            port,
            alias: port_alias(name, &port.network),
            mode: mode(network),
            lower,
            mtu: port.mtu.or(network.mtu),
        };
        plan_port(draft, &wish);
    }
}

/// Of the macvtaps of a network.
pub(super) fn mode(network: &Network) -> Mode {
    match network.kind {
        NetworkKind::Macvlan(Siblings::Private) => Mode::Private,
        NetworkKind::Vepa(Hairpin::Switch) => Mode::Vepa,
        NetworkKind::Passthrough => Mode::Passthru,
        // Where the switch does not send frames back, the macvlan driver does.
        NetworkKind::Vepa(Hairpin::Local) | NetworkKind::Macvlan(Siblings::Bridge) | NetworkKind::Bridge => {
            Mode::Bridge
        }
    }
}

fn plan_port(draft: &mut Draft<'_>, wish: &Wish<'_>) {
    if let Some(problem) = problem(wish, draft.observed) {
        return draft.conflict(wish.port.line, problem);
    }
    let interface = &wish.port.interface;
    let Some(found) = draft.observed.holder(interface) else {
        draft.plan.make.push(make(wish, None));
        draft.plan.start.push(up(wish));
        return;
    };
    if found.tag().is_none() || found.name != *interface {
        let (port, interface) = (wish.name.to_owned(), interface.clone());
        let problem = Problem::PortNameTaken { port, interface, what: describe(found) };
        return draft.conflict(wish.port.line, problem);
    }
    if let Some(why) = unfit(found, wish) {
        draft.plan.make.push(make(wish, Some((found, why))));
        draft.plan.start.push(up(wish));
    } else {
        draft.plan.start.extend(keep(wish, found));
    }
}

fn problem(wish: &Wish<'_>, observed: &Observed) -> Option<Problem> {
    let lower = wish.lower.found?;
    let (port, uplink) = (wish.name.to_owned(), lower.name.clone());
    // drivers/net/macvlan.c, macvlan_change_mtu().
    if let Some(mtu) = wish.mtu.filter(|mtu| *mtu > lower.mtu) {
        return Some(Problem::LargerThanUplink { port, mtu, uplink, of_uplink: lower.mtu });
    }
    // With it, frames for the guest would end at the host. In passthru the uplink takes the guest's address, and gives
    // it back when the macvtap goes.
    let borrowed = observed
        .interfaces()
        .any(|upper| upper.lower == Some(lower.index) && upper.tag().is_some() && is_passthru(upper));
    let same = lower.mac == Some(wish.port.mac) && wish.mode != Mode::Passthru && !borrowed;
    same.then_some(Problem::MacOfUplink { port, mac: wish.port.mac, uplink })
}

/// Why the interface cannot be changed into the wanted one.
fn unfit(found: &Interface, wish: &Wish<'_>) -> Option<&'static str> {
    let Kind::Macvtap(facts) = found.kind else { return Some("it is no macvtap") };
    if found.lower.is_none() || found.lower != wish.lower.found.map(|lower| lower.index) {
        Some("on another uplink")
    } else if (facts.mode == Mode::Passthru) != (wish.mode == Mode::Passthru) {
        // drivers/net/macvlan.c, macvlan_changelink().
        Some("for the mode")
    } else {
        None
    }
}

fn make(wish: &Wish<'_>, replaced: Option<(&Interface, &str)>) -> Change {
    let interface = wish.port.interface.clone();
    let spec = MacvtapSpec {
        interface: interface.clone(),
        lower: wish.lower.lower.clone(),
        mode: wish.mode,
        mac: wish.port.mac,
        mtu: wish.mtu,
    };
    let mtu = wish.mtu.map(|mtu| format!(", MTU {mtu}")).unwrap_or_default();
    let facts =
        format!("port {}, {} on {}, MAC {}{mtu}", wish.name, wish.mode.name(), spec.lower, wish.port.mac);
    let alias = Some(wish.alias.clone());
    let mut steps: Vec<_> = replaced.iter().map(|(found, _)| delete(found)).collect();
    steps.push(Step::CreateMacvtap(spec));
    // Passthru sets the uplink's address by it, which the request that makes the interface does not do.
    let mac = (wish.mode == Mode::Passthru).then_some(wish.port.mac);
    let settings = Settings { alias, mac, mtu: None, clear_group: true };
    steps.push(Step::Set { interface: interface.clone(), settings });
    steps.push(Step::Ipv6 { interface: interface.clone(), on: false });
    steps.push(Step::AllMulticast { interface: interface.clone() });
    let groups = groups(wish).into_iter();
    steps.extend(groups.map(|group| Step::AddGroup { interface: interface.clone(), group }));
    match replaced {
        None => change(Action::Add, wish, facts, steps),
        Some((_, why)) => {
            let detail = format!("recreated {why}: {facts}; the guest that uses it loses its NIC");
            change(Action::Modify, wish, detail, steps)
        }
    }
}

/// Other NICs hear all multicast.
fn groups(wish: &Wish<'_>) -> BTreeSet<Mac> {
    let is_vf =
        matches!(wish.lower.lower, Lower::Vf { .. }) || wish.lower.found.is_some_and(|lower| lower.is_vf);
    if is_vf { multicast::groups(wish.port) } else { BTreeSet::new() }
}

fn up(wish: &Wish<'_>) -> Change {
    let steps = vec![Step::Up { interface: wish.port.interface.clone() }];
    change(Action::Modify, wish, "up".to_owned(), steps)
}

fn keep(wish: &Wish<'_>, found: &Interface) -> Option<Change> {
    let interface = wish.port.interface.clone();
    let mut steps = Vec::new();
    let mut details = Vec::new();
    if found.alias.as_ref() != Some(&wish.alias) {
        details.push(format!("port {}", wish.name));
    }
    let settings = Settings {
        alias: Some(wish.alias.clone()).filter(|alias| found.alias.as_ref() != Some(alias)),
        mac: Some(wish.port.mac).filter(|mac| found.mac != Some(*mac)),
        mtu: wish.mtu.filter(|mtu| found.mtu != *mtu),
        clear_group: found.is_half_made(),
    };
    details.extend(settings.describe());
    if !settings.is_empty() {
        steps.push(Step::Set { interface: interface.clone(), settings });
    }
    if let Kind::Macvtap(MacvtapFacts { mode, .. }) = found.kind
        && mode != wish.mode
    {
        details.push(format!("mode {}", wish.mode.name()));
        steps.push(Step::MacvtapMode { interface: interface.clone(), mode: wish.mode });
    }
    if found.ipv6 == Some(true) {
        details.push("IPv6 off".to_owned());
        steps.push(Step::Ipv6 { interface: interface.clone(), on: false });
    }
    if !found.all_multicast {
        details.push("all multicast".to_owned());
        steps.push(Step::AllMulticast { interface: interface.clone() });
    }
    let wanted = groups(wish);
    if !wanted.is_subset(&found.multicast) {
        details.push("multicast groups".to_owned());
        let missing = wanted.difference(&found.multicast);
        steps.extend(missing.map(|group| Step::AddGroup { interface: interface.clone(), group: *group }));
    }
    let stale = |group: &&Mac| !wanted.is_empty() && is_solicited_node(**group) && !wanted.contains(group);
    for group in found.multicast.iter().filter(stale) {
        details.push(format!("without group {group}"));
        steps.push(Step::DeleteGroup { interface: interface.clone(), group: *group });
    }
    if !found.up {
        details.push("up".to_owned());
        steps.push(Step::Up { interface });
    }
    (!steps.is_empty()).then(|| change(Action::Modify, wish, details.join(", "), steps))
}

fn change(action: Action, wish: &Wish<'_>, detail: String, steps: Vec<Step>) -> Change {
    Change { action, object: Object::Macvtap, interface: wish.port.interface.clone(), detail, steps }
}
