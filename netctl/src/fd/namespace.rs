//! Network namespaces of open descriptors, compared with this thread's.

use std::fs::{self, File};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;

use super::inspect::Namespace;
use super::ioctl;

/// Of a tap's interface (TUNGETDEVNETNS); `None` without CAP_NET_ADMIN there.
pub(super) fn of_tap(fd: BorrowedFd<'_>) -> Option<Namespace> {
    compare(File::from(ioctl::open_related(fd.as_raw_fd(), libc::TUNGETDEVNETNS).ok()?))
}

/// Of a socket, by its namespace's cookie (SO_NETNS_COOKIE): without privilege, from Linux 5.14 on.
pub(super) fn of_socket(fd: BorrowedFd<'_>) -> Option<Namespace> {
    let theirs = ioctl::netns_cookie(fd.as_raw_fd()).ok()?;
    let own = std::os::unix::net::UnixDatagram::unbound().ok()?;
    let ours = ioctl::netns_cookie(own.as_raw_fd()).ok()?;
    Some(if theirs == ours { Namespace::This } else { Namespace::Another })
}

fn compare(namespace: File) -> Option<Namespace> {
    let theirs = namespace.metadata().ok()?;
    let ours = fs::metadata("/proc/thread-self/ns/net").ok()?;
    let same = (theirs.dev(), theirs.ino()) == (ours.dev(), ours.ino());
    Some(if same { Namespace::This } else { Namespace::Another })
}
