//! A packet socket on one interface and one ethertype (packet(7)): whole Ethernet frames, sent as they are.

use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr::{from_mut, from_ref};
use std::time::{Duration, Instant};

use super::error::FdError;
use super::ioctl;

#[derive(Debug)]
pub struct PacketSocket {
    fd: OwnedFd,
}

impl PacketSocket {
    /// Frames of `ethertype` (host byte order) at the interface, in this thread's network namespace.
    ///
    /// # Errors
    /// [`FdError::Missing`], [`FdError::NotPermitted`], [`FdError::Packet`].
    pub fn open(interface: &str, ethertype: u16) -> Result<Self, FdError> {
        let fail = |source: io::Error| match source.kind() {
            io::ErrorKind::PermissionDenied => FdError::NotPermitted { interface: interface.to_owned() },
            _ => FdError::Packet { interface: interface.to_owned(), source },
        };
        let index = ioctl::interface_index(interface);
        let index = index.ok_or_else(|| FdError::Missing { interface: interface.to_owned() })?;
        // Without a protocol until it is bound: nothing of other interfaces gets in.
        // SAFETY: only numbers are passed.
        let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
        if fd < 0 {
            return Err(fail(io::Error::last_os_error()));
        }
        // SAFETY: socket(2) just returned the descriptor; nobody else has it.
        let socket = Self { fd: unsafe { OwnedFd::from_raw_fd(fd) } };
        socket.bind(index, ethertype).map_err(fail)?;
        Ok(socket)
    }

    fn bind(&self, index: u32, ethertype: u16) -> io::Result<()> {
        let mut address = no_address();
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = ethertype.to_be();
        address.sll_ifindex = index.cast_signed();
        // SAFETY: `address` is a whole `struct sockaddr_ll`, and the length is its own.
        let bound = unsafe { libc::bind(self.fd.as_raw_fd(), from_ref(&address).cast(), ADDRESS_LEN as u32) };
        if bound < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// # Errors
    /// What send(2) says: ENETDOWN where the interface is down.
    pub fn send(&self, frame: &[u8]) -> io::Result<()> {
        // SAFETY: the pointer and the length are those of `frame`.
        let sent = unsafe { libc::send(self.fd.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0) };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Waits up to `limit` for a frame that came in and that `wanted` takes; others are dropped.
    ///
    /// # Errors
    /// What poll(2) and recvfrom(2) say.
    pub fn receive(&self, limit: Duration, wanted: impl Fn(&[u8]) -> bool) -> io::Result<bool> {
        let deadline = Instant::now() + limit;
        let mut frame = [0; 2048];
        while let Some(left) = deadline.checked_duration_since(Instant::now()) {
            if !self.wait(left)? {
                return Ok(false);
            }
            if let Some(len) = self.read(&mut frame)?
                && wanted(&frame[..len])
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether there is something to read within `limit`.
    fn wait(&self, limit: Duration) -> io::Result<bool> {
        let mut waits = libc::pollfd { fd: self.fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // Rounded up, so that the rest of a millisecond does not become a busy loop.
        let millis = limit.as_micros().div_ceil(1000).min(60_000) as i32;
        // SAFETY: one `struct pollfd`, which is ours.
        match unsafe { libc::poll(from_mut(&mut waits), 1, millis) } {
            count if count >= 0 => Ok(count > 0),
            _ => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => Ok(true),
                error => Err(error),
            },
        }
    }

    /// The length of a frame that came in; `None` for one that went out, and if nothing is there.
    fn read(&self, frame: &mut [u8]) -> io::Result<Option<usize>> {
        let mut address = no_address();
        let mut address_len = ADDRESS_LEN as libc::socklen_t;
        // SAFETY: `frame` and `address` are ours, of the lengths that are passed.
        let len = unsafe {
            libc::recvfrom(
                self.fd.as_raw_fd(),
                frame.as_mut_ptr().cast(),
                frame.len(),
                libc::MSG_DONTWAIT,
                from_mut(&mut address).cast(),
                &raw mut address_len,
            )
        };
        if len < 0 {
            let error = io::Error::last_os_error();
            let empty = matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted);
            return if empty { Ok(None) } else { Err(error) };
        }
        Ok((address.sll_pkttype != libc::PACKET_OUTGOING).then_some(len.cast_unsigned()))
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

const ADDRESS_LEN: usize = size_of::<libc::sockaddr_ll>();

fn no_address() -> libc::sockaddr_ll {
    // SAFETY: `sockaddr_ll` is plain data; all zeros is a value of it.
    unsafe { zeroed() }
}
