//! What can go wrong with a descriptor.

use std::io;

/// Why a tap, macvtap or vhost descriptor could not be had.
#[derive(Debug, thiserror::Error)]
pub enum FdError {
    #[error("cannot open {path}: not permitted; run as root, or let your user open the device")]
    DeviceNotPermitted { path: &'static str },
    #[error("cannot open {path}; the kernel module may be missing: `modprobe {module}`")]
    Device { path: &'static str, module: &'static str, source: io::Error },
    #[error("`{name}` is no interface name: 1 to 15 bytes without space, `/` and `:` are")]
    BadName { name: String },
    #[error("no interface `{interface}`; `netctl apply` makes the ports of a document")]
    Missing { interface: String },
    #[error("interface `{interface}` exists already; `netctl port list` shows netctl's ports")]
    Exists { interface: String },
    #[error("`{interface}` is in use by another process; stop the guest that holds it")]
    InUse { interface: String },
    #[error(
        "`{interface}` cannot be opened with {queues} queue{}: \
         it is not a tap, or was made for {}; run `netctl apply`",
        if *.queues > 1 { "s" } else { "" },
        if *.queues > 1 { "one" } else { "several" }
    )]
    QueueMismatch { interface: String, queues: u16 },
    #[error(
        "`{interface}`: not permitted; run as root, with CAP_NET_ADMIN, \
         or as the port's `owner`"
    )]
    NotPermitted { interface: String },
    #[error(
        "`{interface}` cannot have {queues} more queues: the kernel allows 256; give the port fewer `queues`"
    )]
    TooManyQueues { interface: String, queues: u16 },
    #[error("`{interface}`: this kernel's driver has no `{option}`; leave it out of the port's `tap`")]
    Unsupported { interface: String, option: &'static str },
    #[error("`{interface}` is no macvtap; `netctl apply` makes the ports of a document")]
    NoMacvtap { interface: String },
    #[error("macvtap `{interface}`: cannot {what}")]
    Macvtap { interface: String, what: &'static str, source: io::Error },
    #[error("macvtap `{interface}`: cannot {what}")]
    Node { interface: String, what: &'static str, source: io::Error },
    #[error("packet socket on `{interface}`")]
    Packet { interface: String, source: io::Error },
    #[error("{request} on `{interface}`")]
    Ioctl { request: &'static str, interface: String, source: io::Error },
    #[error("cannot open {path}; `modprobe vhost_vdpa` makes it of a device that `vdpa dev show` lists")]
    Vdpa { path: String, source: io::Error },
    #[error("{path} is no vhost-vdpa device; remove it, and let udev make the devices")]
    NoVdpa { path: String },
    #[error(
        "cannot open {path}, and the port asks for `vhost = \"on\"`; \
         load it with `modprobe vhost_net`, or let the port fall back with `vhost = \"auto\"`"
    )]
    Vhost { path: &'static str, source: io::Error },
}
