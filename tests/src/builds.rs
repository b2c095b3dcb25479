//! Builds of netctl beside the one that is tested: as it was, from this repository's history, for what a newer one finds
//! on a host; with debug assertions, which have the points at which it can be killed (`netctl::fault`); and its examples.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, ensure};

use crate::cli;

/// The last commit with ABI version 2.
const V2: &str = "77f534f";

/// Names a netctl with ABI version 2, so that none is built.
pub const V2_VARIABLE: &str = "NETCTL_V2";

/// The `netctl` of ABI version 2: `$NETCTL_V2`, or built once, in `target/netctl-v2`.
///
/// # Panics
/// If there is none and it cannot be built.
pub fn v2() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let build = || match std::env::var_os(V2_VARIABLE) {
        Some(chosen) => PathBuf::from(chosen),
        None => {
            build_v2().unwrap_or_else(|e| panic!("no netctl of version 2; {V2_VARIABLE} can name one: {e:#}"))
        }
    };
    BUILT.get_or_init(build).clone()
}

/// This netctl with debug assertions.
///
/// # Panics
/// If it was not built.
pub fn with_faults() -> PathBuf {
    debug_build("netctl", "--bin netctl")
}

/// An example of netctl's.
///
/// # Panics
/// If it was not built.
pub fn example(name: &str) -> PathBuf {
    debug_build(&format!("examples/{name}"), &format!("--example {name}"))
}

fn debug_build(file: &str, wanted: &str) -> PathBuf {
    let found = cli::target_directory().map(|target| target.join("debug").join(file));
    let found = found.unwrap_or_else(|e| panic!("{e:#}"));
    assert!(found.is_file(), "no {}: `cargo build -p netctl {wanted}` first", found.display());
    found
}

fn build_v2() -> Result<PathBuf> {
    let folder = cli::target_directory()?.join("netctl-v2");
    let binary = folder.join("debug/netctl");
    if binary.is_file() {
        return Ok(binary);
    }
    let source = folder.join("source");
    std::fs::create_dir_all(&source)?;
    archive(Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("no workspace")?, &source)?;
    let mut cargo = Command::new("cargo");
    // In a folder of its own: cargo takes packages for the same that lie at the same place in two copies of a workspace.
    cargo.args(["build", "--package", "netctl", "--bin", "netctl", "--target-dir"]);
    cargo.arg(&folder).current_dir(&source);
    // What cargo tells the tests is not meant for another build.
    let cargos = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CARGO"));
    cargos.for_each(|(name, _)| {
        cargo.env_remove(name);
    });
    // Nobody debugs it, or builds it again.
    cargo.env("CARGO_PROFILE_DEV_DEBUG", "0").env("CARGO_INCREMENTAL", "0");
    let status = cargo.status().context("cannot run cargo")?;
    ensure!(status.success() && binary.is_file(), "building {} failed: {status}", binary.display());
    Ok(binary)
}

/// Puts the tree of [`V2`] into `folder`, from the history of the repository `root`.
fn archive(root: &Path, folder: &Path) -> Result<()> {
    let mut git = Command::new("git");
    let known = git.arg("-C").arg(root).args(["cat-file", "-e", &format!("{V2}^{{commit}}")]).output()?;
    ensure!(
        known.status.success(),
        "it is built from commit {V2}, which {} has not: {}; `git fetch --unshallow` in a shallow clone",
        root.display(),
        String::from_utf8_lossy(&known.stderr).trim()
    );
    let mut shell = Command::new("bash");
    shell.args(["-o", "pipefail", "-c", "git -C \"$0\" archive \"$1\" | tar -x"]);
    let status = shell.arg(root).arg(V2).current_dir(folder).status()?;
    ensure!(status.success(), "git archive of {V2} failed: {status}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_without_the_history_says_so() {
        let clone = std::env::temp_dir().join(format!("netctl-shallow-{}", std::process::id()));
        assert!(Command::new("git").args(["init", "--quiet"]).arg(&clone).status().unwrap().success());
        let error = archive(&clone, &clone).expect_err("it has no commit");
        std::fs::remove_dir_all(&clone).unwrap();
        let error = error.to_string();
        assert!(error.contains(V2) && error.contains("git fetch --unshallow"), "{error}");
    }
}
