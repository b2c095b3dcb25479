//! What runs in the lab's kernels: test targets of the tests crate, or a script.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    programs::Program,
    series::{Feature, Series},
    store::{self, Kernel},
};
use crate::{guest, workspace};

/// How long a script may run.
const SCRIPT: Duration = Duration::from_secs(1800);

/// A test target of the lab.
#[derive(Clone, Copy, Debug)]
pub(super) struct Planned<'a> {
    pub(super) target: &'a str,
    /// It runs in every kernel that has these.
    pub(super) needs: &'static [Feature],
    /// At which a run is ended.
    pub(super) minutes: u64,
    /// Passed to the test program.
    arguments: &'static [&'static str],
    /// Tests that take too long where everything is emulated.
    pub(super) left_out: &'static [&'static str],
    /// Kernels in which it runs by name only.
    pub(super) not_daily: &'static [Series],
}

/// Where a target is not planned.
const ORDINARY: Planned<'static> =
    Planned { target: "", needs: &[], minutes: 15, arguments: &[], left_out: &[], not_daily: &[] };

/// Everything that `cargo xtask lab` runs, in this order. Tests that need what only the lab has are marked with
/// `#[ignore]` and run here.
pub(super) const PLAN: [Planned<'static>; 8] = [
    Planned { target: super::verified::TARGET, arguments: &["--nocapture"], minutes: 3, ..ORDINARY },
    Planned {
        target: "wire",
        // The life of the process has nothing to do with hooks and forwarding; the demo takes what is slow for silence.
        left_out: &["process::", "demo::"],
        ..ORDINARY
    },
    Planned {
        target: "kinds",
        // Slow, and about interfaces rather than frames; or about nothing but the decision, which is the same in all kernels.
        left_out: &[
            "traces::",
            "lower::",
            "conversation::",
            "discovery::",
            "passthrough::",
            "audit::",
            "injection::",
        ],
        // Of the hooks and drivers that the oldest has, whose hooks are clsact; newer ones have those of this machine.
        not_daily: &[Series::V6_12, Series::V7],
        ..ORDINARY
    },
    Planned {
        target: "kernel",
        // Every subject loads all programs anew, which takes a second for each. The instructions are the same in all
        // kernels; `xtask test` runs them here.
        left_out: &["every_case", "every_sequence", "random::"],
        ..ORDINARY
    },
    // In the kernel and on ports of all kinds; what is only the host's is the same everywhere.
    Planned { target: "evasion", ..ORDINARY },
    // What of descriptors only the lab has; the rest asks the tun driver, which is the same everywhere.
    Planned { target: "descriptors", arguments: &["vhost::"], minutes: 10, ..ORDINARY },
    Planned { target: "vm", arguments: &["vhost::"], minutes: 8, ..ORDINARY },
    // Crashes are tried on a model of the NIC, too (tests/tests/ports/pools).
    Planned { target: "sriov", needs: &[Feature::Igb], left_out: &["crashes::"], ..ORDINARY },
];

impl<'a> Planned<'a> {
    /// A target that is asked for; all of it, if it is not planned.
    pub(super) fn named(target: &'a str) -> Self {
        PLAN.into_iter().find(|it| it.target == target).unwrap_or(Planned { target, ..ORDINARY })
    }

    /// What it needs and the kernel has not.
    pub(super) fn lacks(&self, series: Series) -> Option<Feature> {
        self.needs.iter().copied().find(|feature| !series.features().contains(feature))
    }

    /// What the test program is called with.
    fn words(&self) -> impl Iterator<Item = String> {
        let skipped = self.left_out.iter().flat_map(|name| ["--skip", name]);
        ["--include-ignored", "--color", "never"]
            .into_iter()
            .chain(skipped)
            .chain(self.arguments.iter().copied())
            .map(str::to_owned)
    }
}

/// A command in a guest.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) name: String,
    pub(super) directory: PathBuf,
    pub(super) command: Vec<String>,
    /// The command is ended then.
    pub(super) limit: Duration,
    /// The netctl that tests call.
    pub(super) netctl: PathBuf,
}

impl Job {
    pub(super) fn of(planned: &Planned<'_>, program: &Program, arguments: &[String], netctl: &Path) -> Self {
        let mut command = vec![program.executable.display().to_string()];
        command.extend(planned.words());
        command.extend_from_slice(arguments);
        Self {
            name: planned.target.to_owned(),
            directory: program.directory.clone(),
            command,
            limit: Duration::from_secs(60 * planned.minutes),
            netctl: netctl.to_owned(),
        }
    }

    /// Of a shell script.
    pub(super) fn script_of(script: &Path, netctl: &Path) -> Self {
        Self {
            name: "script".to_owned(),
            directory: workspace::root(),
            command: vec!["bash".to_owned(), script.display().to_string()],
            limit: SCRIPT,
            netctl: netctl.to_owned(),
        }
    }

    /// For `/bin/sh` in the guest.
    pub(super) fn script(&self, kernel: &Kernel) -> String {
        let set = |name: &str, value: &str| format!("export {name}={}\n", quoted(value));
        let mut script = set("NETCTL_LAB", kernel.series.name());
        script += &set("NETCTL_BIN", &self.netctl.display().to_string());
        script += &set(guest::DIRECTORY_VARIABLE, &guest::directory().display().to_string());
        if let Ok(qemu) = store::find_newer_qemu() {
            script += &set(super::QEMU_VARIABLE, &qemu.display().to_string());
        }
        script += &format!("cd {} || exit 1\n", quoted(&self.directory.display().to_string()));
        let words: Vec<_> = self.command.iter().map(|word| quoted(word)).collect();
        script + &format!("exec timeout -k 10 {} {}\n", self.limit.as_secs(), words.join(" "))
    }
}

/// A word of the shell that means itself.
pub(super) fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_word_reaches_the_program_as_it_is() {
        let line = format!("printf %s {}", quoted("it's $x `y`"));
        let output = std::process::Command::new("sh").args(["-c", &line]).output().unwrap();
        assert_eq!(output.stdout, b"it's $x `y`");
    }
}
