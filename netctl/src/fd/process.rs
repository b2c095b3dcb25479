//! Processes that a program splits off without exec: fork(2), _exit(2), and sessions of their own.

use std::fs;
use std::io;

/// Which of the two this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forked {
    Child,
    /// With the child's process id.
    Parent(i32),
}

/// Splits this process in two.
///
/// # Errors
/// A process of several threads is refused: in the child the others would be gone, with their locks held. Else what
/// fork(2) says.
pub fn fork() -> io::Result<Forked> {
    if fs::read_dir("/proc/self/task")?.count() != 1 {
        return Err(io::Error::other("this process has several threads; start relays before the others"));
    }
    // SAFETY: this is the only thread, so the child has all there is of the process, in a consistent state.
    match unsafe { libc::fork() } {
        0 => Ok(Forked::Child),
        pid if pid > 0 => Ok(Forked::Parent(pid)),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Ends a forked child without what belongs to the parent: its exit handlers, and text that it has not written yet.
pub fn exit_now(status: i32) -> ! {
    // SAFETY: _exit(2) takes a number and does not return.
    unsafe { libc::_exit(status) }
}

/// Leaves the terminal and the process group, whose signals are for the parent.
///
/// # Errors
/// EPERM for the leader of a process group.
pub fn new_session() -> io::Result<()> {
    // SAFETY: no arguments.
    if unsafe { libc::setsid() } < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Lets this process be told of its children's ends, also if whoever started it ignored SIGCHLD, which exec(2) keeps.
pub fn heed_children() {
    // SAFETY: the default action runs no code of this process.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
}
