//! Interfaces that something else made and that only get the programs (`adopt = true`): whether the policy can be
//! enforced there, and which network they are on. Nothing of them is changed, so there are no steps here.

use std::fmt;

use super::bridge::describe;
use super::change::{Action, Change, Object, Plan};
use super::error::Problem;
use super::link::{Interface, Kind, MacvtapFacts, Observed};
use super::macvtap::mode;
use super::plan::Draft;
use crate::config::{Config, Device, Mac, Network, NetworkKind, PortKind};

/// Why the policy cannot be enforced on an interface.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    #[error("it is {0}; netctl enforces on taps and macvtaps")]
    NoPort(String),
    #[error("it is {0}; `netctl port list` shows netctl's ports")]
    Ours(String),
    #[error(
        "it is a {}, and ports of the {network_kind} network `{network}` are {}s; choose another network",
        .found.name(), .wanted.name()
    )]
    OtherKind { found: PortKind, wanted: PortKind, network: String, network_kind: &'static str },
    #[error(
        "it is {found}, and network `{network}` is {wanted}; plug it in there, or choose another network"
    )]
    Elsewhere { found: Place, wanted: String, network: String },
    #[error("its mode is {found}, and network `{network}` needs {wanted}; choose another network")]
    OtherMode { found: &'static str, wanted: &'static str, network: String },
    #[error(
        "it has XDP program {0}, which sees the guest's frames before the policy and could send them past it; \
         take it off with `ip link set {1} xdp off`"
    )]
    Xdp(u32, String),
    #[error("its MAC address is {found}, and the port's is {wanted}; give the port the interface's")]
    OtherMac { found: Mac, wanted: Mac },
}

/// What an interface is plugged into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The bridge, bond or whatever it is a port of.
    PortOf(String),
    /// The interface below.
    On(String),
    /// In another network namespace, or nowhere.
    Nowhere,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PortOf(master) => write!(f, "a port of `{master}`"),
            Self::On(lower) => write!(f, "on `{lower}`"),
            Self::Nowhere => f.write_str("plugged into nothing here"),
        }
    }
}

/// An interface that can be adopted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adoptable {
    pub kind: PortKind,
    /// Of the guest: a macvtap has it itself. A tap's own address says nothing about the guest's.
    pub mac: Option<Mac>,
    pub place: Place,
    /// The networks that it can be a port of.
    pub networks: Vec<String>,
}

/// What `interface` would be as a port of one of the document's networks.
///
/// # Errors
/// Why it can be no port of any.
pub fn adoptable(config: &Config, observed: &Observed, interface: &Interface) -> Result<Adoptable, Misfit> {
    let kind = check(interface)?;
    let fits =
        |network: &&String| check_place(observed, interface, (network, &config.networks[*network])).is_ok();
    Ok(Adoptable {
        kind,
        mac: interface.mac.filter(|_| kind == PortKind::Macvtap),
        place: place(observed, interface),
        networks: config.networks.keys().filter(fits).cloned().collect(),
    })
}

/// The network on whose bridge or uplink an interface is, whether or not it could be a port there.
pub fn plugged_into<'a>(config: &'a Config, observed: &Observed, interface: &Interface) -> Option<&'a str> {
    let (Place::PortOf(at) | Place::On(at)) = place(observed, interface) else { return None };
    let is_there = |network: &Network| network.interface == at || network.uplinks.contains(&at);
    config.networks.iter().find(|(_, network)| is_there(network)).map(|(name, _)| name.as_str())
}

/// Conflicts of the ports that adopt.
pub(super) fn plan(draft: &mut Draft<'_>) {
    let config = draft.config;
    for (name, port) in config.ports.iter().filter(|(_, port)| port.device == Device::Adopted) {
        // The parser has resolved the network's name.
        let Some(network) = config.networks.get(&port.network) else { continue };
        let interface = port.interface.clone();
        let Some(found) = draft.observed.named(&interface) else {
            draft.conflict(port.line, Problem::AdoptMissing { port: name.clone(), interface });
            continue;
        };
        let fits = check(found)
            .and_then(|_| check_place(draft.observed, found, (&port.network, network)))
            .and_then(|()| check_mac(found, port.mac));
        if let Err(why) = fits {
            draft.conflict(port.line, Problem::Adopt { port: name.clone(), interface, why });
        }
    }
}

