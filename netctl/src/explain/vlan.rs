//! The VLAN of a question: the first in which its frame gets from one end to the other.

use netctl_common::frame::number;
use netctl_common::verdict::Direction;

use super::question::Question;
use crate::config::{Config, Vlans};

/// On the network; 0 = none. Where the two ends have none in common, it is the sender's.
fn on_network(config: &Config, question: &Question) -> u16 {
    let vlans = |port: &Option<String>| config.ports.get(port.as_deref()?).map(|port| &port.vlans);
    let (from, to) = (vlans(&question.from.port), vlans(&question.to.port));
    let common = |vlan: &u16| to.is_none_or(|to| all(to).any(|other| other == *vlan));
    match (from, to) {
        (Some(from), _) => all(from).find(common).or_else(|| all(from).next()).unwrap_or(0),
        (None, Some(to)) => all(to).next().unwrap_or(0),
        (None, None) => 0,
    }
}

/// Every VLAN of a port, the untagged one first; 0 = none.
fn all(vlans: &Vlans) -> impl Iterator<Item = u16> {
    let is_tagged_only = !vlans.trunk.is_empty() && vlans.access.is_none() && !vlans.native_untagged;
    let untagged = (!is_tagged_only).then_some(vlans.access.unwrap_or(0));
    untagged.into_iter().chain(vlans.trunk.iter().copied())
}

impl Question {
    /// The VLAN on the network; `None` = none.
    pub fn vlan(&self, config: &Config) -> Option<u16> {
        Some(on_network(config, self)).filter(|vlan| *vlan != 0)
    }

    /// The tag that its frame has at a port: a guest sends none in its access VLAN.
    pub(super) fn tag(&self, config: &Config, port: &str, direction: Direction) -> Option<u16> {
        let is_tagged = |vlan: &u16| match direction {
            Direction::FromGuest => {
                config.ports.get(port).is_some_and(|port| port.vlans.trunk.contains(vlan))
            }
            Direction::ToGuest => true,
        };
        self.vlan(config).filter(is_tagged)
    }
}

/// With a tag behind the MAC addresses.
pub(super) fn tagged(mut frame: Vec<u8>, vlan: Option<u16>) -> Vec<u8> {
    if let Some(vlan) = vlan {
        let tag = [number::ETHERTYPE_VLAN.to_be_bytes(), vlan.to_be_bytes()].concat();
        frame.splice(12..12, tag);
    }
    frame
}
