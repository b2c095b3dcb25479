//! A host as netctl makes it: a document applied by the `netctl` binary inside a [`Sandbox`], guests on the real
//! taps and macvtaps of its ports, and what `netctl stats`, `events` and `flows` say. What a document means is not known here.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use netctl_common::verdict::{Direction, Reason};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::bridge::{is_bridge_port, wait_forwarding};
use crate::frame::Mac;
use crate::guest::Guest;
use crate::macvtap::wait_carrier;
use crate::process::Finished;
use crate::sandbox::Sandbox;
use crate::tap::{Options, Tap};

/// Where documents are written: `/run` is the sandbox's own.
const FOLDER: &str = "/run/lab";

/// Enough for any frame that was sent to be counted.
const COUNTED: Duration = Duration::from_secs(5);

/// A running document. Guests stop with it; what netctl made stays until the sandbox ends.
#[derive(Debug)]
pub struct Lab<'s> {
    sandbox: &'s Sandbox,
    ports: BTreeMap<String, Port>,
    guests: BTreeMap<String, Guest>,
    documents: AtomicU32,
    /// Number of the last event that was read.
    events_read: AtomicU64,
}

/// A row of `netctl port list --json`.
#[derive(Clone, Debug, Deserialize)]
pub struct Port {
    pub name: String,
    pub interface: String,
    #[serde(deserialize_with = "mac")]
    pub mac: Mac,
    /// Words of the document: addresses, or `any`.
    pub addresses: Vec<String>,
    pub groups: Vec<String>,
}

impl<'s> Lab<'s> {
    /// Applies a document and starts a guest on each of its ports, whose addresses have prefixes of 24 and 64 bits.
    ///
    /// # Errors
    /// If the document cannot be applied, with what `netctl` said, or a tap cannot be opened.
    pub fn up(sandbox: &'s Sandbox, document: &str) -> Result<Self> {
        let mut lab = Self::bare(sandbox, document)?;
        let names: Vec<_> = lab.ports.keys().cloned().collect();
        for name in &names {
            lab.start_guest(name)?;
        }
        Ok(lab)
    }

    /// Applies a document, and leaves its taps and macvtaps for [`Self::tap`] and [`Self::start_guest`].
    ///
    /// # Errors
    /// Like [`Self::up`].
    pub fn bare(sandbox: &'s Sandbox, document: &str) -> Result<Self> {
        let mut lab = Self {
            sandbox,
            ports: BTreeMap::new(),
            guests: BTreeMap::new(),
            documents: AtomicU32::new(0),
            events_read: AtomicU64::new(0),
        };
        lab.apply(document)?;
        lab.ports = lab.read::<Vec<Port>>(&["port", "list", "--json"])?.into_iter().map(named).collect();
        Ok(lab)
    }

    /// # Errors
    /// Like [`Self::up`].
    pub fn start_guest(&mut self, name: &str) -> Result<()> {
        let (tap, port) = (self.tap(name)?, self.port(name));
        let with_prefix = |address: &String| match address.parse() {
            Ok(IpAddr::V4(v4)) => Some(format!("{v4}/24")),
            Ok(IpAddr::V6(v6)) => Some(format!("{v6}/64")),
            Err(_) => None,
        };
        let addresses: Vec<_> = port.addresses.iter().filter_map(with_prefix).collect();
        let addresses: Vec<_> = addresses.iter().map(String::as_str).collect();
        let guest = Guest::start(tap, port.mac, &addresses)?;
        self.guests.insert(name.to_owned(), guest);
        Ok(())
    }

    /// Opens a queue of a port's tap or macvtap, without offloads; frames pass when this returns.
    ///
    /// # Errors
    /// If it cannot be opened, or the bridge does not forward, or the uplink has no carrier.
    pub fn tap(&self, name: &str) -> Result<Tap> {
        self.tap_with(name, Options::default())
    }

    /// # Errors
    /// Like [`Self::tap`].
    pub fn tap_with(&self, name: &str, options: Options) -> Result<Tap> {
        let interface = &self.port(name).interface;
        let tap = open_when_free(interface, options)?;
        if is_bridge_port(interface) {
            wait_forwarding(interface)?
        } else {
            wait_carrier(interface)?
        }
        Ok(tap)
    }

    /// # Panics
    /// If the document has no such port.
    #[track_caller]
    pub fn port(&self, name: &str) -> &Port {
        self.ports.get(name).unwrap_or_else(|| panic!("the lab has no port {name}"))
    }

