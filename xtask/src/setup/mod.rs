//! Finds or installs what netctl's build, tests and demo need.
//!
//! Everything is looked for first; nothing is fetched or installed where nothing is missing. What cannot be
//! installed is named, all of it at once.

use std::{
    fmt,
    io::{Write as _, stdout},
    time::Instant,
};

use anyhow::Result;
use serde_json::{Value, json};

use self::{apt::Apt, steps::Steps};
use crate::lab;
use crate::toolchain::{find_compiler, find_linker, program};

mod apt;
mod bpf;
mod guest_image;
pub(crate) mod steps;

/// Something that has to be on the machine.
struct Need {
    name: &'static str,
    purpose: &'static str,
    /// Where it is, or why it is not there.
    find: fn() -> Result<String, String>,
    source: Source,
}

/// How a [`Need`] is installed.
enum Source {
    Packages(&'static [&'static str]),
    /// By a function that needs what is above it in [`NEEDS`].
    Own(fn(&Steps, &Result<Apt<'_>>) -> Result<()>),
}

const NEEDS: [Need; 20] = [
    Need {
        name: "cc",
        purpose: "links what Rust builds",
        find: || find_program("cc"),
        source: Source::Packages(&["gcc", "libc6-dev"]),
    },
    Need {
        name: "ip",
        purpose: "namespaces and bridges of the tests",
        find: || find_program("ip"),
        source: Source::Packages(&["iproute2"]),
    },
    Need {
        name: "nft",
        purpose: "what the bench compares with",
        find: || find_program("nft"),
        source: Source::Packages(&["nftables"]),
    },
    Need {
        name: "bpftool",
        purpose: "a second look at programs and maps",
        find: || find_program("bpftool"),
        source: Source::Packages(&["bpftool"]),
    },
    Need {
        name: "ethtool",
        purpose: "what a tap's queues were opened with",
        find: || find_program("ethtool"),
        source: Source::Packages(&["ethtool"]),
    },
    Need {
        name: "qemu-system-x86_64",
        purpose: "real guests in the tests and the demo",
        find: || find_program("qemu-system-x86_64"),
        source: Source::Packages(&["qemu-system-x86"]),
    },
    Need {
        name: "libvirtd",
        purpose: "guests of libvirt in the tests",
        find: || find_program("libvirtd").and_then(|_| find_program("virsh")),
        // Without libvirt-daemon-system, which would start a daemon and a network on this machine.
        source: Source::Packages(&["libvirt-daemon", "libvirt-daemon-driver-qemu", "libvirt-clients"]),
    },
    Need {
        name: "qemu-bridge-helper",
        purpose: "what netctl-bridge-helper is compared with",
        find: || match std::path::Path::new("/usr/lib/qemu/qemu-bridge-helper") {
            path if path.is_file() => Ok(path.display().to_string()),
            path => Err(format!("{} is not there", path.display())),
        },
        source: Source::Packages(&["qemu-system-common"]),
    },
    Need {
        name: "setcap",
        purpose: "installs netctl-bridge-helper in its tests",
        find: || find_program("setcap"),
        source: Source::Packages(&["libcap2-bin"]),
    },
    Need {
        name: "tshark",
        purpose: "reads what netctl captured, in the tests",
        find: || find_program("tshark").and_then(|_| find_program("capinfos")),
        source: Source::Packages(&["tshark", "wireshark-common"]),
    },
    Need {
        name: "tmux",
        purpose: "the terminal of `netctl top` in the tests",
        find: || find_program("tmux"),
        source: Source::Packages(&["tmux"]),
    },
    Need {
        name: "kmod",
        purpose: "modules of the lab's kernels",
        find: || find_program("depmod"),
        source: Source::Packages(&["kmod"]),
    },
    Need {
        name: "xz",
        purpose: "unpacks modules of kernels",
        find: || find_program("xz"),
        source: Source::Packages(&["xz-utils"]),
    },
    Need {
        name: "python3",
        purpose: "receives descriptors in the tests, as a VMM's manager would",
        find: || find_program("python3"),
        source: Source::Packages(&["python3"]),
    },
    Need {
        name: "prometheus",
        purpose: "scrapes and checks netctl's metrics in the tests",
        find: || find_program("prometheus").and_then(|_| find_program("promtool")),
        source: Source::Packages(&["prometheus"]),
    },
    Need {
        name: "chromium",
        purpose: "shows netctl's report in the tests",
        find: || find_program("chromium"),
        source: Source::Packages(&["chromium"]),
    },
    Need {
        name: "Rust for BPF",
        purpose: "compiles netctl-ebpf",
        find: || {
            find_compiler()
                .map(|it| format!("{} ({})", it.rustc.display(), it.name))
                .map_err(|e| e.to_string())
        },
        source: Source::Own(bpf::install_compiler),
    },
    Need {
        name: "bpf-linker",
        purpose: "links netctl-ebpf",
        find: || find_linker().map(|file| file.display().to_string()).map_err(|e| e.to_string()),
        source: Source::Own(bpf::install_linker),
    },
    Need {
        name: "guest image",
        purpose: "kernel and initramfs of the real guests",
        find: guest_image::find,
        source: Source::Own(guest_image::install),
    },
    Need {
        name: "newer QEMU",
        purpose: "guests in QEMU 8 or newer, where the machine's is older",
        find: lab::find_newer_qemu,
        source: Source::Own(|_, _| lab::newer_qemu().map(drop)),
    },
];

/// How `cargo xtask setup` was asked.
#[derive(Clone, Copy, Default, clap::Args)]
pub(crate) struct Options {
    /// Only report; exit 1 where something is missing
    #[arg(long)]
    pub(crate) check: bool,
    /// Print what was found as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// What is missing: `(need, why)`.
#[derive(Debug)]
pub(crate) struct Incomplete {
    missing: Vec<(&'static str, String)>,
    /// Nothing was tried, by request.
    checked_only: bool,
}

impl Incomplete {
    pub(crate) fn exit_code(&self) -> u8 {
        if self.checked_only { 1 } else { 2 }
    }
}

impl fmt::Display for Incomplete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.missing.iter().map(|(name, _)| *name).collect();
        let verb = if self.checked_only { "missing" } else { "could not be installed" };
        write!(f, "{verb}: {}", names.join(", "))?;
        self.missing.iter().try_for_each(|(name, why)| write!(f, "\n  {name}: {why}"))?;
        if !self.checked_only {
            write!(f, "\nwhat was tried is in {}", steps::LOG)?;
        }
        Ok(())
    }
}

impl std::error::Error for Incomplete {}

/// Finds or installs every [`Need`].
///
/// # Errors
/// [`Incomplete`], or an error of the log.
pub(crate) fn setup(options: Options) -> Result<()> {
    let start = Instant::now();
    let missing: Vec<&Need> = NEEDS.iter().filter(|need| (need.find)().is_err()).collect();
    if missing.is_empty() {
        report(options)?;
        let seconds = start.elapsed().as_secs_f64();
        eprintln!("setup: all {} things are there, nothing was installed ({seconds:.1} s)", NEEDS.len());
        return Ok(());
    }
    let failures = if options.check { Vec::new() } else { install(&missing)? };
    report(options)?;
    let missing: Vec<_> =
        missing.iter().filter_map(|need| Some((need.name, why_missing(need, &failures)?))).collect();
    if missing.is_empty() {
        eprintln!("setup: done in {:.0} s", start.elapsed().as_secs_f64());
        return Ok(());
    }
    Err(Incomplete { missing, checked_only: options.check }.into())
}

fn why_missing(need: &Need, failures: &[(&'static str, String)]) -> Option<String> {
    let reason = (need.find)().err()?;
    let failure = failures.iter().find(|(name, _)| *name == need.name);
    Some(failure.map_or(reason, |(_, failure)| failure.clone()))
}

/// Tries to install what is missing and returns what failed, with the reason.
fn install(missing: &[&Need]) -> Result<Vec<(&'static str, String)>> {
    let names: Vec<_> = missing.iter().map(|need| need.name).collect();
    eprintln!("setup: missing: {}", names.join(", "));
    let steps = Steps::new(steps::LOG)?;
    let apt = Apt::new(&steps);
    let mut failures = install_packages(missing, &apt);
    for need in missing {
        let Source::Own(install) = need.source else { continue };
        if let Err(e) = install(&steps, &apt) {
            failures.push((need.name, format!("{e:#}")));
        }
    }
    Ok(failures)
}

/// Installs the packages of all needs at once, but those that are not to be had.
fn install_packages(missing: &[&Need], apt: &Result<Apt<'_>>) -> Vec<(&'static str, String)> {
    let mut failures = Vec::new();
    let mut possible = Vec::new();
    for need in missing {
        let Source::Packages(packages) = need.source else { continue };
        let packages: Vec<_> = packages.iter().map(|name| (*name).to_owned()).collect();
        match apt {
            Err(e) => failures.push((need.name, format!("{e}; install {}", packages.join(" ")))),
            Ok(apt) => match apt.unknown(&packages).as_slice() {
                [] => possible.push((need.name, packages)),
                unknown => failures.push((
                    need.name,
                    format!("no repository here has the Debian package {}", unknown.join(" ")),
                )),
            },
        }
    }
    let packages: Vec<_> = possible.iter().flat_map(|(_, packages)| packages.clone()).collect();
    if !packages.is_empty()
        && let Ok(apt) = apt
        && let Err(e) = apt.install(&packages)
    {
        failures.extend(possible.into_iter().map(|(name, _)| (name, e.to_string())));
    }
    failures
}

/// Prints what was found, where that was asked for.
fn report(options: Options) -> Result<()> {
    let found: Vec<_> = NEEDS.iter().map(|need| (need, (need.find)())).collect();
    let mut out = stdout().lock();
    if options.json {
        let needs: Vec<_> = found.iter().map(|(need, found)| need.to_json(found)).collect();
        let ready = found.iter().all(|(_, found)| found.is_ok());
        writeln!(out, "{:#}", json!({ "ready": ready, "needs": needs }))?;
    } else if options.check {
        for (need, found) in &found {
            let found = found.as_deref().unwrap_or("missing");
            writeln!(out, "{:<20} {:<42} {found}", need.name, need.purpose)?;
        }
    }
    Ok(())
}

impl Need {
    fn to_json(&self, found: &Result<String, String>) -> Value {
        json!({
            "name": self.name, "purpose": self.purpose,
            "found": found.as_ref().ok(), "missing": found.as_ref().err(),
        })
    }
}

fn find_program(name: &str) -> Result<String, String> {
    // Where Debian has programs for root, which are in no other user's PATH.
    let file = program(name, Some("/usr/sbin".as_ref()));
    file.map(|file| file.display().to_string()).ok_or_else(|| format!("{name} is not in PATH"))
}
