//! What an open descriptor is: the answers of its driver, read and never changed.
//!
//! A request is sent only to a descriptor whose device number says which driver answers: the numbers of ioctls repeat
//! between drivers.

mod device;
mod proc_file;
mod process;
mod socket;
mod words;

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt;

use serde::Serialize;

pub use process::{Held, InspectError, descriptors, inherited, of_process, own};

/// What is known of a descriptor. What its kind does not have, or its driver does not tell, is `None` or empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Facts {
    pub kind: Kind,
    /// In the descriptor's own network namespace, which may be another than ours.
    pub interface: Option<String>,
    /// Of TUNGETIFF, in the words of linux/if_tun.h without `IFF_`, in small letters.
    pub flags: Vec<&'static str>,
    pub queue: Option<Queue>,
    /// Bytes of the virtio header in front of every frame (TUNGETVNETHDRSZ).
    pub header_bytes: Option<u32>,
    /// Bytes that may wait to be sent (TUNGETSNDBUF).
    pub sndbuf: Option<u32>,
    /// What the driver of a queue can do (TUNGETFEATURES), in the words of [`Self::flags`].
    pub features: Vec<&'static str>,
    /// Bits of VHOST_GET_FEATURES.
    pub vhost_features: Option<u64>,
    /// Virtio's number for the kind of a vDPA device (virtio 1.2, 5): 1 is a NIC.
    pub vdpa_device: Option<u32>,
    pub socket: Option<socket::Facts>,
    pub namespace: Option<Namespace>,
    /// What /proc calls the file.
    pub file: Option<String>,
    /// What could not be known, and why.
    pub note: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    TapQueue,
    /// Of a tun interface, which carries packets without Ethernet headers.
    TunQueue,
    MacvtapQueue,
    VhostNet,
    VhostVdpa,
    PacketSocket,
    InetSocket,
    UnixSocket,
    OtherSocket,
    Other,
}

/// Whether frames come to a queue. A VMM detaches the queues that its guest does not use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Queue {
    Attached,
    Detached,
}

/// Where the interface or socket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Namespace {
    /// In the network namespace of this thread.
    This,
    Another,
}

impl Kind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::TapQueue => "tap queue",
            Self::TunQueue => "tun queue",
            Self::MacvtapQueue => "macvtap queue",
            Self::VhostNet => "vhost-net",
            Self::VhostVdpa => "vhost-vdpa",
            Self::PacketSocket => "packet socket",
            Self::InetSocket => "inet socket",
            Self::UnixSocket => "unix socket",
            Self::OtherSocket => "other socket",
            Self::Other => "no network descriptor",
        }
    }

    /// Whether frames can pass through it, or requests about them.
    pub const fn is_network(self) -> bool {
        !matches!(self, Self::OtherSocket | Self::Other)
    }
}

impl Facts {
    pub(super) fn of(kind: Kind) -> Self {
        Self {
            kind,
            interface: None,
            flags: Vec::new(),
            queue: None,
            header_bytes: None,
            sndbuf: None,
            features: Vec::new(),
            vhost_features: None,
            vdpa_device: None,
            socket: None,
            namespace: None,
            file: None,
            note: None,
        }
    }
}

/// Asks the drivers. `fd` is a copy of the descriptor that is meant; it is closed.
///
/// # Errors
/// What fstat(2) and getsockopt(2) say.
pub fn facts(fd: OwnedFd) -> io::Result<Facts> {
    let file = File::from(fd);
    let metadata = file.metadata()?;
    if metadata.file_type().is_socket() {
        return socket::facts(&file);
    }
    Ok(match device::driver(&metadata) {
        Some(driver) => device::facts(&file, driver, &metadata),
        None => Facts::of(Kind::Other),
    })
}
