//! The `netctl` binary inside a [`Sandbox`], as an operator would type it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process::{Finished, Running};
use crate::sandbox::Sandbox;

impl Sandbox {
    /// `netctl ARGS`, to its end; for the exit code use [`Finished::expect_code`].
    ///
    /// # Panics
    /// If there is no binary (see [`binary`]), or it hangs.
    #[track_caller]
    pub fn netctl<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Finished {
        let done = command(args).and_then(|command| self.finish(command));
        done.unwrap_or_else(|e| panic!("{e:#}"))
    }

    /// `netctl ARGS` in the background: `run`, `events --follow`.
    ///
    /// # Panics
    /// If there is no binary (see [`binary`]).
    #[track_caller]
    pub fn start_netctl<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Running {
        let started = command(args).and_then(|command| self.start(command));
        started.unwrap_or_else(|e| panic!("{e:#}"))
    }
}

fn command<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Result<Command> {
    let mut command = Command::new(binary()?);
    command.args(args);
    Ok(command)
}

/// `$NETCTL_BIN`, else the `netctl` that was built with the running program, else of the other profile.
///
/// # Errors
/// Names the next step if there is none.
pub fn binary() -> Result<PathBuf> {
    if let Some(chosen) = std::env::var_os("NETCTL_BIN") {
        let chosen = PathBuf::from(chosen);
        return match chosen.is_file() {
            true => Ok(chosen),
            false => bail!("NETCTL_BIN is {}, which is not a file", chosen.display()),
        };
    }
    let me = std::env::current_exe().context("no path of the running program")?;
    candidates(&me)
        .into_iter()
        .find(|path| path.is_file())
        .context("there is no netctl binary: `cargo build -p netctl` first, or set NETCTL_BIN")
}

fn candidates(me: &Path) -> Vec<PathBuf> {
    let Some(profile) = profile(me) else { return Vec::new() };
    let target = profile.parent().unwrap_or(profile);
    [profile.to_owned(), target.join("release"), target.join("debug")].map(|p| p.join("netctl")).to_vec()
}

/// The folder `target/PROFILE` of `target/PROFILE/deps/test-1234` or `target/PROFILE/demo`.
fn profile(me: &Path) -> Option<&Path> {
    me.ancestors().skip(1).find(|folder| folder.file_name() != Some(OsStr::new("deps")))
}

/// Where cargo put the running program, and everything else that it builds.
///
/// # Errors
/// If the program is somewhere else.
pub fn target_directory() -> Result<PathBuf> {
    let me = std::env::current_exe().context("no path of the running program")?;
    let target = profile(&me).and_then(Path::parent).map(Path::to_owned);
    target.with_context(|| format!("{} is in no folder of cargo's", me.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_binary_of_the_same_profile_comes_first() {
        let found = candidates(Path::new("/t/release/deps/harness-0123"));
        assert_eq!(found[0], Path::new("/t/release/netctl"));
        assert_eq!(candidates(Path::new("/t/debug/demo"))[0], Path::new("/t/debug/netctl"));
    }
}
