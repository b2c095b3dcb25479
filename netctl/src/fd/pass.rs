//! Descriptors over a unix socket (SCM_RIGHTS, unix(7)).
//!
//! Nothing here waits for ever: a peer that does not read is given up after [`PATIENCE`].

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, SockaddrLike, SockaddrStorage, UnixAddr,
    connect, getsockname, sendmsg, setsockopt, socket, sockopt,
};
use nix::sys::time::TimeVal;

use super::inherited;

/// Descriptors that one message can carry: SCM_MAX_FD of include/net/scm.h.
pub const MAX_FDS: usize = 253;

/// How long a peer may take to read.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Why descriptors could not be passed.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    #[error("cannot connect to {path}; a unix socket has to listen there", path = path.display())]
    Connect { path: PathBuf, source: io::Error },
    #[error(
        "descriptor {number} is not open; start netctl with it, for example by `{number}<>` or Python's `pass_fds`"
    )]
    NotOpen { number: RawFd },
    #[error("descriptor {number} is no socket; descriptors are passed over unix sockets")]
    NoSocket { number: RawFd },
    #[error("descriptor {number} is a socket, but not a unix socket; only those pass descriptors")]
    NotUnix { number: RawFd },
    #[error("the peer of the socket is gone; it has to stay until it has read every message")]
    Gone(#[source] io::Error),
    #[error("the peer of the socket does not read; it was given {} seconds", PATIENCE.as_secs())]
    Silent,
    #[error(
        "{count} descriptors do not fit into a message, which carries {MAX_FDS}; give the port fewer queues"
    )]
    TooMany { count: usize },
    #[error("cannot send over the socket")]
    Send(#[source] io::Error),
}

/// A connected unix socket: stream, sequenced packets or datagrams.
#[derive(Debug)]
pub struct Channel {
    socket: OwnedFd,
    /// [`PATIENCE`], but in tests.
    patience: Duration,
}

impl Channel {
    /// To a listening socket, which takes streams or sequenced packets.
    ///
    /// # Errors
    /// [`PassError::Connect`].
    pub fn connect(path: &Path) -> Result<Self, PassError> {
        let fail = |source: Errno| PassError::Connect { path: path.to_owned(), source: source.into() };
        let address = UnixAddr::new(path).map_err(fail)?;
        match Self::connect_as(SockType::Stream, &address) {
            // The other type listens there.
            Err(Errno::EPROTOTYPE) => Self::connect_as(SockType::SeqPacket, &address).map_err(fail),
            other => other.map_err(fail),
        }
    }

    fn connect_as(kind: SockType, address: &UnixAddr) -> nix::Result<Self> {
        let socket = socket(AddressFamily::Unix, kind, SockFlag::SOCK_CLOEXEC, None)?;
        // It also bounds connect(2), where nobody accepts.
        let patience = TimeVal::new(PATIENCE.as_secs().cast_signed(), 0);
        setsockopt(&socket, sockopt::SendTimeout, &patience)?;
        connect(socket.as_raw_fd(), address)?;
        Ok(Self { socket, patience: PATIENCE })
    }

    /// A socket that this process was started with. To be called before anything is opened, which could have its number.
    ///
    /// # Errors
    /// [`PassError::NotOpen`], [`PassError::NoSocket`], [`PassError::NotUnix`].
    pub fn inherited(number: RawFd) -> Result<Self, PassError> {
        let socket = inherited::duplicate(number).map_err(|_| PassError::NotOpen { number })?;
        let domain =
            getsockname::<SockaddrStorage>(socket.as_raw_fd()).map_err(|_| PassError::NoSocket { number })?;
        if domain.family() != Some(AddressFamily::Unix) {
            return Err(PassError::NotUnix { number });
        }
        Ok(Self { socket, patience: PATIENCE })
    }

