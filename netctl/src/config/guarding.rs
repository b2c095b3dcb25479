//! What a port is held to besides the rules: guards, VLANs, limits.

use std::collections::BTreeSet;

use netctl_common::abi::guards;

/// Guards that are on: bits of [`netctl_common::abi::guards`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guards(pub u32);

impl Default for Guards {
    fn default() -> Self {
        Self(guards::ALL)
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

/// Rates that a port may not exceed, by direction as seen from the guest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    pub from_guest: DirectionLimits,
    pub to_guest: DirectionLimits,
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
