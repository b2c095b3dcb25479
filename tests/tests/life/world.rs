//! Two guests on a network of either kind, and netctl with either hook.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use netctl_tests::bench::raw_bpf::tcx_programs;
use netctl_tests::bridge::wait_forwarding;
use netctl_tests::builds;
use netctl_tests::cli;
use netctl_tests::macvtap::wait_carrier;
use netctl_tests::process::{Finished, Running};
use netctl_tests::sandbox::Sandbox;
use netctl_tests::tap::Tap;
use serde_json::Value;

/// How netctl's programs are attached, and what the ports are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) clsact: bool,
    pub(crate) macvtap: bool,
}

pub(crate) const KINDS: [Kind; 4] = [
    Kind { clsact: false, macvtap: false },
    Kind { clsact: true, macvtap: false },
    Kind { clsact: false, macvtap: true },
    Kind { clsact: true, macvtap: true },
];

pub(crate) struct World<'s> {
    pub(crate) sandbox: &'s Sandbox,
    pub(crate) kind: Kind,
}

impl<'s> World<'s> {
    pub(crate) fn new(sandbox: &'s Sandbox, kind: Kind) -> Self {
        sandbox.ip("link add up0 type veth peer name wire0");
        sandbox.ip("link set up0 up");
        sandbox.ip("link set wire0 up");
        Self { sandbox, kind }
    }

    /// Ports `web1` and `db1`, these sections more, and these rules.
    pub(crate) fn document(&self, more: &str, rules: &[&str]) -> String {
        let network = if self.kind.macvtap {
            "kind = \"macvlan\"\nuplinks = [\"up0\"]\n"
        } else {
            "kind = \"bridge\"\nmtu = 1500\n"
        };
        format!(
            "[networks.lab]\n{network}{}{}{more}[policy]\ndefault = \"deny\"\nrules = [\n{}\n]\n",
            port("web1", "web", 0x11),
            port("db1", "db", 0x21),
            rules.join(",\n")
        )
    }

    pub(crate) fn command(&self, binary: &Path, line: &str) -> Command {
        let mut command = Command::new(binary);
        command.args(line.split_whitespace());
        if self.kind.clsact {
            command.env("NETCTL_NO_TCX", "1");
        }
        command
    }

    /// To its end, with any other binary than the one that is tested.
    #[track_caller]
    pub(crate) fn other(&self, binary: &Path, line: &str) -> Finished {
        self.sandbox.finish(self.command(binary, line)).unwrap()
    }

    #[track_caller]
    pub(crate) fn netctl(&self, line: &str) -> Finished {
        self.other(&binary(), line)
    }

    /// Killed at the fault point of this number; `true` if it passed fewer points and ended by itself.
    #[track_caller]
    pub(crate) fn die_at(&self, point: u32, line: &str) -> bool {
        let mut command = self.command(&builds::with_faults(), line);
        command.env("NETCTL_FAULT", point.to_string());
        let done = self.sandbox.finish(command).unwrap();
        assert!(done.code.is_none_or(|code| code == 0), "it is killed, or ends well: {done}");
        done.code == Some(0)
    }

    #[track_caller]
    pub(crate) fn start(&self, line: &str) -> Running {
        self.sandbox.start(self.command(&binary(), line)).unwrap()
    }

    #[track_caller]
    pub(crate) fn apply(&self, document: &str) -> Finished {
        self.netctl(&format!("apply {}", write(document))).expect_code(0)
    }

    #[track_caller]
    pub(crate) fn json(&self, line: &str) -> Value {
        self.netctl(&format!("{line} --json")).expect_code(0).json()
    }

    /// A queue of a port; frames pass when this returns.
    pub(crate) fn tap(&self, interface: &str) -> Tap {
        let tap = Tap::open(interface).unwrap();
        if self.kind.macvtap { wait_carrier(interface) } else { wait_forwarding(interface) }.unwrap();
        tap
    }

    /// Programs of netctl's on an interface, both hooks.
    pub(crate) fn programs(&self, interface: &str) -> [usize; 2] {
        let filters = |hook| {
            let mut command = Command::new("tc");
            command.args(["filter", "show", "dev", interface, hook]);
            self.sandbox.finish(command).unwrap().stdout.matches("handle 0x6e63").count()
        };
        let [ingress, egress] = tcx_programs(interface).unwrap();
        [ingress.len() + filters("ingress"), egress.len() + filters("egress")]
    }

    /// All that netctl can leave on a host: pins, interfaces, programs on them.
    pub(crate) fn traces(&self) -> Vec<String> {
        let mut all = Vec::new();
        walk(Path::new("/sys/fs/bpf/netctl"), &mut all);
        let names: BTreeSet<String> = fs::read_dir("/sys/class/net")
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        for name in names {
            let read =
                |file: &str| fs::read_to_string(format!("/sys/class/net/{name}/{file}")).unwrap_or_default();
            all.push(format!(
                "{name} {:?} {:?} {:?} {:?}",
                self.programs(&name),
                read("ifalias").trim(),
                read("flags").trim(),
                read("mtu").trim()
            ));
        }
        all
    }
}

/// The names of marks of clsact have indexes of interfaces in them, which differ from time to time.
fn walk(folder: &Path, all: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        let text = path.display().to_string();
        all.push(match text.split_once("/links/+") {
            Some((before, mark)) => format!("{before}/links/+{}", mark.split('+').next().unwrap_or_default()),
            None => text,
        });
        walk(&path, all);
    }
}

pub(crate) fn port(name: &str, group: &str, number: u8) -> String {
    format!(
        "[ports.{name}]\nnetwork = \"lab\"\nmac = \"52:54:00:00:00:{number:02x}\"\n\
         addresses = [\"10.0.0.{number}\"]\ngroups = [\"{group}\"]\n"
    )
}

pub(crate) fn binary() -> PathBuf {
    cli::binary().unwrap()
}

/// The path of a document.
pub(crate) fn write(document: &str) -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static WRITTEN: AtomicU32 = AtomicU32::new(0);
    let path = format!("/run/{}.toml", WRITTEN.fetch_add(1, Ordering::Relaxed));
    fs::write(&path, document).unwrap();
    path
}
