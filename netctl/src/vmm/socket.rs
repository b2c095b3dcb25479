//! Ports for a VMM that takes a socket: one end for it, and the relay that has the other.

use nix::sys::socket::SockType;

use super::RunPort;
use super::open::Opened;
use super::relay::{Endpoint, Relay, RelayError, open_queue};
use crate::fd::vhost;
use crate::network::Netlink;

/// What a VMM takes for a NIC in place of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketKind {
    /// Each frame behind its length, of 32 bits in network byte order.
    Stream,
    /// Each frame a message. The socket is SOCK_SEQPACKET, which is used like SOCK_DGRAM, and which ends with its other end.
    Messages,
}

/// Opens a port for its relay, and the socket between it and the VMM, whose end takes the place of the queues. The relay moves no
/// frame until it is started.
///
/// # Errors
/// As [`super::open::open`]; no descriptor stays open then.
pub async fn open(
    netlink: &Netlink,
    port: &RunPort,
    kind: SocketKind,
) -> Result<(Opened, Relay), RelayError> {
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
    let relay = Relay::new(&port.name, queue, endpoint)?;
    Ok((Opened { port: port.clone(), queues: vec![fd], vhost: vhost::Opened::Off }, relay))
}
