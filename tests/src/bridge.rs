//! Plain Linux bridges and taps, made with `ip`: what netctl is compared with, and what the harness is tested on.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::sandbox::Sandbox;
use crate::tap::{Options, Tap};

/// A bridge without spanning tree, up.
#[derive(Debug)]
pub struct Bridge<'a> {
    sandbox: &'a Sandbox,
    name: String,
}

impl<'a> Bridge<'a> {
    /// Makes it.
    ///
    /// # Panics
    /// If `ip` fails: the name is taken, the kernel has no bridge.
    pub fn new(sandbox: &'a Sandbox, name: &str) -> Self {
        Self::with_options(sandbox, name, "")
    }

    /// With more words of `ip link add type bridge`.
    ///
    /// # Panics
    /// Like [`Self::new`].
    pub fn with_options(sandbox: &'a Sandbox, name: &str, options: &str) -> Self {
        sandbox.ip(&format!("link add {name} type bridge stp_state 0 {options}"));
        sandbox.ip(&format!("link set {name} up"));
        Self { sandbox, name: name.to_owned() }
    }

    /// Adds a tap and opens its queue; frames pass when this returns.
    ///
    /// # Errors
    /// If the tap cannot be opened, or its port does not begin to forward.
    pub fn tap(&self, name: &str) -> Result<Tap> {
        self.tap_with(name, Options::default())
    }

    /// # Errors
    /// Like [`Self::tap`].
    pub fn tap_with(&self, name: &str, options: Options) -> Result<Tap> {
        self.sandbox.ip(&format!("tuntap add dev {name} mode tap vnet_hdr"));
        self.sandbox.ip(&format!("link set {name} master {} up", self.name));
        let tap = Tap::open_with(name, options)?;
        wait_forwarding(name)?;
        Ok(tap)
    }

    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Whether the interface `name` is a port of a bridge.
pub fn is_bridge_port(name: &str) -> bool {
    Path::new("/sys/class/net").join(name).join("brport").exists()
}

/// Waits until the bridge port `name` forwards: a tap has a carrier only while a queue is open, and the
/// bridge hears of it a moment later.
///
/// # Errors
/// If it does not within 3 s.
pub fn wait_forwarding(name: &str) -> Result<()> {
    const FORWARDING: &str = "3";
    let path = format!("/sys/class/net/{name}/brport/state");
    let deadline = Instant::now() + Duration::from_secs(3);
    loop {
        let state = fs::read_to_string(&path).unwrap_or_default();
        if state.trim() == FORWARDING {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "{name} does not forward: {path} holds {state:?}, not 3");
        thread::sleep(Duration::from_millis(1));
    }
}
