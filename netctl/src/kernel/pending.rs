//! A document that runs and is to be confirmed: a directory beside the maps, with the deadline in its name, that the process
//! which would revert has locked. Taking the directory away confirms. If that process is killed, its lock goes.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::PathBuf;
use std::time::Duration;

use super::pins::{self, Pins};
use super::{KernelError, sys};

/// In the directory's name, before `CLOCK_MONOTONIC` in milliseconds at the deadline.
const NAME: &str = "unconfirmed+";

/// Held by who reverts at the deadline.
#[derive(Debug)]
pub struct Pending {
    path: PathBuf,
    locked: File,
}

/// What a host says about a confirmation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unconfirmed {
    /// The time that is left.
    Waiting(Duration),
    /// Nobody is left to revert: what runs stays.
    Orphaned,
}

impl Pending {
    /// The deadline begins now.
    ///
    /// # Errors
    /// The directory cannot be made.
    pub fn begin(pins: &Pins, limit: Duration) -> Result<Self, KernelError> {
        let deadline = now() + limit.as_millis() as u64;
        let path = pins.version().join(format!("{NAME}{deadline}"));
        let fail = |source| KernelError::PinDirectory { path: path.clone(), source };
        fs::DirBuilder::new().mode(0o700).create(&path).map_err(fail)?;
        let locked = File::open(&path).map_err(fail)?;
        locked.lock().map_err(fail)?;
        Ok(Self { path, locked })
    }

    /// Whether it is neither confirmed nor taken down. To be asked again under the lock of all changes.
    pub fn stands(&self) -> bool {
        let same = |ours: fs::Metadata, there: fs::Metadata| ours.ino() == there.ino();
        match (self.locked.metadata(), fs::symlink_metadata(&self.path)) {
            (Ok(ours), Ok(there)) => same(ours, there),
            _ => false,
        }
    }

    /// # Errors
    /// The directory cannot be taken away.
    pub fn end(self) -> Result<(), KernelError> {
        remove(self.path)
    }
}

/// Whether something is to be confirmed.
///
/// # Errors
/// The directory cannot be read.
pub fn find(pins: &Pins) -> Result<Option<Unconfirmed>, KernelError> {
    let Some((path, deadline)) = marked(pins)? else { return Ok(None) };
    let held = match File::open(&path).map(|file| file.try_lock()) {
        Ok(Err(TryLockError::WouldBlock)) => true,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        _ => false,
    };
    let left = Duration::from_millis(deadline.saturating_sub(now()));
    Ok(Some(if held { Unconfirmed::Waiting(left) } else { Unconfirmed::Orphaned }))
}

/// Confirms what is to be confirmed: the process that waits ends.
///
/// # Errors
/// The directory cannot be taken away.
pub fn confirm(pins: &Pins) -> Result<(), KernelError> {
    marked(pins)?.map_or(Ok(()), |(path, _)| remove(path))
}

fn marked(pins: &Pins) -> Result<Option<(PathBuf, u64)>, KernelError> {
    let path = pins.version();
    let deadline = |name: &String| Some((path.join(name), name.strip_prefix(NAME)?.parse().ok()?));
    Ok(pins::names(&path)?.iter().find_map(deadline))
}

fn remove(path: PathBuf) -> Result<(), KernelError> {
    match fs::remove_dir(&path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(KernelError::Remove { path, source }),
        _ => Ok(()),
    }
}

fn now() -> u64 {
    sys::monotonic_now() / 1_000_000
}
