//! The tap of a port: made, plugged into its network's bridge, set up.

use std::collections::BTreeSet;

use super::bridge::{delete, describe, is_foreign};
use super::change::{Action, Change, Object};
use super::error::Problem;
use super::link::{BridgePort, Interface, Kind, TapFacts};
use super::plan::Draft;
use super::step::{Settings, Step, TapSpec};
use super::tag::port_alias;
use crate::config::{Device, Mac, Port};

/// What is set on every tap as a bridge port; see `request`.
const PORT_OPTIONS: BridgePort = BridgePort { learning: false, unicast_flood: false, multicast_flood: true };

const ROOT: u32 = 0;

/// One port and what follows for its interface.
struct Wish<'a> {
    name: &'a str,
    port: &'a Port,
    alias: String,
    /// Of the tap itself, not the guest's.
    mac: Mac,
    bridge: &'a str,
    /// As the document says it.
    mtu: Option<u32>,
}

pub(super) fn plan(draft: &mut Draft<'_>) {
    let config = draft.config;
    let mut macs: BTreeSet<Mac> =
        config.ports.values().map(|p| p.mac).chain(config.networks.values().map(|n| n.mac)).collect();
    for (name, port) in &config.ports {
        // The parser has resolved the network's name.
        let Some(network) = config.networks.get(&port.network) else { continue };
        let Some(bridge) = network.bridge() else { continue };
        if port.device != Device::Made {
            continue;
        }
        let wish = Wish {
            name,
            port,
            alias: port_alias(name, &port.network),
            mac: own_mac(port.mac, &mut macs),
            bridge,
            mtu: port.mtu.or(network.mtu),
        };
        plan_port(draft, &wish);
    }
}

/// `fe` in place of the guest's first byte: a bridge without a MAC address of its own takes the lowest of
/// its ports', which this hardly is. Never a guest's own address: the bridge would take the guest's frames
/// for its own. `taken` grows by it.
fn own_mac(guest: Mac, taken: &mut BTreeSet<Mac>) -> Mac {
    let [_, rest @ ..] = guest.0;
    let with = |first: u8| Mac([first, rest[0], rest[1], rest[2], rest[3], rest[4]]);
    // Locally administered, not a group: the two low bits are 10.
    let mut candidates = (0..=0xfe).rev().filter(|first| first & 3 == 2).map(with);
    candidates.find(|mac| taken.insert(*mac)).unwrap_or(with(0xfe))
}

fn plan_port(draft: &mut Draft<'_>, wish: &Wish<'_>) {
    let interface = &wish.port.interface;
    let Some(found) = draft.observed.holder(interface) else {
        let change = make(draft, wish, None);
        draft.plan.make.push(change);
        draft.plan.start.push(plug_new(wish));
        return;
    };
    if found.tag().is_none() || found.name != *interface {
        let (port, interface) = (wish.name.to_owned(), interface.clone());
        let problem = Problem::PortNameTaken { port, interface, what: describe(found) };
        return draft.conflict(wish.port.line, problem);
    }
    if let Some(why) = unfit(found, wish.port) {
        let change = make(draft, wish, Some((found, why)));
        draft.plan.make.push(change);
        draft.plan.start.push(plug_new(wish));
    } else {
        let changes = keep(draft, wish, found);
        draft.plan.start.extend(changes);
    }
}

/// Why the interface cannot be changed into the wanted one.
fn unfit(found: &Interface, port: &Port) -> Option<&'static str> {
    let Kind::Tap(facts) = found.kind else { return Some("it is no tap") };
    match facts {
        TapFacts { persistent: false, .. } => Some("it is not persistent"),
        TapFacts { multi_queue, .. } if multi_queue != (port.queues > 1) => Some("for the number of queues"),
        // Older netctl left it open to every user; a guest that runs there does not lose its NIC for that.
        TapFacts { owner: None, group: None, .. } if owner_of(port) == Some(ROOT) && found.in_use() => None,
        TapFacts { group, .. } if group != port.owner_group => Some("for the owner's group"),
        TapFacts { owner, .. } if owner != owner_of(port) => Some("for the owner"),
        _ => None,
    }
}

/// Who may open the tap. Without an owner and a group, every local user who may open /dev/net/tun can open it, which is
/// everyone on most hosts (drivers/net/tun.c, tun_not_capable()); so one without both is root's.
fn owner_of(port: &Port) -> Option<u32> {
    port.owner.or_else(|| port.owner_group.is_none().then_some(ROOT))
}

