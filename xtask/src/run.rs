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
    /// What attackers send: on the host, in the kernel, on ports of all kinds
    Evasion,
    /// Frames that nobody thought of, on the host and in the kernel
    Fuzz,
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
    /// Interfaces of other owners, and their return
    Adopt,
    /// Guests and the host that they run on
    Hostaccess,
    /// Rates and storms on real ports
    Limits,
    /// A guest that floods beside one that does not
    Starvation,
    /// What open descriptors are, and how queues are opened
    Descriptors,
    /// Ports handed over as sockets, by relays
    Sockets,
    /// Real QEMU guests
    Vm,
    /// libvirt: its hooks, and guests of a real libvirtd
    Libvirt,
    /// What the verifier did for each program
    Verifier,
    /// The bench's own measures
    Bench,
    /// Captures, as tshark reads them
    Capture,
    /// The terminal view, in tmux
    Top,
    /// The sandboxes, guests and switches that the other targets use
    Harness,
}

/// Runs the named test targets, or every test of the workspace; `arguments` go to the test programs.
///
/// # Errors
/// netctl does not build, or a test fails.
pub(crate) fn test(targets: &[Target], arguments: &[String]) -> Result<()> {
    let binary = workspace::release_binary()?;
    // Beside the tests: netctl with the points at which it is killed, and what shows the library.
    let debug = ["--bin", "netctl", "--example", "open_port"];
    workspace::run(workspace::cargo().arg("build").args(workspace::HOST).args(debug))?;
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
    cargo.arg("test").args(workspace::HOST);
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

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs};

    use clap::ValueEnum as _;

    use super::Target;
    use crate::workspace;

    #[test]
    fn every_test_target_can_be_named() {
        let there =
            fs::read_dir(workspace::root().join("tests/tests")).unwrap().flatten().map(|it| it.path());
        let there = there.filter(|path| path.extension().is_some() || path.join("main.rs").is_file());
        let there = there.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()));
        // Of the lab only.
        let there: BTreeSet<String> = there.filter(|name| name != "sriov").collect();
        let named = Target::value_variants().iter().map(|target| format!("{target:?}").to_lowercase());
        assert_eq!(named.collect::<BTreeSet<_>>(), there);
    }
}
