//! The system calls that have no safe wrapper in `std`. Nothing else in this crate calls ioctl(2).
//!
//! The request numbers and `struct ifreq` are libc's; what the requests mean is in
//! Documentation/networking/tuntap.rst and drivers/net/tun.c of the kernel.

use std::ffi::CString;
use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// Longest interface name: IFNAMSIZ without the terminating zero.
pub(super) const NAME_MAX: usize = libc::IFNAMSIZ - 1;

/// A `struct ifreq` that carries a name and flags.
pub(super) struct Request(libc::ifreq);

impl Request {
    /// `None` if the name is empty, too long or holds a zero byte.
    pub(super) fn new(name: &str, flags: libc::c_int) -> Option<Self> {
        let bytes = name.as_bytes();
        if bytes.is_empty() || bytes.len() > NAME_MAX || bytes.contains(&0) {
            return None;
        }
        let mut request = Self::without_name(flags);
        for (to, from) in request.0.ifr_name.iter_mut().zip(bytes) {
            *to = from.cast_signed();
        }
        Some(request)
    }

    /// For TUNSETQUEUE, which looks at the flags only.
    #[allow(clippy::cast_possible_truncation, reason = "the flags are 16 bits wide, up to 0x8000")]
    pub(super) fn without_name(flags: libc::c_int) -> Self {
        // SAFETY: `ifreq` is plain data (a byte array and a union of such); all zeros is a value of it.
        let mut request: libc::ifreq = unsafe { zeroed() };
        request.ifr_ifru.ifru_flags = flags as libc::c_short;
        Self(request)
    }

    pub(super) fn name(&self) -> String {
        let bytes: Vec<u8> =
            self.0.ifr_name.iter().map(|c| c.cast_unsigned()).take_while(|b| *b != 0).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    pub(super) fn flags(&self) -> libc::c_int {
        // SAFETY: every request that fills the union in fills `ifru_flags`, and `new` wrote it.
        let flags = unsafe { self.0.ifr_ifru.ifru_flags };
        libc::c_int::from(flags.cast_unsigned())
    }

    /// TUNSETIFF, TUNGETIFF, TUNSETQUEUE.
    pub(super) fn send(&mut self, fd: RawFd, number: libc::Ioctl) -> io::Result<()> {
        // SAFETY: the callers pass requests that take a `struct ifreq *`, which `self.0` is.
        check(unsafe { libc::ioctl(fd, number, &raw mut self.0) })
    }
}

/// An ioctl whose argument is a number, not a pointer: TUNSETPERSIST, TUNSETOWNER, TUNSETOFFLOAD.
pub(super) fn set_number(fd: RawFd, number: libc::Ioctl, value: libc::c_ulong) -> io::Result<()> {
    // SAFETY: the callers pass requests that take their argument by value.
    check(unsafe { libc::ioctl(fd, number, value) })
}

/// An ioctl that reads an `int`: TUNSETVNETHDRSZ.
pub(super) fn set_int(fd: RawFd, number: libc::Ioctl, value: libc::c_int) -> io::Result<()> {
    // SAFETY: the callers pass requests that read one `int` at the pointer.
    check(unsafe { libc::ioctl(fd, number, &raw const value) })
}

/// An ioctl that writes an `unsigned int`: TUNGETFEATURES.
pub(super) fn get_uint(fd: RawFd, number: libc::Ioctl) -> io::Result<libc::c_uint> {
    let mut value: libc::c_uint = 0;
    // SAFETY: the callers pass requests that write one `unsigned int` at the pointer.
    check(unsafe { libc::ioctl(fd, number, &raw mut value) })?;
    Ok(value)
}

/// An ioctl that writes a `u64`: VHOST_GET_FEATURES.
pub(super) fn get_u64(fd: RawFd, number: libc::Ioctl) -> io::Result<u64> {
    let mut value = 0_u64;
    // SAFETY: the callers pass requests that write one `u64` at the pointer.
    check(unsafe { libc::ioctl(fd, number, &raw mut value) })?;
    Ok(value)
}

/// An ioctl without an argument that gives a new descriptor, close-on-exec: TUNGETDEVNETNS.
pub(super) fn open_related(fd: RawFd, number: libc::Ioctl) -> io::Result<OwnedFd> {
    // SAFETY: the callers pass requests that take no argument.
    own(unsafe { libc::ioctl(fd, number) }.into())
}

/// A copy of a descriptor of this process, close-on-exec.
///
/// # Errors
/// EBADF if it is not open.
pub(super) fn duplicate(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: F_DUPFD_CLOEXEC takes an int and touches no memory of ours.
    own(unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 0) }.into())
}

