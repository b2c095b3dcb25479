//! What a guest is plugged into: the queue of a tap or macvtap, or a socket as VMMs use it.

use std::fmt::Debug;
use std::io::{self, IoSlice, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, PoisonError};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, recv, send};

use crate::tap::{MAX_FRAME, Tap};

/// A source and sink of whole Ethernet frames; non-blocking.
pub trait Nic: AsFd + Debug + Send + Sync {
    /// # Errors
    /// If the NIC is gone; and, of a tap, what it says of the frame.
    fn send(&self, frame: &[u8]) -> io::Result<()>;

    /// A frame that has already arrived.
    ///
    /// # Errors
    /// If the NIC is gone.
    fn try_recv(&self) -> io::Result<Option<Vec<u8>>>;
}

impl Nic for Tap {
    fn send(&self, frame: &[u8]) -> io::Result<()> {
        Self::send(self, frame)
    }

    fn try_recv(&self) -> io::Result<Option<Vec<u8>>> {
        Ok(Self::try_recv(self)?.map(|(_, frame)| frame))
    }
}

/// A stream socket, with each frame behind its length: `-netdev stream` of QEMU.
#[derive(Debug)]
pub struct StreamNic {
    /// Of any family: only read and written.
    socket: UnixStream,
    read: Mutex<Vec<u8>>,
}

impl StreamNic {
    /// # Errors
    /// What fcntl(2) says.
    pub fn new(socket: impl Into<OwnedFd>) -> io::Result<Self> {
        let socket = UnixStream::from(socket.into());
        socket.set_nonblocking(true)?;
        Ok(Self { socket, read: Mutex::default() })
    }

    /// Bytes as they are, all of them.
    ///
    /// # Errors
    /// If the other end is closed.
    pub fn send_bytes(&self, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            match (&self.socket).write(rest) {
                Ok(count) => rest = &rest[count..],
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => wait_writable(self.socket.as_fd())?,
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}

impl AsFd for StreamNic {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Nic for StreamNic {
    fn send(&self, frame: &[u8]) -> io::Result<()> {
        let length = (frame.len() as u32).to_be_bytes();
        let sent = (&self.socket).write_vectored(&[IoSlice::new(&length), IoSlice::new(frame)]);
        match sent {
            Ok(count) => self.send_bytes(&[&length, frame].concat()[count..]),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => self.send_bytes(&[&length, frame].concat()),
            Err(e) => Err(e),
        }
    }

    fn try_recv(&self) -> io::Result<Option<Vec<u8>>> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some((length, rest)) = read.split_first_chunk::<4>() {
                let length = u32::from_be_bytes(*length) as usize;
                if rest.len() >= length {
                    let frame = rest[..length].to_vec();
                    read.drain(..4 + length);
                    return Ok(Some(frame));
                }
            }
            let mut more = vec![0; MAX_FRAME];
            match (&self.socket).read(&mut more) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => read.extend(&more[..count]),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(e) => return Err(e),
            }
        }
    }
}

/// A socket with a frame in each message: `-netdev dgram` of QEMU.
#[derive(Debug)]
pub struct MessageNic(OwnedFd);

impl MessageNic {
    /// `socket` is connected.
    pub fn new(socket: impl Into<OwnedFd>) -> Self {
        Self(socket.into())
    }
}

impl AsFd for MessageNic {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Nic for MessageNic {
    fn send(&self, frame: &[u8]) -> io::Result<()> {
        loop {
            match send(self.0.as_raw_fd(), frame, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL) {
                Err(nix::errno::Errno::EAGAIN) => wait_writable(self.0.as_fd())?,
                other => return Ok(other.map(drop)?),
            }
        }
    }

    fn try_recv(&self) -> io::Result<Option<Vec<u8>>> {
        let mut frame = vec![0; MAX_FRAME];
        match recv(self.0.as_raw_fd(), &mut frame, MsgFlags::MSG_DONTWAIT) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                frame.truncate(count);
                Ok(Some(frame))
            }
            Err(nix::errno::Errno::EAGAIN) => Ok(None),
            Err(e) => Err(e.into()),
        }
    }
}

fn wait_writable(fd: BorrowedFd<'_>) -> io::Result<()> {
    poll(&mut [PollFd::new(fd, PollFlags::POLLOUT)], PollTimeout::from(10_000_u16))?;
    Ok(())
}

/// What a packet socket sends from now on crosses neither queueing disciplines nor hooks of TC (packet(7),
/// PACKET_QDISC_BYPASS). Takes no capability (net/packet/af_packet.c, packet_setsockopt()).
///
/// # Errors
/// What setsockopt(2) says.
pub fn pass_hooks_by(packet_socket: impl AsFd) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the option is an int, which lives until the call returns, and whose size is passed.
    let result = unsafe {
        libc::setsockopt(
            packet_socket.as_fd().as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_QDISC_BYPASS,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
