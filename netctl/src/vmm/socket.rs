//! Ports for a VMM that takes a socket: one end for it, and the relay that has the other.

use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::SockType;

use super::relay::{Endpoint, Relay, RelayError, open_queue};
use super::{OpenPort, RunPort};
use crate::network::Netlink;

/// What a VMM takes for a NIC in place of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketKind {
    /// Each frame behind its length, of 32 bits in network byte order.
    Stream,
    /// Each frame a message. The socket is SOCK_SEQPACKET, which is used like SOCK_DGRAM, and which ends with its other end.
    Messages,
}

/// A port whose socket is open, close-on-exec; everything closes if it is dropped.
#[derive(Debug)]
#[must_use = "the port is free again when this is dropped"]
pub struct SocketPort {
    pub port: RunPort,
    /// The VMM's end.
    pub fd: OwnedFd,
    /// Moves no frame until it is started.
    pub relay: Relay,
}

/// Opens a port for its relay, and the socket between it and the VMM.
///
/// # Errors
/// As [`super::open::open`]; no descriptor stays open then.
pub async fn open(netlink: &Netlink, port: &RunPort, kind: SocketKind) -> Result<SocketPort, RelayError> {
    let queue = open_queue(netlink, port).await?;
    let kind = match kind {
        SocketKind::Stream => SockType::Stream,
        SocketKind::Messages => SockType::SeqPacket,
    };
    let pair = Endpoint::pair(kind);
    let (endpoint, fd) = pair.map_err(|source| RelayError::Start {
        port: port.name.clone(),
        what: "make a pair of sockets",
        source,
    })?;
    Ok(SocketPort { port: port.clone(), fd, relay: Relay::new(&port.name, queue, endpoint)? })
}

impl SocketPort {
    /// As the VMM will see it.
    pub fn describe(&self) -> OpenPort<'_> {
        let vhost_fds = Err("the port is handed over as a socket".to_owned());
        OpenPort { port: &self.port, fds: vec![self.fd.as_raw_fd()], vhost_fds }
    }
}
