//! One suite of Debian, read beside the machine's own package manager: lists and cache are private, so that nothing
//! of the machine's configuration changes. The mirror is the one that the machine uses already.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use crate::setup::steps::Steps;

/// Debian's keys, where the machine has them; apt's own trust is used elsewhere.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// A suite with its lists.
pub(super) struct Suite<'a> {
    name: &'a str,
    dir: PathBuf,
    steps: &'a Steps,
}

impl<'a> Suite<'a> {
    /// Fetches the lists of the suite into a folder of its own below `cache`.
    ///
    /// # Errors
    /// No mirror is known, or it does not have the suite.
    pub(super) fn open(cache: &Path, name: &'a str, steps: &'a Steps) -> Result<Self> {
        let suite = Self { name, dir: cache.join("apt").join(name), steps };
        for folder in ["lists/partial", "preferences.d"] {
            let folder = suite.dir.join(folder);
            fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        let key = if Path::new(KEYRING).exists() { format!("[signed-by={KEYRING}] ") } else { String::new() };
        let source = format!("deb {key}{} {name} main\n", mirror()?);
        fs::write(suite.dir.join("sources.list"), source)?;
        steps
            .step(&format!("fetching the package lists of {name}"), |steps| {
                let mut update = suite.apt("apt-get");
                // By itself apt is content with no list at all.
                update.args(["-o", "APT::Update::Error-Mode=any", "-o", "Acquire::Languages=none", "update"]);
                steps.run(&mut update)
            })
            .with_context(|| format!("cannot fetch the package lists of Debian's {name}"))?;
        Ok(suite)
    }

    /// `package` and, of what it depends on, the packages that `wanted` takes; theirs too.
    ///
    /// # Errors
    /// The suite has no such package.
    pub(super) fn closure(&self, package: &str, wanted: fn(&str) -> bool) -> Result<Vec<String>> {
        let mut found = vec![package.to_owned()];
        let mut next = 0;
        while let Some(name) = found.get(next) {
            let dependencies = self.dependencies(name)?;
            next += 1;
            for name in dependencies {
                if wanted(&name) && !found.contains(&name) {
                    found.push(name);
                }
            }
        }
        Ok(found)
    }

    fn dependencies(&self, package: &str) -> Result<Vec<String>> {
        let output = self.apt("apt-cache").args(["depends", "--important", package]).output();
        let output = output.context("cannot run apt-cache")?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if text.is_empty() {
            bail!("Debian's {} has no package {package}", self.name);
        }
        Ok(parse_depends(&text))
    }

    /// Downloads `packages` and unpacks them into `dir`, which is empty before; they are not installed.
    ///
    /// # Errors
    /// The suite lacks one, or it cannot be downloaded or unpacked.
    pub(super) fn unpack(&self, packages: &[String], dir: &Path) -> Result<()> {
        let shown = packages.join(" ");
        self.steps.step(&format!("downloading {shown} (not installed)"), |steps| {
            steps.run(self.apt("apt-get").arg("download").args(packages).current_dir(dir))
        })?;
        self.steps.step(&format!("unpacking {shown}"), |steps| {
            for entry in fs::read_dir(dir)?.flatten() {
                let file = entry.path();
                if file.extension().is_some_and(|extension| extension == "deb") {
                    steps.run(Command::new("dpkg").arg("--extract").arg(&file).arg(dir))?;
                    fs::remove_file(&file)?;
                }
            }
            Ok(())
        })
    }

    fn apt(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("DEBIAN_FRONTEND", "noninteractive").env("LC_ALL", "C");
        let file = |name: &str| self.dir.join(name).display().to_string();
        for option in [
            format!("Dir::Etc::sourcelist={}", file("sources.list")),
            "Dir::Etc::sourceparts=-".to_owned(),
            // The machine's pins and what is installed on it say nothing about the lab.
            "Dir::Etc::preferences=/dev/null".to_owned(),
            format!("Dir::Etc::preferencesparts={}", file("preferences.d")),
            format!("Dir::State::Lists={}", file("lists")),
            "Dir::State::status=/dev/null".to_owned(),
            format!("Dir::Cache::pkgcache={}", file("pkgcache.bin")),
            format!("Dir::Cache::srcpkgcache={}", file("srcpkgcache.bin")),
            "APT::Architecture=amd64".to_owned(),
            "APT::Sandbox::User=root".to_owned(),
        ] {
            command.args(["-o", &option]);
        }
        command
    }
}

/// The address that this machine has Debian's packages from.
fn mirror() -> Result<String> {
    let mut command = Command::new("apt-get");
    command.args(["indextargets", "--format", "$(ORIGIN) $(RELEASE) $(REPO_URI)", "Created-By: Packages"]);
    let output = command.output().context("cannot run apt-get: the lab takes its kernels from Debian")?;
    parse_mirror(&String::from_utf8_lossy(&output.stdout))
        .context("this machine's apt has no list of Debian's packages; `apt-get update` as root fetches it")
}

/// Updates and security fixes may have addresses of their own, so they do not count.
fn parse_mirror(targets: &str) -> Option<String> {
    targets.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let (origin, release, address) = (words.next()?, words.next()?, words.next()?);
        (origin == "Debian" && !release.contains(['-', '/'])).then(|| address.to_owned())
    })
}

fn parse_depends(text: &str) -> Vec<String> {
    let lines = text.lines().filter_map(|line| line.trim().trim_start_matches('|').strip_prefix("Depends: "));
    // A virtual package stands in angle brackets.
    lines.filter(|name| !name.starts_with('<')).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::{parse_depends, parse_mirror};

    #[test]
    fn the_mirror_is_that_of_debians_main_suite() {
        let targets = "Debian bookworm-security http://a/debian-security/\n\
                       Other stable http://b/\nDebian bookworm http://c/debian/\n";
        assert_eq!(parse_mirror(targets).as_deref(), Some("http://c/debian/"));
        assert_eq!(parse_mirror("Other stable http://b/\n"), None);
    }

    #[test]
    fn dependencies_are_read_without_virtual_packages() {
        let text = "linux-image-7\n  Depends: linux-base\n |Depends: dracut\n  Depends: <initramfs>\n    x\n";
        assert_eq!(parse_depends(text), ["linux-base", "dracut"]);
    }
}
