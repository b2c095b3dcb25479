//! Descriptors of this process and of others: copies of them by pidfd_getfd(2), which needs what a debugger needs
//! (PTRACE_MODE_ATTACH_REALCREDS). Where that is not permitted, what /proc shows.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use super::{Facts, proc_file};
use crate::fd::ioctl;

/// Why there is nothing to be said about a descriptor.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    #[error(
        "descriptor {number} is not open in netctl; pass it on, as a shell does with `{number}<&{number}`"
    )]
    NotInherited { number: RawFd },
    #[error("descriptor {number} is not open in process {pid}; `netctl fd inspect pid:{pid}` lists what is")]
    NotOpen { pid: u32, number: RawFd },
    #[error("there is no process {pid}")]
    NoProcess { pid: u32 },
    #[error("process {pid}: not permitted; run as root, or as the user of the process")]
    NotPermitted { pid: u32 },
    #[error("process {pid}: cannot {what}")]
    Process { pid: u32, what: &'static str, source: io::Error },
    #[error("descriptor {number}")]
    Descriptor { number: RawFd, source: io::Error },
}

/// A descriptor of a process.
#[derive(Debug)]
pub struct Held {
    /// As the process calls it.
    pub number: RawFd,
    pub facts: Facts,
}

/// A copy of a descriptor that this process was started with. To be called before anything else is opened, which might
/// take the number.
///
/// # Errors
/// [`InspectError::NotInherited`].
pub fn inherited(number: RawFd) -> Result<OwnedFd, InspectError> {
    ioctl::duplicate(number).map_err(|error| match error.raw_os_error() {
        Some(libc::EBADF) => InspectError::NotInherited { number },
        _ => InspectError::Descriptor { number, source: error },
    })
}

/// What a copy from [`inherited`] is.
///
/// # Errors
/// Those of [`super::facts`].
pub fn own(copy: OwnedFd) -> io::Result<Facts> {
    let file = proc_file::link(std::process::id(), copy.as_raw_fd()).ok();
    Ok(Facts { file, ..super::facts(copy)? })
}

/// Numbers of the open descriptors of a process, in order.
///
/// # Errors
/// [`InspectError::NoProcess`], [`InspectError::NotPermitted`], [`InspectError::Process`].
pub fn descriptors(pid: u32) -> Result<Vec<RawFd>, InspectError> {
    let fail = |error| failed(pid, "list its descriptors", error);
    let files = fs::read_dir(format!("/proc/{pid}/fd")).map_err(fail)?;
    let mut numbers = Vec::new();
    for file in files {
        let name = file.map_err(fail)?.file_name();
        numbers.extend(name.to_str().and_then(|name| name.parse::<RawFd>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// What a descriptor of another process is.
///
/// # Errors
/// [`InspectError::NotOpen`], [`InspectError::NoProcess`], [`InspectError::NotPermitted`], [`InspectError::Process`].
pub fn of_process(pid: u32, number: RawFd) -> Result<Held, InspectError> {
    let process = ioctl::open_process(pid).map_err(|error| match error.raw_os_error() {
        // A number that no process can have.
        Some(libc::EINVAL) => InspectError::NoProcess { pid },
        _ => failed(pid, "open it", error),
    })?;
    let facts = match ioctl::take_copy(&process, number) {
        Ok(copy) => {
            let mut facts =
                super::facts(copy).map_err(|source| InspectError::Descriptor { number, source })?;
            facts.file = proc_file::link(pid, number).ok();
            facts
        }
        Err(error) => match error.raw_os_error() {
            Some(libc::EBADF) => return Err(InspectError::NotOpen { pid, number }),
            Some(libc::EPERM | libc::ENOSYS) => proc_file::facts(pid, number).map_err(|error| {
                if error.kind() == io::ErrorKind::NotFound {
                    InspectError::NotOpen { pid, number }
                } else {
                    failed(pid, "read its descriptors", error)
                }
            })?,
            _ => return Err(failed(pid, "copy its descriptor", error)),
        },
    };
    Ok(Held { number, facts })
}

fn failed(pid: u32, what: &'static str, source: io::Error) -> InspectError {
    match source.raw_os_error() {
        Some(libc::ESRCH | libc::ENOENT) => InspectError::NoProcess { pid },
        Some(libc::EPERM | libc::EACCES) => InspectError::NotPermitted { pid },
        _ => InspectError::Process { pid, what, source },
    }
}
