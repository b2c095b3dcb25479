//! `cargo xtask check`: what has to hold before a change is merged, besides the tests.
//!
//! Every check runs, also after one has failed. What a check looks at is in its own file; those that only call
//! cargo are here.

use std::time::Instant;

use anyhow::{Result, bail};

use crate::{
    toolchain::{TARGET, find_compiler},
    workspace,
};

mod abi;
mod code_map;
mod schema;
mod size;
mod tree;

#[derive(Clone, Copy, clap::Args)]
pub(crate) struct Options {
    /// Take the present schema and map layouts as the agreed ones
    #[arg(long)]
    bless: bool,
}

struct Check {
    name: &'static str,
    run: fn(Options) -> Result<()>,
}

const CHECKS: [Check; 8] = [
    Check { name: "format", run: |_| format() },
    Check { name: "file sizes", run: |_| size::check() },
    Check { name: "code map", run: |_| code_map::check() },
    Check { name: "map layouts", run: |options| abi::check(options.bless) },
    Check { name: "lints", run: |_| lints() },
    Check { name: "lints of the BPF side", run: |_| bpf_lints() },
    Check { name: "documentation", run: |_| documentation() },
    Check { name: "schema", run: |options| schema::check(options.bless) },
];

/// Runs every check.
///
/// # Errors
/// The names of those that fail; what is wrong was printed by then.
pub(crate) fn check(options: Options) -> Result<()> {
    let mut failed = Vec::new();
    for check in &CHECKS {
        let start = Instant::now();
        let result = (check.run)(options);
        let seconds = start.elapsed().as_secs_f64();
        match result {
            Ok(()) => eprintln!("check: {}: ok ({seconds:.1} s)", check.name),
            Err(e) => {
                eprintln!("check: {}: FAILED: {e:#}", check.name);
                failed.push(check.name);
            }
        }
    }
    if !failed.is_empty() {
        bail!("{} of {} checks failed: {}", failed.len(), CHECKS.len(), failed.join(", "));
    }
    Ok(())
}

fn format() -> Result<()> {
    workspace::run(workspace::cargo().args(["fmt", "--all", "--check"]))
}

fn lints() -> Result<()> {
    let clippy = |of: &[&str]| {
        workspace::run(workspace::cargo().arg("clippy").args(of).args([
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ]))
    };
    clippy(&workspace::HOST)?;
    // The build for debugging, whose programs are others.
    clippy(&["--package", "netctl", "--features", "bpf-log"])
}

/// Clippy does not come with every Rust for BPF: the compiler's own lints.
fn bpf_lints() -> Result<()> {
    let mut cargo = find_compiler()?.cargo("check", std::env::consts::ARCH, &["-Dwarnings".to_owned()]);
    // Apart from other builds for this target, which have other flags.
    let target = workspace::target_directory()?.join(TARGET).join("check");
    workspace::run(cargo.current_dir(workspace::root()).arg("--target-dir").arg(target))
}

fn documentation() -> Result<()> {
    workspace::run(
        workspace::cargo()
            .arg("doc")
            .args(workspace::HOST)
            .arg("--no-deps")
            .env("RUSTDOCFLAGS", "-D warnings"),
    )
}
