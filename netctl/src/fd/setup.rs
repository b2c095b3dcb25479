//! Options of queues, put into force on an open one. What the running kernel or the kind of interface has not is refused
//! by name, never left out: the drivers are asked (TUNGETFEATURES), or refuse themselves (EINVAL).

use std::os::fd::{AsRawFd, BorrowedFd};

use libc::{IFF_MULTI_QUEUE, IFF_NAPI, IFF_NAPI_FRAGS, IFF_NO_PI, IFF_TAP, IFF_VNET_HDR};

use super::error::FdError;
use super::ioctl;
use super::tap::{self, Header, Napi, Offload, Options, refused};

/// Whose queues they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Driver {
    /// What is set belongs to the interface and stays as the last VMM left it (drivers/net/tun.c).
    Tun,
    /// The header and the send buffer belong to the queue (drivers/net/tap.c).
    Macvtap,
}

/// For TUNSETIFF.
pub(super) fn queue_flags(queues: u16, options: &Options) -> libc::c_int {
    let napi = match options.napi {
        Napi::Off => 0,
        Napi::On => IFF_NAPI,
        Napi::Frags => IFF_NAPI | IFF_NAPI_FRAGS,
    };
    let header = if options.header == Header::Virtio { IFF_VNET_HDR } else { 0 };
    let multi_queue = if queues > 1 { IFF_MULTI_QUEUE } else { 0 };
    IFF_TAP | IFF_NO_PI | header | multi_queue | napi
}

/// Whether the driver, with `features` of TUNGETFEATURES, has what is asked for.
pub(super) fn check(interface: &str, queues: u16, options: &Options, features: u32) -> Result<(), FdError> {
    let wanted = queue_flags(queues, options);
    let options = [
        (IFF_VNET_HDR, "vnet-header"),
        (IFF_MULTI_QUEUE, "queues"),
        (IFF_NAPI, "napi"),
        (IFF_NAPI_FRAGS, "napi-frags"),
    ];
    let missing =
        options.into_iter().find(|(bit, _)| wanted & bit != 0 && features & bit.cast_unsigned() == 0);
    match missing {
        Some((_, option)) => Err(FdError::Unsupported { interface: interface.to_owned(), option }),
        None => Ok(()),
    }
}

/// Sets all but the flags.
pub(super) fn apply(
    fd: BorrowedFd<'_>,
    interface: &str,
    options: &Options,
    driver: Driver,
) -> Result<(), FdError> {
    if options.header == Header::Virtio {
        tap::set_header_len(fd, options.header_bytes).map_err(|e| match e.raw_os_error() {
            Some(libc::EINVAL) => {
                FdError::Unsupported { interface: interface.to_owned(), option: "header-size" }
            }
            _ => refused("TUNSETVNETHDRSZ", interface, e),
        })?;
    }
    set_offloads(fd, interface, options)?;
    let unlimited = (driver == Driver::Tun).then_some(libc::c_int::MAX.cast_unsigned());
    if let Some(bytes) = options.sndbuf.or(unlimited) {
        set_sndbuf(fd, bytes).map_err(|e| refused("TUNSETSNDBUF", interface, e))?;
    }
    Ok(())
}

fn set_sndbuf(fd: BorrowedFd<'_>, bytes: u32) -> std::io::Result<()> {
    let bytes = libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX);
    ioctl::set_int(fd.as_raw_fd(), libc::TUNSETSNDBUF, bytes)
}

fn set_offloads(fd: BorrowedFd<'_>, interface: &str, options: &Options) -> Result<(), FdError> {
    let all = options.offloads.iter().fold(0, |bits, offload| bits | bit(*offload));
    let Err(error) = tap::set_offloads(fd, all) else { return Ok(()) };
    if error.raw_os_error() != Some(libc::EINVAL) {
        return Err(refused("TUNSETOFFLOAD", interface, error));
    }
    // Which one it was: each with what the kernel takes it with.
    let refuses = |offload: &&Offload| tap::set_offloads(fd, bit(**offload) | companions(**offload)).is_err();
    let option = options.offloads.iter().find(refuses).map_or("offloads", |offload| offload.name());
    Err(FdError::Unsupported { interface: interface.to_owned(), option })
}

const fn bit(offload: Offload) -> u32 {
    match offload {
        Offload::Checksum => libc::TUN_F_CSUM,
        Offload::Tso4 => libc::TUN_F_TSO4,
        Offload::Tso6 => libc::TUN_F_TSO6,
        Offload::Ecn => libc::TUN_F_TSO_ECN,
        Offload::Ufo => libc::TUN_F_UFO,
        Offload::Uso4 => libc::TUN_F_USO4,
        Offload::Uso6 => libc::TUN_F_USO6,
    }
}

const fn companions(offload: Offload) -> u32 {
    match offload {
        Offload::Checksum => 0,
        Offload::Ecn => libc::TUN_F_CSUM | libc::TUN_F_TSO4 | libc::TUN_F_TSO6,
        Offload::Uso4 | Offload::Uso6 => libc::TUN_F_CSUM | libc::TUN_F_USO4 | libc::TUN_F_USO6,
        Offload::Tso4 | Offload::Tso6 | Offload::Ufo => libc::TUN_F_CSUM,
    }
}
