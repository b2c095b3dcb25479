//! The system calls that have no safe wrapper in `std`. Nothing else in this crate calls ioctl(2).
//!
//! The request numbers and `struct ifreq` are libc's; what the requests mean is in
//! Documentation/networking/tuntap.rst and drivers/net/tun.c of the kernel.

use std::ffi::CString;
use std::io;
use std::mem::zeroed;
use std::os::fd::RawFd;

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

fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
