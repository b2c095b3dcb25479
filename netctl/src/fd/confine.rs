//! Takes from this process all that it may not need: for one that serves hostile peers.
//!
//! What is left are the named descriptors and an unprivileged user; nothing of it can be had back (capabilities(7),
//! prctl(2) PR_SET_NO_NEW_PRIVS, seccomp(2)).

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsRawFd, RawFd};

use super::inherited::close_range;
use super::seccomp;

/// `nobody` and `nogroup`: the numbers that also the kernel uses for nobody (overflowuid).
const NOBODY: libc::uid_t = 65534;

/// linux/capability.h: `_LINUX_CAPABILITY_VERSION_3`, whose sets are two words each.
const CAPABILITY_VERSION: u32 = 0x2008_0522;
/// Numbers of capabilities fit into two words.
const CAPABILITIES: libc::c_ulong = 64;

/// What could not be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Step {
    Descriptors = 1,
    User = 2,
    Capabilities = 3,
    NewPrivileges = 4,
    Limits = 5,
    SystemCalls = 6,
}

impl Step {
    pub const ALL: [Self; 6] = [
        Self::Descriptors,
        Self::User,
        Self::Capabilities,
        Self::NewPrivileges,
        Self::Limits,
        Self::SystemCalls,
    ];

    pub const fn describe(self) -> &'static str {
        match self {
            Self::Descriptors => "close the other descriptors",
            Self::User => "become `nobody`",
            Self::Capabilities => "drop the capabilities",
            Self::NewPrivileges => "forbid new privileges",
            Self::Limits => "set the limits",
            Self::SystemCalls => "forbid the other system calls",
        }
    }
}

/// Leaves this process the descriptors of `keep`, with standard input and output at `/dev/null`, and nothing else:
/// no capability, user and group `nobody` (its own user where it is not root), no children, no core dump, and only the
/// system calls that move bytes.
///
/// # Errors
/// The step that failed; this process is then neither here nor there, and has to end.
pub fn confine(keep: &[RawFd]) -> Result<(), (Step, io::Error)> {
    close_others(keep).map_err(|e| (Step::Descriptors, e))?;
    drop_bounding_set();
    become_nobody().map_err(|e| (Step::User, e))?;
    clear_capabilities().map_err(|e| (Step::Capabilities, e))?;
    no_new_privileges().map_err(|e| (Step::NewPrivileges, e))?;
    limit().map_err(|e| (Step::Limits, e))?;
    seccomp::restrict().map_err(|e| (Step::SystemCalls, e))
}

fn close_others(keep: &[RawFd]) -> io::Result<()> {
    // What is closed belongs to code of the parent that does not run in this process.
    // A folder is held like a descriptor: its file system could not be unmounted.
    std::env::set_current_dir("/")?;
    let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    for standard in [libc::STDIN_FILENO, libc::STDOUT_FILENO] {
        // SAFETY: dup2(2) takes numbers; what it closes is not used by this process.
        check(unsafe { libc::dup2(null.as_raw_fd(), standard) })?;
    }
    drop(null);
    let mut keep: Vec<RawFd> = keep.iter().copied().filter(|fd| *fd > 1).collect();
    keep.sort_unstable();
    let mut first = libc::STDERR_FILENO;
    for fd in keep {
        close_range(first, fd - 1)?;
        first = fd + 1;
    }
    close_range(first, RawFd::MAX)
}

/// Only with CAP_SETPCAP, and only for numbers that the kernel knows; without, there is no way to gain one either, as
/// [`no_new_privileges`] holds.
fn drop_bounding_set() {
    for number in 0..CAPABILITIES {
        // SAFETY: PR_CAPBSET_DROP takes a number.
        unsafe { libc::prctl(libc::PR_CAPBSET_DROP, number, 0, 0, 0) };
    }
}

fn become_nobody() -> io::Result<()> {
    // SAFETY: geteuid(2) has no arguments.
    if unsafe { libc::geteuid() } != 0 {
        return Ok(());
    }
    // SAFETY: numbers, and an empty list. The group goes first: a user who is not root cannot change it.
    unsafe {
        check(libc::setgroups(0, std::ptr::null()))?;
        check(libc::setresgid(NOBODY, NOBODY, NOBODY))?;
        check(libc::setresuid(NOBODY, NOBODY, NOBODY))
    }
}

/// Effective, permitted and inheritable; the ambient set is never more than those.
fn clear_capabilities() -> io::Result<()> {
    let header: [u32; 2] = [CAPABILITY_VERSION, 0];
    let sets = [0_u32; 6];
    // SAFETY: capset(2) reads a header of two words and, with this version, two structures of three words.
    let result = unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), sets.as_ptr()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn no_new_privileges() -> io::Result<()> {
    // SAFETY: numbers. Not dumpable: no process of the same user can trace this one.
    unsafe {
        check(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))?;
        check(libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0))
    }
}

fn limit() -> io::Result<()> {
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    for resource in [libc::RLIMIT_NPROC, libc::RLIMIT_CORE] {
        // SAFETY: setrlimit(2) reads one structure, which is ours.
        check(unsafe { libc::setrlimit(resource, &raw const none) })?;
    }
    Ok(())
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
