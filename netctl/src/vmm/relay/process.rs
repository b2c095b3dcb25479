//! The process of a relay: beside the VMM and unknown to it, or below a `netctl relay` that waits for it.

use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::RelayError;
use super::counters::{Counters, End};
use super::endpoint::Endpoint;
use super::pump::Pump;
use crate::fd::begin;
use crate::fd::confine::confine;
use crate::fd::process::{Forked, exit_now, fork, heed_children, new_session};
use crate::fd::socket::set_nonblocking;

/// A relay that is ready to be started; port and socket are free again if it is dropped.
#[must_use = "no frame is moved until it is started"]
pub struct Relay {
    port: String,
    endpoint: Endpoint,
    pump: Pump,
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Relay").field("port", &self.port).field("endpoint", &self.endpoint).finish()
    }
}

/// Whom a relay's process belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Nobody: it ends with the connection, and speaks only if something was wrong.
    Alone,
    /// It ends with its parent, too.
    Below,
}

/// The process's name; at most 15 bytes.
const NAME: &str = "netctl-relay";

/// Ends a process that did not end as it should.
const FAILED: i32 = 2;

impl Relay {
    /// `queue` is one of the port's, without a header ([`crate::fd::tap::Header::None`]).
    ///
    /// # Errors
    /// [`RelayError::Start`].
    pub fn new(port: &str, queue: OwnedFd, endpoint: Endpoint) -> Result<Self, RelayError> {
        let relay = Self { port: port.to_owned(), endpoint, pump: Pump::new(queue) };
        set_nonblocking(relay.pump.queue()).map_err(|e| relay.failed("use its queue", e))?;
        Ok(relay)
    }

    /// Starts it as nobody's child, and returns when it has dropped everything: a VMM need not know of it. To be called by a
    /// process of one thread.
    ///
    /// # Errors
    /// [`RelayError::Start`]; then there is no such process.
    pub fn detach(self) -> Result<(), RelayError> {
        let (ours, theirs) = UnixStream::pair().map_err(|e| self.failed("be waited for", e))?;
        match fork().map_err(|e| self.failed("be forked", e))? {
            Forked::Parent(pid) => {
                drop(theirs);
                let port = self.release();
                // A signal does not keep this from waiting: the middle process ends at once.
                while waitpid(Pid::from_raw(pid), None) == Err(nix::errno::Errno::EINTR) {}
                started(&port, &ours)
            }
            Forked::Child => {
                drop(ours);
                // A child of the VMM would become its zombie.
                let _ = new_session();
                match fork() {
                    Ok(Forked::Child) => self.live(theirs, Place::Alone),
                    Ok(Forked::Parent(_)) => exit_now(0),
                    Err(e) => begin::give_up(&theirs, None, &e),
                }
            }
        }
    }

    /// Starts it, calls `begun` when it has dropped everything, and waits for its end, or for SIGINT, SIGTERM or SIGHUP. To be
    /// called by a process of one thread.
    ///
    /// # Errors
    /// [`RelayError::Start`].
    pub fn run(self, begun: impl FnOnce()) -> Result<bool, RelayError> {
        let (ours, theirs) = UnixStream::pair().map_err(|e| self.failed("be waited for", e))?;
        heed_children();
        let mut signals = SigSet::empty();
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGCHLD] {
            signals.add(signal);
        }
        // Also in the child, which ends when it is told to by the socket.
        signals.thread_block().map_err(|e| self.failed("wait for signals", e.into()))?;
        match fork().map_err(|e| self.failed("be forked", e))? {
            Forked::Child => {
                drop(ours);
                self.live(theirs, Place::Below)
            }
            Forked::Parent(pid) => {
                drop(theirs);
                let port = self.release();
                started(&port, &ours)?;
                begun();
                Ok(wait(Pid::from_raw(pid), ours, &signals))
            }
        }
    }

    /// Only the child is to hold the port.
    fn release(self) -> String {
        self.port
    }

    fn failed(&self, what: &'static str, source: io::Error) -> RelayError {
        RelayError::Start { port: self.port.clone(), what, source }
    }

    /// In the child.
    fn live(self, control: UnixStream, place: Place) -> ! {
        // For ps(1), which shows the VMM's command line otherwise.
        let _ = std::fs::write("/proc/self/comm", NAME);
        let keep =
            [libc::STDERR_FILENO, self.pump.queue().as_raw_fd(), self.endpoint.number(), control.as_raw_fd()];
        if let Err((step, e)) = confine(&keep) {
            begin::give_up(&control, Some(step), &e);
        }
        begin::done(&control);
        let stop = (place == Place::Below).then_some(control);
        let (end, counters) = self.pump.run(&self.endpoint, stop.as_ref());
        if place == Place::Below || !end.is_regular() || counters.lost() > 0 {
            report(&self.port, end, &counters);
        }
        exit_now(if end.is_regular() { 0 } else { FAILED })
    }
}

/// One line; nothing is left to tell if standard error is gone.
fn report(port: &str, end: End, counters: &Counters) {
    let line = format!("netctl: relay of port `{port}` ended: {end}; {counters}\n");
    let _ = io::stderr().write_all(line.as_bytes());
}

fn started(port: &str, control: &UnixStream) -> Result<(), RelayError> {
    begin::wait(control).map_err(|(what, source)| RelayError::Start { port: port.to_owned(), what, source })
}

/// Whether the child ended as it should. A signal makes it end, by the socket.
fn wait(child: Pid, control: UnixStream, signals: &SigSet) -> bool {
    let mut control = Some(control);
    loop {
        match waitpid(child, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(_, status)) => return status == 0,
            Ok(WaitStatus::Signaled(..)) | Err(nix::errno::Errno::ECHILD) => return false,
            _ => {}
        }
        if matches!(signals.wait(), Ok(Signal::SIGINT | Signal::SIGTERM | Signal::SIGHUP)) {
            drop(control.take());
        }
    }
}
