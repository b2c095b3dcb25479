//! Queues of taps and macvtaps, and vhost devices, by their device numbers.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};

use libc::{IFF_DETACH_QUEUE, IFF_TUN, IFF_VNET_HDR};

use super::words::flags;
use super::{Facts, Kind, Namespace, Queue};
use crate::fd::{ioctl, macvtap, namespace, tap};

/// Who answers requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Driver {
    Tun,
    Macvtap,
    VhostNet,
    VhostVdpa,
}

/// linux/major.h, MISC_MAJOR; linux/miscdevice.h, TUN_MINOR and VHOST_NET_MINOR.
const MISC: u32 = 10;
const TUN: u32 = 200;
const VHOST_NET: u32 = 238;

/// linux/vhost.h.
const VHOST_GET_FEATURES: libc::Ioctl = libc::_IOR::<u64>(0xaf, 0x00);
const VHOST_VDPA_GET_DEVICE_ID: libc::Ioctl = libc::_IOR::<u32>(0xaf, 0x70);

/// `None` for what is none of them.
pub(super) fn driver(metadata: &Metadata) -> Option<Driver> {
    if !metadata.file_type().is_char_device() {
        return None;
    }
    let (major, minor) = (libc::major(metadata.rdev()), libc::minor(metadata.rdev()));
    match (major, minor) {
        (MISC, TUN) => return Some(Driver::Tun),
        (MISC, VHOST_NET) => return Some(Driver::VhostNet),
        _ => {}
    }
    let devices = fs::read_to_string("/proc/devices").ok()?;
    let characters = devices.lines().take_while(|line| !line.starts_with("Block"));
    let named =
        |line: &str| line.trim().split_once(' ').is_some_and(|(number, _)| number.parse() == Ok(major));
    match characters.into_iter().find(|line| named(line))?.trim().split_once(' ')?.1 {
        "macvtap" => Some(Driver::Macvtap),
        "vhost-vdpa" => Some(Driver::VhostVdpa),
        _ => None,
    }
}

impl Driver {
    pub(super) const fn kind(self) -> Kind {
        match self {
            Self::Tun => Kind::TapQueue,
            Self::Macvtap => Kind::MacvtapQueue,
            Self::VhostNet => Kind::VhostNet,
            Self::VhostVdpa => Kind::VhostVdpa,
        }
    }
}

pub(super) fn facts(file: &File, driver: Driver, metadata: &Metadata) -> Facts {
    let mut facts = Facts::of(driver.kind());
    match driver {
        Driver::Tun | Driver::Macvtap => queue(file, driver, metadata, &mut facts),
        Driver::VhostNet => {
            facts.vhost_features = ioctl::get_u64(file.as_raw_fd(), VHOST_GET_FEATURES).ok();
            facts.note = Some(NO_OWNER.to_owned());
        }
        Driver::VhostVdpa => {
            facts.vhost_features = ioctl::get_u64(file.as_raw_fd(), VHOST_GET_FEATURES).ok();
            facts.vdpa_device = ioctl::get_uint(file.as_raw_fd(), VHOST_VDPA_GET_DEVICE_ID).ok();
            facts.note =
                Some("its frames cross no interface of the host: no policy is enforced on them".to_owned());
        }
    }
    facts
}

/// drivers/vhost/vhost.c: every request but VHOST_SET_OWNER gives EPERM, whether there is no owner or another.
const NO_OWNER: &str = "which tap it serves and whether it has an owner is told to its owner only";

fn queue(file: &File, driver: Driver, metadata: &Metadata, facts: &mut Facts) {
    let fd = file.as_raw_fd();
    // Of the driver, and so known without an interface.
    facts.features =
        ioctl::get_uint(fd, libc::TUNGETFEATURES).map(|bits| flags(bits.cast_signed())).unwrap_or_default();
    let info = match tap::info(file.as_fd()) {
        Ok(info) => info,
        Err(error) => {
            facts.note = Some(no_interface(driver, &error));
            return;
        }
    };
    if driver == Driver::Tun && info.flags & IFF_TUN != 0 {
        facts.kind = Kind::TunQueue;
    }
    facts.flags = flags(info.flags & !IFF_DETACH_QUEUE);
    if info.flags & IFF_VNET_HDR != 0 {
        facts.header_bytes = ioctl::get_uint(fd, libc::TUNGETVNETHDRSZ).ok();
    }
    facts.sndbuf = ioctl::get_uint(fd, libc::TUNGETSNDBUF).ok();
    match driver {
        Driver::Tun => {
            let detached = info.flags & IFF_DETACH_QUEUE != 0;
            facts.queue = Some(if detached { Queue::Detached } else { Queue::Attached });
            facts.namespace = namespace::of_tap(file.as_fd());
        }
        // drivers/net/tap.c tells neither.
        _ => {
            facts.namespace = macvtap::device_number(&info.interface).map(|number| match number {
                Some(number) if number == metadata.rdev() => Namespace::This,
                _ => Namespace::Another,
            });
            facts.note =
                Some("a macvtap tells neither its send buffer nor whether its queue is attached".to_owned());
        }
    }
    facts.interface = Some(info.interface);
}

fn no_interface(driver: Driver, error: &io::Error) -> String {
    let interface = match driver {
        Driver::Tun => "it has no interface: TUNSETIFF did not give it one, or the interface was deleted",
        _ => "its interface was deleted",
    };
    match error.raw_os_error() {
        Some(libc::EBADFD | libc::ENOLINK) => interface.to_owned(),
        _ => format!("TUNGETIFF: {error}"),
    }
}
