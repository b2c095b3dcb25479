//! Where the compiler and the linker of the BPF side are.
//!
//! `netctl/build.rs` includes this file to build, `cargo xtask setup` uses it to know what to install:
//! it needs nothing but std. Installing is not here.

use std::{
    env, fmt, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The crates of the BPF side that use an unstable feature: inline assembly for BPF. No others may.
const UNSTABLE_CRATES: &str = "aya_ebpf,netctl";

/// The only target of the BPF side: every host that netctl runs on is little-endian.
pub(crate) const TARGET: &str = "bpfel-unknown-none";

/// Name under which `cargo xtask setup` links Debian's own Rust into rustup.
pub(crate) const LINKED: &str = "debian-bpf";

/// The oldest rustc 1.x whose prebuilt `core` for BPF is known to build the BPF side.
const OLDEST_PREBUILT: u32 = 96;

/// A Rust that can build for [`TARGET`].
#[derive(Debug)]
pub(crate) struct Compiler {
    /// What it is called in messages: a toolchain's name, or `/usr`.
    pub(crate) name: String,
    pub(crate) cargo: PathBuf,
    pub(crate) rustc: PathBuf,
    pub(crate) core: Core,
}

/// How [`Compiler`] gets `core` for [`TARGET`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Core {
    /// Shipped with it; `RUSTC_BOOTSTRAP` has to name the crates that use unstable features.
    Prebuilt,
    /// A nightly that builds it from `rust-src` with `-Z build-std`.
    Source,
}

impl Compiler {
    /// Cargo with `verb` (`build` or `check`) for the BPF side, without any trace of the cargo that runs this process.
    ///
    /// `arch` is the host's: aya-ebpf reads its registers in tracing programs.
    pub(crate) fn cargo(&self, verb: &str, arch: &str, rustflags: &[String]) -> Command {
        let mut cargo = Command::new(&self.cargo);
        for (name, _) in env::vars_os() {
            if name.to_str().is_some_and(belongs_to_outer_cargo) {
                cargo.env_remove(name);
            }
        }
        let flags = [&[format!("--cfg=bpf_target_arch=\"{arch}\"")], rustflags].concat();
        cargo.env("RUSTC", &self.rustc).env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"));
        cargo.args([verb, "--quiet", "--locked", "--release", "--package", "netctl-ebpf", "--bin", "netctl"]);
        cargo.args(["--target", TARGET]);
        match self.core {
            Core::Prebuilt => cargo.env("RUSTC_BOOTSTRAP", UNSTABLE_CRATES),
            Core::Source => cargo.args(["-Z", "build-std=core"]),
        };
        cargo
    }
}

/// What the BPF side needs and is not there. Its text names the next step.
#[derive(Debug)]
pub(crate) enum Missing {
    /// Why each place that was looked at does not do.
    Compiler(Vec<String>),
    /// Where the linker was looked for besides `PATH`.
    Linker(PathBuf),
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compiler(reasons) => {
                write!(f, "no Rust here can build for {TARGET} ({}); ", reasons.join("; "))?;
            }
            Self::Linker(dir) => write!(f, "bpf-linker is neither in PATH nor in {}; ", dir.display())?,
        }
        f.write_str("run `cargo xtask setup`")
    }
}

impl std::error::Error for Missing {}

/// The first that does: a rustup nightly with `rust-src`, rustup's [`LINKED`], Debian's own Rust in `/usr`.
///
/// # Errors
/// [`Missing::Compiler`] with the reason for each of them.
pub(crate) fn find_compiler() -> Result<Compiler, Missing> {
    let toolchains = rustup_home().join("toolchains");
    let mut reasons = Vec::new();
    let nightlies = nightlies(&toolchains);
    if nightlies.is_empty() {
        reasons.push("rustup has no nightly".to_owned());
    }
    let linked = (LINKED.to_owned(), toolchains.join(LINKED));
    let system = ("/usr".to_owned(), PathBuf::from("/usr"));
    for (name, sysroot) in nightlies.into_iter().chain([linked, system]) {
        match usable(name, &sysroot) {
            Ok(compiler) => return Ok(compiler),
            Err(reason) => reasons.push(reason),
        }
    }
    Err(Missing::Compiler(reasons))
}

