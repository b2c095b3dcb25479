//! Ports for VMMs: [`open`] opens the descriptors, [`run`] becomes the VMM with them (`netctl run PORT… -- VMM ARGS…`),
//! [`handover`] sends them to a process that runs already (`netctl open PORT…`), [`relay`] gives a port to a VMM that takes a
//! socket. [`template`] fills a VMM's arguments in. [`Vmm`] knows which VMMs there are, and one file for each knows its syntax.
//!
//! What a port is and whether it may run is known to the caller: [`crate::state::State::run_port`] says both, and refuses a
//! port that is not filtered. netctl/examples/open_port.rs is the whole of it.

pub mod cloud_hypervisor;
pub mod crosvm;
pub mod firecracker;
pub mod handover;
mod known;
pub mod listen;
pub mod open;
mod program;
pub mod qemu;
pub mod relay;
pub mod run;
pub mod socket;
pub mod template;
pub mod user;

use crate::config::{Mac, PortKind, TapOptions, Vhost};

pub use known::Vmm;

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
    /// Numbers of the descriptors, one for each queue, or of the one socket; none with `vdpa`, and where the VMM opens the interface
    /// itself.
    pub fds: Vec<i32>,
    /// One for each queue, that of the device with `vdpa`, or why there are none.
    pub vhost_fds: Result<Vec<i32>, String>,
}

/// Numbers with a separator between them.
fn list(fds: &[i32], separator: char) -> String {
    let numbers: Vec<_> = fds.iter().map(ToString::to_string).collect();
    numbers.join(separator.encode_utf8(&mut [0; 4]))
}
