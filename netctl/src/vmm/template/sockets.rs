//! Placeholders for sockets: `{web1.stream}` and `{web1.dgram}`; and those that would cross no port, which are refused.

use super::super::socket::SocketKind;
use super::super::{RunPort, Vmm};
use super::{Argument, Key, Piece, Template, TemplateError};

/// A key that is no fact and no queue.
pub(super) fn key(port: &str, key: &str) -> Result<Key, TemplateError> {
    let port = || port.to_owned();
    match key {
        "stream" => Ok(Key::Socket(SocketKind::Stream)),
        "dgram" => Ok(Key::Socket(SocketKind::Messages)),
        "packet" => Err(TemplateError::Packet { port: port() }),
        "mcast" => Err(TemplateError::Multicast { port: port() }),
        _ => Err(TemplateError::UnknownKey { port: port(), key: key.to_owned() }),
    }
}

impl Template {
    /// The socket that the port of [`Self::parse`] by this index is handed over by; `None` for its queues.
    pub fn socket(&self, port: usize) -> Option<SocketKind> {
        self.uses(port).next().flatten()
    }

    /// A port is handed over in one way, and as a NIC by a socket only to QEMU.
    pub(super) fn check_socket(&self, index: usize, port: &RunPort) -> Result<(), TemplateError> {
        let (socket, port) = (self.socket(index), port.name.clone());
        if self.uses(index).any(|used| used != socket) {
            return Err(TemplateError::MixedKinds { port });
        }
        let is_nic = |argument: &Argument| matches!(argument, Argument::Socket(of, _) if *of == index);
        match self.vmm {
            Some(vmm) if vmm != Vmm::Qemu && self.arguments.iter().any(is_nic) => {
                Err(TemplateError::Unsuitable { port, vmm, reason: "it takes no sockets".to_owned() })
            }
            _ => Ok(()),
        }
    }

    /// Each use of the port's descriptors.
    fn uses(&self, port: usize) -> impl Iterator<Item = Option<SocketKind>> {
        self.arguments.iter().flat_map(move |argument| argument.uses(port))
    }
}

impl Argument {
    /// Whether it becomes the port's NIC.
    pub(super) fn is_nic(&self, port: usize) -> bool {
        matches!(self, Self::Port(index) | Self::Socket(index, _) if *index == port)
    }

    fn uses(&self, port: usize) -> Vec<Option<SocketKind>> {
        let of_piece = |piece: &Piece| match piece {
            Piece::Value(index, Key::Socket(kind), ..) if *index == port => Some(Some(*kind)),
            Piece::Value(index, Key::Fds | Key::VhostFds | Key::Queues, ..) if *index == port => Some(None),
            _ => None,
        };
        match self {
            Self::Port(index) if *index == port => vec![None],
            Self::Socket(index, kind) if *index == port => vec![Some(*kind)],
            Self::Pieces(pieces) => pieces.iter().filter_map(of_piece).collect(),
            _ => Vec::new(),
        }
    }
}
