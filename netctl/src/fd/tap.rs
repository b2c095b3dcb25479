//! Queues of tap interfaces, by `/dev/net/tun`. The facts named here are of drivers/net/tun.c.
//!
//! A name of an interface is looked up in the network namespace of the thread that opens the device.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use libc::{IFF_ATTACH_QUEUE, IFF_DETACH_QUEUE, IFF_MULTI_QUEUE, IFF_NO_PI, IFF_PERSIST, IFF_TAP};
use libc::{IFF_TUN_EXCL, IFF_VNET_HDR};

use super::error::FdError;
use super::ioctl::{self, Request};
use super::setup::{self, Driver};

pub use crate::config::{Header, Napi, Offload, TapOptions as Options, VNET_HEADER_LEN};

/// The device that gives tap queues.
pub const DEVICE: &str = "/dev/net/tun";

/// A tap that vanishes when this value is dropped, until [`NewTap::persist`].
///
/// So a process that dies while it makes a tap leaves nothing behind.
#[derive(Debug)]
#[must_use = "the interface vanishes when this is dropped"]
pub struct NewTap {
    name: String,
    fd: OwnedFd,
}

/// What TUNGETIFF says about an open queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    pub interface: String,
    /// IFF_TAP, IFF_NO_PI, IFF_VNET_HDR, IFF_MULTI_QUEUE, IFF_PERSIST, … of linux/if_tun.h.
    pub flags: i32,
}

impl NewTap {
    /// Makes a tap, down, with a virtio header; `multi_queue` decides for its life how many queues it can have.
    ///
    /// # Errors
    /// [`FdError::Exists`] if there is any interface of that name; [`FdError::NotPermitted`] without CAP_NET_ADMIN.
    pub fn create(name: &str, multi_queue: bool) -> Result<Self, FdError> {
        let mut flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_TUN_EXCL;
        if multi_queue {
            flags |= IFF_MULTI_QUEUE;
        }
        let fd = open_device()?;
        set_interface(&fd, name, flags).map_err(|e| match e.raw_os_error() {
            // IFF_TUN_EXCL: EBUSY for any interface of that name, EINVAL for what no interface can be called.
            Some(libc::EBUSY | libc::EEXIST) => FdError::Exists { interface: name.to_owned() },
            Some(libc::EINVAL) => FdError::BadName { name: name.to_owned() },
            _ => refused("TUNSETIFF", name, e),
        })?;
        Ok(Self { name: name.to_owned(), fd })
    }

    /// Lets a user without CAP_NET_ADMIN open the queues (TUNSETOWNER).
    ///
    /// # Errors
    /// [`FdError::Ioctl`] if the uid does not exist in the user namespace.
    pub fn set_owner(&self, uid: u32) -> Result<(), FdError> {
        ioctl::set_number(self.fd.as_raw_fd(), libc::TUNSETOWNER, libc::c_ulong::from(uid))
            .map_err(|e| refused("TUNSETOWNER", &self.name, e))
    }

    /// Lets the members of a group do so (TUNSETGROUP).
    ///
    /// # Errors
    /// [`FdError::Ioctl`] if the gid does not exist in the user namespace.
    pub fn set_group(&self, gid: u32) -> Result<(), FdError> {
        ioctl::set_number(self.fd.as_raw_fd(), libc::TUNSETGROUP, libc::c_ulong::from(gid))
            .map_err(|e| refused("TUNSETGROUP", &self.name, e))
    }

    /// Lets the interface outlive its descriptors (TUNSETPERSIST), and closes this one.
    ///
    /// # Errors
    /// What the kernel says; the interface is gone then.
    pub fn persist(self) -> Result<(), FdError> {
        ioctl::set_number(self.fd.as_raw_fd(), libc::TUNSETPERSIST, 1)
            .map_err(|e| refused("TUNSETPERSIST", &self.name, e))
    }
}

/// Opens the queues of a persistent tap, set up as `options` say, whatever the last VMM did to the interface.
/// `queues` > 1 is right exactly for a tap that was made `multi_queue`.
///
/// # Errors
/// [`FdError::Missing`], [`FdError::InUse`] (a single queue can be open once), [`FdError::QueueMismatch`],
/// [`FdError::TooManyQueues`], [`FdError::Unsupported`], [`FdError::NotPermitted`]. A multi-queue tap can be opened
/// beside another process; who wants to know asks [`crate::network::queues_in_use`].
pub fn open(interface: &str, queues: u16, options: impl Into<Options>) -> Result<Vec<OwnedFd>, FdError> {
    let options = options.into();
    // TUNSETIFF would make an interface that does not exist: an unfiltered one.
    if ioctl::interface_index(interface).is_none() {
        return Err(FdError::Missing { interface: interface.to_owned() });
    }
    setup::check(interface, queues, &options, features()?)?;
    let open = |_| open_queue(interface, queues, &options);
    let fds = (0..queues).map(open).collect::<Result<Vec<_>, _>>()?;
    if let Some(first) = fds.first() {
        // What is set belongs to the interface.
        setup::apply(first.as_fd(), interface, &options, Driver::Tun)?;
    }
    Ok(fds)
}

