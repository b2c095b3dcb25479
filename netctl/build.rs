//! Builds the BPF side, `netctl-ebpf`, and puts its object into `OUT_DIR/netctl.bpf.o`.
//!
//! It calls a second cargo with a compiler that can build for BPF; where that is found is
//! `xtask/src/toolchain.rs`. `NETCTL_BPF_OBJECT=FILE` takes a built object instead.

use std::{
    env, fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::{Path, PathBuf},
    process::{ExitCode, Output},
};

use toolchain::{Compiler, TARGET, find_compiler, find_linker};

#[path = "../xtask/src/toolchain.rs"]
#[allow(dead_code, reason = "xtask asks it for more than the build does")]
mod toolchain;

/// Takes a built object instead of building one.
const OBJECT_VARIABLE: &str = "NETCTL_BPF_OBJECT";

/// What the object depends on, seen from the workspace's folder.
const SOURCES: [&str; 8] = [
    "Cargo.toml",
    "Cargo.lock",
    "netctl-ebpf/Cargo.toml",
    "netctl-ebpf/src",
    "netctl-common/Cargo.toml",
    "netctl-common/src",
    "netctl/build.rs",
    "xtask/src/toolchain.rs",
];

fn main() -> ExitCode {
    match object() {
        Ok(()) => ExitCode::SUCCESS,
        Err(errors) => {
            for error in errors {
                println!("cargo::error={error}");
            }
            ExitCode::FAILURE
        }
    }
}

fn object() -> Result<(), Vec<String>> {
    let out = PathBuf::from(variable("OUT_DIR")?);
    println!("cargo::rerun-if-env-changed={OBJECT_VARIABLE}");
    let built = match env::var_os(OBJECT_VARIABLE) {
        Some(file) => {
            println!("cargo::rerun-if-changed={}", file.display());
            PathBuf::from(file)
        }
        // One that logs is built beside the one that does not.
        None => {
            let kind = if logs() { "bpf-log" } else { "bpf" };
            build(&shared(&out, kind, &variable("CARGO_MANIFEST_DIR")?))?
        }
    };
    let to = out.join("netctl.bpf.o");
    fs::copy(&built, &to)
        .map_err(|e| vec![format!("cannot copy {} to {}: {e}", built.display(), to.display())])?;
    Ok(())
}

/// The folder `target/bpf-…` for an OUT_DIR of `target/PROFILE/build/netctl-…/out`: the BPF side is the same in all profiles, and is
/// built once. Work trees that share a target folder have one each.
fn shared(out: &Path, kind: &str, package: &str) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    package.hash(&mut hasher);
    let builds = out.ancestors().find(|folder| folder.file_name().is_some_and(|name| name == "build"));
    let target = builds.and_then(|builds| builds.parent()?.parent()).unwrap_or(out);
    target.join(format!("{kind}-{:016x}", hasher.finish()))
}

/// Builds the BPF side in `target_dir` and returns the object's file.
fn build(target_dir: &Path) -> Result<PathBuf, Vec<String>> {
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR")?).join("..");
    for source in SOURCES {
        println!("cargo::rerun-if-changed={}", root.join(source).display());
    }
    let (compiler, linker) = match (find_compiler(), find_linker()) {
        (Ok(compiler), Ok(linker)) => (compiler, linker),
        (compiler, linker) => {
            let missing = [compiler.err(), linker.err()];
            return Err(missing.into_iter().flatten().map(|missing| missing.to_string()).collect());
        }
    };
    println!("cargo::rerun-if-changed={}", compiler.rustc.display());
    println!("cargo::rerun-if-changed={}", linker.display());

    let mut cargo = compiler.cargo("build", &variable("CARGO_CFG_TARGET_ARCH")?, &rustflags(&linker));
    if logs() {
        cargo.args(["--features", "log"]);
    }
    cargo.current_dir(&root).arg("--target-dir").arg(target_dir);
    let output = cargo.output().map_err(|e| vec![format!("cannot run {}: {e}", compiler.cargo.display())])?;
    report(&output, &compiler)?;
    Ok(target_dir.join(TARGET).join("release/netctl"))
}

/// The feature `bpf-log`.
fn logs() -> bool {
    env::var_os("CARGO_FEATURE_BPF_LOG").is_some()
}

fn rustflags(linker: &Path) -> Vec<String> {
    vec![
        // BTF of maps and functions is made from debug information.
        "-Cdebuginfo=2".to_owned(),
        format!("-Clinker={}", linker.display()),
        "-Clink-arg=--btf".to_owned(),
        "-Ctarget-cpu=v3".to_owned(),
    ]
}

/// Shows what the compiler said: as warnings of this build, or in full where it failed.
fn report(output: &Output, compiler: &Compiler) -> Result<(), Vec<String>> {
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        said.lines().for_each(|line| println!("cargo::warning={line}"));
        return Ok(());
    }
    eprintln!("{said}");
    Err(vec![format!(
        "netctl-ebpf does not build with {}; what the compiler said is under stderr",
        compiler.name
    )])
}

fn variable(name: &str) -> Result<String, Vec<String>> {
    env::var(name).map_err(|e| vec![format!("{name}, which cargo sets: {e}")])
}
