//! Real guests: a small Linux in QEMU, started by `netctl run` and asked over its serial line.
//!
//! The images are made by `cargo xtask setup`; what they understand and say is told in the module doc of
//! xtask/src/guest/mod.rs. Guests without an operating system are in [`crate::guest`].

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::process::Running;
use crate::sandbox::Sandbox;

/// How long a guest may take to boot: some 10 s without KVM, 50 s where its host is emulated too, and several times that on
/// a busy machine.
pub const BOOT_LIMIT: Duration = Duration::from_secs(600);
/// How long one check may take, the guest's own patience of 2 s included.
const CHECK_LIMIT: Duration = Duration::from_secs(60);
/// The machine's own QEMU: 7.2 on Debian 12.
pub const QEMU: &str = "qemu-system-x86_64";
/// Names a second QEMU, of version 8 or newer: 10 of Debian 12's backports.
const NEWER_QEMU: &str = "NETCTL_QEMU_10";
/// Memory of a guest, in the words of QEMU's `-m`.
const MEMORY: &str = "160M";

/// What a guest is booted with.
#[derive(Clone, Copy, Debug)]
pub struct Boot<'a> {
    /// The port that it is plugged into.
    pub port: &'a str,
    /// Addresses that it gives itself, with prefix length: one IPv4 and one IPv6.
    pub ipv4: &'a str,
    pub ipv6: &'a str,
    /// Virtual processors; a queue pair is used only with a processor of its own.
    pub processors: u32,
}

/// A running guest. Dropping it ends QEMU.
#[derive(Debug)]
pub struct Machine {
    running: Running,
    port: String,
}

impl Machine {
    /// Starts the machine's QEMU by `netctl run`; does not wait for the guest.
    ///
    /// # Errors
    /// Images that are missing: the message names `cargo xtask setup`.
    pub fn start(sandbox: &Sandbox, boot: Boot<'_>) -> Result<Self> {
        Self::start_in(sandbox, boot, QEMU.as_ref())
    }

    /// The same, with another QEMU, such as [`newer_qemu`].
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_in(sandbox: &Sandbox, boot: Boot<'_>, qemu: &Path) -> Result<Self> {
        let arguments = netctl_arguments(&images()?, boot, qemu);
        Ok(Self { running: sandbox.start_netctl(arguments), port: boot.port.to_owned() })
    }

