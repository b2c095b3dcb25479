//! Queues of macvtap interfaces, by their character device. The facts named here are of drivers/net/tap.c.
//!
//! The device is found by its number in the sysfs of this network namespace. Never by `/dev/tapN`: interface indexes
//! repeat between namespaces, and devtmpfs has one node of a name, which may be another guest's NIC.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};

use super::detached;
use super::error::FdError;
use super::ioctl;
use super::setup::{self, Driver};
use super::tap::{self, Options};

/// Opens the queues of a macvtap, set up as `options` say.
///
/// # Errors
/// [`FdError::Missing`], [`FdError::NoMacvtap`], [`FdError::NotPermitted`], [`FdError::TooManyQueues`],
/// [`FdError::Unsupported`], [`FdError::Macvtap`]. A macvtap can be
/// opened beside another process, which then gets only a part of the frames; who wants to know asks [`holders`].
pub fn open(interface: &str, queues: u16, options: impl Into<Options>) -> Result<Vec<OwnedFd>, FdError> {
    let options = options.into();
    let device = device(interface)?;
    let open = |_| open_queue(interface, queues, device);
    let fds = (0..queues).map(open).collect::<Result<Vec<_>, _>>()?;
    fds.iter().try_for_each(|fd| adjust(fd, interface, queues, &options))?;
    Ok(fds)
}

/// Puts the options into force on an open queue.
pub(super) fn adjust(fd: &OwnedFd, interface: &str, queues: u16, options: &Options) -> Result<(), FdError> {
    let features = ioctl::get_uint(fd.as_raw_fd(), libc::TUNGETFEATURES)
        .map_err(|source| failed(interface, "ask for its features", source))?;
    setup::check(interface, queues, options, features)?;
    tap::adjust(fd, interface, setup::queue_flags(queues, options))?;
    setup::apply(fd.as_fd(), interface, options, Driver::Macvtap)
}

/// Number of the character device of the macvtap of that name in this network namespace: `Some(None)` if there is none,
/// `None` if that cannot be known. Numbers of living macvtaps differ between all namespaces.
pub(super) fn device_number(interface: &str) -> Option<Option<libc::dev_t>> {
    match device(interface) {
        Ok(number) => Some(Some(number)),
        Err(FdError::Missing { .. } | FdError::NoMacvtap { .. }) => Some(None),
        Err(_) => None,
    }
}

/// Identities of the other processes that hold a queue of a macvtap: the driver itself refuses nobody. Only what
/// /proc shows is found.
///
/// # Errors
/// [`FdError::Missing`], [`FdError::NoMacvtap`], [`FdError::NotPermitted`], [`FdError::Macvtap`].
pub fn holders(interface: &str) -> Result<BTreeSet<u32>, FdError> {
    device_holders(device(interface)?).map_err(|source| failed(interface, "read /proc", source))
}

/// As [`holders`], by the number of the device.
pub(super) fn device_holders(device: libc::dev_t) -> io::Result<BTreeSet<u32>> {
    let processes = fs::read_dir("/proc")?;
    let numbers = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let own = std::process::id();
    Ok(numbers.filter(|pid| *pid != own && holds(*pid, device)).collect())
}

/// A process that ends meanwhile holds nothing.
fn holds(pid: u32, device: libc::dev_t) -> bool {
    let Ok(files) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    let is_device = |facts: fs::Metadata| facts.file_type().is_char_device() && facts.rdev() == device;
    files.flatten().any(|file| {
        fs::metadata(file.path()).is_ok_and(is_device)
            && !is_reference(&format!("/proc/{pid}/fdinfo/{}", file.file_name().to_string_lossy()))
    })
}

/// Whether a descriptor is one of O_PATH, which opens no device, and which everybody may have of every node (proc(5)).
fn is_reference(info: &str) -> bool {
    let text = fs::read_to_string(info).unwrap_or_default();
    let flags = text.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|octal| libc::c_int::from_str_radix(octal.trim(), 8).ok());
    flags.is_some_and(|flags| flags & libc::O_PATH != 0)
}

fn open_queue(interface: &str, queues: u16, device: libc::dev_t) -> Result<OwnedFd, FdError> {
    let fail = |what| move |source| failed(interface, what, source);
    let place = detached::mount(c"tmpfs").map_err(fail("make a place for its device node"))?;
    detached::make_node(&place, c"tap", device).map_err(fail("make its device node"))?;
    let fd = detached::open_at(&place, c"tap", libc::O_RDWR).map_err(|e| match e.raw_os_error() {
        // The device number outlives the interface for a moment; tap_open().
        Some(libc::EBUSY) => FdError::TooManyQueues { interface: interface.to_owned(), queues },
        Some(libc::ENODEV | libc::ENXIO) => FdError::Missing { interface: interface.to_owned() },
        _ => failed(interface, "open its device", e),
    })?;
    // The interface may have been replaced since its number was read.
    let info = tap::info(fd.as_fd()).map_err(fail("ask for its name"))?;
    if info.interface == interface {
        Ok(fd)
    } else {
        Err(FdError::Missing { interface: interface.to_owned() })
    }
}

/// Number of the character device, from `class/net/IF/tapINDEX/dev`.
fn device(interface: &str) -> Result<libc::dev_t, FdError> {
    let fail = |what| move |source| failed(interface, what, source);
    let missing = || FdError::Missing { interface: interface.to_owned() };
    let index = ioctl::interface_index(interface).ok_or_else(missing)?;
    let sysfs = detached::mount(c"sysfs").map_err(fail("read its device number from sysfs"))?;
    let path = CString::new(format!("class/net/{interface}/tap{index}/dev")).map_err(|_| missing())?;
    let file = detached::open_at(&sysfs, &path, libc::O_RDONLY).map_err(|e| match e.raw_os_error() {
        Some(libc::ENOENT) => FdError::NoMacvtap { interface: interface.to_owned() },
        _ => failed(interface, "read its device number from sysfs", e),
    })?;
    let mut text = String::new();
    File::from(file).read_to_string(&mut text).map_err(fail("read its device number"))?;
    number(&text)
        .ok_or_else(|| failed(interface, "read its device number", io::ErrorKind::InvalidData.into()))
}

/// `MAJOR:MINOR`, as sysfs writes it.
pub(super) fn number(text: &str) -> Option<libc::dev_t> {
    let (major, minor) = text.trim().split_once(':')?;
    Some(libc::makedev(major.parse().ok()?, minor.parse().ok()?))
}

fn failed(interface: &str, what: &'static str, source: io::Error) -> FdError {
    let interface = interface.to_owned();
    match source.kind() {
        io::ErrorKind::PermissionDenied => FdError::NotPermitted { interface },
        _ => FdError::Macvtap { interface, what, source },
    }
}
