//! One scraper's connection: a request comes, an answer goes, and it is closed. Nothing here waits.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use nix::poll::PollFlags;
use nix::sys::socket::{Shutdown, shutdown};

use super::http::{self, LONGEST, Refusal, Request};
use crate::fd::socket::set_nonblocking;
use crate::metrics::text::Encoding;

/// How long a request may take to come, an answer to go, and the other end to close.
const REQUEST_LIMIT: Duration = Duration::from_secs(5);
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Connection {
    /// A socket; only what moves bytes is used of it.
    io: File,
    state: State,
    /// When it is closed, whatever it does.
    pub(super) deadline: Instant,
}

#[derive(Debug)]
enum State {
    Reading(Vec<u8>),
    /// A head of its own and a body that others may be given too.
    Writing {
        parts: [Rc<[u8]>; 2],
        written: usize,
    },
    /// All is written: closing before the other end does would throw away what it has not read yet (RFC 9112, section 9.6).
    Closing,
}

/// What becomes of a connection that had something to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Stays,
    /// [`Connection::answer`] is to be called.
    Asks(Encoding),
    Ends,
}

impl Connection {
    /// # Errors
    /// What fcntl(2) says.
    pub(super) fn new(fd: OwnedFd) -> io::Result<Self> {
        set_nonblocking(&fd)?;
        let deadline = Instant::now() + REQUEST_LIMIT;
        Ok(Self { io: File::from(fd), state: State::Reading(Vec::new()), deadline })
    }

    pub(super) fn wants(&self) -> PollFlags {
        match self.state {
            State::Reading(_) | State::Closing => PollFlags::POLLIN,
            State::Writing { .. } => PollFlags::POLLOUT,
        }
    }

    pub(super) const fn is_reading(&self) -> bool {
        matches!(self.state, State::Reading(_))
    }

    /// Goes on as far as it can.
    pub(super) fn step(&mut self) -> Next {
        let done = match &mut self.state {
            State::Reading(_) => return self.read(),
            State::Writing { parts, written } => write(&mut self.io, parts, written),
            State::Closing => return self.discard(),
        };
        match done {
            Ok(true) => {
                // That nothing more comes lets the other end close as well.
                let _ = shutdown(self.io.as_raw_fd(), Shutdown::Write);
                self.deadline = Instant::now() + CLOSE_LIMIT;
                self.state = State::Closing;
                Next::Stays
            }
            Ok(false) => Next::Stays,
            Err(_) => Next::Ends,
        }
    }

    fn read(&mut self) -> Next {
        let State::Reading(bytes) = &mut self.state else { return Next::Ends };
        let mut room = [0; 1024];
        let wanted = room.len().min(LONGEST.saturating_sub(bytes.len()));
        match self.io.read(&mut room[..wanted]) {
            Ok(0) => return Next::Ends,
            Ok(count) => bytes.extend_from_slice(&room[..count]),
            Err(e) if is_not_yet(&e) => return Next::Stays,
            Err(_) => return Next::Ends,
        }
        match http::read(bytes) {
            Request::Unfinished => Next::Stays,
            Request::Metrics(encoding) => Next::Asks(encoding),
            Request::Refused(refusal) => self.refuse(refusal),
        }
    }

    fn discard(&mut self) -> Next {
        match self.io.read(&mut [0; 1024]) {
            Ok(0) => Next::Ends,
            Ok(_) => Next::Stays,
            Err(e) if is_not_yet(&e) => Next::Stays,
            Err(_) => Next::Ends,
        }
    }

    fn refuse(&mut self, refusal: Refusal) -> Next {
        self.answer(http::refusal(refusal), Rc::default());
        self.step()
    }

    /// Its time is up: who has not asked yet is told so.
    pub(super) fn expire(&mut self) -> Next {
        if self.is_reading() { self.refuse(Refusal::Timeout) } else { Next::Ends }
    }

    pub(super) fn answer(&mut self, head: Vec<u8>, body: Rc<[u8]>) {
        self.deadline = Instant::now() + ANSWER_LIMIT;
        self.state = State::Writing { parts: [head.into(), body], written: 0 };
    }
}

/// Whether all is written.
fn write(to: &mut File, parts: &[Rc<[u8]>; 2], written: &mut usize) -> io::Result<bool> {
    let [head, body] = parts;
    loop {
        let rest = match head.get(*written..) {
            Some(rest) if !rest.is_empty() => rest,
            _ => body.get(*written - head.len()..).unwrap_or_default(),
        };
        if rest.is_empty() {
            return Ok(true);
        }
        match to.write(rest) {
            Ok(count) => *written += count,
            Err(e) if is_not_yet(&e) => return Ok(false),
            Err(e) => return Err(e),
        }
    }
}

fn is_not_yet(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io.as_fd()
    }
}
