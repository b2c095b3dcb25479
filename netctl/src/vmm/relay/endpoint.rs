//! Makes a relay's socket, while this process still may: listening, connected, or inherited.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use nix::sys::socket::{Backlog, SockType, UnixAddr, connect, listen};

use super::RelayError;
use super::address::Address;
use super::link::{Link, Listener, tune};
use crate::fd::place::{Place, bound};
use crate::fd::{inherited, socket};

/// How long the other end of a TCP connection may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// Connections that wait; more than one is turned away as soon as it is seen.
const BACKLOG: i32 = 1;

/// Where a relay's VMM is.
#[derive(Debug)]
pub enum Endpoint {
    Connected(Link),
    Listening(Listener),
}

impl Endpoint {
    /// Waits for VMMs. A unix socket can be connected to by `owner` alone (and root).
    ///
    /// # Errors
    /// [`RelayError::Socket`]; [`RelayError::NoListening`] for datagrams.
    pub fn listen(address: &Address, owner: Option<u32>) -> Result<(Self, Option<Place>), RelayError> {
        let failed = |source| RelayError::Socket { what: "listen on", address: address.clone(), source };
        match address {
            Address::UnixDatagram(_) => Err(RelayError::NoListening { address: address.clone() }),
            Address::Unix(path) => {
                let (fd, place) = bound(path, SockType::Stream, owner).map_err(failed)?;
                let backlog = Backlog::new(BACKLOG).map_err(|e| failed(e.into()))?;
                listen(&fd, backlog).map_err(|e| failed(e.into()))?;
                let listener = UnixListener::from(fd);
                listener.set_nonblocking(true).map_err(failed)?;
                Ok((Self::Listening(Listener::Unix(listener)), Some(place)))
            }
            Address::Tcp(address) => {
                let listener = TcpListener::bind(address).map_err(failed)?;
                listener.set_nonblocking(true).map_err(failed)?;
                Ok((Self::Listening(Listener::Tcp(listener)), None))
            }
        }
    }

    /// Connects to a VMM that waits. Datagrams come back to a socket at `own`, which they need.
    ///
    /// # Errors
    /// [`RelayError::Socket`], [`RelayError::NoPlace`], [`RelayError::NeedlessPlace`].
    pub fn connect(
        address: &Address,
        own: Option<&Path>,
        owner: Option<u32>,
    ) -> Result<(Self, Option<Place>), RelayError> {
        let failed = |source| RelayError::Socket { what: "connect to", address: address.clone(), source };
        let of = |fd, kind| Link::new(fd, kind).map(Self::Connected).map_err(failed);
        match (address, own) {
            (Address::Unix(path), None) => {
                let stream = UnixStream::connect(path).map_err(failed)?;
                Ok((of(stream.into(), SockType::Stream)?, None))
            }
            (Address::Tcp(address), None) => {
                Ok((of(connect_tcp(address).map_err(failed)?, SockType::Stream)?, None))
            }
            (Address::UnixDatagram(path), Some(own)) => {
                let place_failed = |source| RelayError::Socket {
                    what: "bind to",
                    address: Address::UnixDatagram(own.to_owned()),
                    source,
                };
                let (fd, place) = bound(own, SockType::Datagram, owner).map_err(place_failed)?;
                let peer = UnixAddr::new(path).map_err(|e| failed(e.into()))?;
                connect(fd.as_raw_fd(), &peer).map_err(|e| failed(e.into()))?;
                Ok((of(fd, SockType::Datagram)?, Some(place)))
            }
            (Address::UnixDatagram(_), None) => Err(RelayError::NoPlace { address: address.clone() }),
            (_, Some(_)) => Err(RelayError::NeedlessPlace { address: address.clone() }),
        }
    }

    /// A socket that whoever started this process opened.
    ///
    /// # Errors
    /// [`RelayError::Descriptor`] for what is no connected socket of a kind that keeps to one peer.
    pub fn inherited(number: RawFd) -> Result<Self, RelayError> {
        let unfit = |what: &str| RelayError::Descriptor { number, what: what.to_owned() };
        let fd = inherited::duplicate(number).map_err(|e| unfit(&format!("cannot be used: {e}")))?;
        let facts = socket::facts(std::os::fd::AsFd::as_fd(&fd));
        let facts = facts.map_err(|_| unfit("is no socket"))?;
        let Some(facts) = facts else {
            return Err(unfit(
                "is a socket of another family than unix and TCP, which is not bound to one peer",
            ));
        };
        match facts.kind {
            _ if facts.listens => {
                Err(unfit("is a socket that listens; give a connected one, or use --listen"))
            }
            SockType::Datagram if !facts.is_unix => {
                Err(unfit("is a UDP socket, on which anyone could send as this guest; use a unix socket"))
            }
            _ if !facts.is_connected => Err(unfit("is a socket that is not connected")),
            SockType::Stream | SockType::Datagram | SockType::SeqPacket => {
                let link = Link::new(fd, facts.kind).map_err(|e| unfit(&format!("cannot be used: {e}")))?;
                Ok(Self::Connected(link))
            }
            _ => Err(unfit("is a socket of another kind than stream and datagram")),
        }
    }

    /// One end of a new pair; the other is for the VMM. `SockType::Stream`, or `SeqPacket` for messages.
    ///
    /// # Errors
    /// What socketpair(2) says.
    pub fn pair(kind: SockType) -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = socket::pair(kind)?;
        Ok((Self::Connected(Link::new(ours, kind)?), theirs))
    }

    pub(super) fn number(&self) -> RawFd {
        use std::os::fd::AsFd;
        match self {
            Self::Connected(link) => link.as_fd().as_raw_fd(),
            Self::Listening(listener) => listener.as_fd().as_raw_fd(),
        }
    }
}

fn connect_tcp(address: &SocketAddr) -> io::Result<OwnedFd> {
    use std::os::fd::AsFd;
    let stream = TcpStream::connect_timeout(address, CONNECT_LIMIT)?;
    tune(stream.as_fd())?;
    Ok(stream.into())
}
