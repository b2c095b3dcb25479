//! Where the workspace and what was built in it are, and how its cargo is called.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
};

use anyhow::{Context as _, Result, bail};

/// Packages that build for the host. The fuzz targets without their default feature, which builds libFuzzer: they are checked, and
/// cargo-fuzz links them.
pub(crate) const HOST: [&str; 4] = ["--workspace", "--exclude", "netctl-ebpf", "--no-default-features"];

/// The folder of the workspace's `Cargo.toml`.
pub(crate) fn root() -> PathBuf {
    // Cargo sets it when it runs xtask; two work trees may share one target folder, so the path from the
    // time of compiling may be another's.
    let manifest = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&manifest).parent().map(Path::to_owned).unwrap_or_default()
}

/// The cargo that runs xtask, in the workspace's folder.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    command.current_dir(root());
    command
}

/// Runs `command` with this process's output, after printing it.
///
/// # Errors
/// It cannot be started, or does not succeed.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = shown(command);
    eprintln!("$ {shown}");
    let status = command.status().with_context(|| format!("cannot run {shown}"))?;
    success(status, &shown)
}

/// Fails where `status` is not success; `what` names the command.
///
/// # Errors
/// With the exit code, or the signal.
pub(crate) fn success(status: ExitStatus, what: &str) -> Result<()> {
    if !status.success() {
        bail!("{what}: {status}");
    }
    Ok(())
}

/// The command as one would type it, without its environment.
pub(crate) fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Builds `target/release/netctl`, and the programs of the tests crate beside it, and returns its path.
///
/// # Errors
/// It does not build, or cargo does not say where it puts what it builds.
pub(crate) fn release_binary() -> Result<PathBuf> {
    // No examples: they would have the libraries of netctl's own tests built once more.
    run(cargo().args(["build", "--release", "--bins"]))?;
    Ok(target_directory()?.join("release/netctl"))
}

/// Where cargo puts what it builds: `CARGO_TARGET_DIR` and cargo's configuration may move it.
///
/// # Errors
/// `cargo metadata` fails.
pub(crate) fn target_directory() -> Result<PathBuf> {
    let output = cargo().args(["metadata", "--no-deps", "--format-version", "1"]).output();
    let output = output.context("cannot run cargo metadata")?;
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).context("cargo metadata does not print JSON")?;
    let directory = metadata["target_directory"].as_str();
    directory.map(PathBuf::from).context("cargo metadata names no target_directory")
}
