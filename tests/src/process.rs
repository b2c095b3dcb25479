//! Processes inside a [`Sandbox`]: commands that end ([`Finished`]) and commands that go on ([`Running`]).
//! Every wait is bounded.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::sandbox::Sandbox;

/// How long a command may take before it counts as hanging.
pub const COMMAND_LIMIT: Duration = Duration::from_secs(60);

/// A command that has ended.
#[derive(Clone, Debug)]
pub struct Finished {
    /// As one would type it.
    pub command: String,
    /// `None`: a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    /// From just before the start to the end.
    pub elapsed: Duration,
}

impl Finished {
    /// # Panics
    /// With everything that the command said, if it ended with another code.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert!(self.code == Some(code), "exit code {code} was expected\n{self}");
        self
    }

    /// # Panics
    /// If the command failed or did not print JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("not JSON: {e}\n{self}"))
    }
}

impl std::fmt::Display for Finished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { command, code, stdout, stderr, .. } = self;
        let code = code.map_or_else(|| "a signal".to_owned(), |c| format!("exit code {c}"));
        write!(f, "$ {command}\n{stdout}{stderr}[{code}]")
    }
}

impl Sandbox {
    /// Runs a command to its end.
    ///
    /// # Errors
    /// If it cannot be started or takes longer than [`COMMAND_LIMIT`].
    #[track_caller]
    pub fn finish(&self, command: Command) -> Result<Finished> {
        self.finish_fed(command, Stdio::null())
    }

    /// As [`Sandbox::finish`], with a standard input.
    ///
    /// # Errors
    /// As there.
    #[track_caller]
    pub fn finish_fed(&self, command: Command, stdin: Stdio) -> Result<Finished> {
        self.assert_inside();
        finish_within((command, stdin), COMMAND_LIMIT)
    }

    /// Starts a command that goes on; it dies with the returned value, and with the calling thread.
    ///
    /// # Errors
    /// If it cannot be started.
    #[track_caller]
    pub fn start(&self, command: Command) -> Result<Running> {
        self.assert_inside();
        Running::start(command)
    }

    /// `ip WORDS`, for example `sandbox.ip("link add br0 type bridge")`; returns what it printed.
    ///
    /// # Panics
    /// If `ip` fails, with what it said.
    #[track_caller]
    pub fn ip(&self, words: &str) -> String {
        self.assert_inside();
        let mut command = Command::new("ip");
        command.args(words.split_whitespace());
        let done = finish_within((command, Stdio::null()), COMMAND_LIMIT);
        done.unwrap_or_else(|e| panic!("ip {words}: {e:#}")).expect_code(0).stdout
    }
}

/// A command as one would type it, near enough for a message.
fn typed(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn finish_within((mut command, stdin): (Command, Stdio), limit: Duration) -> Result<Finished> {
    let typed = typed(&command);
    let started = Instant::now();
    let child = command
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{typed}`"))?;
    // It holds a copy of what was given as standard input.
    drop(command);
    let pid = Pid::from_raw(child.id() as i32);
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send((child.wait_with_output(), started.elapsed())));
    let (output, elapsed) = match receiver.recv_timeout(limit) {
        Ok(ended) => ended,
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
            // Not reaped yet, so the pid is still its own.
            let _ = kill(pid, Signal::SIGKILL);
            bail!("`{typed}` was still running after {limit:?}");
        }
    };
    let output = output.with_context(|| format!("cannot read what `{typed}` prints"))?;
    Ok(Finished {
        command: typed,
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        elapsed,
    })
}

/// A command that goes on. Dropping it kills it.
#[derive(Debug)]
pub struct Running {
    child: Child,
    said: Arc<Said>,
}

/// Lines of standard output and standard error, in the order of their arrival.
#[derive(Debug, Default)]
struct Said {
    lines: Mutex<Vec<String>>,
    more: Condvar,
}

impl Said {
    fn lines(&self) -> MutexGuard<'_, Vec<String>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn listen(self: &Arc<Self>, from: Option<impl Read + Send + 'static>) {
        let (said, Some(from)) = (Arc::clone(self), from) else { return };
        thread::spawn(move || {
            for line in BufReader::new(from).lines().map_while(Result::ok) {
                said.lines().push(line);
                said.more.notify_all();
            }
        });
    }
}

impl Running {
    fn start(mut command: Command) -> Result<Self> {
        let typed = typed(&command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // SAFETY: prctl is a plain system call: async-signal-safe, no allocation, no locks.
        unsafe {
            // For the case that the tests themselves are killed, where no destructor runs.
            command.pre_exec(|| Ok(set_pdeathsig(Signal::SIGKILL)?));
        }
        let mut child = command.spawn().with_context(|| format!("cannot start `{typed}`"))?;
        let said = Arc::new(Said::default());
        said.listen(child.stdout.take());
        said.listen(child.stderr.take());
        Ok(Self { child, said })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has printed on both outputs so far.
    pub fn said(&self) -> Vec<String> {
        self.said.lines().clone()
    }

    /// Writes a line to its standard input.
    ///
    /// # Errors
    /// If it reads no more.
    pub fn tell(&mut self, line: &str) -> io::Result<()> {
        let input = self.child.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        writeln!(input, "{line}").and_then(|()| input.flush())
    }

    /// The first line printed so far or within `limit` that `wanted` takes.
    pub fn wait_for_line(&self, limit: Duration, wanted: impl Fn(&str) -> bool) -> Option<String> {
        let deadline = Instant::now() + limit;
        let mut lines = self.said.lines();
        loop {
            if let Some(line) = lines.iter().find(|line| wanted(line)) {
                return Some(line.clone());
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            lines = self.said.more.wait_timeout(lines, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub fn signal(&self, signal: Signal) {
        let _ = kill(Pid::from_raw(self.child.id() as i32), signal);
    }

    /// SIGKILL, and waits for the end.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Its end, or `None` if it still runs after `limit`.
    pub fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(2)),
                Ok(None) | Err(_) => return None,
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}
