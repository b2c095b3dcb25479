//! A folder with a document inside a sandbox, and a shell in it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use netctl_tests::cli;
use netctl_tests::process::{Finished, Running};
use netctl_tests::sandbox::Sandbox;
use netctl_tests::switch::Switch;
use nix::sys::signal::Signal;

/// Two ports and a policy that the examples of the help texts speak of.
pub(crate) const DOCUMENT: &str = r#"[networks.lab]
kind = "bridge"
addresses = ["10.0.0.1/24", "fd00::1/64"]

[ports.web1]
network = "lab"
mac = "52:54:00:00:00:11"
addresses = ["10.0.0.11", "fd00::11"]
groups = ["web"]

[ports.db1]
network = "lab"
mac = "52:54:00:00:00:21"
addresses = ["10.0.0.21", "fd00::21"]
groups = ["db"]

[policy]
default = "deny"
rules = [
  { allow = "tcp/5432", from = "web", to = "db", name = "app to database" },
  { allow = "icmp/echo-request", from = "world", to = "web" },
  { allow = "udp/5353", from = "host", to = "web" },
  { deny = "udp/99", from = "host", to = "web", name = "never 99" },
]
"#;

const FOLDER: &str = "/run/lab";
const PROGRAMS: &str = "/run/programs";
/// For what does not end by itself: to have done what it is for.
const BEGUN: Duration = Duration::from_secs(20);

pub(crate) struct Lab<'a> {
    pub(crate) sandbox: &'a Sandbox,
}

impl<'a> Lab<'a> {
    /// With `host.toml` and an empty `disk.qcow2`; nothing is applied.
    pub(crate) fn new(sandbox: &'a Sandbox) -> Self {
        for folder in [FOLDER, PROGRAMS] {
            fs::create_dir(folder).unwrap();
        }
        symlink(cli::binary().unwrap(), Path::new(PROGRAMS).join("netctl")).unwrap();
        let lab = Self { sandbox };
        lab.write("host.toml", DOCUMENT);
        lab.write("disk.qcow2", "\0".repeat(1 << 20));
        lab
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(Path::new(FOLDER).join(name), text).unwrap();
    }

    pub(crate) fn apply(&self) {
        self.sh("netctl apply host.toml").expect_code(0);
    }

    /// A line as one would type it into bash, to its end.
    #[track_caller]
    pub(crate) fn sh(&self, line: &str) -> Finished {
        self.sandbox.finish(shell(line)).unwrap_or_else(|e| panic!("{e:#}"))
    }

    /// A line of a help text or a document. What does not end by itself is ended when it has begun:
    /// a guest with SIGKILL, what follows something with ^C.
    #[track_caller]
    pub(crate) fn follow(&self, line: &str, code: i32) {
        // What netctl itself does with a port's descriptors ends.
        let ends = line.contains("--dry-run") || line.contains("netctl fd ");
        if line.starts_with("netctl run ") && !ends {
            let port = line.split_whitespace().nth(2).unwrap();
            let mut guest = self.start(line);
            wait_for_carrier(port, &mut guest);
            guest.kill();
        } else if let Some((_, name)) = line.split_once(",br=") {
            // QEMU with a helper; its NIC is a port.
            self.allow_helpers();
            let mut guest = self.start(line);
            wait_for_carrier(name.split(',').next().unwrap_or_default(), &mut guest);
            guest.kill();
        } else if let Some(first) = serves(line).filter(|_| code == 0) {
            let mut server = self.start(line);
            let begun = server.wait_for_line(BEGUN, |said| said.starts_with(first));
            assert!(begun.is_some(), "`{line}`: {:?}", server.said());
            server.signal(Signal::SIGINT);
            let status = server.wait(BEGUN).unwrap_or_else(|| panic!("`{line}` goes on after ^C"));
            assert_eq!(status.code(), Some(code), "`{line}`: {:?}", server.said());
        } else if line.contains("--follow") {
            let mut following = self.start(line);
            assert!(
                following.wait(Duration::from_secs(1)).is_none(),
                "`{line}` ended: {:?}",
                following.said()
            );
            following.signal(Signal::SIGINT);
            let status = following.wait(BEGUN).unwrap_or_else(|| panic!("`{line}` goes on after ^C"));
            assert_eq!(status.code(), Some(code), "`{line}`: {:?}", following.said());
        } else if line.starts_with("netctl network probe ") {
            on_a_switch(line, code);
        } else {
            self.sh(line).expect_code(code);
        }
    }

