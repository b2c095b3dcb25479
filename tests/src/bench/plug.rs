//! How the two measured guests are plugged in, and what lies below: nothing for taps on a bridge; for macvtaps a wire
//! (veth) into a switch, which is a Linux bridge that sends frames back where the kind needs that.

use anyhow::Result;
use serde::Serialize;

use super::document::{INTERFACES, MACS};
use crate::frame::mac_text;
use crate::sandbox::Sandbox;
use crate::switch::Switch;

/// The kinds of networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Plug {
    Bridge,
    Macvlan,
    Passthrough,
    Vepa,
}

/// Uplinks; one guest each where a guest has one of its own, else only the first.
const UPLINKS: [&str; 2] = ["nic0", "nic1"];
impl Plug {
    /// The wire and the switch.
    ///
    /// # Errors
    /// Like [`Switch::nic`].
    pub fn lay(self, sandbox: &Sandbox) -> Result<()> {
        if self == Self::Bridge {
            return Ok(());
        }
        let switch = Switch::new(sandbox, "switch")?;
        for nic in self.uplinks() {
            switch.nic(nic)?;
            switch.reflect(nic, self == Self::Vepa)?;
        }
        Ok(())
    }

    /// The two ports, without anything that filters.
    ///
    /// # Panics
    /// If `ip` fails, or for taps, which [`crate::bridge`] makes.
    pub fn make_macvtaps(self, sandbox: &Sandbox) {
        let mode = match self {
            Self::Bridge => panic!("taps are no macvtaps"),
            Self::Macvlan => "bridge",
            Self::Passthrough => "passthru",
            Self::Vepa => "vepa",
        };
        for ((name, mac), uplink) in INTERFACES.iter().zip(MACS).zip(self.uplinks().iter().cycle()) {
            let mac = mac_text(mac);
            sandbox.ip(&format!("link add link {uplink} name {name} address {mac} type macvtap mode {mode}"));
            sandbox.ip(&format!("link set {name} address {mac}"));
            sandbox.ip(&format!("link set {name} up"));
        }
    }

    /// The keys of the network in netctl's document.
    pub fn document(self) -> String {
        match self {
            Self::Bridge => "kind = \"bridge\"\n".to_owned(),
            Self::Macvlan => format!("kind = \"macvlan\"\nuplinks = {:?}\n", self.uplinks()),
            Self::Passthrough => format!("kind = \"passthrough\"\nuplinks = {:?}\n", self.uplinks()),
            Self::Vepa => format!("kind = \"vepa\"\nuplinks = {:?}\n", self.uplinks()),
        }
    }

    fn uplinks(self) -> &'static [&'static str] {
        match self {
            Self::Bridge => &[],
            Self::Macvlan | Self::Vepa => &UPLINKS[..1],
            Self::Passthrough => &UPLINKS,
        }
    }
}
