//! What the lab has fetched: kernels with their modules, and a QEMU where the machine's own has no `igb`.
//!
//! It is kept in `$NETCTL_LAB_DIR`, else in `netctl-lab` of the user's cache, and so outlives a clone. A part that was
//! not fetched to its end is not there: it gets its name last.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use super::{job::quoted, series::Series, suite::Suite};
use crate::{setup::steps::Steps, toolchain::program, workspace};

/// Another folder for what the lab fetches.
const DIRECTORY_VARIABLE: &str = "NETCTL_LAB_DIR";

/// The metapackage of the full kernels; the `cloud` ones have neither 9p nor igb.
const KERNEL: &str = "linux-image-amd64";

/// Of QEMU's packages those that it starts from; its libraries are those of the machine's QEMU.
const QEMU: [&str; 3] = ["qemu-system-x86", "qemu-system-data", "seabios"];

/// A kernel that can be booted.
#[derive(Clone, Debug)]
pub(super) struct Kernel {
    pub(super) series: Series,
    /// As `uname -r` says it.
    pub(super) release: String,
    pub(super) image: PathBuf,
    /// Its folder of `lib/modules`.
    pub(super) modules: PathBuf,
}

/// A QEMU with `igb`.
#[derive(Clone, Debug)]
pub(super) struct Qemu {
    pub(super) program: PathBuf,
    /// Where it finds its firmware, if not in the usual places.
    pub(super) firmware: Vec<PathBuf>,
}

/// Where all of it is.
pub(super) struct Store {
    dir: PathBuf,
    steps: Steps,
}

impl Store {
    /// # Errors
    /// The log or the folder cannot be made.
    pub(super) fn open() -> Result<Self> {
        let dir = directory();
        fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        Ok(Self { dir, steps: Steps::new(&format!("{}/fetch.log", super::LOGS))? })
    }

    /// The kernel of a series; fetched if it is not there.
    ///
    /// # Errors
    /// It is not to be had: the lab fails without it.
    pub(super) fn kernel(&self, series: Series) -> Result<Kernel> {
        let dir = self.dir.join(format!("linux-{}", series.name()));
        if !dir.exists() {
            self.fetch(&dir, series.suite(), |suite| {
                suite.closure(KERNEL, |name| {
                    let parts = ["linux-image-", "linux-binary-", "linux-modules-"];
                    parts.iter().any(|part| name.starts_with(part))
                })
            })
            .with_context(|| format!("cannot fetch the kernel {}, which the lab needs", series.name()))?;
        }
        let kernel = Kernel::find(series, &dir)
            .with_context(|| format!("what is in {} cannot be used; remove it", dir.display()))?;
        kernel.index(&self.steps)?;
        Ok(kernel)
    }

    /// The machine's QEMU, else one of its suite's backports.
    ///
    /// # Errors
    /// Neither has `igb`.
    pub(super) fn qemu(&self) -> Result<Qemu> {
        let own = Qemu { program: "qemu-system-x86_64".into(), firmware: Vec::new() };
        if own.check().is_ok() {
            return Ok(own);
        }
        let dir = self.dir.join("qemu");
        if !dir.exists() {
            let suite = format!("{}-backports", codename()?);
            self.fetch(&dir, &suite, |_| Ok(QEMU.map(String::from).to_vec()))
                .context("cannot fetch a QEMU with the device igb, which the lab needs")?;
        }
        let share = dir.join("usr/share");
        let firmware = [share.join("qemu"), share.join("seabios")].to_vec();
        let qemu = Qemu { program: dir.join("usr/bin/qemu-system-x86_64"), firmware };
        qemu.check().with_context(|| format!("{} cannot be used; remove it", dir.display()))?;
        Ok(qemu)
    }

    /// A program that starts the QEMU of [`Self::qemu`] with its firmware, and is called as any QEMU is.
    ///
    /// # Errors
    /// As [`Self::qemu`]; or it cannot be written.
    pub(super) fn newer_qemu(&self) -> Result<PathBuf> {
        let qemu = self.qemu()?;
        if qemu.firmware.is_empty() {
            return program("qemu-system-x86_64", None).context("the QEMU that was just run is gone");
        }
        let file = starter(&self.dir);
        let dir = file.parent().context("the starter is in a folder")?;
        fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        // Under its name only when it is whole: tests may be running.
        let partial = file.with_extension(std::process::id().to_string());
        let written = fs::write(&partial, qemu.script());
        let written = written.and_then(|()| fs::set_permissions(&partial, PermissionsExt::from_mode(0o755)));
        written
            .and_then(|()| fs::rename(&partial, &file))
            .with_context(|| format!("cannot write {}", file.display()))?;
        Ok(file)
    }