    /// The same, with another placeholder for its NIC than the port's own: `{web1.stream}`.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_on(sandbox: &Sandbox, boot: Boot<'_>, qemu: &Path, nic: &str) -> Result<Self> {
        let mut arguments = netctl_arguments(&images()?, boot, qemu);
        let own = arguments.last_mut().context("a command line")?;
        nic.clone_into(own);
        Ok(Self { running: sandbox.start_netctl(arguments), port: boot.port.to_owned() })
    }

    /// Starts `monitor`, a QEMU and what comes before it, with `nic` as the options of the guest's NIC; `images` is the
    /// folder of [`images`] or a copy of it.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn launch(
        sandbox: &Sandbox,
        boot: Boot<'_>,
        images: &Path,
        (monitor, nic): (&[&str], &[&str]),
    ) -> Result<Self> {
        let (program, before) = monitor.split_first().context("no monitor")?;
        let mut command = Command::new(program);
        command.args(before).args(guest_arguments(images, boot)).args(nic);
        Ok(Self { running: sandbox.start(command)?, port: boot.port.to_owned() })
    }

    /// Starts QEMU without netctl, on a NIC with this MAC address and backend (`-netdev BACKEND,id=nic`).
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_by_hand(
        sandbox: &Sandbox,
        boot: Boot<'_>,
        qemu: &Path,
        (mac, netdev): (&str, &str),
    ) -> Result<Self> {
        let qemu = qemu.to_str().context("a path in UTF-8")?;
        let (backend, device) = (format!("{netdev},id=nic"), format!("virtio-net-pci,netdev=nic,mac={mac}"));
        Self::launch(sandbox, boot, &images()?, (&[qemu], &["-netdev", &backend, "-device", &device]))
    }

    /// Waits until the guest takes checks.
    ///
    /// # Errors
    /// With what it said, if it does not within [`BOOT_LIMIT`].
    pub fn wait_ready(&mut self) -> Result<()> {
        self.wait_for("NETCTL-READY", 1, BOOT_LIMIT).map(drop)
    }

    /// Lets the guest do one check, for example `connect:10.0.0.21:5432`; its answer is `ok` or `fail WHY`.
    ///
    /// # Errors
    /// If the guest does not answer.
    pub fn check(&mut self, check: &str) -> Result<String> {
        let (verb, argument) = check.split_once(':').context("a check is VERB:ARGUMENT")?;
        let answer = format!("NETCTL-RESULT {verb} {argument} ");
        let before = self.count(&answer);
        self.running.tell(check).with_context(|| format!("guest {} takes no checks", self.port))?;
        let line = self.wait_for(&answer, before + 1, CHECK_LIMIT)?;
        Ok(line[answer.len()..].trim().to_owned())
    }

    /// Of QEMU: `netctl run` has become it.
    pub fn pid(&self) -> u32 {
        self.running.pid()
    }

    /// SIGKILL to QEMU, as a power failure of the guest.
    pub fn kill(&mut self) {
        self.running.kill();
    }

    /// All that QEMU and the guest have printed.
    pub fn said(&self) -> String {
        self.running.said().join("\n")
    }

    fn matching(&self, start: &str) -> Vec<String> {
        let lines = self.running.said();
        // The firmware leaves control characters in front of the first line.
        lines.iter().filter_map(|line| line.find(start).map(|at| line[at..].to_owned())).collect()
    }

    fn count(&self, start: &str) -> usize {
        self.matching(start).len()
    }

    /// The `nth` line with `start` in it, from there on.
    fn wait_for(&mut self, start: &str, nth: usize, limit: Duration) -> Result<String> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(line) = self.matching(start).into_iter().nth(nth - 1) {
                return Ok(line);
            }
            let ended = self.running.wait(Duration::ZERO);
            if ended.is_some() || Instant::now() > deadline {
                let how = ended.map_or_else(|| "is silent".to_owned(), |status| format!("ended: {status}"));
                bail!("no `{start}` from guest {}, which {how}; it said:\n{}", self.port, self.said());
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The QEMU of `$NETCTL_QEMU_10`, which `cargo xtask test` sets; it is started as any other.
///
/// # Errors
/// If it is not set, or names no file.
pub fn newer_qemu() -> Result<PathBuf> {
    let chosen = std::env::var_os(NEWER_QEMU).map(PathBuf::from).with_context(|| {
        format!("{NEWER_QEMU} names no QEMU: `cargo xtask test` sets it, `cargo xtask setup --check` shows where it is")
    })?;
    ensure!(chosen.is_file(), "{NEWER_QEMU} is {}, which is no file", chosen.display());
    Ok(chosen)
}

/// `run PORT -- qemu-system-x86_64 …`.
fn netctl_arguments(images: &Path, boot: Boot<'_>, qemu: &Path) -> Vec<String> {
    let mut words: Vec<String> = ["run", boot.port, "--"].map(String::from).into();
    words.push(qemu.display().to_string());
    words.extend(guest_arguments(images, boot));
    words.push(format!("{{{}}}", boot.port));
    words
}

/// Without a check for which a busy machine emulates a guest too slowly: "Kernel panic - not syncing: IO-APIC + timer doesn't
/// work!" (arch/x86/kernel/apic/io_apic.c, timer_irq_works, Linux 6.1).
const KERNEL_LINE: &str = "console=ttyS0 quiet panic=-1 no_timer_check";

/// QEMU's, but for the NIC.
fn guest_arguments(images: &Path, boot: Boot<'_>) -> Vec<String> {
    let file = |name: &str| images.join(name).display().to_string();
    let kernel_line = format!("{KERNEL_LINE} netctl.ip={} netctl.ip6={}", boot.ipv4, boot.ipv6);
    let mut words: Vec<String> = ["-machine", "q35,accel=tcg", "-m", MEMORY, "-smp"].map(String::from).into();
    words.push(boot.processors.to_string());
    words.extend(["-nodefaults", "-nographic", "-no-reboot", "-serial", "stdio"].map(String::from));
    words.extend(["-kernel".to_owned(), file("vmlinuz"), "-initrd".to_owned(), file("initramfs.cpio")]);
    words.extend(["-append".to_owned(), kernel_line]);
    words
}

/// The folder of the guest's kernel and initramfs: `$NETCTL_GUEST_DIR`, or in the workspace's `target`.
///
/// # Errors
/// If one is missing.
pub fn images() -> Result<PathBuf> {
    let chosen = std::env::var_os("NETCTL_GUEST_DIR").filter(|chosen| !chosen.is_empty());
    let directory = chosen.map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("target").join("netctl-guest"),
        PathBuf::from,
    );
    for name in ["vmlinuz", "initramfs.cpio"] {
        let file = directory.join(name);
        ensure!(file.is_file(), "{} is not there: make it with `cargo xtask setup`", file.display());
    }
    Ok(directory)
}