    /// Copies of what the installation of a helper changes, which go with the sandbox, and a /dev/net/tun as udev makes it.
    pub(crate) fn own_files(&self) {
        for (folder, name) in [("/etc", "etc"), ("/usr/lib", "lib")] {
            let place = format!("/run/{name}");
            for part in ["changed", "work"] {
                fs::create_dir_all(format!("{place}/{part}")).unwrap();
            }
            let layers = format!("lowerdir={folder},upperdir={place}/changed,workdir={place}/work");
            self.sh(&format!("mount -t overlay overlay -o {layers} {folder}")).expect_code(0);
        }
        let tun = "mknod -m 666 /run/tun c 10 200 && mount --bind /run/tun /dev/net/tun";
        self.sh(tun).expect_code(0);
    }

    /// Unless the document has said who may: root may have all of `lab`.
    fn allow_helpers(&self) {
        if Path::new("/etc/netctl").exists() {
            return;
        }
        self.own_files();
        fs::create_dir_all("/etc/netctl").unwrap();
        let grants = "[[grant]]\nusers = [\"root\"]\nnetworks = [\"lab\"]\n";
        fs::write("/etc/netctl/grants.toml", grants).unwrap();
    }

    #[track_caller]
    pub(crate) fn start(&self, line: &str) -> Running {
        self.sandbox.start(shell(&format!("exec {line}"))).unwrap_or_else(|e| panic!("{e:#}"))
    }

    /// What must be the same after something that failed.
    #[track_caller]
    pub(crate) fn state(&self) -> [String; 3] {
        ["netctl show --json", "ip -json link", "ip -json address"].map(|line| self.sh(line).stdout)
    }
}

/// How the line begins by which a command says that it serves others now.
fn serves(line: &str) -> Option<&'static str> {
    if line.starts_with("netctl relay ") {
        Some("netctl: relay of port")
    } else {
        line.starts_with("netctl metrics --listen ").then_some("netctl: metrics at")
    }
}

/// Runs a line where the network `inspected` hangs on a switch that sends frames back.
#[track_caller]
fn on_a_switch(line: &str, code: i32) {
    Sandbox::run(|sandbox| {
        let switch = Switch::new(sandbox, "switch").unwrap();
        switch.nic("eth3").unwrap();
        switch.reflect("eth3", true).unwrap();
        let lab = Lab::new(sandbox);
        let network = "[networks.inspected]\nkind = \"vepa\"\nuplinks = [\"eth3\"]\n";
        lab.write("host.toml", format!("{network}{DOCUMENT}"));
        lab.apply();
        lab.sh(line).expect_code(code);
    });
}

fn shell(line: &str) -> Command {
    let mut command = Command::new("bash");
    let path = std::env::var("PATH").unwrap_or_default();
    command.args(["-c", line]).current_dir(FOLDER).env("PATH", format!("{PROGRAMS}:{path}"));
    command.env_remove("NETCTL_BPFFS");
    command
}

/// A tap has a carrier while a process holds its queue.
#[track_caller]
fn wait_for_carrier(interface: &str, guest: &mut Running) {
    let path = format!("/sys/class/net/{interface}/carrier");
    let deadline = Instant::now() + BEGUN;
    while fs::read_to_string(&path).unwrap_or_default().trim() != "1" {
        let ended = guest.wait(Duration::from_millis(20));
        assert!(ended.is_none() && Instant::now() < deadline, "{ended:?}: {:?}", guest.said());
    }
}
