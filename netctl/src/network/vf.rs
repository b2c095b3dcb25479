//! What is there of SR-IOV, as values: the virtual functions of a NIC and what the NIC does for each.

use std::fmt;

use super::link::Interface;
use crate::config::{Mac, Port, VfSettings};

/// What a physical function has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sriov {
    /// `sriov_totalvfs`: how many virtual functions there may be.
    pub total: u16,
    /// Those that are there, by number.
    pub vfs: Vec<Vf>,
}

/// A virtual function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vf {
    /// Counted from 0, as `ip link set PF vf NUMBER` does.
    pub number: u16,
    /// PCI address, like `0000:01:10.2`.
    pub pci: String,
    /// That drives it on this host; `vfio-pci` where a guest does.
    pub driver: Option<String>,
    /// Index of its interface; `None` if it has none, or has it in another network namespace.
    pub interface: Option<u32>,
    pub state: VfState,
}

/// What the NIC does for a virtual function (IFLA_VF_INFO).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VfState {
    /// All zeros where nobody has set one.
    pub mac: Mac,
    /// 0 for none.
    pub vlan: u16,
    /// Priority of the VLAN tag.
    pub qos: u8,
    /// The tag is one of IEEE 802.1ad.
    pub service_tag: bool,
    pub spoof_check: bool,
    pub trust: bool,
    /// Mbit/s; 0 for none.
    pub min_rate: u32,
    /// Mbit/s; 0 for no limit.
    pub max_rate: u32,
}

impl VfState {
    /// What a port of a pool with these settings needs.
    pub fn wanted(port: &Port, settings: &VfSettings) -> Self {
        Self {
            mac: port.mac,
            vlan: settings.vlan.unwrap_or(0),
            qos: 0,
            service_tag: false,
            spoof_check: settings.spoof_check,
            trust: settings.trust,
            min_rate: 0,
            max_rate: settings.rate.unwrap_or(0),
        }
    }

    /// What `other` has otherwise, for people.
    pub(super) fn describe_change(&self, other: Option<&Self>) -> Vec<String> {
        let on = |on: bool| if on { "on" } else { "off" };
        let facts = [
            (other.is_some_and(|o| o.mac == self.mac), format!("MAC {}", self.mac)),
            (
                other.map_or(self.vlan == 0, |o| self.tag() == o.tag()),
                if self.vlan == 0 { "no VLAN".to_owned() } else { format!("VLAN {}", self.vlan) },
            ),
            (
                other.is_some_and(|o| o.spoof_check == self.spoof_check),
                format!("spoof check {}", on(self.spoof_check)),
            ),
            (other.is_some_and(|o| o.trust == self.trust), format!("trust {}", on(self.trust))),
            (
                other.map_or(self.max_rate == 0, |o| self.rates() == o.rates()),
                if self.max_rate == 0 {
                    "no rate limit".to_owned()
                } else {
                    format!("{} Mbit/s", self.max_rate)
                },
            ),
        ];
        facts.into_iter().filter(|(same, _)| !same).map(|(_, text)| text).collect()
    }

    pub(super) fn tag(&self) -> (u16, u8, bool) {
        (self.vlan, self.qos, self.service_tag)
    }

    pub(super) fn rates(&self) -> (u32, u32) {
        (self.min_rate, self.max_rate)
    }
}

impl fmt::Display for VfState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe_change(None).join(", "))
    }
}

impl Interface {
    /// The virtual function, if the interface is a physical function that has it.
    pub(super) fn vf(&self, number: u16) -> Option<&Vf> {
        self.sriov.as_ref()?.vfs.iter().find(|vf| vf.number == number)
    }
}
