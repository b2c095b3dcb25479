//! What a program is started with and did not ask for: environment variables, and open descriptors. For a program with
//! more privilege than who starts it.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// The first descriptor that is not a standard stream.
const FIRST: RawFd = 3;

/// Takes all environment variables away.
///
/// # Errors
/// Where another thread runs, which may be reading them.
pub fn clear_environment() -> io::Result<()> {
    if std::fs::read_dir("/proc/self/task")?.count() != 1 {
        return Err(io::Error::other("the environment is shared with another thread"));
    }
    // SAFETY: no other thread is there, and none can be started by another than this one.
    if unsafe { libc::clearenv() } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A copy of a descriptor that the starter of this program named by its number; close-on-exec, and no standard stream.
///
/// # Errors
/// EBADF for what is not open.
pub fn duplicate(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: only numbers are passed, and a wrong one is refused.
    let copy = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, FIRST) };
    if copy < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just given this descriptor to us, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

/// Closes everything but the standard streams and `kept`. To be called before the program opens anything of its own.
///
/// # Errors
/// What close_range(2) says.
pub fn close_others(kept: Option<BorrowedFd<'_>>) -> io::Result<()> {
    match kept.map(|fd| fd.as_raw_fd()) {
        Some(kept) => {
            close_range(FIRST, kept - 1)?;
            close_range(kept + 1, RawFd::MAX)
        }
        None => close_range(FIRST, RawFd::MAX),
    }
}

/// close_range(2), Linux 5.9. Nothing that still runs in this process may own one of them.
pub(super) fn close_range(first: RawFd, last: RawFd) -> io::Result<()> {
    if last < first {
        return Ok(());
    }
    // SAFETY: only numbers are passed; the callers own none of these descriptors.
    let closed = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    if closed < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
