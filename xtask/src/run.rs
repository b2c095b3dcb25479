//! The verbs that run what the workspace holds: tests, demo, bench, and netctl's own generators.

use std::{fs, process::Command};

use anyhow::{Context as _, Result, bail};

use crate::{guest, lab, workspace};

/// Tells tests where the release build of netctl is.
const BINARY_VARIABLE: &str = "NETCTL_BIN";

/// Published JSON Schema of the document, seen from the workspace's folder.
pub(crate) const SCHEMA: &str = "docs/netctl.schema.json";

/// A test target of the tests crate.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum Target {
    /// Cases through the decision, in user space
    Host,
    /// The compiler against the reference matcher
    Compile,
    /// The command line
    Cli,
    /// The same cases through BPF_PROG_TEST_RUN
    Kernel,
    /// Interfaces and descriptors: plans, crashes, what is refused
    Ports,
    /// Guests on real descriptors in private namespaces
    Wire,
    /// The same policy on all four kinds of networks
    Kinds,
    /// The drop-in for qemu-bridge-helper, beside the stock one
    Helper,
    /// A host that changes: commands that meet, are killed, are followed by another version's
    Life,
    /// Ports handed over as sockets, by relays
    Sockets,
    /// Real QEMU guests
    Vm,
    /// libvirt: its hooks, and guests of a real libvirtd
    Libvirt,
}

/// Runs the named test targets, or every test of the workspace; `arguments` go to the test programs.
///
/// # Errors
/// netctl does not build, or a test fails.
pub(crate) fn test(targets: &[Target], arguments: &[String]) -> Result<()> {
    let binary = workspace::release_binary()?;
    let mut cargo = test_command();
    cargo.env(BINARY_VARIABLE, &binary).env(guest::DIRECTORY_VARIABLE, guest::directory());
    cargo.env(lab::QEMU_VARIABLE, lab::newer_qemu()?);
    for target in targets {
        cargo.arg("--test").arg(format!("{target:?}").to_lowercase());
    }
    // A person wants the first failure soon, CI wants all of them.
    if std::env::var_os("CI").is_some() {
        cargo.arg("--no-fail-fast");
    }
    if !arguments.is_empty() {
        cargo.arg("--").args(arguments);
    }
    workspace::run(&mut cargo)
}

/// `cargo test` of the workspace, without targets.
pub(crate) fn test_command() -> Command {
    let mut cargo = workspace::cargo();
    // Also for one target: another selection of packages has other features of libraries, and builds them again.
    cargo.args(["test", "--workspace", "--exclude", "netctl-ebpf"]);
    cargo
}

/// Runs a program of the tests crate from its release build: `demo`, `bench` or `soak`.
///
/// # Errors
/// It does not build, or fails.
pub(crate) fn program(name: &str, arguments: &[String]) -> Result<()> {
    let binary = workspace::release_binary()?;
    let mut command = Command::new(binary.with_file_name(name));
    command.args(arguments).env(BINARY_VARIABLE, &binary).env(guest::DIRECTORY_VARIABLE, guest::directory());
    workspace::run(&mut command)
}

/// Writes man pages and shell completions.
///
/// # Errors
/// netctl does not build or cannot write them.
pub(crate) fn man() -> Result<()> {
    let dir = workspace::root().join("target/man");
    fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    workspace::run(Command::new(workspace::release_binary()?).arg("man").arg(&dir))
}

/// Writes [`SCHEMA`].
///
/// # Errors
/// netctl does not build or print it, or it cannot be written.
pub(crate) fn schema() -> Result<()> {
    let file = workspace::root().join(SCHEMA);
    let text = printed_schema()?;
    fs::create_dir_all(workspace::root().join("docs")).context("cannot make docs")?;
    fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))
}

/// The schema as the present netctl prints it.
///
/// # Errors
/// netctl does not build or print it.
pub(crate) fn printed_schema() -> Result<Vec<u8>> {
    let binary = workspace::release_binary()?;
    let output = Command::new(&binary).arg("schema").output();
    let output = output.with_context(|| format!("cannot run {}", binary.display()))?;
    if !output.status.success() || output.stdout.is_empty() {
        bail!("`netctl schema` prints none: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(output.stdout)
}
