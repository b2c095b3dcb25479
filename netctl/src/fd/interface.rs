//! What an interface of this network namespace is, by sysfs: for a port that names one as its network.
//!
//! Without privilege a sysfs cannot be mounted; then /sys is read, which shows the namespace of whoever mounted it.

use std::fs::File;

use super::ioctl;
use super::sysfs::Sysfs;
use crate::config::InterfaceKind;

/// linux/if_arp.h, ARPHRD_ETHER.
const ETHERNET: &str = "1";

/// Its index in this thread's network namespace.
pub fn index(name: &str) -> Option<u32> {
    ioctl::interface_index(name)
}

/// What the interface is; `None` if there is none of that name.
pub fn kind(name: &str) -> Option<InterfaceKind> {
    Facts::of(name)?.kind()
}

/// The folder of an interface.
struct Facts<'a> {
    sysfs: Sysfs,
    name: &'a str,
}

impl<'a> Facts<'a> {
    fn of(name: &'a str) -> Option<Self> {
        let facts = Self { sysfs: Sysfs::open().unwrap_or_default(), name };
        facts.read("ifindex").map(|_| facts)
    }

    fn kind(&self) -> Option<InterfaceKind> {
        let unfit =
            |what: &str, help: &str| Some(InterfaceKind::Unfit { what: what.into(), help: help.into() });
        let adopt = "`netctl port adopt` enforces on it; a port's network is a bridge or a NIC";
        let device = self.value("uevent", "DEVTYPE").unwrap_or_default();
        if self.has("tun_flags") {
            return unfit("a tap", adopt);
        }
        if self.read("type").as_deref() != Some(ETHERNET) {
            return unfit("no Ethernet interface", "name a bridge, a NIC, a bond or a VLAN");
        }
        if device == "bridge" {
            return Some(InterfaceKind::Bridge);
        }
        let index = self.read("ifindex").unwrap_or_default();
        if self.has(&format!("tap{index}/dev")) {
            return unfit("a macvtap", adopt);
        }
        if let Some(master) = self.value("master/uevent", "INTERFACE") {
            let help = format!("if `{master}` is a bridge, write `network = \"{master}\"`");
            return unfit(&format!("a port of `{master}`"), &help);
        }
        if device == "wlan" || self.has("phy80211/name") {
            let help = "its access point takes frames of one MAC address only; route, or use another NIC";
            return unfit("a wireless NIC", help);
        }
        Some(self.nic(&device))
    }

    fn nic(&self, device: &str) -> InterfaceKind {
        let number = |file| self.read(file).and_then(|text| text.parse().ok()).unwrap_or(0);
        let (vfs, most) = (number("device/sriov_numvfs"), number("device/sriov_totalvfs"));
        if self.has("device/physfn/uevent") {
            InterfaceKind::VirtualFunction
        } else if most > 0 {
            InterfaceKind::PhysicalFunction { vfs, most }
        } else {
            InterfaceKind::Nic(match device {
                "bond" => "a bond",
                "vlan" => "a VLAN",
                _ => "a NIC",
            })
        }
    }

    fn has(&self, file: &str) -> bool {
        File::open(self.sysfs.path(&self.relative(file))).is_ok()
    }

    /// Without its line end.
    fn read(&self, file: &str) -> Option<String> {
        self.sysfs.read(&self.relative(file)).ok()?
    }

    /// A line `key=value` of a file.
    fn value(&self, file: &str, key: &str) -> Option<String> {
        let text = self.read(file)?;
        let mut lines = text.lines().filter_map(|line| line.split_once('='));
        lines.find(|(of, _)| *of == key).map(|(_, value)| value.to_owned())
    }

    fn relative(&self, file: &str) -> String {
        format!("class/net/{}/{file}", self.name)
    }
}
