//! Placeholders for sockets: `{web1.stream}` and `{web1.dgram}`; and those that would cross no port, which are refused.

use super::super::socket::SocketKind;
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

    /// A port is handed over in one way.
    pub(super) fn check_socket(&self, port: usize, name: &str) -> Result<(), TemplateError> {
        let socket = self.socket(port);
        if self.uses(port).any(|used| used != socket) {
            return Err(TemplateError::MixedKinds { port: name.to_owned() });
        }
        Ok(())
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

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use crate::config::{Mac, PortKind, Vhost};
    use crate::vmm::template::{Template, TemplateError};
    use crate::vmm::{OpenPort, RunPort};

    fn port(name: &str) -> RunPort {
        RunPort {
            name: name.into(),
            interface: name.into(),
            mac: Mac([2, 0, 0, 0, 0, 1]),
            kind: PortKind::Tap,
            queues: 2,
            vhost: Vhost::Off,
            mtu: None,
        }
    }

    /// The one descriptor of the first port is 10, of the next 11.
    fn fill(ports: &[&str], command: &[&str]) -> Result<Vec<String>, TemplateError> {
        let ports: Vec<_> = ports.iter().map(|name| port(name)).collect();
        let command: Vec<OsString> = command.iter().map(Into::into).collect();
        let template = Template::parse(&command, &ports)?;
        let open = |(fd, port)| OpenPort { port, fds: vec![fd], vhost_fds: Err("none".into()) };
        let open: Vec<_> = (10..).zip(&ports).map(open).collect();
        Ok(template.fill(&open)?.into_iter().map(|a| a.into_string().unwrap()).collect())
    }

    #[test]
    fn a_socket_is_a_nic_where_it_stands_alone_and_else_a_number() {
        let filled =
            fill(&["a", "b"], &["vmm", "{a.stream}", "socket,id=n,fd={b.dgram},mac={b.mac}"]).unwrap();
        assert_eq!(filled[1..3], ["-netdev", "stream,id=a,addr.type=fd,addr.str=10"]);
        assert_eq!(filled[5], "socket,id=n,fd=11,mac=02:00:00:00:00:01");
    }

    #[test]
    fn a_port_is_handed_over_in_one_way() {
        let error = |command: &[&str]| fill(&["a"], command).unwrap_err().to_string();
        for mixed in [["{a}", "{a.stream}"], ["{a.stream}", "{a.dgram}"]] {
            assert!(error(&mixed).contains("twice"), "{}", error(&mixed));
        }
        for mixed in [["x={a.fds}", "{a.stream}"], ["x={a.stream}", "x={a.dgram}"], ["{a}", "x={a.dgram}"]] {
            assert!(error(&mixed).contains("one NIC for a port"), "{}", error(&mixed));
        }
        assert!(error(&["{a.mcast}"]).contains("without crossing a port"));
        assert!(error(&["{a.packet}"]).contains("past the port's programs"));
    }
}
