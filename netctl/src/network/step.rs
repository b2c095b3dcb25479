//! The smallest things that are done to the host: each is one request to the kernel, or leaves nothing
//! if it is interrupted. A crash can fall between steps, never into one.

use std::fmt;

use ipnet::IpNet;

use super::link::Mode;
use super::vf_step::{Lower, VfAction};
use crate::config::Mac;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Down, without ports, marked as half made; STP and multicast snooping off.
    CreateBridge {
        interface: String,
        mac: Mac,
    },
    /// A persistent tap, down, with its alias and settings.
    CreateTap(TapSpec),
    /// Down, marked as half made.
    CreateMacvtap(MacvtapSpec),
    /// By index, so that an interface that took the name since is not hit.
    Delete {
        interface: String,
        index: u32,
    },
    /// Everything in one request.
    Set {
        interface: String,
        settings: Settings,
    },
    /// STP and multicast snooping off.
    BridgeOptions {
        interface: String,
    },
    /// Between modes other than passthru.
    MacvtapMode {
        interface: String,
        mode: Mode,
    },
    /// The macvlan driver hands all multicast on, not only what the host has joined here: the guest's own joins are
    /// not known to it.
    AllMulticast {
        interface: String,
    },
    Up {
        interface: String,
    },
    Down {
        interface: String,
    },
    /// Whether the host speaks IPv6 on the interface (sysctl `disable_ipv6`).
    Ipv6 {
        interface: String,
        on: bool,
    },
    SetMaster {
        interface: String,
        bridge: String,
    },
    ClearMaster {
        interface: String,
    },
    /// Learning and unknown-unicast flood off, multicast flood on.
    PortOptions {
        interface: String,
    },
    /// To a group, in the list of the interface itself.
    AddGroup {
        interface: String,
        group: Mac,
    },
    DeleteGroup {
        interface: String,
        group: Mac,
    },
    /// A static entry of the bridge's forwarding table.
    AddFdb {
        interface: String,
        mac: Mac,
    },
    DeleteFdb {
        interface: String,
        mac: Mac,
    },
    AddAddress {
        interface: String,
        net: IpNet,
        protocol: u8,
    },
    DeleteAddress {
        interface: String,
        net: IpNet,
    },
    /// `sriov_numvfs`; 0 takes all of them away.
    SetVfs {
        /// Interface of the physical function.
        pf: String,
        count: u16,
    },
    /// On a virtual function.
    Vf {
        pf: String,
        number: u16,
        action: VfAction,
    },
    AddName {
        interface: String,
        name: String,
    },
    DeleteName {
        interface: String,
        name: String,
    },
}

/// A tap to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TapSpec {
    pub interface: String,
    pub settings: Settings,
    pub multi_queue: bool,
    pub owner: Option<u32>,
    pub group: Option<u32>,
}

/// A macvtap to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MacvtapSpec {
    pub interface: String,
    pub lower: Lower,
    pub mode: Mode,
    /// The guest's.
    pub mac: Mac,
    /// Bytes; `None` takes the uplink's.
    pub mtu: Option<u32>,
}

/// What one RTM_NEWLINK request changes; `None` leaves it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    pub alias: Option<String>,
    pub mac: Option<Mac>,
    /// Bytes.
    pub mtu: Option<u32>,
    /// Removes the mark of a half-made interface.
    pub clear_group: bool,
}

impl Settings {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What a reader cares for: `MAC 02:…`, `MTU 9000`, not the marks.
    pub(super) fn describe(&self) -> Vec<String> {
        let mac = self.mac.map(|mac| format!("MAC {mac}"));
        let mtu = self.mtu.map(|mtu| format!("MTU {mtu}"));
        mac.into_iter().chain(mtu).collect()
    }
}

impl Step {
    /// The interface that changes.
    pub fn interface(&self) -> &str {
        match self {
            Self::CreateTap(spec) => &spec.interface,
            Self::CreateMacvtap(spec) => &spec.interface,
            Self::SetVfs { pf, .. } | Self::Vf { pf, .. } => pf,
            Self::CreateBridge { interface, .. }
            | Self::Delete { interface, .. }
            | Self::Set { interface, .. }
            | Self::BridgeOptions { interface }
            | Self::MacvtapMode { interface, .. }
            | Self::AllMulticast { interface }
            | Self::Up { interface }
            | Self::Down { interface }
            | Self::Ipv6 { interface, .. }
            | Self::SetMaster { interface, .. }
            | Self::ClearMaster { interface }
            | Self::PortOptions { interface }
            | Self::AddFdb { interface, .. }
            | Self::AddGroup { interface, .. }
            | Self::DeleteGroup { interface, .. }
            | Self::DeleteFdb { interface, .. }
            | Self::AddAddress { interface, .. }
            | Self::DeleteAddress { interface, .. }
            | Self::AddName { interface, .. }
            | Self::DeleteName { interface, .. } => interface,
        }
    }
}

impl fmt::Display for Step {
    /// As it follows "cannot".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let interface = self.interface();
        match self {
            Self::CreateBridge { .. } => write!(f, "make bridge `{interface}`"),
            Self::CreateTap(_) => write!(f, "make tap `{interface}`"),
            Self::CreateMacvtap(spec) => write!(f, "make macvtap `{interface}` on {}", spec.lower),
            Self::MacvtapMode { mode, .. } => write!(f, "set mode {} of `{interface}`", mode.name()),
            Self::AllMulticast { .. } => write!(f, "turn all-multicast on for `{interface}`"),
            Self::Delete { .. } => write!(f, "delete `{interface}`"),
            Self::Set { settings, .. } => write!(f, "set {settings} of `{interface}`"),
            Self::BridgeOptions { .. } => write!(f, "set the bridge options of `{interface}`"),
            Self::Up { .. } => write!(f, "set `{interface}` up"),
            Self::Down { .. } => write!(f, "set `{interface}` down"),
            Self::Ipv6 { on, .. } => {
                write!(f, "turn IPv6 {} on `{interface}`", if *on { "on" } else { "off" })
            }
            Self::SetMaster { bridge, .. } => write!(f, "put `{interface}` on bridge `{bridge}`"),
            Self::ClearMaster { .. } => write!(f, "release `{interface}` from its bridge"),
            Self::PortOptions { .. } => write!(f, "set the bridge port options of `{interface}`"),
            Self::AddGroup { group, .. } => write!(f, "let `{interface}` hear {group}"),
            Self::DeleteGroup { group, .. } => write!(f, "let `{interface}` not hear {group}"),
            Self::AddFdb { mac, .. } => write!(f, "bind {mac} to `{interface}`"),
            Self::DeleteFdb { mac, .. } => write!(f, "unbind {mac} from `{interface}`"),
            Self::AddAddress { net, .. } => write!(f, "add {net} to `{interface}`"),
            Self::DeleteAddress { net, .. } => write!(f, "remove {net} from `{interface}`"),
            Self::SetVfs { count, .. } => write!(f, "make {count} virtual functions of `{interface}`"),
            Self::Vf { number, action, .. } => action.write(&format!("VF {number} of `{interface}`"), f),
            Self::AddName { .. } => write!(f, "mark `{interface}`"),
            Self::DeleteName { .. } => write!(f, "remove a mark of `{interface}`"),
        }
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = self.describe();
        if parts.is_empty() { f.write_str("the mark") } else { f.write_str(&parts.join(", ")) }
    }
}
