//! The helper's answer: one byte, 0, and one descriptor beside it, in one message.

use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use nix::sys::stat::{SFlag, fstat};

use crate::fd::inherited;

/// The caller's socket, by the number that it said.
///
/// # Errors
/// EBADF, ENOTSOCK: known before anything is opened.
pub(super) fn socket(number: i32) -> io::Result<OwnedFd> {
    let socket = inherited::duplicate(number)?;
    let kind = SFlag::from_bits_truncate(fstat(&socket)?.st_mode & SFlag::S_IFMT.bits());
    if kind == SFlag::S_IFSOCK { Ok(socket) } else { Err(Errno::ENOTSOCK.into()) }
}

/// # Errors
/// What sendmsg(2) says.
pub(super) fn send(socket: &OwnedFd, queue: &OwnedFd) -> io::Result<()> {
    let queue = [queue.as_raw_fd()];
    let rights = [ControlMessage::ScmRights(&queue)];
    sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(&[0])], &rights, MsgFlags::MSG_NOSIGNAL, None)?;
    Ok(())
}