    /// # Panics
    /// If no guest was started there.
    #[track_caller]
    pub fn guest(&self, name: &str) -> &Guest {
        self.guests.get(name).unwrap_or_else(|| panic!("the lab has no guest {name}"))
    }

    pub fn guests(&self) -> impl Iterator<Item = (&str, &Guest)> {
        self.guests.iter().map(|(name, guest)| (name.as_str(), guest))
    }

    /// A port's address of one family.
    ///
    /// # Panics
    /// If it has none.
    #[track_caller]
    pub fn address(&self, name: &str, family: Family) -> IpAddr {
        let addresses = self.port(name).addresses.iter().filter_map(|text| text.parse::<IpAddr>().ok());
        let found = addresses.into_iter().find(|address| address.is_ipv4() == (family == Family::V4));
        found.unwrap_or_else(|| panic!("{name} has no address of {family:?}"))
    }

    /// Writes a document and `netctl apply`s it. Ports that it adds are not opened.
    ///
    /// # Errors
    /// With what `netctl` said, if its exit code is not 0.
    pub fn apply(&self, document: &str) -> Result<Finished> {
        let path = self.write(document)?;
        self.succeed(&["apply", &path])
    }

    /// Writes a document for a call of `netctl`; its path.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, document: &str) -> Result<String> {
        fs::create_dir_all(FOLDER).with_context(|| format!("cannot make {FOLDER}"))?;
        let number = self.documents.fetch_add(1, Ordering::Relaxed);
        let path = format!("{FOLDER}/{number}.toml");
        fs::write(Path::new(&path), document).with_context(|| format!("cannot write {path}"))?;
        Ok(path)
    }

    /// All counters.
    ///
    /// # Errors
    /// If `netctl stats` fails.
    pub fn counters(&self) -> Result<Counters> {
        self.read(&["stats", "--json"])
    }

    /// Frames that one port decided about for one reason, since it exists.
    ///
    /// # Errors
    /// If `netctl stats` fails.
    pub fn stats(&self, port: &str, direction: Direction, reason: Reason) -> Result<u64> {
        Ok(self.counters()?.packets(port, direction, reason))
    }

    /// What `work` returned, and the frames that were counted meanwhile.
    ///
    /// # Errors
    /// If `netctl stats` fails.
    pub fn during<T>(&self, work: impl FnOnce() -> T) -> Result<(T, Counters)> {
        let before = self.counters()?;
        let result = work();
        Ok((result, self.counters()?.since(&before)))
    }

    /// Waits until the counter is `least` at least: frames are counted by whoever handles them, which may be later
    /// than their sending.
    ///
    /// # Errors
    /// With all counters, if it is not within some seconds.
    pub fn wait_stats(&self, (port, direction, reason): Counted<'_>, least: u64) -> Result<u64> {
        let deadline = Instant::now() + COUNTED;
        loop {
            let counters = self.counters()?;
            let packets = counters.packets(port, direction, reason);
            if packets >= least {
                return Ok(packets);
            }
            if Instant::now() >= deadline {
                let (direction, reason) = (direction.name(), reason.name());
                bail!(
                    "{port} {direction} {reason}: {packets} packets, not {least}; of {:#?}",
                    counters.ports
                );
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// What was told of frames since this was last called.
    ///
    /// # Errors
    /// If `netctl events` fails.
    pub fn events(&self) -> Result<Vec<Event>> {
        let after = self.events_read.load(Ordering::Relaxed).to_string();
        let said = self.succeed(&["events", "--json", "--after", &after])?.stdout;
        let mut events = Vec::new();
        for line in said.lines() {
            let value: serde_json::Value =
                serde_json::from_str(line).with_context(|| format!("event {line}"))?;
            self.events_read.store(value["number"].as_u64().unwrap_or(0), Ordering::Relaxed);
            if value["kind"] == "frame" {
                events.push(serde_json::from_value(value).with_context(|| format!("event {line}"))?);
            }
        }
        Ok(events)
    }

    /// # Errors
    /// If `netctl flows` fails.
    pub fn flows(&self) -> Result<Vec<Flow>> {
        self.read(&["flows", "--json"])
    }

    /// `netctl explain FROM TO SERVICE`.
    ///
    /// # Errors
    /// If it has no answer.
    pub fn explain(&self, from: &str, to: &str, service: &str) -> Result<Explanation> {
        let done = self.sandbox.netctl(["explain", from, to, service, "--json"]);
        ensure!(matches!(done.code, Some(0 | 1)), "no explanation\n{done}");
        serde_json::from_str(&done.stdout).with_context(|| format!("explanation\n{done}"))
    }

    fn read<T: DeserializeOwned>(&self, args: &[&str]) -> Result<T> {
        let done = self.succeed(args)?;
        serde_json::from_str(&done.stdout).with_context(|| done.to_string())
    }

    fn succeed(&self, args: &[&str]) -> Result<Finished> {
        let done = self.sandbox.netctl(args);
        ensure!(done.code == Some(0), "exit code 0 was expected\n{done}");
        Ok(done)
    }
}

/// Of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    V4,
    V6,
}

impl Family {
    pub const ALL: [Self; 2] = [Self::V4, Self::V6];
}

/// One counter of a port.
pub type Counted<'a> = (&'a str, Direction, Reason);