/// `bpf-linker` from `PATH`, else from where `cargo install` puts it.
///
/// # Errors
/// [`Missing::Linker`].
pub(crate) fn find_linker() -> Result<PathBuf, Missing> {
    let installed = cargo_home().join("bin");
    program("bpf-linker", Some(&installed)).ok_or(Missing::Linker(installed))
}

/// An executable of that name in `PATH`, else in `last`.
pub(crate) fn program(name: &str, last: Option<&Path>) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(last.map(Path::to_owned))
        .map(|dir| dir.join(name))
        .find(|file| is_executable(file))
}

/// Value of a line `key: value` of `rustc -vV`, such as `release` or `LLVM version`.
pub(crate) fn rustc_fact(rustc: &Path, key: &str) -> Option<String> {
    // A rustc of one toolchain must not be told to act as that of another.
    let output = Command::new(rustc).arg("-vV").env_remove("RUSTUP_TOOLCHAIN").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(": ").map(str::to_owned))
}

/// Settings of the user that reach the network are kept, and the jobserver, so that two cargos share the cores.
fn belongs_to_outer_cargo(name: &str) -> bool {
    const KEPT: [&str; 6] =
        ["CARGO_HOME", "CARGO_NET_", "CARGO_HTTP_", "CARGO_REGISTR", "CARGO_SOURCE_", "CARGO_MAKEFLAGS"];
    let of_cargo = name == "CARGO" || name.starts_with("CARGO_");
    let of_rustc = name.starts_with("RUSTC") || name == "RUSTFLAGS" || name == "RUSTUP_TOOLCHAIN";
    of_rustc || of_cargo && !KEPT.iter().any(|kept| name.starts_with(kept))
}

/// Names and folders of rustup's nightlies: the undated one first, then the youngest.
fn nightlies(toolchains: &Path) -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(toolchains).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries
        .filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path())))
        .filter(|(name, _)| name.starts_with("nightly"))
        .collect();
    // `nightly-x86_64…` sorts above `nightly-2026-…`.
    found.sort_by(|a, b| b.cmp(a));
    found
}

fn usable(name: String, sysroot: &Path) -> Result<Compiler, String> {
    let (cargo, rustc) = (sysroot.join("bin/cargo"), sysroot.join("bin/rustc"));
    if !is_executable(&rustc) || !is_executable(&cargo) {
        return Err(format!("{name}: no rustc and cargo"));
    }
    let rustlib = sysroot.join("lib/rustlib");
    let nightly = name.starts_with("nightly");
    if nightly && rustlib.join("src/rust/library/core/Cargo.toml").exists() {
        return Ok(Compiler { name, cargo, rustc, core: Core::Source });
    }
    if nightly {
        return Err(format!("{name}: no rust-src"));
    }
    if !has_prebuilt_core(&rustlib) {
        return Err(format!("{name}: no core for {TARGET}"));
    }
    match rustc_fact(&rustc, "release") {
        Some(release) if minor_of_1(&release).is_some_and(|minor| minor >= OLDEST_PREBUILT) => {
            Ok(Compiler { name, cargo, rustc, core: Core::Prebuilt })
        }
        Some(release) => Err(format!("{name}: rustc {release} is older than 1.{OLDEST_PREBUILT}")),
        None => Err(format!("{name}: rustc -vV fails")),
    }
}

fn has_prebuilt_core(rustlib: &Path) -> bool {
    let entries = fs::read_dir(rustlib.join(TARGET).join("lib")).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name()).any(|name| name.to_string_lossy().starts_with("libcore-"))
}

fn minor_of_1(release: &str) -> Option<u32> {
    release.strip_prefix("1.")?.split('.').next()?.parse().ok()
}

fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

fn rustup_home() -> PathBuf {
    home_of("RUSTUP_HOME", ".rustup")
}

/// Where cargo keeps what it installs, in `bin`.
pub(crate) fn cargo_home() -> PathBuf {
    home_of("CARGO_HOME", ".cargo")
}

fn home_of(variable: &str, default: &str) -> PathBuf {
    match env::var_os(variable) {
        Some(dir) if !dir.is_empty() => PathBuf::from(dir),
        _ => env::home_dir().unwrap_or_default().join(default),
    }
}
