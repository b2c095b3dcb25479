//! Who started the helper: facts of the kernel's about this process, never anything that the caller says.

use std::collections::BTreeSet;
use std::fs;

use nix::unistd::{User, getgid, getgroups, getpid, getppid, getuid};

/// The user behind the request.
#[derive(Clone, Debug, Default)]
pub(super) struct Caller {
    /// The real one.
    pub uid: u32,
    /// Name of the uid, or the number.
    pub user: String,
    /// The real one and the supplementary ones.
    pub groups: BTreeSet<u32>,
    pub pid: i32,
    pub parent_pid: i32,
    /// Path of the parent's program; its own name for itself where the path may not be read.
    pub parent: String,
}

impl Caller {
    pub(super) fn read() -> Self {
        let uid = getuid();
        let name = User::from_uid(uid).ok().flatten().map(|user| user.name);
        let parent_pid = getppid().as_raw();
        let groups = getgroups().unwrap_or_default().into_iter().chain([getgid()]);
        Self {
            uid: uid.as_raw(),
            user: name.unwrap_or_else(|| uid.to_string()),
            groups: groups.map(|gid| gid.as_raw()).collect(),
            pid: getpid().as_raw(),
            parent_pid,
            parent: program(parent_pid),
        }
    }
}

fn program(pid: i32) -> String {
    let path = fs::read_link(format!("/proc/{pid}/exe")).map(|path| path.to_string_lossy().into_owned());
    let name = || fs::read_to_string(format!("/proc/{pid}/comm")).map(|name| name.trim_end().to_owned());
    path.or_else(|_| name()).unwrap_or_else(|_| "unknown".to_owned())
}