/// Lower interfaces that adopted macvtaps of a network are on; no port of netctl's can have them too.
pub(super) fn lowers<'a>(draft: &'a Draft<'_>, network: &'a str) -> impl Iterator<Item = u32> + 'a {
    let adopted = draft.config.ports.values().filter(|port| port.device == Device::Adopted);
    adopted
        .filter(move |port| port.network == network)
        .filter_map(|port| draft.observed.named(&port.interface)?.lower)
}

/// Adds to the plan which interfaces of others get the programs, and which lose them. `running`: name and interface
/// index of the ports that run.
pub fn adoptions(plan: &mut Plan, running: &[(String, u32)], wanted: &Config, observed: &Observed) {
    for (name, port) in wanted.ports.iter().filter(|(_, port)| port.device == Device::Adopted) {
        let Some(found) = observed.named(&port.interface) else { continue };
        if !running.iter().any(|(port, index)| port == name && *index == found.index) {
            plan.adopt.push(change(
                Action::Add,
                found,
                format!("adopted as port {name}: only the policy is put on it"),
            ));
        }
    }
    for (name, index) in running {
        let theirs = |found: &&Interface| found.index == *index && found.tag().is_none();
        let Some(found) = observed.interfaces().find(theirs) else { continue };
        if !wanted.ports.values().any(|port| port.interface == found.name) {
            plan.release.push(change(
                Action::Remove,
                found,
                format!("port {name} is released: it is no longer filtered"),
            ));
        }
    }
}

/// Whose steps are not the network's.
fn change(action: Action, found: &Interface, detail: String) -> Change {
    let object = if found.is_macvlan() { Object::Macvtap } else { Object::Tap };
    Change { action, object, interface: found.name.clone(), detail, steps: Vec::new() }
}

fn check(found: &Interface) -> Result<PortKind, Misfit> {
    if found.tag().is_some() {
        return Err(Misfit::Ours(describe(found)));
    }
    let kind = match found.kind {
        Kind::Tap(_) => PortKind::Tap,
        Kind::Macvtap(_) => PortKind::Macvtap,
        _ => return Err(Misfit::NoPort(describe(found))),
    };
    match found.xdp {
        Some(program) => Err(Misfit::Xdp(program, found.name.clone())),
        None => Ok(kind),
    }
}

fn place(observed: &Observed, found: &Interface) -> Place {
    if matches!(found.kind, Kind::Macvtap(_)) {
        let lower = found.lower.and_then(|index| observed.by_index(index));
        return lower.map_or(Place::Nowhere, |lower| Place::On(lower.name.clone()));
    }
    observed.master_of(found).map_or(Place::Nowhere, |master| Place::PortOf(master.name.clone()))
}

fn check_place(
    observed: &Observed,
    found: &Interface,
    (name, network): (&str, &Network),
) -> Result<(), Misfit> {
    let kind = if found.is_macvlan() { PortKind::Macvtap } else { PortKind::Tap };
    let (wanted_kind, name) = (network.kind.port_kind(), name.to_owned());
    if kind != wanted_kind {
        let network_kind = network.kind.name();
        return Err(Misfit::OtherKind { found: kind, wanted: wanted_kind, network: name, network_kind });
    }
    let here = place(observed, found);
    let (there, wanted) = match network.kind {
        NetworkKind::Bridge => {
            (here == Place::PortOf(network.interface.clone()), format!("the bridge `{}`", network.interface))
        }
        _ => {
            let on = |uplink: &String| here == Place::On(uplink.clone());
            (network.uplinks.iter().any(on), format!("on `{}`", network.uplinks.join("`, `")))
        }
    };
    if !there {
        return Err(Misfit::Elsewhere { found: here, wanted, network: name });
    }
    match found.kind {
        Kind::Macvtap(MacvtapFacts { mode: found }) if found != mode(network) => {
            Err(Misfit::OtherMode { found: found.name(), wanted: mode(network).name(), network: name })
        }
        _ => Ok(()),
    }
}

/// The driver delivers by the macvtap's address: with another one the guest gets no frames.
fn check_mac(found: &Interface, wanted: Mac) -> Result<(), Misfit> {
    match (&found.kind, found.mac) {
        (Kind::Macvtap(_), Some(mac)) if mac != wanted => Err(Misfit::OtherMac { found: mac, wanted }),
        _ => Ok(()),
    }
}