fn make(draft: &Draft<'_>, wish: &Wish<'_>, replaced: Option<(&Interface, &str)>) -> Change {
    let port = wish.port;
    let spec = TapSpec {
        interface: port.interface.clone(),
        settings: Settings {
            alias: Some(wish.alias.clone()),
            mac: Some(wish.mac),
            mtu: wish.mtu.or_else(|| foreign_mtu(draft, port)),
            clear_group: false,
        },
        multi_queue: port.queues > 1,
        owner: owner_of(port),
        group: port.owner_group,
    };
    let queues = if port.queues == 1 { "1 queue".to_owned() } else { format!("{} queues", port.queues) };
    let facts = format!("port {}, {queues}, {}", wish.name, spec.settings);
    let mut steps: Vec<_> = replaced.iter().map(|(found, _)| delete(found)).collect();
    steps.push(Step::CreateTap(spec));
    let (action, detail) = match replaced {
        None => (Action::Add, facts),
        Some((found, why)) => {
            let in_use = if found.in_use() { "; the guest that uses it loses its NIC" } else { "" };
            (Action::Modify, format!("recreated {why}: {facts}{in_use}"))
        }
    };
    change(action, wish, detail, steps)
}

/// A bridge takes the lowest MTU of its ports: a tap with another one would change a bridge that is not ours.
fn foreign_mtu(draft: &Draft<'_>, port: &Port) -> Option<u32> {
    let network = draft.config.networks.get(&port.network)?;
    let bridge = draft.observed.named(&network.interface)?;
    (is_foreign(draft, network)).then_some(bridge.mtu)
}

fn plug_new(wish: &Wish<'_>) -> Change {
    let interface = wish.port.interface.clone();
    let steps = vec![
        Step::SetMaster { interface: interface.clone(), bridge: wish.bridge.to_owned() },
        Step::PortOptions { interface: interface.clone() },
        Step::AddFdb { interface: interface.clone(), mac: wish.port.mac },
        Step::Up { interface },
    ];
    let detail = format!("on bridge {} with guest MAC {}, up", wish.bridge, wish.port.mac);
    change(Action::Modify, wish, detail, steps)
}

fn keep(draft: &Draft<'_>, wish: &Wish<'_>, found: &Interface) -> Option<Change> {
    let interface = wish.port.interface.clone();
    let mut steps = Vec::new();
    let mut details = Vec::new();
    if found.alias.as_ref() != Some(&wish.alias) {
        details.push(format!("port {}", wish.name));
    }
    let settings = Settings {
        alias: Some(wish.alias.clone()).filter(|alias| found.alias.as_ref() != Some(alias)),
        mac: Some(wish.mac).filter(|mac| found.mac != Some(*mac)),
        mtu: wish.mtu.filter(|mtu| found.mtu != *mtu),
        clear_group: false,
    };
    details.extend(settings.describe());
    if !settings.is_empty() {
        steps.push(Step::Set { interface: interface.clone(), settings });
    }
    if found.ipv6 == Some(true) {
        details.push("IPv6 off".to_owned());
        steps.push(Step::Ipv6 { interface, on: false });
    }
    plug(draft, wish, found, (&mut steps, &mut details));
    (!steps.is_empty()).then(|| change(Action::Modify, wish, details.join(", "), steps))
}

/// What is missing of [`plug_new`].
fn plug(
    draft: &Draft<'_>,
    wish: &Wish<'_>,
    found: &Interface,
    (steps, details): (&mut Vec<Step>, &mut Vec<String>),
) {
    let interface = wish.port.interface.clone();
    let plugged = draft.observed.master_of(found).is_some_and(|bridge| bridge.name == wish.bridge);
    let mut up = found.up;
    if !plugged {
        details.push(format!("on bridge {}", wish.bridge));
        // No frame is to reach the new bridge before the port's options are set.
        steps.extend(up.then(|| Step::Down { interface: interface.clone() }));
        up = false;
        steps.push(Step::SetMaster { interface: interface.clone(), bridge: wish.bridge.to_owned() });
    }
    if !plugged || found.bridge_port != Some(PORT_OPTIONS) {
        details.push("no learning, no unknown unicast".to_owned());
        steps.push(Step::PortOptions { interface: interface.clone() });
    }
    if !plugged || !found.static_fdb.contains(&wish.port.mac) {
        details.push(format!("guest MAC {}", wish.port.mac));
        steps.push(Step::AddFdb { interface: interface.clone(), mac: wish.port.mac });
    }
    let stale = found.static_fdb.iter().filter(|mac| plugged && **mac != wish.port.mac);
    for mac in stale {
        details.push(format!("without guest MAC {mac}"));
        steps.push(Step::DeleteFdb { interface: interface.clone(), mac: *mac });
    }
    if !up {
        details.push("up".to_owned());
        steps.push(Step::Up { interface });
    }
}

fn change(action: Action, wish: &Wish<'_>, detail: String, steps: Vec<Step>) -> Change {
    Change { action, object: Object::Tap, interface: wish.port.interface.clone(), detail, steps }
}
