//! What Debian's package manager has and installs.

use std::{
    cell::Cell, fs, os::unix::fs::MetadataExt as _, path::Path, process::Command, thread::sleep,
    time::Duration,
};

use anyhow::{Result, bail};

use super::steps::Steps;
use crate::toolchain::program;

/// How long another apt or dpkg is waited for.
const LOCK_SECONDS: u32 = 300;

/// The package manager. Its lists are fetched once, when they are first asked for.
pub(crate) struct Apt<'a> {
    root: bool,
    fresh: Cell<bool>,
    steps: &'a Steps,
}

impl<'a> Apt<'a> {
    /// # Errors
    /// There is no apt.
    pub(crate) fn new(steps: &'a Steps) -> Result<Self> {
        if program("apt-get", None).is_none() {
            bail!("no apt-get on this machine");
        }
        let root = fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0);
        // Only root can fetch them.
        Ok(Self { root, fresh: Cell::new(!root), steps })
    }

    fn refresh(&self) {
        if !self.fresh.replace(true) {
            // One repository that does not answer leaves its old list: the packages may be in another.
            let _ = self.steps.step("fetching the package lists", update);
        }
    }

    /// Those of `packages` that no repository of this machine has.
    pub(crate) fn unknown(&self, packages: &[String]) -> Vec<String> {
        self.refresh();
        let known = policy(packages);
        packages.iter().filter(|name| !known.iter().any(|known| known.name == **name)).cloned().collect()
    }

    fn check_known(&self, packages: &[String]) -> Result<()> {
        let unknown = self.unknown(packages);
        if !unknown.is_empty() {
            bail!("no repository of this machine has the Debian package {}", unknown.join(" "));
        }
        Ok(())
    }

    /// Installs `packages`; without one of them, none.
    ///
    /// # Errors
    /// Not root, a package that is not to be had, or apt's own.
    pub(crate) fn install(&self, packages: &[String]) -> Result<()> {
        self.check_known(packages)?;
        let names = packages.join(" ");
        if !self.root {
            if policy(packages).iter().all(|package| package.installed) {
                return Ok(());
            }
            bail!("not root; as root: apt-get install {names}");
        }
        self.steps.step(&format!("installing {names}"), |steps| {
            steps.run(apt_get().args(["install", "--no-install-recommends"]).args(packages))
        })
    }

    /// Unpacks `packages` into `dir`, without installing them.
    ///
    /// # Errors
    /// A package that is not to be had, or that cannot be unpacked.
    pub(crate) fn unpack(&self, packages: &[String], dir: &Path) -> Result<()> {
        self.check_known(packages)?;
        self.steps.step(&format!("downloading {} (not installed)", packages.join(" ")), |steps| {
            steps.run(apt_get().arg("download").args(packages).current_dir(dir))
        })?;
        for entry in fs::read_dir(dir)?.flatten() {
            if entry.path().extension().is_some_and(|extension| extension == "deb") {
                self.steps.run(Command::new("dpkg").arg("--extract").arg(entry.path()).arg(dir))?;
            }
        }
        Ok(())
    }

    /// The first package that `package` depends on: a metapackage's content.
    pub(crate) fn first_dependency(&self, package: &str) -> Option<String> {
        self.refresh();
        let output = Command::new("apt-cache").args(["depends", package]).env("LC_ALL", "C").output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        text.lines().find_map(|line| line.trim().strip_prefix("Depends: ").map(str::to_owned))
    }
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").env("LC_ALL", "C");
    command.args(["-y", "-q", "-o", "Dpkg::Use-Pty=0", "-o", "APT::Sandbox::User=root"]);
    command.arg("-o").arg(format!("DPkg::Lock::Timeout={LOCK_SECONDS}"));
    command
}

fn update(steps: &Steps) -> Result<()> {
    const PAUSE: Duration = Duration::from_secs(5);
    let mut tries = u64::from(LOCK_SECONDS) / PAUSE.as_secs();
    loop {
        let result = steps.run(apt_get().arg("update"));
        // The timeout for locks does not hold for the lists' lock.
        let locked = result.as_ref().is_err_and(|e| e.to_string().contains("Could not get lock"));
        if !locked || tries == 0 {
            return result;
        }
        tries -= 1;
        sleep(PAUSE);
    }
}

/// A package that is installed or can be.
#[derive(Debug, PartialEq, Eq)]
struct Known {
    name: String,
    installed: bool,
}

fn policy(packages: &[String]) -> Vec<Known> {
    let output = Command::new("apt-cache").arg("policy").args(packages).env("LC_ALL", "C").output();
    parse_policy(
        &output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default(),
    )
}

fn parse_policy(text: &str) -> Vec<Known> {
    let (mut name, mut installed) = ("", false);
    let mut known = Vec::new();
    for line in text.lines() {
        if let Some(package) = line.strip_suffix(':').filter(|package| !package.starts_with(' ')) {
            name = package;
        } else if let Some(version) = line.trim().strip_prefix("Installed: ") {
            installed = version != "(none)";
        } else if line.trim().strip_prefix("Candidate: ").is_some_and(|version| version != "(none)") {
            known.push(Known { name: name.to_owned(), installed });
        }
    }
    known
}

#[cfg(test)]
mod tests {
    use super::{Known, parse_policy};

    #[test]
    fn a_package_without_a_candidate_is_not_to_be_had() {
        let policy = "gcc:\n  Installed: (none)\n  Candidate: 4:12.2.0-3\n  Version table:\n\
                      dash:\n  Installed: 0.5.12\n  Candidate: 0.5.12\n  Version table:\n\
                      rustup:\n  Installed: (none)\n  Candidate: (none)\n  Version table:\n";
        let known = |name: &str, installed| Known { name: name.to_owned(), installed };
        assert_eq!(parse_policy(policy), [known("gcc", false), known("dash", true)]);
    }
}
