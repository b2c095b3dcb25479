//! The socket of a relay: connected ([`Link`]), or waiting for one VMM after the other ([`Listener`]).

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, SockType, recv, send, setsockopt, sockopt};

use crate::fd::socket::set_nonblocking;

/// A connected socket; non-blocking.
#[derive(Debug)]
pub struct Link {
    fd: OwnedFd,
    pub(super) framing: Framing,
}

/// How frames are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// Each behind its length.
    Stream,
    /// Each in a message of its own. Only with `ends` does an empty one say that the other end is closed.
    Messages { ends: bool },
}

impl Link {
    /// # Errors
    /// What fcntl(2) says.
    pub(super) fn new(fd: OwnedFd, kind: SockType) -> io::Result<Self> {
        set_nonblocking(&fd)?;
        let framing = match kind {
            SockType::Stream => Framing::Stream,
            SockType::SeqPacket => Framing::Messages { ends: true },
            _ => Framing::Messages { ends: false },
        };
        Ok(Self { fd, framing })
    }

    /// The bytes read, or of a message's whole length, which may be more than `room` has.
    pub(super) fn receive(&self, room: &mut [u8]) -> nix::Result<usize> {
        let flags = match self.framing {
            Framing::Stream => MsgFlags::MSG_DONTWAIT,
            Framing::Messages { .. } => MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_TRUNC,
        };
        recv(self.fd.as_raw_fd(), room, flags)
    }

    pub(super) fn send(&self, bytes: &[u8]) -> nix::Result<usize> {
        send(self.fd.as_raw_fd(), bytes, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL)
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Whether an error says that nobody is at the other end.
pub(super) const fn is_hang_up(error: Errno) -> bool {
    matches!(error, Errno::EPIPE | Errno::ECONNRESET | Errno::ECONNREFUSED | Errno::ENOTCONN)
}

/// A listening stream socket; non-blocking.
#[derive(Debug)]
pub enum Listener {
    Unix(UnixListener),
    Tcp(TcpListener),
}

impl Listener {
    /// The next connection.
    ///
    /// # Errors
    /// What accept(2) says.
    pub(super) fn accept(&self) -> io::Result<Link> {
        match self {
            Self::Unix(listener) => Link::new(listener.accept()?.0.into(), SockType::Stream),
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept()?;
                tune(stream.as_fd())?;
                Link::new(stream.into(), SockType::Stream)
            }
        }
    }
}

/// A frame waits for no other; and a host that has gone without a word is noticed.
///
/// # Errors
/// What setsockopt(2) says.
pub(super) fn tune(tcp: BorrowedFd<'_>) -> io::Result<()> {
    setsockopt(&tcp, sockopt::TcpNoDelay, &true)?;
    setsockopt(&tcp, sockopt::KeepAlive, &true)?;
    Ok(())
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Unix(listener) => listener.as_fd(),
            Self::Tcp(listener) => listener.as_fd(),
        }
    }
}
