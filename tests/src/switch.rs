//! A switch outside of netctl's host, and NICs that are wired to it: a Linux bridge with one end of a veth for each
//! of its ports. The other ends are what documents call uplinks. It is silent by itself, so that frames can be counted.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::bridge::{Bridge, wait_forwarding};
use crate::sandbox::Sandbox;
use crate::tap::Tap;

/// A bridge that learns and floods as any switch, and reflects nothing unless told to.
#[derive(Debug)]
pub struct Switch<'a> {
    sandbox: &'a Sandbox,
    bridge: Bridge<'a>,
}

impl<'a> Switch<'a> {
    /// Makes it.
    ///
    /// # Errors
    /// If the host's IPv6 cannot be silenced in the sandbox.
    ///
    /// # Panics
    /// If `ip` fails.
    pub fn new(sandbox: &'a Sandbox, name: &str) -> Result<Self> {
        sandbox.assert_inside();
        // For interfaces that are made from now on: the host must not speak where frames are counted.
        set("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1")?;
        // With br_netfilter, frames would also pass the host's packet filter.
        for family in ["iptables", "ip6tables", "arptables"] {
            set(&format!("/proc/sys/net/bridge/bridge-nf-call-{family}"), "0")?;
        }
        // A bridge that snoops joins a group of its own, and reports it (net/bridge/br_multicast.c).
        let bridge = Bridge::with_options(sandbox, name, "mcast_snooping 0");
        Ok(Self { sandbox, bridge })
    }

    /// Makes a NIC, up, and plugs it in; frames pass when this returns.
    ///
    /// # Errors
    /// If the switch's port does not begin to forward.
    ///
    /// # Panics
    /// If `ip` fails: the name is taken, the kernel has no veth.
    pub fn nic(&self, nic: &str) -> Result<()> {
        let port = port(nic);
        self.sandbox.ip(&format!("link add {nic} type veth peer name {port}"));
        self.sandbox.ip(&format!("link set {nic} up"));
        self.sandbox.ip(&format!("link set {port} master {} up", self.bridge.name()));
        wait_forwarding(&port)
    }

    /// Whether the switch sends frames back to the NIC that they came from (IEEE 802.1Qbg: reflective relay).
    ///
    /// # Errors
    /// If the NIC is not plugged in.
    pub fn reflect(&self, nic: &str, on: bool) -> Result<()> {
        let path = format!("/sys/class/net/{}/brport/hairpin_mode", port(nic));
        fs::write(&path, if on { "1" } else { "0" }).with_context(|| format!("cannot write {path}"))
    }

    /// A station on the switch that is nobody's guest: the rest of the world.
    ///
    /// # Errors
    /// Like [`Bridge::tap`].
    pub fn station(&self, name: &str) -> Result<Tap> {
        self.bridge.tap(name)
    }

    /// Frames that the NIC has sent to the switch so far.
    ///
    /// # Errors
    /// If the NIC is not plugged in.
    pub fn received_from(&self, nic: &str) -> Result<u64> {
        statistic(&port(nic), "rx_packets")
    }

    /// Frames that the switch has sent to the NIC so far.
    ///
    /// # Errors
    /// If the NIC is not plugged in.
    pub fn sent_to(&self, nic: &str) -> Result<u64> {
        statistic(&port(nic), "tx_packets")
    }
}

/// The switch's end of a NIC's cable.
fn port(nic: &str) -> String {
    format!("sw-{nic}")
}

/// One of /sys/class/net/IF/statistics.
///
/// # Errors
/// If there is no such interface.
pub fn statistic(interface: &str, name: &str) -> Result<u64> {
    let path = format!("/sys/class/net/{interface}/statistics/{name}");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    text.trim().parse().with_context(|| format!("{path} holds {text:?}"))
}

/// A setting that a kernel without the feature does not have.
fn set(path: &str, value: &str) -> Result<()> {
    match Path::new(path).exists() {
        true => fs::write(path, value).with_context(|| format!("cannot write {path}")),
        false => Ok(()),
    }
}
