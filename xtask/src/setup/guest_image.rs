//! Gets the parts of the guest image from Debian's packages; what becomes of them is in `guest`.

use std::fs;

use anyhow::{Context as _, Result, anyhow};

use super::{apt::Apt, steps::Steps};
use crate::guest;

/// The newest kernel for virtual machines: small, and with everything virtio.
const KERNEL: &str = "linux-image-cloud-amd64";
const BUSYBOX: &str = "busybox-static";

/// Where the image is.
///
/// # Errors
/// Which part of it is not there.
pub(crate) fn find() -> Result<String, String> {
    let dir = guest::directory();
    guest::check(&dir).map(|()| dir.display().to_string())
}

/// Makes the image; its packages are unpacked beside it and not installed.
///
/// # Errors
/// A package that is not to be had, or a file that cannot be written.
pub(crate) fn install(steps: &Steps, apt: &Result<Apt<'_>>) -> Result<()> {
    let dir = guest::directory();
    if guest::has_parts(&dir) {
        return steps.step("making the guest's initramfs", |_| guest::build(&dir, None));
    }
    let apt = apt.as_ref().map_err(|e| anyhow!("{e}; {KERNEL} and {BUSYBOX} are needed"))?;
    // A metapackage: it depends on the kernel of the day.
    let kernel = apt
        .first_dependency(KERNEL)
        .with_context(|| format!("no repository of this machine has the Debian package {KERNEL}"))?;
    let unpacked = dir.join("unpacked");
    // What an interrupted set-up left.
    let _ = fs::remove_dir_all(&unpacked);
    fs::create_dir_all(&unpacked).with_context(|| format!("cannot make {}", unpacked.display()))?;
    apt.unpack(&[kernel, BUSYBOX.to_owned()], &unpacked)?;
    steps.step("making the guest's initramfs", |_| guest::build(&dir, Some(&unpacked)))?;
    fs::remove_dir_all(&unpacked).with_context(|| format!("cannot remove {}", unpacked.display()))
}
