//! A macvtap's queue by the node that devtmpfs made of its device, for who may neither mount a sysfs nor make nodes.
//!
//! /sys and /dev may be another network namespace's, where names and indexes repeat: the caller compares what /sys says
//! with what netlink says, and the node has to have the number that /sys says. Finding needs no privilege.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::PathBuf;

use super::error::FdError;
use super::macvtap;
use super::tap::{self, Header};

/// What /sys has to say about the interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub interface: String,
    pub index: u32,
    /// Of the interface below.
    pub lower: u32,
    /// As sysfs writes it: `52:54:00:00:00:11`.
    pub mac: String,
    pub alias: String,
}

/// The device node of a macvtap, found and not opened.
#[derive(Debug)]
pub struct Node {
    interface: String,
    device: libc::dev_t,
    /// O_PATH: a reference to the node itself, whatever happens to its name.
    place: File,
    path: PathBuf,
}

impl Node {
    /// # Errors
    /// [`FdError::Node`]: /sys or /dev shows another interface, or none.
    pub fn find(identity: &Identity) -> Result<Self, FdError> {
        let fail = |what: &'static str| {
            let interface = identity.interface.clone();
            move |source| FdError::Node { interface, what, source }
        };
        if !is_shown(identity) {
            return Err(fail("find it in /sys")(io::Error::other("/sys shows other interfaces")));
        }
        let Identity { interface, index, .. } = identity;
        let text = fs::read_to_string(format!("/sys/class/net/{interface}/tap{index}/dev"));
        let device = text.and_then(|text| macvtap::number(&text).ok_or(io::ErrorKind::InvalidData.into()));
        let device = device.map_err(fail("read its device number from /sys"))?;
        let path = PathBuf::from(format!("/dev/tap{index}"));
        let place = OpenOptions::new().read(true).custom_flags(libc::O_PATH | libc::O_NOFOLLOW).open(&path);
        let place = place.map_err(fail("find its device in /dev"))?;
        let facts = place.metadata().map_err(fail("look at its device in /dev"))?;
        if !facts.file_type().is_char_device() || facts.rdev() != device {
            let other = io::Error::other(format!("{} is another device", path.display()));
            return Err(fail("find its device in /dev")(other));
        }
        Ok(Self { interface: interface.clone(), device, place, path })
    }

    /// Other processes that hold a queue. Needs CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH to see everyone's.
    ///
    /// # Errors
    /// If /proc cannot be read.
    pub fn holders(&self) -> io::Result<BTreeSet<u32>> {
        macvtap::device_holders(self.device)
    }

    /// One queue, not yet [adjusted](Self::adjust): only this needs CAP_DAC_OVERRIDE, or the right to open the node.
    ///
    /// # Errors
    /// [`FdError::NotPermitted`], [`FdError::Node`].
    pub fn open(&self) -> Result<OwnedFd, FdError> {
        // The link leads to the very node that was looked at (proc(5)).
        let path = format!("/proc/self/fd/{}", self.place.as_raw_fd());
        let interface = self.interface.clone();
        match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => Ok(file.into()),
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => Err(FdError::NotPermitted { interface }),
            Err(source) => Err(FdError::Node { interface, what: "open its device", source }),
        }
    }

    /// Header and offloads as a VMM finds them on a fresh queue.
    ///
    /// # Errors
    /// [`FdError::Missing`] if the queue is of another interface: this one has been replaced meanwhile.
    pub fn adjust(&self, queue: &OwnedFd, header: Header) -> Result<(), FdError> {
        let interface = self.interface.clone();
        let info = tap::info(queue.as_fd()).map_err(|source| FdError::Node {
            interface: interface.clone(),
            what: "ask its device for its name",
            source,
        })?;
        if info.interface != interface {
            return Err(FdError::Missing { interface });
        }
        macvtap::adjust(queue, &interface, 1, &header.into())
    }

    pub fn path(&self) -> &std::path::Path {
        &self.path
    }
}

/// Whether /sys shows this very interface.
fn is_shown(identity: &Identity) -> bool {
    let shows = |file: &str, wanted: &str| {
        let text = fs::read_to_string(format!("/sys/class/net/{}/{file}", identity.interface));
        text.is_ok_and(|text| text.trim_end() == wanted)
    };
    shows("ifindex", &identity.index.to_string())
        && shows("iflink", &identity.lower.to_string())
        && shows("address", &identity.mac)
        && shows("ifalias", &identity.alias)
}
