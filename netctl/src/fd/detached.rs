//! File systems that are mounted nowhere: a sysfs of this thread's network namespace, and a place for a device node
//! that nobody else sees. They go when their descriptor is closed; the mount table is never touched.
//!
//! /sys may show another namespace's interfaces: it shows those of whoever mounted it (fs/sysfs/mount.c).

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::null;

/// linux/mount.h
const FSOPEN_CLOEXEC: libc::c_uint = 1;
const FSCONFIG_CMD_CREATE: libc::c_uint = 6;
const FSMOUNT_CLOEXEC: libc::c_uint = 1;

/// A new instance of a file system, as a directory. Needs CAP_SYS_ADMIN.
///
/// # Errors
/// What fsopen(2), fsconfig(2) and fsmount(2) say.
pub(super) fn mount(kind: &CStr) -> io::Result<OwnedFd> {
    // SAFETY: `kind` ends with a zero byte and outlives the call.
    let context = unsafe { libc::syscall(libc::SYS_fsopen, kind.as_ptr(), FSOPEN_CLOEXEC) };
    let context = own(context)?;
    // SAFETY: the command takes no key and no value.
    let created = unsafe {
        libc::syscall(
            libc::SYS_fsconfig,
            context.as_raw_fd(),
            FSCONFIG_CMD_CREATE,
            null::<libc::c_char>(),
            null::<libc::c_void>(),
            0,
        )
    };
    if created < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: only numbers are passed.
    own(unsafe { libc::syscall(libc::SYS_fsmount, context.as_raw_fd(), FSMOUNT_CLOEXEC, 0) })
}

/// Opens a file below a directory, close-on-exec.
///
/// # Errors
/// What openat(2) says.
pub(super) fn open_at(directory: &OwnedFd, path: &CStr, flags: libc::c_int) -> io::Result<OwnedFd> {
    // SAFETY: `path` ends with a zero byte and outlives the call.
    let fd = unsafe { libc::openat(directory.as_raw_fd(), path.as_ptr(), flags | libc::O_CLOEXEC) };
    own(fd.into())
}

/// Makes the node of a character device in a directory.
///
/// # Errors
/// What mknodat(2) says.
pub(super) fn make_node(directory: &OwnedFd, name: &CStr, device: libc::dev_t) -> io::Result<()> {
    // SAFETY: `name` ends with a zero byte and outlives the call.
    let made = unsafe { libc::mknodat(directory.as_raw_fd(), name.as_ptr(), libc::S_IFCHR | 0o600, device) };
    if made < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn own(result: libc::c_long) -> io::Result<OwnedFd> {
    let fd = RawFd::try_from(result).map_err(io::Error::other)?;
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just given this descriptor to us, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