    /// One message. On a stream its descriptors come with its first byte, and end what one recvmsg(2) returns.
    ///
    /// # Errors
    /// [`PassError::TooMany`], [`PassError::Gone`], [`PassError::Silent`], [`PassError::Send`].
    pub fn send(&self, message: &[u8], fds: &[BorrowedFd<'_>]) -> Result<(), PassError> {
        if fds.len() > MAX_FDS {
            return Err(PassError::TooMany { count: fds.len() });
        }
        let deadline = Instant::now() + self.patience;
        loop {
            match self.try_send(message, fds) {
                Ok(sent) if sent == message.len() => return Ok(()),
                Ok(_) => return Err(PassError::Send(io::ErrorKind::WriteZero.into())),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => self.wait(deadline)?,
                Err(e @ (Errno::EPIPE | Errno::ECONNRESET | Errno::ENOTCONN | Errno::ECONNREFUSED)) => {
                    return Err(PassError::Gone(e.into()));
                }
                Err(e) => return Err(PassError::Send(e.into())),
            }
        }
    }

    fn try_send(&self, message: &[u8], fds: &[BorrowedFd<'_>]) -> nix::Result<usize> {
        let numbers: Vec<RawFd> = fds.iter().map(AsRawFd::as_raw_fd).collect();
        let rights = [ControlMessage::ScmRights(&numbers)];
        // A message without descriptors is one without a control message.
        let control = if numbers.is_empty() { &rights[..0] } else { &rights[..] };
        let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
        sendmsg::<()>(self.socket.as_raw_fd(), &[IoSlice::new(message)], control, flags, None)
    }

    fn wait(&self, deadline: Instant) -> Result<(), PassError> {
        let left = deadline.checked_duration_since(Instant::now()).ok_or(PassError::Silent)?;
        let mut waits = [PollFd::new(self.socket.as_fd(), PollFlags::POLLOUT)];
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut waits, timeout) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(e) => Err(PassError::Send(e.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::UdpSocket;
    use std::os::unix::net::{UnixDatagram, UnixStream};

    use super::*;

    fn channel(socket: impl Into<OwnedFd>) -> Channel {
        Channel { socket: socket.into(), patience: Duration::from_millis(50) }
    }

    #[test]
    fn a_message_reaches_the_peer_whole_and_a_peer_that_is_gone_is_told() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let ours = channel(ours);
        ours.send(b"one\n", &[]).unwrap();
        let mut text = [0; 8];
        assert_eq!(theirs.read(&mut text).unwrap(), 4);
        drop(theirs);
        assert!(matches!(ours.send(b"two\n", &[]), Err(PassError::Gone(_))));
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        drop(theirs);
        assert!(matches!(channel(ours).send(b"one\n", &[]), Err(PassError::Gone(_))));
    }

    #[test]
    fn a_peer_that_does_not_read_is_given_up() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let ours = channel(ours);
        // The buffer takes some messages; the first that does not fit waits.
        let refused = (0..100_000).find_map(|_| ours.send(&[b'x'; 4096], &[]).err());
        assert!(matches!(refused, Some(PassError::Silent)), "{refused:?}");
        drop(theirs);
    }

    #[test]
    fn no_more_descriptors_than_a_message_carries() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let ours = channel(ours);
        let many = vec![ours.socket.as_fd(); MAX_FDS + 1];
        assert!(matches!(ours.send(b"x", &many), Err(PassError::TooMany { count: 254 })));
        ours.send(b"x", &many[1..]).unwrap();
    }

    #[test]
    fn only_a_unix_socket_that_is_open_is_taken() {
        let udp = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        let taken = Channel::inherited(udp.as_raw_fd());
        assert!(matches!(taken, Err(PassError::NotUnix { .. })), "{taken:?}");
        let file = std::fs::File::open("/dev/null").unwrap();
        assert!(matches!(Channel::inherited(file.as_raw_fd()), Err(PassError::NoSocket { .. })));
        assert!(matches!(Channel::inherited(-1), Err(PassError::NotOpen { .. })));
        let (ours, _theirs) = UnixStream::pair().unwrap();
        Channel::inherited(ours.as_raw_fd()).unwrap();
    }
}
