//! Reads files that decide who may do what: only regular ones, of bounded size, that nobody but root can change, nor any
//! folder above them. Symbolic links are not followed: what is behind one may change hands.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, openat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat};

/// Bytes of one file.
const MAX_BYTES: u64 = 1 << 20;

/// A file that can be relied on.
#[derive(Debug)]
pub(super) struct Trusted {
    pub bytes: Vec<u8>,
    /// Device and inode: which file it is, by whatever name.
    pub identity: (u64, u64),
}

/// Why a file is of no use.
#[derive(Debug, thiserror::Error)]
pub(super) enum Untrusted {
    #[error("`{path}` does not exist", path = .0.display())]
    Absent(PathBuf),
    #[error("cannot read `{path}`: {1}", path = .0.display())]
    Unreadable(PathBuf, io::Error),
    #[error("`{path}` {1}", path = .0.display())]
    Unsafe(PathBuf, &'static str),
}

/// # Errors
/// [`Untrusted`]; [`Untrusted::Absent`] and [`Untrusted::Unreadable`] come from the rights of this process.
pub(super) fn read(path: &Path) -> Result<Trusted, Untrusted> {
    let unsafe_file = |why| Err(Untrusted::Unsafe(path.to_owned(), why));
    if !path.is_absolute() {
        return unsafe_file("is not an absolute path: which file it is would be its caller's choice");
    }
    let file = open(path)?;
    let facts = fstat(&file).map_err(|e| Untrusted::Unreadable(path.to_owned(), e.into()))?;
    if !is_kind(&facts, SFlag::S_IFREG) {
        return unsafe_file("is no regular file");
    }
    check(path, &facts)?;
    let mut bytes = Vec::new();
    let mut bounded = File::from(file).take(MAX_BYTES + 1);
    bounded.read_to_end(&mut bytes).map_err(|e| Untrusted::Unreadable(path.to_owned(), e))?;
    if bytes.len() as u64 > MAX_BYTES {
        return unsafe_file("has more than 1 MiB");
    }
    Ok(Trusted { bytes, identity: (facts.st_dev, facts.st_ino) })
}

/// Opens one component after the other, so that each is the one that was looked at.
fn open(path: &Path) -> Result<OwnedFd, Untrusted> {
    let place = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mut here = step(AT_FDCWD, Path::new("/"), place, path)?;
    let mut so_far = PathBuf::from("/");
    let mut parts = path.components().filter(|part| !matches!(part, Component::RootDir)).peekable();
    while let Some(part) = parts.next() {
        let facts = fstat(&here).map_err(|e| Untrusted::Unreadable(so_far.clone(), e.into()))?;
        if !is_kind(&facts, SFlag::S_IFDIR) {
            return Err(Untrusted::Unsafe(so_far, "is no folder; symbolic links are not followed"));
        }
        check(&so_far, &facts)?;
        so_far.push(part);
        let flags = match parts.peek() {
            Some(_) => place,
            // Not to wait for the writer of a FIFO.
            None => {
                OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW | OFlag::O_NOCTTY | OFlag::O_CLOEXEC
            }
        };
        here = step(&here, Path::new(part.as_os_str()), flags, &so_far)?;
    }
    Ok(here)
}

fn step(from: impl AsFd, part: &Path, flags: OFlag, whole: &Path) -> Result<OwnedFd, Untrusted> {
    openat(from, part, flags, Mode::empty()).map_err(|error| match error {
        Errno::ENOENT => Untrusted::Absent(whole.to_owned()),
        Errno::ELOOP => Untrusted::Unsafe(whole.to_owned(), "is a symbolic link, which is not followed"),
        error => Untrusted::Unreadable(whole.to_owned(), error.into()),
    })
}

fn check(path: &Path, facts: &FileStat) -> Result<(), Untrusted> {
    let others = (Mode::S_IWGRP | Mode::S_IWOTH).bits();
    if facts.st_uid != 0 {
        return Err(Untrusted::Unsafe(path.to_owned(), "is not owned by root; `chown root` it"));
    }
    if facts.st_mode & others != 0 {
        return Err(Untrusted::Unsafe(
            path.to_owned(),
            "can be written by others than root; `chmod go-w` it",
        ));
    }
    Ok(())
}

fn is_kind(facts: &FileStat, kind: SFlag) -> bool {
    facts.st_mode & SFlag::S_IFMT.bits() == kind.bits()
}
