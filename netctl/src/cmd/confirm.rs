//! `netctl apply --confirm` and `netctl confirm`: a document that goes again by itself unless someone says that it is good.
//!
//! A process of its own, in a session of its own, applies and waits; what becomes of the terminal, the connection or the
//! command that was typed does not matter to it. It holds the lock of changes while it changes, and not while it waits.

use std::io::{self, BufRead, IsTerminal, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::apply::{wait, with_guests, write_applied};
use super::block_on;
use crate::apply::{self, apply_locked};
use crate::cli::{ApplyArgs, ConfirmArgs};
use crate::document::{self, Document};
use crate::error::{COULD_NOT_RUN, Error, Outcome, chain};
use crate::fd::process::{Forked, exit_now, fork, heed_children, new_session};
use crate::kernel::KernelError;
use crate::kernel::lock::Lock;
use crate::kernel::pending::{self, Pending, Unconfirmed};
use crate::kernel::pins::Pins;
use crate::network::Consent;
use crate::state::State;

/// How often it is looked whether something was confirmed.
const TICK: Duration = Duration::from_millis(100);

/// `netctl confirm`.
pub(super) fn run(bpffs: &Path, args: &ConfirmArgs, out: &mut impl Write) -> Result<Outcome, Error> {
    let pins = Pins::at(bpffs)?;
    let _lock = Lock::take_or(bpffs, wait(args.no_wait))?;
    let found = pending::find(&pins)?;
    pending::confirm(&pins)?;
    let (words, outcome) = match found {
        Some(Unconfirmed::Waiting(_)) => ("confirmed: what runs stays", Outcome::Yes),
        Some(Unconfirmed::Orphaned) => ("what runs stays; nobody was left to revert it", Outcome::Yes),
        None => ("nothing is to be confirmed", Outcome::No),
    };
    writeln!(out, "{words}").map_err(Error::Output)?;
    Ok(outcome)
}

/// Other changes would be lost, or be what is confirmed. To be called under the lock.
pub(super) fn refuse(bpffs: &Path) -> Result<(), Error> {
    let pins = Pins::at(bpffs)?;
    match pending::find(&pins)? {
        Some(Unconfirmed::Waiting(left)) => Err(Error::Unconfirmed { seconds: seconds(left) }),
        Some(Unconfirmed::Orphaned) => {
            eprintln!("netctl: {ORPHANED}");
            Ok(pending::confirm(&pins)?)
        }
        None => Ok(()),
    }
}

const ORPHANED: &str =
    "the process that would have reverted the last document was killed, so that document stays";

/// For who looks at what runs.
pub(super) fn remind(bpffs: &Path) {
    match Pins::at(bpffs).and_then(|pins| pending::find(&pins)) {
        Ok(Some(Unconfirmed::Waiting(left))) => eprintln!(
            "netctl: this is not confirmed: what ran before comes back in {} s; `netctl confirm` keeps this",
            seconds(left)
        ),
        Ok(Some(Unconfirmed::Orphaned)) => eprintln!("netctl: {ORPHANED}"),
        _ => {}
    }
}

fn seconds(left: Duration) -> u64 {
    left.as_secs_f64().ceil() as u64
}

/// Applies, and reverts unless it is confirmed within `limit`.
pub(super) fn apply(
    bpffs: &Path,
    (args, document): (&ApplyArgs, Document),
    limit: Duration,
    color: bool,
) -> Result<Outcome, Error> {
    heed_children();
    match fork().map_err(Error::Waiter)? {
        Forked::Parent(child) => attend(bpffs, Pid::from_raw(child), args),
        Forked::Child => {
            let ended = Waiter::begin(bpffs, (args, document), limit, color).and_then(Waiter::live);
            let status = match ended {
                Ok(outcome) => outcome.status(),
                Err(error) => {
                    say(&chain(&error));
                    COULD_NOT_RUN
                }
            };
            let _ = io::stdout().flush();
            exit_now(status.into())
        }
    }
}

/// Nobody may be left to read it.
fn say(words: &str) {
    let _ = writeln!(io::stderr(), "netctl: {words}");
}

/// In the process that was typed: passes a `yes` on, until the other one ends.
fn attend(bpffs: &Path, child: Pid, args: &ApplyArgs) -> Result<Outcome, Error> {
    let stdin = io::stdin();
    let mut listens = stdin.is_terminal() && args.file != Path::new("-");
    loop {
        match waitpid(child, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(_, 0)) => return Ok(Outcome::Yes),
            Ok(WaitStatus::Exited(_, 1)) => return Ok(Outcome::No),
            Ok(WaitStatus::Exited(..)) => return Err(Error::WaiterFailed),
            Ok(WaitStatus::Signaled(..)) | Err(nix::errno::Errno::ECHILD) => return Err(Error::WaiterKilled),
            _ => {}
        }
        if !listens {
            std::thread::sleep(TICK);
            continue;
        }
        let mut polled = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
        if poll(&mut polled, PollTimeout::from(TICK.as_millis() as u16)).unwrap_or(0) > 0 {
            let mut line = String::new();
            listens = stdin.lock().read_line(&mut line).is_ok_and(|read| read > 0);
            if matches!(line.trim(), "yes" | "y") {
                let _lock = Lock::take(bpffs)?;
                pending::confirm(&Pins::at(bpffs)?)?;
            }
        }
    }
}

