//! Builds of netctl beside the one that is tested: as it was, from this repository's history, for what a newer one finds
//! on a host; and with debug assertions, which have the points at which it can be killed (`netctl::fault`).

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, ensure};

/// The last commit with ABI version 2.
const V2: &str = "77f534f";

/// Names a netctl with ABI version 2, so that none is built.
pub const V2_VARIABLE: &str = "NETCTL_V2";
/// Names a debug build of this netctl, likewise.
pub const DEBUG_VARIABLE: &str = "NETCTL_DEBUG_BIN";

/// The `netctl` of ABI version 2: `$NETCTL_V2`, or built once, in `target/netctl-v2`.
///
/// # Panics
/// If there is none and it cannot be built.
pub fn v2() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| chosen_or(V2_VARIABLE, build_v2)).clone()
}

/// This netctl with debug assertions: `$NETCTL_DEBUG_BIN`, or built when it is first asked for.
///
/// # Panics
/// If there is none and it cannot be built.
pub fn with_faults() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| chosen_or(DEBUG_VARIABLE, build_debug)).clone()
}

fn chosen_or(variable: &str, build: impl Fn() -> Result<PathBuf>) -> PathBuf {
    match std::env::var_os(variable) {
        Some(chosen) => PathBuf::from(chosen),
        None => build().unwrap_or_else(|e| panic!("cannot build netctl; {variable} can name one: {e:#}")),
    }
}

fn build_v2() -> Result<PathBuf> {
    let folder = workspace()?.join("target/netctl-v2");
    let binary = folder.join("target/debug/netctl");
    if binary.is_file() {
        return Ok(binary);
    }
    std::fs::create_dir_all(&folder)?;
    let script = "git -C \"$0\" archive \"$1\" | tar -x && cargo build -p netctl --target-dir target";
    let mut shell = Command::new("bash");
    shell.args(["-o", "pipefail", "-c", script]).arg(workspace()?).arg(V2).current_dir(&folder);
    built(shell, binary)
}

fn build_debug() -> Result<PathBuf> {
    let mut cargo = Command::new("cargo");
    let target = workspace()?.join("target/netctl-debug");
    // A folder of its own: who runs the tests may hold cargo's lock of the other.
    cargo.args(["build", "-p", "netctl", "--target-dir"]).arg(&target).current_dir(workspace()?);
    built(cargo, target.join("debug/netctl"))
}

fn built(mut command: Command, binary: PathBuf) -> Result<PathBuf> {
    // What cargo tells the tests is not meant for another build.
    let cargos = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CARGO"));
    cargos.for_each(|(name, _)| {
        command.env_remove(name);
    });
    let status = command.status().context("cannot run a build")?;
    ensure!(status.success() && binary.is_file(), "building {} failed: {status}", binary.display());
    Ok(binary)
}

fn workspace() -> Result<&'static Path> {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("no workspace")
}
