//! The host that is changed: commands of netctl, and the guests' ends of its ports.

use std::collections::BTreeMap;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use netctl::document::{self, Document};

use super::model::{ADOPTED, Change, Model, PORTS, group, name, number};
use super::verdicts::{self, Counts};
use crate::bridge::wait_forwarding;
use crate::macvtap::wait_carrier;
use crate::policies::Random;
use crate::process::Finished;
use crate::sandbox::Sandbox;
use crate::tap::Tap;

const FILE: &str = "/run/soak.toml";

/// How long nobody confirms.
const UNCONFIRMED: &str = "1s";

pub(super) struct Host<'s> {
    sandbox: &'s Sandbox,
    taps: BTreeMap<u8, Tap>,
}

impl<'s> Host<'s> {
    /// An uplink, and a bridge with taps of someone else's.
    pub(super) fn furnish(sandbox: &'s Sandbox) -> Result<Self> {
        sandbox.ip("link add up0 type veth peer name wire0");
        sandbox.ip("link add br0 type bridge stp_state 0");
        for interface in ["up0", "wire0", "br0"] {
            sandbox.ip(&format!("link set {interface} up"));
        }
        for port in ADOPTED..PORTS {
            let name = name(port);
            sandbox.ip(&format!("tuntap add dev {name} mode tap vnet_hdr"));
            sandbox.ip(&format!("link set {name} master br0 up"));
        }
        Ok(Self { sandbox, taps: BTreeMap::new() })
    }

    /// Takes away what [`Self::furnish`] and netctl made.
    pub(super) fn leave(self) -> Result<()> {
        self.netctl("down")?;
        drop(self.taps);
        for interface in (ADOPTED..PORTS).map(name).chain(["br0".to_owned(), "up0".to_owned()]) {
            self.sandbox.ip(&format!("link del {interface}"));
        }
        Ok(())
    }

    pub(super) fn make(&mut self, change: Change, model: &mut Model, random: &mut Random) -> Result<()> {
        match change {
            Change::Edit(port) => {
                self.edit(port, model, random)?;
                model.toggle_to_match(port, self.running()?.config.ports.get(&name(port)))?;
            }
            Change::Upgrade => drop(self.netctl("upgrade")?),
            Change::Down => {
                self.taps.clear();
                self.netctl("down")?;
                self.apply(model)?;
            }
            Change::Reverted => {
                let mut other = model.clone();
                other.mutate(random);
                self.close_others(&other);
                std::fs::write(FILE, other.text())?;
                let done = self.sandbox.netctl(["apply", FILE, "--confirm", UNCONFIRMED]);
                ensure!(done.code == Some(1), "{done}");
            }
            Change::Apply | Change::Killed | Change::Confirmed => {
                model.mutate(random);
                self.close_others(model);
                std::fs::write(FILE, model.text())?;
                match change {
                    Change::Killed => self.kill_apply(random)?,
                    Change::Confirmed => return self.confirm(),
                    _ => {}
                }
                self.apply(model)?;
            }
        }
        Ok(())
    }

    fn apply(&self, model: &Model) -> Result<()> {
        std::fs::write(FILE, model.text())?;
        self.netctl(&format!("apply {FILE}")).map(drop)
    }

    fn kill_apply(&self, random: &mut Random) -> Result<()> {
        let mut apply = self.sandbox.start_netctl(["apply", FILE]);
        sleep(Duration::from_millis(random.below(150) as u64));
        apply.kill();
        Ok(())
    }

    fn confirm(&self) -> Result<()> {
        let mut apply = self.sandbox.start_netctl(["apply", FILE, "--confirm", "60s"]);
        let limit = Duration::from_secs(30);
        apply
            .wait_for_line(limit, |line| line.contains("comes back in"))
            .with_context(|| apply.said().join("\n"))?;
        self.netctl("confirm")?;
        ensure!(apply.wait(limit).is_some_and(|status| status.success()), "{:?}", apply.said());
        Ok(())
    }

    fn edit(&mut self, port: u8, model: &Model, random: &mut Random) -> Result<()> {
        let (name, number) = (name(port), number(port));
        let is_there = model.ports.contains_key(&port);
        let group = group(random.below(2) == 0);
        let words = match (is_there, port < ADOPTED) {
            (true, true) => format!("port remove {name}"),
            (true, false) => format!("port release {name}"),
            (false, true) => {
                let network = if port < 4 { "lab" } else { "mac" };
                format!(
                    "port add {name} --network {network} --mac 52:54:00:00:00:{number:02x} --address 10.0.0.{number} --group {group}"
                )
            }
            (false, false) => {
                format!(
                    "port adopt {name} --mac 52:54:00:00:00:{number:02x} --address 10.0.0.{number} --group {group}"
                )
            }
        };
        if is_there {
            self.taps.remove(&port);
        }
        self.netctl(&words).map(drop)
    }

    /// Guests of ports that go have ended before.
    fn close_others(&mut self, model: &Model) {
        self.taps.retain(|port, _| model.ports.contains_key(port));
    }

    /// Frames between ports that are there, each judged as user space judges it.
    pub(super) fn check(&mut self, model: &Model, random: &mut Random, counts: &mut Counts) -> Result<()> {
        let running = self.running()?;
        let names: Vec<String> = model.ports.keys().map(|port| name(*port)).collect();
        let there: Vec<&String> = running.config.ports.keys().collect();
        let same = names.len() == there.len() && names.iter().all(|name| there.contains(&name));
        ensure!(same, "the running document has the ports {there:?}, not {names:?}");
        for port in model.ports.keys() {
            if !self.taps.contains_key(port) {
                self.taps.insert(*port, open(*port)?);
            }
        }
        self.close_others(model);
        verdicts::check(&running, (model, &self.taps), random, counts)
    }

    fn running(&self) -> Result<Document> {
        let text = self.netctl("show")?.stdout;
        document::parse_text("the running document", text).map_err(|found| anyhow::anyhow!("{found:?}"))
    }

    fn netctl(&self, words: &str) -> Result<Finished> {
        let done = self.sandbox.netctl(words.split_whitespace());
        ensure!(done.code == Some(0), "{done}");
        Ok(done)
    }
}

/// Frames pass when this returns.
fn open(port: u8) -> Result<Tap> {
    let name = name(port);
    // Its interface may have been replaced by one of the same name.
    ensure!(Path::new("/sys/class/net").join(&name).exists(), "there is no interface {name}");
    let tap = Tap::open(&name)?;
    if (4..ADOPTED).contains(&port) {
        wait_carrier(&name)?
    } else {
        wait_forwarding(&name)?
    }
    Ok(tap)
}
