//! Ports for VMMs: [`open`] opens the descriptors, [`run`] becomes the VMM with them (`netctl run PORT… -- VMM ARGS…`),
//! [`template`] fills its arguments in, [`qemu`] knows QEMU's syntax.
//!
//! What a port is and whether it may run is known to the caller.

pub mod open;
pub mod qemu;
pub mod run;
pub mod template;

use crate::config::{Mac, PortKind, TapOptions, Vhost};

/// What has to be known of a running port to start a guest on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunPort {
    pub name: String,
    /// Name of the tap or macvtap.
    pub interface: String,
    pub kind: PortKind,
    /// The guest's.
    pub mac: Mac,
    /// Queue pairs.
    pub queues: u16,
    pub vhost: Vhost,
    /// How the queues are opened.
    pub tap: TapOptions,
    /// `/dev/vhost-vdpa-N` in place of queues: nothing filters the guest's frames, and the document says so.
    pub vdpa: Option<u32>,
    /// Bytes; told to the guest where set.
    pub mtu: Option<u32>,
}

/// A port whose descriptors are open, as its VMM will see them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenPort<'a> {
    pub port: &'a RunPort,
    /// Numbers of the descriptors, one for each queue; none with `vdpa`.
    pub fds: Vec<i32>,
    /// One for each queue, that of the device with `vdpa`, or why there are none.
    pub vhost_fds: Result<Vec<i32>, String>,
}
