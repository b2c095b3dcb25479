//! Progress of long work: one line per step on stderr, with its time; what the commands say goes to a log.

use std::{
    fs::{self, File},
    io::{Write as _, stderr},
    path::PathBuf,
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context as _, Result, bail};

use crate::workspace;

/// The log of the set-up, seen from the workspace's folder.
pub(crate) const LOG: &str = "target/setup.log";

/// Lines of the log that an error shows.
const SHOWN_LINES: usize = 15;

/// Where the commands of one chore write to.
pub(crate) struct Steps {
    log: PathBuf,
}

impl Steps {
    /// Starts an empty log: a file below `target`, seen from the workspace's folder.
    ///
    /// # Errors
    /// The log cannot be written.
    pub(crate) fn new(log: &str) -> Result<Self> {
        let log = workspace::root().join(log);
        if let Some(dir) = log.parent() {
            fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        }
        File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        Ok(Self { log })
    }

    /// Says `what` is being done, does it, and says how long it took.
    ///
    /// # Errors
    /// Those of `work`.
    pub(crate) fn step<T>(&self, what: &str, work: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        eprint!("  {what} … ");
        // A line that is not shown yet is no progress.
        let _ = stderr().flush();
        let start = Instant::now();
        let result = work(self);
        let seconds = start.elapsed().as_secs_f64();
        match result {
            Ok(_) => eprintln!("{seconds:.1} s"),
            Err(_) => eprintln!("failed after {seconds:.1} s"),
        }
        result
    }

    /// Runs `command` without input, its output going to the log.
    ///
    /// # Errors
    /// It cannot be started or does not succeed; then with its last lines.
    pub(crate) fn run(&self, command: &mut Command) -> Result<()> {
        let shown = workspace::shown(command);
        let mut log = File::options().append(true).open(&self.log)?;
        writeln!(log, "$ {shown}")?;
        let before = fs::metadata(&self.log)?.len();
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let status = command.status().with_context(|| format!("cannot run {shown}"))?;
        if !status.success() {
            bail!("`{shown}`: {status}; it ended with\n{}", self.tail(before)?);
        }
        Ok(())
    }

    /// The last lines that were logged from byte `before` on.
    fn tail(&self, before: u64) -> Result<String> {
        let bytes = fs::read(&self.log)?;
        let text = String::from_utf8_lossy(bytes.get(before as usize..).unwrap_or_default()).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        let shown = &lines[lines.len().saturating_sub(SHOWN_LINES)..];
        Ok(shown.iter().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n"))
    }
}