    /// Unpacks packages of a suite into `dir`.
    fn fetch(
        &self,
        dir: &Path,
        suite: &str,
        packages: impl FnOnce(&Suite<'_>) -> Result<Vec<String>>,
    ) -> Result<()> {
        let suite = Suite::open(&self.dir, suite, &self.steps)?;
        let packages = packages(&suite)?;
        let partial = dir.with_extension(format!("partial-{}", std::process::id()));
        fs::create_dir_all(&partial).with_context(|| format!("cannot make {}", partial.display()))?;
        let result = suite.unpack(&packages, &partial);
        let result = result.and_then(|()| {
            fs::rename(&partial, dir).with_context(|| format!("cannot make {}", dir.display()))
        });
        if result.is_err() {
            // A second lab may have been faster, and what is half there is of no use.
            let _ = fs::remove_dir_all(&partial);
        }
        result
    }
}

/// `XDG_CACHE_HOME` is of the XDG base directory specification.
fn directory() -> PathBuf {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set(DIRECTORY_VARIABLE)
        .or_else(|| set("XDG_CACHE_HOME").map(|dir| dir.join("netctl-lab")))
        .or_else(|| set("HOME").map(|dir| dir.join(".cache/netctl-lab")))
        .unwrap_or_else(|| workspace::root().join("target/netctl-lab"))
}

/// Where [`Store::newer_qemu`] is, if it has been asked for or is the machine's own.
///
/// # Errors
/// What is missing.
pub(super) fn find_newer_qemu() -> Result<PathBuf> {
    let own = Qemu { program: "qemu-system-x86_64".into(), firmware: Vec::new() };
    if let Some(file) = program("qemu-system-x86_64", None).filter(|_| own.check().is_ok()) {
        return Ok(file);
    }
    let file = starter(&directory());
    Qemu { program: file.clone(), firmware: Vec::new() }.check()?;
    Ok(file)
}

/// Its base name is QEMU's, by which it is recognised.
fn starter(store: &Path) -> PathBuf {
    store.join("newer/qemu-system-x86_64")
}

/// The machine's own suite, as os-release(5) names it.
fn codename() -> Result<String> {
    let text = fs::read_to_string("/etc/os-release").context("cannot read /etc/os-release")?;
    let name = text.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    name.map(|name| name.trim_matches('"').to_owned())
        .context("/etc/os-release has no VERSION_CODENAME: this machine is no release of Debian")
}

impl Kernel {
    fn find(series: Series, dir: &Path) -> Result<Self> {
        // Packages of trixie and later have all below `usr`, the image among the modules.
        let roots = [dir.join("usr/lib/modules"), dir.join("lib/modules")];
        let modules = roots.iter().find_map(|root| fs::read_dir(root).ok()?.flatten().next());
        let modules = modules.with_context(|| format!("no modules in {}", dir.display()))?.path();
        let release = modules.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !series.has(&release) {
            bail!("{release} is not of the series {}", series.name());
        }
        let images = [dir.join("boot").join(format!("vmlinuz-{release}")), modules.join("vmlinuz")];
        let image = images.into_iter().find(|image| image.exists());
        let image = image.with_context(|| format!("no vmlinuz in {}", dir.display()))?;
        Ok(Self { series, release, image, modules })
    }

    /// Makes the index that modprobe reads: a package makes it when it is installed.
    fn index(&self, steps: &Steps) -> Result<()> {
        if self.modules.join("modules.dep.bin").exists() {
            return Ok(());
        }
        let base = self.modules.ancestors().nth(3).context("modules are not in lib/modules")?;
        let mut depmod = Command::new("depmod");
        // Where Debian has programs for root, which are in no other user's PATH.
        depmod.env("PATH", format!("{}:/usr/sbin:/sbin", env::var("PATH").unwrap_or_default()));
        steps.run(depmod.arg("-b").arg(base).arg(&self.release))
    }
}

impl Qemu {
    /// For `/bin/sh`: becomes QEMU.
    fn script(&self) -> String {
        let words = |path: &Path| quoted(&path.display().to_string());
        let firmware: Vec<_> = self.firmware.iter().map(|dir| format!(" -L {}", words(dir))).collect();
        format!("#!/bin/sh\nexec {}{} \"$@\"\n", words(&self.program), firmware.concat())
    }

    /// Whether it runs and has the NIC with SR-IOV.
    fn check(&self) -> Result<()> {
        let program = self.program.display();
        // A list of all devices would load all of QEMU's modules, those of another build too.
        let output = Command::new(&self.program).args(["-device", "igb,help"]).output();
        let output = output.with_context(|| format!("cannot run {program}"))?;
        // QEMU has no exit code for a device that it does not know.
        if !String::from_utf8_lossy(&output.stdout).starts_with("igb options") {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            bail!("{program} has no device igb, which QEMU 8.0 and newer have: {}", said.trim());
        }
        Ok(())
    }
}