/// What `netctl stats --json` says.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Counters {
    pub generation: u32,
    pub ports: Vec<PortCounter>,
    pub rules: Vec<RuleCounter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct PortCounter {
    pub port: String,
    pub direction: String,
    pub reason: String,
    pub packets: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct RuleCounter {
    pub number: u32,
    pub packets: u64,
}

impl Counters {
    /// Frames that one port decided about for one reason.
    pub fn packets(&self, port: &str, direction: Direction, reason: Reason) -> u64 {
        self.sum(|row| row.port == port && row.direction == direction.name() && row.reason == reason.name())
    }

    fn since(mut self, before: &Self) -> Self {
        for row in &mut self.ports {
            let same = |old: &PortCounter| {
                (&old.port, &old.direction, &old.reason) == (&row.port, &row.direction, &row.reason)
            };
            row.packets -= before.sum(same);
        }
        self
    }

    /// Frames in all rows that `wanted` takes.
    pub fn sum(&self, wanted: impl Fn(&PortCounter) -> bool) -> u64 {
        self.ports.iter().filter(|row| wanted(row)).map(|row| row.packets).sum()
    }
}

/// A line of `netctl events --json`.
#[derive(Clone, Debug, Deserialize)]
pub struct Event {
    pub port: String,
    pub direction: String,
    pub action: String,
    pub reason: String,
    /// But for audit mode.
    pub would: Option<String>,
    pub rule: Option<Rule>,
    pub source: Option<IpAddr>,
    pub destination: Option<IpAddr>,
    pub source_port: Option<u16>,
    pub service: String,
    pub generation: u32,
}

/// A rule as netctl names it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Rule {
    /// Counted from 1.
    pub number: u32,
    pub line: u32,
    pub text: String,
}

/// A row of `netctl flows --json`.
#[derive(Clone, Debug, Deserialize)]
pub struct Flow {
    pub port: String,
    pub service: String,
    pub source_port: Option<u16>,
    pub direction: String,
    pub state: String,
    pub action: String,
}

/// What `netctl explain --json` says.
#[derive(Clone, Debug, Deserialize)]
pub struct Explanation {
    pub allowed: bool,
    pub answered_by: String,
    pub steps: Vec<Step>,
}

/// What one port says.
#[derive(Clone, Debug, Deserialize)]
pub struct Step {
    pub port: String,
    pub direction: String,
    pub action: String,
    pub reason: String,
    pub rule: Option<Rule>,
}

fn named(port: Port) -> (String, Port) {
    (port.name.clone(), port)
}

fn mac<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Mac, D::Error> {
    let text = String::deserialize(deserializer)?;
    let bytes: Option<Vec<u8>> = text.split(':').map(|byte| u8::from_str_radix(byte, 16).ok()).collect();
    let mac = bytes.and_then(|bytes| bytes.try_into().ok());
    mac.ok_or_else(|| serde::de::Error::custom(format!("{text:?} is no MAC address")))
}

/// A queue that was closed just now is held until a process that was being started meanwhile has got rid of its copy.
fn open_when_free(interface: &str, options: Options) -> Result<Tap> {
    let begin = Instant::now();
    loop {
        match Tap::open_with(interface, options) {
            Err(error) if is_busy(&error) && begin.elapsed() < Duration::from_secs(5) => {
                thread::sleep(Duration::from_millis(10));
            }
            result => return result,
        }
    }
}

fn is_busy(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let errno = cause.downcast_ref::<nix::errno::Errno>().map(|errno| *errno as i32);
        let raw = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::raw_os_error);
        errno.or(raw) == Some(libc::EBUSY)
    })
}
