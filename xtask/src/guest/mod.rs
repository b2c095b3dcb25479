//! The guest that tests and the demo boot in QEMU: a Debian cloud kernel and an initramfs of a static busybox.
//!
//! The files are `vmlinuz` and `initramfs.cpio` in `target/netctl-guest` of the workspace, or in the folder that
//! `NETCTL_GUEST_DIR` names. They are made by `cargo xtask setup` and only read by others.
//!
//! Boot it with at least 96 MiB, one `virtio-net-pci` (it becomes `eth0`) and `-serial stdio`, for example
//! `qemu-system-x86_64 -machine q35,accel=tcg -m 256M -nodefaults -nographic -no-reboot -serial stdio
//! -kernel vmlinuz -initrd initramfs.cpio -append "console=ttyS0 quiet panic=-1 no_timer_check netctl.ip=…"`.
//!
//! # What it is told, on the kernel's command line
//! - `netctl.ip=10.0.0.11/24`, `netctl.ip6=fd00::11/64`: addresses of `eth0`. Duplicate address detection is
//!   waited for, up to 5 s.
//! - `netctl.mtu=9000`: MTU of `eth0`; default: the device's.
//! - `netctl.run=CHECK,CHECK…`: checks to run at once.
//!
//! After `NETCTL-READY` it reads further checks from `ttyS0`, one per line, for as long as it runs; a serial line has
//! no end of input, so tell it `poweroff:` or end QEMU.
//!
//! # Checks
//! - `listen:tcp/5432`: a server, on IPv4 and IPv6, that sends back what it gets. It stays.
//! - `connect:10.0.0.12:5432`, `connect:[fd00::12]:5432`: opens TCP; what is sent must come back.
//! - `bulk:10.0.0.12:5432:1024`: as `connect`, with 1024 KiB each way, so that segments are merged (TSO).
//! - `ping:10.0.0.12`, `ping:fd00::12`: one echo request.
//! - `patience:5`: seconds that later checks wait for an answer; 2 at the start.
//! - `sleep:3`: seconds. `poweroff:`: prints `NETCTL-DONE` and powers off.
//!
//! # What it says, on ttyS0
//! Lines that start with `NETCTL-`; the firmware may print others.
//! - `NETCTL-LINK 52:54:00:00:00:11 1500`: MAC address and MTU of `eth0`, once its addresses can be used.
//! - `NETCTL-RESULT connect 10.0.0.12:5432 ok`, or instead of `ok`: `fail refused` (RST), `fail unreachable` (an ICMP
//!   error, or no route), `fail timeout`, `fail other`, `fail unknown` (no such check).
//! - `NETCTL-READY`: the checks of the command line are done.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use crate::workspace;

pub(crate) mod cpio;
pub(crate) mod modules;

/// What the image is made of, in the guest's folder, so that a change of `init.sh` needs no download.
pub(crate) const BUSYBOX: &str = "busybox";
const KERNEL: &str = "vmlinuz";
const INITRAMFS: &str = "initramfs.cpio";
const MODULES: &str = "modules";

/// What drives a NIC that QEMU offers as `virtio-net-pci`.
const DRIVERS: [&str; 2] = ["virtio_pci", "virtio_net"];

/// Another folder for the guest's files.
pub(crate) const DIRECTORY_VARIABLE: &str = "NETCTL_GUEST_DIR";

const INIT: &str = include_str!("init.sh");

/// Where the guest's files are.
pub(crate) fn directory() -> PathBuf {
    match env::var_os(DIRECTORY_VARIABLE) {
        Some(dir) if !dir.is_empty() => PathBuf::from(dir),
        _ => workspace::root().join("target/netctl-guest"),
    }
}

/// Whether a guest can be booted from `dir`, and with the present `init.sh`.
///
/// # Errors
/// What is missing.
pub(crate) fn check(dir: &Path) -> Result<(), String> {
    for name in [KERNEL, BUSYBOX, MODULES] {
        if !dir.join(name).exists() {
            return Err(format!("{} is not there", dir.join(name).display()));
        }
    }
    let file = dir.join(INITRAMFS);
    match (fs::read(&file), initramfs(dir)) {
        (Ok(there), Ok(wanted)) if there == wanted => Ok(()),
        (Err(_), _) => Err(format!("{} is not there", file.display())),
        _ => Err(format!("{} is not of this version", file.display())),
    }
}

/// Puts the image into `dir`, from a kernel package and a busybox package that were unpacked into `unpacked`,
/// or without it from what is in `dir` already.
///
/// # Errors
/// A file that cannot be found, read or written.
pub(crate) fn build(dir: &Path, unpacked: Option<&Path>) -> Result<()> {
    if let Some(unpacked) = unpacked {
        take_parts(dir, unpacked)?;
    }
    let file = dir.join(INITRAMFS);
    fs::write(&file, initramfs(dir)?).with_context(|| format!("cannot write {}", file.display()))
}

/// Whether [`build`] can do without packages.
pub(crate) fn has_parts(dir: &Path) -> bool {
    [KERNEL, BUSYBOX, MODULES].iter().all(|name| dir.join(name).exists())
}

fn take_parts(dir: &Path, unpacked: &Path) -> Result<()> {
    let to = dir.join(MODULES);
    if to.exists() {
        fs::remove_dir_all(&to).with_context(|| format!("cannot remove {}", to.display()))?;
    }
    fs::create_dir_all(&to).with_context(|| format!("cannot make {}", to.display()))?;
    let copy = |from: &Path, name: &str| {
        fs::copy(from, dir.join(name))
            .with_context(|| format!("cannot copy {} to {}", from.display(), dir.display()))
    };
    copy(&unpacked.join("bin/busybox"), BUSYBOX)
        .or_else(|_| copy(&unpacked.join("usr/bin/busybox"), BUSYBOX))?;
    copy(&kernel_of(&unpacked.join("boot"))?, KERNEL)?;
    let lib = unpacked.join("lib/modules");
    let root = if lib.exists() { lib } else { unpacked.join("usr/lib/modules") };
    for (place, module) in modules::collect(&root, &DRIVERS)?.iter().enumerate() {
        // The number in front is the order in which they are loaded.
        fs::write(to.join(format!("{place:02}-{}.ko", module.name)), &module.bytes)?;
    }
    Ok(())
}

fn kernel_of(boot: &Path) -> Result<PathBuf> {
    let entries = fs::read_dir(boot).with_context(|| format!("cannot list {}", boot.display()))?;
    let mut files = entries.flatten().map(|entry| entry.path());
    files
        .find(|file| file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz-")))
        .with_context(|| format!("no vmlinuz in {}", boot.display()))
}

fn initramfs(dir: &Path) -> Result<Vec<u8>> {
    let read = |file: PathBuf| fs::read(&file).with_context(|| format!("cannot read {}", file.display()));
    let mut archive = cpio::Archive::default();
    for name in ["bin", "dev", "modules"] {
        archive.directory(name);
    }
    // The kernel opens it for the first process, before devtmpfs is mounted.
    archive.character_device("dev/console", (5, 1));
    archive.program("init", INIT.as_bytes());
    archive.program("bin/busybox", &read(dir.join(BUSYBOX))?);
    let mut modules: Vec<_> =
        fs::read_dir(dir.join(MODULES))?.flatten().map(|entry| entry.file_name()).collect();
    modules.sort();
    for name in modules {
        let data = read(dir.join(MODULES).join(&name))?;
        archive.program(&format!("modules/{}", name.to_string_lossy()), &data);
    }
    Ok(archive.finish())
}
