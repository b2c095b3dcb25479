//! The ways from tap A to tap B that are compared, each set up in namespaces of its own: nftables' hooks are per
//! network namespace, so side by side in one they would filter each other's frames.

use std::fmt;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use super::document::{Document, INTERFACES};
use super::nft::{self, Form};
use super::plug::Plug;
use super::raw_bpf;
use super::rules::{Rule, measured};
use crate::bridge::{Bridge, wait_forwarding};
use crate::process::Finished;
use crate::sandbox::Sandbox;
use crate::tap::{Options, Tap};

/// What forwards, and what decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A Linux bridge that filters nothing: what the others are compared with.
    Bridge,
    /// The same with br_netfilter's hooks on, though without a rule: what Docker's presence makes of a bridge, and
    /// the default where br_netfilter is in the kernel.
    BridgeNetfilter,
    /// A classifier that redirects everything and decides nothing.
    Redirect,
    /// A bridge, and rules in nftables one after the other.
    NftLinear,
    /// A bridge, and a verdict map in nftables.
    NftVmap,
    /// A bridge, and a set of prefixes and ranges in nftables.
    NftInterval,
    Netctl,
    /// Macvtaps on one uplink that filter nothing: what netctl on the same is compared with. So for the two after it.
    Macvlan,
    NetctlMacvlan,
    Passthrough,
    NetctlPassthrough,
    Vepa,
    NetctlVepa,
}

impl Kind {
    pub fn plug(self) -> Plug {
        match self {
            Self::Macvlan | Self::NetctlMacvlan => Plug::Macvlan,
            Self::Passthrough | Self::NetctlPassthrough => Plug::Passthrough,
            Self::Vepa | Self::NetctlVepa => Plug::Vepa,
            _ => Plug::Bridge,
        }
    }

    /// The same ports with no filter: what this kind is compared with.
    pub fn bare(self) -> Self {
        match self.plug() {
            Plug::Bridge => Self::Bridge,
            Plug::Macvlan => Self::Macvlan,
            Plug::Passthrough => Self::Passthrough,
            Plug::Vepa => Self::Vepa,
        }
    }

    /// Whether it decides by rules.
    pub fn filters(self) -> bool {
        self.is_netctl() || self.nft_form().is_some()
    }

    pub fn is_netctl(self) -> bool {
        matches!(self, Self::Netctl | Self::NetctlMacvlan | Self::NetctlPassthrough | Self::NetctlVepa)
    }

    fn nft_form(self) -> Option<Form> {
        match self {
            Self::NftLinear => Some(Form::Linear),
            Self::NftVmap => Some(Form::Vmap),
            Self::NftInterval => Some(Form::Interval),
            _ => None,
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Self::Bridge => "Linux bridge",
            Self::BridgeNetfilter => "Linux bridge + br_netfilter",
            Self::Redirect => "TC redirect",
            Self::NftLinear => "bridge + nft rules",
            Self::NftVmap => "bridge + nft vmap",
            Self::NftInterval => "bridge + nft interval set",
            Self::Netctl => "netctl",
            Self::Macvlan => "macvtap, bridge mode",
            Self::NetctlMacvlan => "netctl, macvlan",
            Self::Passthrough => "macvtap, passthru",
            Self::NetctlPassthrough => "netctl, passthrough",
            Self::Vepa => "macvtap, vepa",
            Self::NetctlVepa => "netctl, vepa",
        }
    }
}

/// A kind, and how many rules it has; 0 where it has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Way {
    pub kind: Kind,
    pub rules: u32,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rules {
            0 => f.write_str(self.kind.title()),
            rules => write!(f, "{}, {rules} rules", self.kind.title()),
        }
    }
}

impl Way {
    /// Each kind once, or once per number of rules.
    pub fn all(kinds: &[Kind], sizes: &[u32]) -> Vec<Self> {
        let with = |kind: Kind| match kind.filters() {
            true => sizes.iter().map(|rules| Self { kind, rules: *rules }).collect(),
            false => vec![Self { kind, rules: 0 }],
        };
        kinds.iter().flat_map(|kind| with(*kind)).collect()
    }

    /// The rule that lets the measured flows through.
    pub fn measured_rule(&self) -> Rule {
        measured(self.rules)
    }

