//! Descriptors: tap and macvtap queues and vhost devices, opened here and handed to a VMM; packet sockets.
//!
//! The home of `unsafe` for ioctls, detached mounts, sockets, and inherited and other processes' descriptors. Every descriptor is
//! close-on-exec until [`hand_over`]. Which
//! interfaces exist and how they are plugged in is the business of [`crate::network`].

pub mod begin;
pub mod confine;
mod detached;
mod error;
pub mod inherited;
pub mod inspect;
pub mod interface;
mod ioctl;
pub mod macvtap;
mod namespace;
pub mod node;
pub mod packet;
pub mod pass;
pub mod place;
pub mod process;
pub mod reuse;
mod seccomp;
mod setup;
pub mod socket;
pub mod sysfs;
pub mod tap;
pub mod vhost;

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

pub use error::FdError;

/// Lets the next `exec` keep a descriptor.
///
/// To be called right before the exec and in the process that does it: any child that is started
/// in between inherits the descriptor too.
///
/// # Errors
/// What fcntl(2) says, which for a valid descriptor is nothing.
pub fn hand_over(fd: BorrowedFd<'_>) -> io::Result<()> {
    ioctl::clear_close_on_exec(fd.as_raw_fd())
}
