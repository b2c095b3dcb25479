//! Steps on one virtual function. Its interface may not be there when they are planned, and gets its name from others:
//! it is looked up when the step is carried out.

use std::fmt;

use super::vf::VfState;
use crate::config::Mac;

/// What is done to a virtual function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VfAction {
    /// Marks it as a port's, with the settings that it has now.
    Lease {
        /// Interface name of the port.
        port: String,
        /// The guest drives the function itself: it needs no interface.
        vfio: bool,
    },
    /// Makes its settings so, and reads them back.
    Set(VfState),
    /// Lets its driver choose a MAC address again, where the NIC's driver knows such a thing.
    FreeMac,
    /// MAC address of its interface. It may have to go down and up for it; a crash in between leaves it so, and the next
    /// plan sees that.
    Mac(Mac),
    /// Of its interface.
    AllMulticast(bool),
    /// Whether the host speaks IPv6 on its interface (sysctl `disable_ipv6`).
    Ipv6(bool),
    /// Sets its interface up.
    Up,
    /// Sets its interface down.
    Down,
}

impl VfAction {
    /// As it follows "cannot"; `vf` is "VF 2 of `eth3`".
    pub(super) fn write(&self, vf: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lease { port, .. } => write!(f, "mark {vf} as that of `{port}`"),
            Self::Set(state) => write!(f, "set {state} of {vf}"),
            Self::FreeMac => write!(f, "free the MAC address of {vf}"),
            Self::Mac(mac) => write!(f, "set MAC {mac} of the interface of {vf}"),
            Self::AllMulticast(on) => {
                write!(f, "turn all-multicast {} for the interface of {vf}", if *on { "on" } else { "off" })
            }
            Self::Ipv6(on) => {
                write!(f, "turn IPv6 {} on the interface of {vf}", if *on { "on" } else { "off" })
            }
            Self::Up => write!(f, "set the interface of {vf} up"),
            Self::Down => write!(f, "set the interface of {vf} down"),
        }
    }
}

/// The interface below a macvtap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lower {
    /// By name.
    Interface(String),
    /// That of a virtual function.
    Vf { pf: String, number: u16 },
}

impl fmt::Display for Lower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interface(name) => f.write_str(name),
            Self::Vf { pf, number } => write!(f, "VF {number} of {pf}"),
        }
    }
}
