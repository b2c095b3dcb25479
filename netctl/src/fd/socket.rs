//! Sockets that others opened or that are handed to others: what they are, and pairs of them.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, UnixAddr, getpeername, getsockopt, socketpair, sockopt,
};
use nix::sys::socket::{SockaddrLike, SockaddrStorage};

/// How frames are told apart on a socket, and what it is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    pub kind: SockType,
    /// AF_UNIX; else AF_INET or AF_INET6.
    pub is_unix: bool,
    pub listens: bool,
    pub is_connected: bool,
}

/// What a descriptor is as a socket; `None` for one of a family that carries no frames of a guest.
///
/// # Errors
/// ENOTSOCK for what is no socket.
pub fn facts(fd: BorrowedFd<'_>) -> io::Result<Option<Facts>> {
    let kind = getsockopt(&fd, sockopt::SockType)?;
    let listens = getsockopt(&fd, sockopt::AcceptConn)?;
    let address: SockaddrStorage = nix::sys::socket::getsockname(fd.as_raw_fd())?;
    let is_unix = match address.family() {
        Some(AddressFamily::Unix) => true,
        Some(AddressFamily::Inet | AddressFamily::Inet6) => false,
        _ => return Ok(None),
    };
    let is_connected = if is_unix {
        getpeername::<UnixAddr>(fd.as_raw_fd()).is_ok()
    } else {
        getpeername::<SockaddrStorage>(fd.as_raw_fd()).is_ok()
    };
    Ok(Some(Facts { kind, is_unix, listens, is_connected }))
}

/// Two connected unix sockets, close-on-exec: whole messages keep their bounds with [`SockType::SeqPacket`], which, unlike
/// [`SockType::Datagram`], tells when the other end is closed.
///
/// # Errors
/// What socketpair(2) says.
pub fn pair(kind: SockType) -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::Unix, kind, None, SockFlag::SOCK_CLOEXEC)?)
}

/// # Errors
/// What fcntl(2) says, which for a valid descriptor is nothing.
pub fn set_nonblocking(fd: impl AsFd) -> io::Result<()> {
    let fd = fd.as_fd().as_raw_fd();
    // SAFETY: fcntl(2) with numbers.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFL) };
    // SAFETY: as above.
    if flags < 0 || unsafe { libc::fcntl(fd, libc::F_SETFL, flags | libc::O_NONBLOCK) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