/// pidfd_open(2).
pub(super) fn open_process(pid: u32) -> io::Result<OwnedFd> {
    // SAFETY: only numbers are passed.
    own(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })
}

/// pidfd_getfd(2): a copy of another process's descriptor, close-on-exec.
pub(super) fn take_copy(process: &OwnedFd, fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: only numbers are passed.
    own(unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), fd, 0) })
}

/// SO_NETNS_COOKIE (asm-generic/socket.h): a number that no other namespace has before the next boot.
pub(super) fn netns_cookie(fd: RawFd) -> io::Result<u64> {
    const SO_NETNS_COOKIE: libc::c_int = 71;
    socket_option(fd, SO_NETNS_COOKIE)
}

/// Values that getsockopt(2) may fill in: any bytes are one.
pub(super) trait Plain: Copy + Default {}
impl Plain for u32 {}
impl Plain for u64 {}
impl Plain for [u32; 3] {}

/// An option of level SOL_SOCKET that has the size of `T`.
pub(super) fn socket_option<T: Plain>(fd: RawFd, option: libc::c_int) -> io::Result<T> {
    let mut value = T::default();
    let mut len = size_of::<T>() as libc::socklen_t;
    // SAFETY: the pointer and the length are those of `value`, which any bytes are a value of.
    check(unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, option, (&raw mut value).cast(), &raw mut len) })?;
    Ok(value)
}

/// Which end of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Own,
    Peer,
}

/// A socket's address as getsockname(2) or getpeername(2) give it: a family, and what belongs to it.
pub(super) fn socket_name(fd: RawFd, end: End) -> io::Result<Vec<u8>> {
    let mut bytes = [0_u8; size_of::<libc::sockaddr_storage>()];
    let mut len = bytes.len() as libc::socklen_t;
    let call = match end {
        End::Own => libc::getsockname,
        End::Peer => libc::getpeername,
    };
    // SAFETY: the pointer and the length are those of `bytes`; the kernel writes no more than that.
    check(unsafe { call(fd, bytes.as_mut_ptr().cast(), &raw mut len) })?;
    Ok(bytes[..bytes.len().min(len as usize)].to_vec())
}

/// In this thread's network namespace.
pub(super) fn interface_name(index: u32) -> Option<String> {
    let mut name = [0_u8; libc::IFNAMSIZ];
    // SAFETY: `name` has the IFNAMSIZ bytes that if_indextoname(3) writes at most.
    let found = unsafe { libc::if_indextoname(index, name.as_mut_ptr().cast()) };
    let text = name.split(|byte| *byte == 0).next().unwrap_or_default();
    (!found.is_null()).then(|| String::from_utf8_lossy(text).into_owned())
}

/// In this thread's network namespace.
pub(super) fn interface_index(name: &str) -> Option<u32> {
    let name = CString::new(name).ok()?;
    // SAFETY: `name` is a string that ends with a zero byte and outlives the call.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    (index != 0).then_some(index)
}

pub(super) fn clear_close_on_exec(fd: RawFd) -> io::Result<()> {
    // SAFETY: F_SETFD takes an int and touches no memory of ours.
    check(unsafe { libc::fcntl(fd, libc::F_SETFD, 0) })
}

fn own(result: libc::c_long) -> io::Result<OwnedFd> {
    let fd = RawFd::try_from(result).map_err(io::Error::other)?;
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just given this descriptor to us, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