    /// # Errors
    /// If the machine lacks what the way needs, or, for netctl, the binary refuses.
    pub fn set_up(self) -> Result<Lane> {
        let sandbox = Sandbox::new()?;
        let (taps, keep) =
            sandbox.enter(|| self.inside(&sandbox)).with_context(|| format!("cannot set up: {self}"))?;
        let [from, to] = taps;
        Ok(Lane { way: self, from, to, _keep: keep, sandbox })
    }

    fn inside(self, sandbox: &Sandbox) -> Result<([Tap; 2], Vec<OwnedFd>)> {
        call_iptables(self.kind == Kind::BridgeNetfilter)?;
        match self.kind {
            Kind::Bridge | Kind::BridgeNetfilter | Kind::NftLinear | Kind::NftVmap | Kind::NftInterval => {
                if let Some(form) = self.kind.nft_form() {
                    load_nft(sandbox, &nft::ruleset(form, self.rules))?;
                }
                let bridge = Bridge::new(sandbox, "br0");
                let [a, b] = INTERFACES;
                Ok(([bridge.tap_with(a, QUEUE)?, bridge.tap_with(b, QUEUE)?], Vec::new()))
            }
            Kind::Redirect => {
                let [a, b] = INTERFACES;
                for name in [a, b] {
                    sandbox.ip(&format!("tuntap add dev {name} mode tap vnet_hdr"));
                    sandbox.ip(&format!("link set {name} up"));
                }
                let taps = [Tap::open_with(a, QUEUE)?, Tap::open_with(b, QUEUE)?];
                Ok((taps, vec![raw_bpf::redirect(a, b)?, raw_bpf::redirect(b, a)?]))
            }
            Kind::Macvlan | Kind::Passthrough | Kind::Vepa => {
                self.kind.plug().lay(sandbox)?;
                self.kind.plug().make_macvtaps(sandbox);
                Ok((open_both()?, Vec::new()))
            }
            Kind::Netctl | Kind::NetctlMacvlan | Kind::NetctlPassthrough | Kind::NetctlVepa => {
                let plug = self.kind.plug();
                plug.lay(sandbox)?;
                apply(sandbox, Document { plug, ..Document::new(self.rules) })?;
                let taps = open_both()?;
                if plug == Plug::Bridge {
                    INTERFACES.into_iter().try_for_each(wait_forwarding)?;
                }
                Ok((taps, Vec::new()))
            }
        }
    }
}

/// Switches br_netfilter in this network namespace, where the kernel has it. nftables' bridge family does without.
fn call_iptables(on: bool) -> Result<()> {
    for family in ["iptables", "ip6tables", "arptables"] {
        let path = format!("/proc/sys/net/bridge/bridge-nf-call-{family}");
        match fs::write(&path, if on { "1" } else { "0" }) {
            Err(e) if e.kind() != io::ErrorKind::NotFound || on => {
                return Err(e).with_context(|| format!("cannot write {path}"));
            }
            _ => {}
        }
    }
    Ok(())
}

fn open_both() -> Result<[Tap; 2]> {
    let [a, b] = INTERFACES;
    Ok([Tap::open_with(a, QUEUE)?, Tap::open_with(b, QUEUE)?])
}

/// How every way's taps are opened.
const QUEUE: Options = Options { header_len: 12, offloads: true };

/// A way that is set up: frames that go in at `from` come out at `to`.
#[derive(Debug)]
pub struct Lane {
    pub way: Way,
    pub from: Tap,
    pub to: Tap,
    _keep: Vec<OwnedFd>,
    pub sandbox: Sandbox,
}

/// `nft -f`, from a file in the sandbox's `/run`.
///
/// # Errors
/// If nft is not installed or refuses.
pub fn load_nft(sandbox: &Sandbox, ruleset: &str) -> Result<Finished> {
    fs::write("/run/ruleset", ruleset)?;
    let mut command = Command::new("nft");
    command.args(["-f", "/run/ruleset"]);
    succeed(sandbox.finish(command)?)
}

/// `netctl apply`, from a file in the sandbox's `/run`.
///
/// # Errors
/// If there is no binary or it refuses.
pub fn apply(sandbox: &Sandbox, document: Document) -> Result<Finished> {
    fs::write("/run/bench.toml", document.text())?;
    let mut command = Command::new(crate::cli::binary()?);
    command.args(["apply", "/run/bench.toml"]);
    succeed(sandbox.finish(command)?)
}

fn succeed(done: Finished) -> Result<Finished> {
    ensure!(done.code == Some(0), "{done}");
    Ok(done)
}
