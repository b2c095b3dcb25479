//! The bridge of a network: made, kept as the document says, or someone else's and only used.
//!
//! A bridge that someone else made keeps its settings; only addresses, uplinks and taps are added. (The kernel
//! gives a bridge without a MAC address of its own the lowest of its ports'. The taps' begin with `fe`, so
//! they take over only where there is no other port.)

use ipnet::IpNet;

use super::address;
use super::change::{Action, Change, Object};
use super::error::Problem;
use super::link::{BridgeFacts, Interface, Kind};
use super::plan::Draft;
use super::step::{Settings, Step};
use super::tag::{HALF_MADE_GROUP, Tag};
use crate::config::Network;

pub(super) fn plan(draft: &mut Draft<'_>, name: &str, network: &Network) {
    let Some(found) = draft.observed.holder(&network.interface) else {
        return make(draft, name, network, None);
    };
    let is_bridge = matches!(found.kind, Kind::Bridge(_)) && found.name == network.interface;
    match (found.tag(), is_bridge) {
        (None, true) => check_foreign(draft, name, network, found),
        (None, false) => {
            let (network_name, interface) = (name.to_owned(), network.interface.clone());
            let problem =
                Problem::NetworkNameTaken { network: network_name, interface, what: describe(found) };
            return draft.conflict(network.line, problem);
        }
        (Some(_), true) => keep(draft, name, network, found),
        (Some(_), false) => return make(draft, name, network, Some(found)),
    }
    draft.plan.start.extend(address::plan(Some(found), &network.interface, &network.addresses));
}

/// Whether the bridge exists and is someone else's.
pub(super) fn is_foreign(draft: &Draft<'_>, network: &Network) -> bool {
    draft.observed.named(&network.interface).is_some_and(|found| found.tag().is_none())
}

/// With its name, where that is not the one that was looked for.
pub(super) fn describe(found: &Interface) -> String {
    if found.alternative_names.is_empty() { found.to_string() } else { format!("`{}`, {found}", found.name) }
}

/// `replaced` is netctl's own, but no bridge: a document that gives a port's old name to a network.
fn make(draft: &mut Draft<'_>, name: &str, network: &Network, replaced: Option<&Interface>) {
    let interface = network.interface.clone();
    let settings = Settings {
        alias: Some(Tag::Network(name).to_string()),
        mac: None,
        // Not in the request that makes the bridge: only a later one keeps the kernel from following the ports.
        mtu: network.mtu,
        clear_group: true,
    };
    let mut steps: Vec<_> = replaced.map(delete).into_iter().collect();
    steps.push(Step::CreateBridge { interface: interface.clone(), mac: network.mac });
    steps.push(Step::Set { interface: interface.clone(), settings });
    steps.push(Step::Ipv6 { interface: interface.clone(), on: speaks_ipv6(&network.addresses) });
    let mtu = network.mtu.map(|mtu| format!(", MTU {mtu}")).unwrap_or_default();
    let detail = format!("network {name}, MAC {}{mtu}", network.mac);
    draft.plan.make.push(change(Action::Add, &interface, detail, steps));

    let up = vec![Step::Up { interface: interface.clone() }];
    draft.plan.start.push(change(Action::Modify, &interface, "up".to_owned(), up));
    draft.plan.start.extend(address::plan(None, &interface, &network.addresses));
}

fn keep(draft: &mut Draft<'_>, name: &str, network: &Network, found: &Interface) {
    let interface = network.interface.clone();
    let alias = Tag::Network(name).to_string();
    let mut details = Vec::new();
    let mut steps = Vec::new();
    if found.alias.as_ref() != Some(&alias) {
        details.push(format!("network {name}"));
    }
    let settings = Settings {
        alias: Some(alias).filter(|alias| found.alias.as_ref() != Some(alias)),
        mac: Some(network.mac).filter(|mac| found.mac != Some(*mac)),
        mtu: network.mtu.filter(|mtu| found.mtu != *mtu),
        clear_group: found.group == HALF_MADE_GROUP,
    };
    details.extend(settings.describe());
    if !settings.is_empty() {
        steps.push(Step::Set { interface: interface.clone(), settings });
    }
    if found.kind != Kind::Bridge(BridgeFacts::default()) {
        details.push("no STP, no multicast snooping".to_owned());
        steps.push(Step::BridgeOptions { interface: interface.clone() });
    }
    let ipv6 = speaks_ipv6(&network.addresses);
    if found.ipv6.is_some_and(|on| on != ipv6) {
        details.push(format!("IPv6 {}", if ipv6 { "on" } else { "off" }));
        steps.push(Step::Ipv6 { interface: interface.clone(), on: ipv6 });
    }
    if !found.up {
        details.push("up".to_owned());
        steps.push(Step::Up { interface: interface.clone() });
    }
    if !steps.is_empty() {
        draft.plan.start.push(change(Action::Modify, &interface, details.join(", "), steps));
    }
}

fn check_foreign(draft: &mut Draft<'_>, name: &str, network: &Network, found: &Interface) {
    if let Some(wanted) = network.mtu.filter(|mtu| found.mtu != *mtu) {
        let (network_name, interface) = (name.to_owned(), network.interface.clone());
        let problem = Problem::ForeignMtu { network: network_name, interface, wanted, found: found.mtu };
        draft.conflict(network.line, problem);
    }
    if !found.up {
        draft.plan.warnings.push(format!(
            "bridge `{0}` of network `{name}` is not netctl's and is down; `ip link set {0} up`",
            network.interface
        ));
    }
}

/// Without an IPv6 address in the document the host is not to be on the network by IPv6, not even with a
/// link-local address.
fn speaks_ipv6(addresses: &[IpNet]) -> bool {
    addresses.iter().any(|net| matches!(net, IpNet::V6(_)))
}

pub(super) fn delete(found: &Interface) -> Step {
    Step::Delete { interface: found.name.clone(), index: found.index }
}

fn change(action: Action, interface: &str, detail: String, steps: Vec<Step>) -> Change {
    Change { action, object: Object::Bridge, interface: interface.to_owned(), detail, steps }
}
