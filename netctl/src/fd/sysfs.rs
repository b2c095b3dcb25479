//! The sysfs of this thread's network namespace, as paths. /sys may be another namespace's: it shows the interfaces of
//! whoever mounted it (fs/sysfs/mount.c).

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;

use super::detached;

/// Goes with its last path: nothing is mounted anywhere. The default is /sys.
#[derive(Debug, Default)]
pub struct Sysfs(Option<OwnedFd>);

impl Sysfs {
    /// Without CAP_SYS_ADMIN it is /sys, which is good enough to look at.
    ///
    /// # Errors
    /// What fsopen(2), fsconfig(2) and fsmount(2) say, but for a missing privilege.
    pub fn open() -> io::Result<Self> {
        match detached::mount(c"sysfs") {
            Ok(directory) => Ok(Self(Some(directory))),
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => Ok(Self(None)),
            Err(e) => Err(e),
        }
    }

    /// Of `relative`, which begins with a name such as `class`.
    pub fn path(&self, relative: &str) -> PathBuf {
        match &self.0 {
            // A descriptor's link in /proc leads into a mount that has no other path (proc(5)).
            Some(directory) => PathBuf::from(format!("/proc/self/fd/{}/{relative}", directory.as_raw_fd())),
            None => PathBuf::from("/sys").join(relative),
        }
    }

    /// The text of a file without the line end; `None` if there is no such file.
    ///
    /// # Errors
    /// What read(2) says.
    pub fn read(&self, relative: &str) -> io::Result<Option<String>> {
        match std::fs::read_to_string(self.path(relative)) {
            Ok(text) => Ok(Some(text.trim_end().to_owned())),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// The last part of what a link leads to; `None` if there is no such link.
    ///
    /// # Errors
    /// What readlink(2) says.
    pub fn link(&self, relative: &str) -> io::Result<Option<String>> {
        match std::fs::read_link(self.path(relative)) {
            Ok(target) => Ok(target.file_name().map(|name| name.to_string_lossy().into_owned())),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Names in a folder, which are none if it does not exist.
    ///
    /// # Errors
    /// What getdents(2) says.
    pub fn names(&self, relative: &str) -> io::Result<Vec<String>> {
        match std::fs::read_dir(self.path(relative)) {
            Ok(entries) => entries.map(|e| Ok(e?.file_name().to_string_lossy().into_owned())).collect(),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(e) => Err(e),
        }
    }

    /// # Errors
    /// What write(2) says; a driver's refusal is one.
    pub fn write(&self, relative: &str, text: &str) -> io::Result<()> {
        std::fs::write(self.path(relative), text)
    }
}
