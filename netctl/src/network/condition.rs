//! Whether a port or network works, as far as the host's interfaces tell: what is missing, down or replaced.

use std::fmt;

use super::link::{Interface, Observed};
use crate::config::{Network, Port, PortKind};

/// The first thing that keeps frames from passing as the document says, from the uplink to the guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    Up,
    /// There is no interface to enforce the policy on.
    Missing,
    /// The interface is there, and the programs are not on it.
    NotFiltered,
    /// The network's bridge or NIC is not there.
    UplinkGone(String),
    UplinkDown(String),
    /// No cable, or the other end is down.
    UplinkNoCarrier(String),
    /// The tap is no port of its network's bridge.
    Unplugged,
    Down,
    /// Nobody holds a queue of the tap.
    NoCarrier,
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Up => f.write_str("up"),
            Self::Missing => f.write_str("missing"),
            Self::NotFiltered => f.write_str("not filtered"),
            Self::UplinkGone(name) => write!(f, "{name} gone"),
            Self::UplinkDown(name) => write!(f, "{name} down"),
            Self::UplinkNoCarrier(name) => write!(f, "{name} no carrier"),
            Self::Unplugged => f.write_str("unplugged"),
            Self::Down => f.write_str("down"),
            Self::NoCarrier => f.write_str("no carrier"),
        }
    }
}

/// Of a network: its bridge with its uplinks, or its NICs.
pub fn of_network(observed: &Observed, network: &Network) -> Condition {
    let bridge = network.bridge().map(str::to_owned);
    let nics = bridge.iter().chain(&network.uplinks);
    let found = nics.filter(|name| !name.is_empty()).map(|name| of_uplink(observed, name));
    // A bridge has a carrier while one of its ports has: guests come and go.
    let is_bridge = |condition: &Condition| matches!(condition, Condition::UplinkNoCarrier(name) if Some(name) == bridge.as_ref());
    let pf = network.pool.iter().map(|pool| of_uplink(observed, &pool.pf));
    let wrong = found.chain(pf).find(|condition| *condition != Condition::Up && !is_bridge(condition));
    wrong.unwrap_or(Condition::Up)
}

/// Of a port. `index`: of the interface that the running policy knows; `enforced`: the programs are on it.
pub fn of_port(
    observed: &Observed,
    (port, network): (&Port, &Network),
    index: Option<u32>,
    enforced: bool,
) -> Condition {
    if !port.device.is_filtered() {
        return Condition::NotFiltered;
    }
    let found = observed.named(&port.interface);
    let below = below(observed, port, network, found);
    let Some(found) = found else {
        return below.filter(|below| matches!(below, Condition::UplinkGone(_))).unwrap_or(Condition::Missing);
    };
    if !enforced || index != Some(found.index) {
        Condition::NotFiltered
    } else if let Some(below) = below {
        below
    } else if network.bridge().is_some_and(|bridge| !is_port_of(observed, found, bridge)) {
        Condition::Unplugged
    } else if !found.up {
        Condition::Down
    } else if !found.carrier {
        Condition::NoCarrier
    } else {
        Condition::Up
    }
}

/// What is wrong below a port: with the bridge, or with the NIC of a macvtap.
fn below(
    observed: &Observed,
    port: &Port,
    network: &Network,
    found: Option<&Interface>,
) -> Option<Condition> {
    if network.kind.port_kind() == PortKind::Tap {
        let bridge = of_uplink(observed, &network.interface);
        return matches!(bridge, Condition::UplinkGone(_) | Condition::UplinkDown(_)).then_some(bridge);
    }
    let lower = found.and_then(|found| found.lower).and_then(|index| observed.by_index(index));
    let names = match (lower, &port.uplink) {
        (Some(lower), _) => vec![lower.name.as_str()],
        (None, Some(uplink)) => vec![uplink.as_str()],
        (None, None) => network.uplinks.iter().map(String::as_str).collect(),
    };
    names.into_iter().map(|name| of_uplink(observed, name)).find(|condition| *condition != Condition::Up)
}

fn is_port_of(observed: &Observed, found: &Interface, bridge: &str) -> bool {
    observed.master_of(found).is_some_and(|master| master.name == bridge)
}

fn of_uplink(observed: &Observed, name: &str) -> Condition {
    match observed.named(name) {
        None => Condition::UplinkGone(name.to_owned()),
        Some(found) if !found.up => Condition::UplinkDown(name.to_owned()),
        Some(found) if !found.carrier => Condition::UplinkNoCarrier(name.to_owned()),
        Some(_) => Condition::Up,
    }
}
