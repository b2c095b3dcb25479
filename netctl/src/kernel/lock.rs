//! One change of a host at a time: flock(2) on the BPF file system, which is what all changes share, whatever namespaces
//! the processes are in. It goes with the process, however that ends.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::KernelError;

/// Held while the host is changed; another change waits.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "the lock goes with the file")] File);

/// What to do when another netctl has the lock.
#[derive(Clone, Copy, Debug)]
pub enum Wait {
    /// Wait; the function is told who has it, if that can be known.
    Telling(fn(&str)),
    /// [`KernelError::Locked`].
    No,
}

impl Lock {
    /// Waits in silence.
    ///
    /// # Errors
    /// The file system cannot be opened or locked.
    pub fn take(bpffs: &Path) -> Result<Self, KernelError> {
        Self::take_or(bpffs, Wait::Telling(|_| ()))
    }

    /// # Errors
    /// As [`Self::take`], and [`KernelError::Locked`] if that is wanted.
    pub fn take_or(bpffs: &Path, wait: Wait) -> Result<Self, KernelError> {
        let fail = |source| KernelError::Lock { path: bpffs.to_owned(), source };
        let file = File::open(bpffs).map_err(fail)?;
        match (file.try_lock(), wait) {
            (Ok(()), _) => {}
            (Err(TryLockError::WouldBlock), Wait::No) => {
                return Err(KernelError::Locked { path: bpffs.to_owned(), holder: holder(&file) });
            }
            (Err(TryLockError::WouldBlock), Wait::Telling(tell)) => {
                tell(&holder(&file));
                file.lock().map_err(fail)?;
            }
            (Err(TryLockError::Error(error)), _) => return Err(fail(error)),
        }
        Ok(Self(file))
    }
}

/// Who has a lock on the file, in words: by /proc/locks, which shows processes of this and inner PID namespaces.
fn holder(file: &File) -> String {
    let unknown = || "a process that cannot be seen from here".to_owned();
    let Ok(pid) = holder_pid(file) else { return unknown() };
    let Some(pid) = pid else { return unknown() };
    let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = String::from_utf8_lossy(&words).replace('\0', " ");
    let shown: String = words.trim().chars().filter(|c| !c.is_control()).take(80).collect();
    if shown.is_empty() { format!("pid {pid}") } else { format!("pid {pid}, `{shown}`") }
}

/// `1: FLOCK  ADVISORY  WRITE 4711 00:1f:1 0 EOF` (fs/locks.c, `lock_get_status`).
fn holder_pid(file: &File) -> io::Result<Option<u32>> {
    let facts = file.metadata()?;
    let (major, minor) = (libc::major(facts.dev()), libc::minor(facts.dev()));
    let place = format!("{major:02x}:{minor:02x}:{}", facts.ino());
    let locks = fs::read_to_string("/proc/locks")?;
    let held = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let at = words.iter().position(|word| *word == place)?;
        let waits = words.contains(&"->");
        if waits || !words.contains(&"FLOCK") { None } else { words.get(at.checked_sub(1)?)?.parse().ok() }
    };
    Ok(locks.lines().find_map(held))
}
