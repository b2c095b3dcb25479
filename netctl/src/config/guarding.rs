//! What a port is held to besides the rules: guards, VLANs, limits.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use netctl_common::abi::guards;
use netctl_common::limit::Limit;
use netctl_common::verdict::Direction;

/// Guards that are on: bits of [`netctl_common::abi::guards`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guards(pub u32);

impl Default for Guards {
    fn default() -> Self {
        Self(guards::ALL)
    }
}

impl Guards {
    /// Those that are off, by name.
    pub fn off(self) -> impl Iterator<Item = &'static str> {
        guards::NAMES.into_iter().filter(move |(_, guard)| self.0 & guard == 0).map(|(name, _)| name)
    }
}

/// Which VLANs a guest is in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vlans {
    /// Of frames that the guest sends and gets untagged: 1 to 4094; `None` = untagged on the network too, or, of a
    /// trunk, no such frames.
    pub access: Option<u16>,
    /// Whose tags the guest may send and get (`vlans`). With any, the port is a trunk.
    pub trunk: BTreeSet<u16>,
    /// A trunk's untagged frames are untagged on the network (`vlan = 0`).
    pub native_untagged: bool,
}

impl Vlans {
    /// As a document says it: `vlan`, with 0 for none beside a trunk.
    pub fn untagged(&self) -> Option<u16> {
        self.access.or(self.native_untagged.then_some(0))
    }

    /// Those of the trunk, with those that follow one another as one range.
    pub fn ranges(&self) -> Vec<RangeInclusive<u16>> {
        let mut runs: Vec<RangeInclusive<u16>> = Vec::new();
        for vlan in &self.trunk {
            match runs.last_mut() {
                Some(run) if run.end() + 1 == *vlan => *run = *run.start()..=*vlan,
                _ => runs.push(*vlan..=*vlan),
            }
        }
        runs
    }
}

/// Rates that a port may not exceed, by direction as seen from the guest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    pub from_guest: DirectionLimits,
    pub to_guest: DirectionLimits,
}

impl Limits {
    /// Those that there are.
    pub fn each(&self) -> impl Iterator<Item = (Direction, Limit, Rate)> {
        let sides = [(Direction::FromGuest, &self.from_guest), (Direction::ToGuest, &self.to_guest)];
        sides.into_iter().flat_map(|(direction, limits)| {
            Limit::ALL.into_iter().filter_map(move |limit| Some((direction, limit, limits.of(limit)?)))
        })
    }
}

/// `None` = no limit of the document's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DirectionLimits {
    /// Per second.
    pub bits: Option<Rate>,
    pub packets: Option<Rate>,
    pub broadcast: Option<Rate>,
    pub multicast: Option<Rate>,
    pub unknown_unicast: Option<Rate>,
    pub new_flows: Option<Rate>,
}

/// A token bucket; the rest is in `config/rate.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Per second; never 0.
    pub per_second: u64,
    /// What may come at once, in bytes where the rate is in bits; `None` = chosen for the rate.
    pub burst: Option<u64>,
}