/// The process that reverts.
struct Waiter<'a> {
    bpffs: &'a Path,
    color: bool,
    pending: Pending,
    /// `None`: nothing ran.
    before: Option<String>,
    deadline: Instant,
    signals: SignalFd,
    parent: Pid,
}

impl<'a> Waiter<'a> {
    fn begin(
        bpffs: &'a Path,
        (args, document): (&ApplyArgs, Document),
        limit: Duration,
        color: bool,
    ) -> Result<Self, Error> {
        let parent = nix::unistd::getppid();
        // Only who leads a group already is refused, and a forked process does not.
        let _ = new_session();
        let mut signals = SigSet::empty();
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
            signals.add(signal);
        }
        let waiter = |error: nix::errno::Errno| Error::Waiter(error.into());
        signals.thread_block().map_err(waiter)?;
        let signals =
            SignalFd::with_flags(&signals, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC).map_err(waiter)?;

        let pins = Pins::at(bpffs)?;
        let lock = Lock::take_or(bpffs, wait(args.no_wait))?;
        refuse(bpffs)?;
        let before = match State::read(bpffs) {
            Ok(state) => Some(state.document),
            Err(Error::Kernel(KernelError::NotRunning(_))) => None,
            Err(error) => return Err(error),
        };
        let document = with_guests(bpffs, document, color)?.ok_or(Error::WaiterFailed)?;
        let applied = block_on(apply_locked(bpffs, &document, super::apply::consent(args.yes), &lock))??;
        let pending = Pending::begin(&pins, limit)?;
        // It runs, also if nobody reads this.
        let _ = write_applied(&applied, &document, args.json, &mut io::stdout());
        say(&format!(
            "what ran before comes back in {} s, unless `netctl confirm` comes, or `yes` here",
            seconds(limit)
        ));
        Ok(Self { bpffs, color, pending, before, deadline: Instant::now() + limit, signals, parent })
    }

    fn live(self) -> Result<Outcome, Error> {
        loop {
            if !self.pending.stands() {
                say("confirmed: what was applied stays");
                return Ok(Outcome::Yes);
            }
            let left = self.deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || self.is_told_to_end() {
                break;
            }
            std::thread::sleep(left.min(TICK));
        }
        let lock = Lock::take(self.bpffs)?;
        // Until the lock was free, it could still be confirmed.
        if !self.pending.stands() {
            say("confirmed: what was applied stays");
            return Ok(Outcome::Yes);
        }
        self.revert(&lock)
    }

    /// SIGHUP says that the terminal is gone, which is what this process is for.
    fn is_told_to_end(&self) -> bool {
        let told = std::iter::from_fn(|| self.signals.read_signal().ok().flatten());
        let mut told = told.map(|signal| signal.ssi_signo as i32);
        told.any(|signal| signal == Signal::SIGTERM as i32 || signal == Signal::SIGINT as i32)
    }

    fn revert(self, lock: &Lock) -> Result<Outcome, Error> {
        if nix::unistd::getppid() != self.parent {
            silence();
        }
        match &self.before {
            None => drop(block_on(apply::down_locked(self.bpffs, lock))??),
            Some(text) => {
                let parsed = document::parse_text("the document that ran before", text.clone());
                let document = parsed.map_err(|_| Error::RunningDocument)?;
                let document =
                    with_guests(self.bpffs, document, self.color)?.ok_or(Error::RunningDocument)?;
                block_on(apply_locked(self.bpffs, &document, Consent::Given, lock))??;
                self.pending.end()?;
            }
        }
        say("not confirmed in time: what ran before is back");
        Ok(Outcome::No)
    }
}

/// Writing to a terminal that is gone is an error.
fn silence() {
    if let Ok(null) = std::fs::OpenOptions::new().write(true).open("/dev/null") {
        let _ = nix::unistd::dup2_stdout(&null);
        let _ = nix::unistd::dup2_stderr(&null);
    }
}
