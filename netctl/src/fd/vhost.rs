//! Descriptors of `/dev/vhost-net` and `/dev/vhost-vdpa-N`. With vhost-net the kernel moves the frames between tap and guest,
//! not the VMM; one descriptor for each queue pair. What is done with them (VHOST_SET_OWNER and on) is the VMM's business.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::OwnedFd;

use super::error::FdError;
use super::inspect;
use crate::config::Vhost;

/// The device, of kernel module vhost_net.
pub const DEVICE: &str = "/dev/vhost-net";

/// What became of a port's wish.
#[derive(Debug)]
pub enum Opened {
    /// One descriptor for each queue.
    Queues(Vec<OwnedFd>),
    /// Not asked for.
    Off,
    /// Asked for if possible, and not possible.
    Unavailable(io::Error),
}

impl Opened {
    pub fn fds(&self) -> &[OwnedFd] {
        match self {
            Self::Queues(fds) => fds,
            Self::Off | Self::Unavailable(_) => &[],
        }
    }

    pub fn into_fds(self) -> Vec<OwnedFd> {
        match self {
            Self::Queues(fds) => fds,
            Self::Off | Self::Unavailable(_) => Vec::new(),
        }
    }

    /// Why there are no descriptors; `None` if there are.
    pub fn absence(&self) -> Option<String> {
        match self {
            Self::Queues(_) => None,
            Self::Off => Some("the port says `vhost = \"off\"`".to_owned()),
            Self::Unavailable(e) => Some(format!("cannot open {DEVICE}: {e}")),
        }
    }
}

/// Opens one descriptor for each queue, close-on-exec, all or none.
///
/// QEMU ends when it is told `vhost=on` and the device cannot be opened, so "if possible" has to be
/// decided before it starts: here.
///
/// # Errors
/// [`FdError::Vhost`], with [`Vhost::On`] only.
pub fn open(wish: Vhost, queues: u16) -> Result<Opened, FdError> {
    if wish == Vhost::Off {
        return Ok(Opened::Off);
    }
    match open_device(DEVICE, queues) {
        Ok(fds) => Ok(Opened::Queues(fds)),
        Err(source) if wish == Vhost::On => Err(FdError::Vhost { path: DEVICE, source }),
        Err(e) => Ok(Opened::Unavailable(e)),
    }
}

/// Opens `/dev/vhost-vdpa-N`, close-on-exec. What moves the frames then is the device, past the host: no policy is enforced.
///
/// # Errors
/// [`FdError::InUse`] where a VMM has it: the driver gives it to one. [`FdError::Vdpa`].
pub fn open_vdpa(number: u32) -> Result<OwnedFd, FdError> {
    let path = format!("/dev/vhost-vdpa-{number}");
    let file = OpenOptions::new().read(true).write(true).open(&path).map_err(|source| {
        match source.raw_os_error() {
            Some(libc::EBUSY) => FdError::InUse { interface: path.clone() },
            _ => FdError::Vdpa { path: path.clone(), source },
        }
    })?;
    // A file of that name may be anything.
    match file.try_clone().and_then(|copy| inspect::facts(copy.into())) {
        Ok(facts) if facts.kind == inspect::Kind::VhostVdpa => Ok(file.into()),
        _ => Err(FdError::NoVdpa { path }),
    }
}

fn open_device(path: &str, queues: u16) -> io::Result<Vec<OwnedFd>> {
    (0..queues).map(|_| Ok(OpenOptions::new().read(true).write(true).open(path)?.into())).collect()
}
