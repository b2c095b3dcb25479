//! Installs the compiler and the linker of the BPF side.

use std::{env, process::Command};

use anyhow::{Context as _, Result, anyhow, bail};

use super::{apt::Apt, steps::Steps};
use crate::{
    toolchain::{LINKED, find_compiler, program, rustc_fact},
    workspace,
};

/// Debian's Rust with a prebuilt `core` for BPF.
const DEBIAN_RUST: [&str; 3] = ["rustc-web", "cargo-web", "libstd-rust-web-dev-bpf"];

const LINKER_VERSION: &str = "0.13.0";

/// Versions of LLVM that bpf-linker [`LINKER_VERSION`] can be built for.
const LINKER_LLVM: std::ops::RangeInclusive<u32> = 21..=23;

/// How long rustup may take: it may have no way to its server.
const RUSTUP_SECONDS: &str = "600";

/// Installs Debian's Rust where apt has it, because it comes with the LLVM that its linker needs;
/// else a nightly with `rust-src` by rustup.
///
/// # Errors
/// Neither can be had.
pub(crate) fn install_compiler(steps: &Steps, apt: &Result<Apt<'_>>) -> Result<()> {
    let debian = match apt {
        Ok(apt) => apt.install(&DEBIAN_RUST.map(str::to_owned)),
        Err(e) => Err(anyhow!("{e}")),
    };
    // Debian's may be too old.
    let debian = debian.and_then(|()| Ok(find_compiler()?));
    match (debian, program("rustup", None)) {
        (Ok(_), None) => Ok(()),
        (Ok(_), Some(_)) => {
            // Found in /usr without it: it only lets a person say `cargo +debian-bpf`.
            let _ = steps.step(&format!("telling rustup of Debian's Rust as {LINKED}"), link);
            Ok(())
        }
        (Err(e), Some(_)) => install_nightly(steps).map_err(|nightly| nightly.context(e)),
        (Err(e), None) => Err(e.context("no rustup either, to install a nightly with rust-src")),
    }
}

fn link(steps: &Steps) -> Result<()> {
    steps.run(Command::new("rustup").args(["toolchain", "link", LINKED, "/usr"]))
}

fn install_nightly(steps: &Steps) -> Result<()> {
    steps.step("installing a nightly Rust with rust-src by rustup", |steps| {
        let arguments =
            ["toolchain", "install", "nightly", "--profile", "minimal", "--component", "rust-src"];
        steps.run(
            Command::new("timeout").args([RUSTUP_SECONDS, "rustup"]).args(arguments).arg("--no-self-update"),
        )
    })
}

/// Builds bpf-linker for the LLVM of the compiler that is there.
///
/// # Errors
/// No compiler, an LLVM that the linker or apt does not know, or a failing build.
pub(crate) fn install_linker(steps: &Steps, apt: &Result<Apt<'_>>) -> Result<()> {
    let compiler =
        find_compiler().map_err(|_| anyhow!("it is built for the compiler's LLVM: no compiler yet"))?;
    let llvm = llvm_major(&rustc_fact(&compiler.rustc, "LLVM version").unwrap_or_default())?;
    let needed = [format!("llvm-{llvm}-dev"), format!("libpolly-{llvm}-dev")];
    let common = ["libzstd-dev", "zlib1g-dev", "g++"].map(str::to_owned);
    let apt = apt.as_ref().map_err(|e| anyhow!("{e}"))?;
    apt.install(&[needed.as_slice(), common.as_slice()].concat())?;
    steps.step(&format!("building bpf-linker {LINKER_VERSION} for LLVM {llvm} (a minute or more)"), |steps| {
        steps.run(&mut cargo_install(llvm)?)
    })
}

fn llvm_major(version: &str) -> Result<u32> {
    let major = version.split('.').next().and_then(|major| major.parse().ok());
    let major = major.context("the compiler does not tell its LLVM version")?;
    if !LINKER_LLVM.contains(&major) {
        let (oldest, newest) = LINKER_LLVM.into_inner();
        bail!(
            "bpf-linker {LINKER_VERSION} is for LLVM {oldest} to {newest}, and the compiler has LLVM {major}"
        );
    }
    Ok(major)
}

fn cargo_install(llvm: u32) -> Result<Command> {
    let prefix = format!("/usr/lib/llvm-{llvm}");
    let path = env::var_os("PATH").unwrap_or_default();
    let dirs = std::iter::once(format!("{prefix}/bin").into()).chain(env::split_paths(&path));
    let mut cargo = workspace::cargo();
    // Its build is none of this workspace's.
    cargo.current_dir("/").env_remove("CARGO_TARGET_DIR");
    cargo.env("LLVM_PREFIX", &prefix).env("PATH", env::join_paths(dirs)?);
    cargo.env("RUSTFLAGS", format!("-L {prefix}/lib"));
    cargo.args(["install", "bpf-linker", "--version", LINKER_VERSION, "--locked", "--no-default-features"]);
    cargo.arg("--features").arg(format!("llvm-{llvm}"));
    Ok(cargo)
}
