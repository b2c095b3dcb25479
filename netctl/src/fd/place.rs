//! Paths of unix sockets that this process makes: open to one user from the beginning, and gone with it.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, bind, socket};

/// A socket's path, which is removed with this value if it is still the same.
#[derive(Debug)]
#[must_use = "the path is removed when this is dropped"]
pub struct Place {
    path: PathBuf,
    /// Device and inode.
    identity: (u64, u64),
}

impl Drop for Place {
    fn drop(&mut self) {
        let is_ours = |facts: fs::Metadata| (facts.dev(), facts.ino()) == self.identity;
        if fs::symlink_metadata(&self.path).is_ok_and(is_ours) {
            // Gone already is as good.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A unix socket at a new path that only its owner can write to, which is what connecting and sending take (unix(7)).
///
/// # Errors
/// The path is taken, or cannot be made or given away.
pub fn bound(path: &Path, kind: SockType, owner: Option<u32>) -> io::Result<(OwnedFd, Place)> {
    let fd = socket(AddressFamily::Unix, kind, SockFlag::SOCK_CLOEXEC, None)?;
    // bind(2) gives the file the mode that the socket has (net/unix/af_unix.c, unix_bind_bsd): never open for others.
    let file = File::from(fd);
    file.set_permissions(Permissions::from_mode(0o600))?;
    let fd = OwnedFd::from(file);
    bind(fd.as_raw_fd(), &UnixAddr::new(path)?)?;
    let facts = fs::symlink_metadata(path)?;
    let place = Place { path: path.to_owned(), identity: (facts.dev(), facts.ino()) };
    if let Some(owner) = owner {
        give(path, owner)?;
    }
    Ok((fd, place))
}

/// Gives away what is at the path, if it is a socket of ours with no other name: whoever can write to the folder may have
/// put something else there.
fn give(path: &Path, owner: u32) -> io::Result<()> {
    let handle = OpenOptions::new().read(true).custom_flags(libc::O_PATH | libc::O_NOFOLLOW).open(path)?;
    let facts = handle.metadata()?;
    let ours = nix::unistd::geteuid().as_raw();
    if !facts.file_type().is_socket() || facts.uid() != ours || facts.nlink() != 1 {
        return Err(io::Error::other("someone else has changed the folder meanwhile"));
    }
    chown(format!("/proc/self/fd/{}", handle.as_raw_fd()), Some(owner), None)
}
