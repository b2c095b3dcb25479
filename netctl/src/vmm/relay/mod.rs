//! Relays: a port for a VMM that takes frames on a socket. No policy in here; the frames cross the port's own programs.
//!
//! A frame on a socket crosses no interface, so a process of its own moves it between the socket and the port's queue.
//! The peer is hostile: the process has nothing but those two descriptors ([`crate::fd::confine`]), and memory for two
//! frames in each direction. [`endpoint`] makes the socket, [`process`] the process, `pump` moves the frames.

pub mod address;
pub mod counters;
pub mod endpoint;
mod frames;
mod link;
pub mod process;
mod pump;

use std::io;
use std::os::fd::{OwnedFd, RawFd};

pub use address::{Address, AddressError};
pub use counters::{Counters, End};
pub use endpoint::Endpoint;
pub use process::Relay;

use super::RunPort;
use super::open::{OpenError, open_queues};
pub use crate::fd::place::Place;
use crate::fd::tap::Header;
use crate::network::Netlink;

/// Why a port has no relay.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    #[error(transparent)]
    Open(Box<OpenError>),
    #[error(transparent)]
    Address(#[from] AddressError),
    #[error("cannot {what} `{address}`")]
    Socket { what: &'static str, address: Address, source: io::Error },
    #[error(
        "`{address}`: a datagram socket takes frames from anyone who may send to it; name the VMM's own socket, which \
         then is the only one: `--connect {address} --bind PATH`"
    )]
    NoListening { address: Address },
    #[error("`{address}`: the VMM needs a socket to send to; add `--bind PATH`")]
    NoPlace { address: Address },
    #[error("`{address}` needs no `--bind`: both directions use one connection")]
    NeedlessPlace { address: Address },
    #[error("descriptor {number} {what}")]
    Descriptor { number: RawFd, what: String },
    #[error("cannot start the relay of port `{port}`: it could not {what}")]
    Start { port: String, what: &'static str, source: io::Error },
}

/// A queue of the port for a relay: one thread moves all frames, so it has one, and the kernel gives it the frames of all.
///
/// # Errors
/// As [`super::open::open`].
pub async fn open_queue(netlink: &Netlink, port: &RunPort) -> Result<OwnedFd, RelayError> {
    let queues = open_queues(netlink, port, Header::None).await;
    let mut queues = queues.map_err(|e| RelayError::Open(Box::new(e)))?;
    Ok(queues.swap_remove(0))
}