fn open_queue(interface: &str, queues: u16, options: &Options) -> Result<OwnedFd, FdError> {
    let fd = open_device()?;
    let flags = setup::queue_flags(queues, options);
    set_interface(&fd, interface, flags).map_err(|e| match e.raw_os_error() {
        Some(libc::EBUSY) => FdError::InUse { interface: interface.to_owned() },
        Some(libc::EINVAL) => FdError::QueueMismatch { interface: interface.to_owned(), queues },
        Some(libc::E2BIG) => FdError::TooManyQueues { interface: interface.to_owned(), queues },
        _ => refused("TUNSETIFF", interface, e),
    })?;
    // The interface may have gone between the look and TUNSETIFF, which then made one. It goes with `fd`.
    let info = info(fd.as_fd()).map_err(|e| refused("TUNGETIFF", interface, e))?;
    if info.flags & IFF_PERSIST == 0 {
        return Err(FdError::Missing { interface: interface.to_owned() });
    }
    Ok(fd)
}

/// Sets the flags of an open macvtap queue, which belongs to its interface already (drivers/net/tap.c, tap_ioctl()).
pub(super) fn adjust(fd: &OwnedFd, interface: &str, flags: libc::c_int) -> Result<(), FdError> {
    set_interface(fd, interface, flags).map_err(|e| refused("TUNSETIFF", interface, e))
}

/// Bytes of the virtio header in front of every frame: 10 or 12 (TUNSETVNETHDRSZ). For all queues of the interface.
///
/// # Errors
/// EINVAL for less than 10.
pub fn set_header_len(fd: BorrowedFd<'_>, bytes: u16) -> io::Result<()> {
    ioctl::set_int(fd.as_raw_fd(), libc::TUNSETVNETHDRSZ, libc::c_int::from(bytes))
}

/// Which offloads the reader of the queues takes: bits `TUN_F_*` of linux/if_tun.h (TUNSETOFFLOAD).
/// For all queues of the interface.
///
/// # Errors
/// EINVAL for bits that the kernel does not know.
pub fn set_offloads(fd: BorrowedFd<'_>, bits: u32) -> io::Result<()> {
    ioctl::set_number(fd.as_raw_fd(), libc::TUNSETOFFLOAD, libc::c_ulong::from(bits))
}

/// Makes detached queues carry frames again (TUNSETQUEUE, IFF_ATTACH_QUEUE); attached ones stay so.
///
/// QEMU detaches all queues but the first and leaves them so when it ends; a second QEMU on the same
/// descriptors aborts. To be called before descriptors are used again.
///
/// # Errors
/// What the kernel says about a queue that is neither attached nor detached.
pub fn reattach<'a>(fds: impl IntoIterator<Item = BorrowedFd<'a>>) -> io::Result<()> {
    for fd in fds {
        match set_queue(fd, IFF_ATTACH_QUEUE) {
            // Attached already: tun_set_queue() says EINVAL, as it does for a queue of no interface.
            Err(e) if e.raw_os_error() == Some(libc::EINVAL) && info(fd).is_ok() => {}
            other => other?,
        }
    }
    Ok(())
}

/// Takes a queue of a multi-queue tap out of service without closing it (TUNSETQUEUE, IFF_DETACH_QUEUE).
///
/// # Errors
/// EINVAL for a single-queue tap and for a queue that is detached already.
pub fn detach(fd: BorrowedFd<'_>) -> io::Result<()> {
    set_queue(fd, IFF_DETACH_QUEUE)
}

/// Which interface a queue belongs to, and its flags (TUNGETIFF).
///
/// # Errors
/// EBADFD if the interface has been deleted.
pub fn info(fd: BorrowedFd<'_>) -> io::Result<Info> {
    let mut request = Request::without_name(0);
    request.send(fd.as_raw_fd(), libc::TUNGETIFF)?;
    Ok(Info { interface: request.name(), flags: request.flags() })
}

/// The `IFF_*` flags that the kernel's tun driver knows (TUNGETFEATURES).
///
/// # Errors
/// Those of opening [`DEVICE`].
pub fn features() -> Result<u32, FdError> {
    let fd = open_device()?;
    ioctl::get_uint(fd.as_raw_fd(), libc::TUNGETFEATURES).map_err(|e| refused("TUNGETFEATURES", DEVICE, e))
}

fn set_queue(fd: BorrowedFd<'_>, flags: libc::c_int) -> io::Result<()> {
    Request::without_name(flags).send(fd.as_raw_fd(), libc::TUNSETQUEUE)
}

fn set_interface(fd: &OwnedFd, name: &str, flags: libc::c_int) -> io::Result<()> {
    let mut request =
        Request::new(name, flags).ok_or_else(|| io::Error::from_raw_os_error(libc::ENAMETOOLONG))?;
    request.send(fd.as_raw_fd(), libc::TUNSETIFF)
}

/// `std` opens files close-on-exec.
fn open_device() -> Result<OwnedFd, FdError> {
    match OpenOptions::new().read(true).write(true).open(DEVICE) {
        Ok(file) => Ok(file.into()),
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
            Err(FdError::DeviceNotPermitted { path: DEVICE })
        }
        Err(source) => Err(FdError::Device { path: DEVICE, module: "tun", source }),
    }
}

pub(super) fn refused(request: &'static str, interface: &str, source: io::Error) -> FdError {
    let interface = interface.to_owned();
    match source.raw_os_error() {
        Some(libc::EPERM) => FdError::NotPermitted { interface },
        Some(libc::ENAMETOOLONG) => FdError::BadName { name: interface },
        _ => FdError::Ioctl { request, interface, source },
    }
}
