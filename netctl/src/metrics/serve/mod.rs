//! Metrics over HTTP, by two processes.
//!
//! The one that scrapers talk to reads no map: it has its sockets, no privileges and few system calls ([`crate::fd::confine`]). It
//! asks the other one, which keeps the privilege to read maps, by a byte. HTTP is read here: of it, a scraper needs one
//! request without a body, and a server crate brings threads or an event loop, which the confined process may not have.

pub mod address;
mod ask;
mod connection;
mod http;
mod server;

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::socket::{Backlog, SockType, listen};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;

pub use self::address::{Address, AddressError};
use self::server::Listener;
use super::family::Family;
use super::text::{Encoding, encode};
use crate::fd::begin;
use crate::fd::confine::confine;
use crate::fd::place::{Place, bound};
use crate::fd::process::{Forked, exit_now, fork, new_session};
use crate::fd::socket::set_nonblocking;

/// Why metrics are not served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error(transparent)]
    Address(#[from] AddressError),
    #[error("cannot listen on `{address}`")]
    Listen { address: Address, source: io::Error },
    #[error("cannot start the process that serves the metrics: it could not {what}")]
    Start { what: &'static str, source: io::Error },
    #[error("the process that served the metrics ended before it was told to; start it again")]
    Ended,
}

/// The process's name; at most 15 bytes.
const NAME: &str = "netctl-metrics";
/// Connections that wait to be taken.
const BACKLOG: i32 = 16;
/// How long the confined process may take to take what it asked for.
const TAKE_LIMIT: Duration = Duration::from_secs(10);
/// Metrics are told again until they are so old, and until four times the time that reading them took is over: scrapers, however
/// many, cost at most a fifth of a CPU.
const FRESH: Duration = Duration::from_secs(1);
const REST: u32 = 4;

/// A socket that listens already; nobody is answered yet.
#[derive(Debug)]
pub struct Server {
    listener: Listener,
    /// Removes the path at the end.
    _place: Option<Place>,
}

impl Server {
    /// # Errors
    /// [`ServeError::Listen`].
    pub fn listen(address: &Address) -> Result<Self, ServeError> {
        let failed = |source| ServeError::Listen { address: address.clone(), source };
        match address {
            Address::Tcp(to) => {
                let listener = TcpListener::bind(to).map_err(failed)?;
                set_nonblocking(&listener).map_err(failed)?;
                Ok(Self { listener: Listener::Tcp(listener), _place: None })
            }
            Address::Unix(path) => {
                let (fd, place) = bound(path, SockType::Stream, None).map_err(failed)?;
                let backlog = Backlog::new(BACKLOG).map_err(|e| failed(e.into()))?;
                listen(&fd, backlog).map_err(|e| failed(e.into()))?;
                set_nonblocking(&fd).map_err(failed)?;
                Ok(Self { listener: Listener::Unix(UnixListener::from(fd)), _place: Some(place) })
            }
        }
    }

    /// Answers with what `gather` reads, until SIGINT, SIGTERM or SIGHUP. To be called by a process of one thread.
    ///
    /// # Errors
    /// [`ServeError::Start`], [`ServeError::Ended`].
    pub fn run(
        self,
        begun: impl FnOnce(),
        gather: impl FnMut() -> Result<Vec<Family>, String>,
    ) -> Result<(), ServeError> {
        let failed = |what| move |source| ServeError::Start { what, source };
        let (ours, theirs) = UnixStream::pair().map_err(failed("be waited for"))?;
        let signals = signals().map_err(failed("wait for signals"))?;
        match fork().map_err(failed("be forked"))? {
            Forked::Child => {
                drop(ours);
                live(&self.listener, &theirs)
            }
            Forked::Parent(pid) => {
                let Self { listener, _place } = self;
                // Only the child is to accept.
                drop((listener, theirs));
                begin::wait(&ours).map_err(|(what, source)| ServeError::Start { what, source })?;
                begun();
                let ended = attend(&ours, &signals, gather);
                // Which the child ends by.
                drop(ours);
                let _ = waitpid(Pid::from_raw(pid), None);
                ended
            }
        }
    }
}

/// Blocked here and in the child, which ends by its socket.
fn signals() -> io::Result<SignalFd> {
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        signals.add(signal);
    }
    signals.thread_block()?;
    Ok(SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC)?)
}

/// In the child.
fn live(listener: &Listener, control: &UnixStream) -> ! {
    // For ps(1).
    let _ = std::fs::write("/proc/self/comm", NAME);
    let _ = new_session();
    let keep = [libc::STDERR_FILENO, listener.as_fd().as_raw_fd(), control.as_raw_fd()];
    if let Err((step, e)) = confine(&keep) {
        begin::give_up(control, Some(step), &e);
    }
    begin::done(control);
    exit_now(i32::from(server::serve(listener, control).is_err()))
}

/// Answers the child's questions.
fn attend(
    control: &UnixStream,
    signals: &SignalFd,
    mut gather: impl FnMut() -> Result<Vec<Family>, String>,
) -> Result<(), ServeError> {
    let ended = |_: io::Error| ServeError::Ended;
    control.set_write_timeout(Some(TAKE_LIMIT)).map_err(ended)?;
    let mut kept: Option<Kept> = None;
    loop {
        let mut both = [
            PollFd::new(signals.as_fd(), PollFlags::POLLIN),
            PollFd::new(control.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut both, PollTimeout::NONE) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(e) => return Err(ended(e.into())),
        }
        let [is_told, is_asked] = both.map(|it| it.any().unwrap_or(false));
        if is_told {
            return Ok(());
        }
        if is_asked {
            let encoding = ask::question(control).map_err(ended)?.ok_or(ServeError::Ended)?;
            let now = match kept.take() {
                Some(kept) if kept.is_fresh() => kept,
                _ => Kept::new(&mut gather),
            };
            ask::reply(control, &now.text(encoding)).map_err(ended)?;
            kept = Some(now);
        }
    }
}

/// What was read last.
struct Kept {
    families: Result<Vec<Family>, String>,
    until: Instant,
}

impl Kept {
    fn new(gather: &mut impl FnMut() -> Result<Vec<Family>, String>) -> Self {
        let begun = Instant::now();
        let families = gather();
        let took = begun.elapsed();
        Self { families, until: begun + took + FRESH.max(took * REST) }
    }

    fn is_fresh(&self) -> bool {
        Instant::now() < self.until
    }

    fn text(&self, encoding: Encoding) -> Result<String, String> {
        self.families.as_ref().map(|families| encode(families, encoding)).map_err(Clone::clone)
    }
}
