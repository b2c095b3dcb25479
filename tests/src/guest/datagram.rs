//! UDP and ping of a guest.

use std::net::IpAddr;
use std::time::Duration;

use smoltcp::iface::SocketHandle;
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::socket::{icmp, udp};
use smoltcp::wire::{Icmpv4Packet, Icmpv4Repr, Icmpv6Packet, Icmpv6Repr, IpAddress, IpEndpoint};

use super::Guest;
use super::stack::Stack;
use crate::frame::protocol;

/// What came of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It came back.
    Echo,
    /// "Destination unreachable" with this code, of the family's ICMP.
    Unreachable(u8),
    Silence,
}

impl Guest {
    /// Sends back each datagram that comes to `port`.
    ///
    /// # Panics
    /// On port 0.
    pub fn udp_echo(&self, port: u16) {
        assert!(port != 0, "port 0 cannot be listened on");
        let mut stack = self.shared.lock();
        let socket = bound_udp_socket(&mut stack, port);
        stack.serve_udp(socket);
    }

    /// Whether an echo service sends this one datagram back within `limit`.
    pub fn udp_ask(&self, address: IpAddr, port: u16, payload: &[u8], limit: Duration) -> bool {
        self.udp_answer(address, port, payload, limit) == Answer::Echo
    }

    /// Like [`Self::udp_ask`], and tells a refusal from silence.
    pub fn udp_answer(&self, address: IpAddr, port: u16, payload: &[u8], limit: Duration) -> Answer {
        let remote = IpEndpoint::new(address.into(), port);
        let (socket, local_port) = {
            let mut stack = self.shared.lock();
            let local_port = stack.ephemeral_port();
            let socket = bound_udp_socket(&mut stack, local_port);
            // Fails only for what no one can have as an address: that is silence as well.
            let _ = stack.sockets.get_mut::<udp::Socket<'_>>(socket).send_slice(payload, remote);
            (socket, local_port)
        };
        let answer = self.shared.wait(limit, |stack| {
            let refused = stack.take_refusal(|r| r.protocol == protocol::UDP && r.local_port == local_port);
            if let Some(code) = refused {
                return Some(Answer::Unreachable(code));
            }
            let (data, from) = stack.sockets.get_mut::<udp::Socket<'_>>(socket).recv().ok()?;
            (data == payload && from.endpoint == remote).then_some(Answer::Echo)
        });
        self.shared.lock().sockets.remove(socket);
        answer.unwrap_or(Answer::Silence)
    }

    /// Whether one echo request is answered within `limit`.
    pub fn ping(&self, address: IpAddr, limit: Duration) -> bool {
        let (socket, ident) = {
            let mut stack = self.shared.lock();
            let ident = stack.ident();
            (ping(&mut stack, address.into(), ident), ident)
        };
        let answer = self.shared.wait(limit, |stack| {
            let socket = stack.sockets.get_mut::<icmp::Socket<'_>>(socket);
            let (data, from) = socket.recv().ok()?;
            (from == address.into() && is_reply(data, address, ident)).then_some(())
        });
        self.shared.lock().sockets.remove(socket);
        answer.is_some()
    }
}

fn bound_udp_socket(stack: &mut Stack, port: u16) -> SocketHandle {
    let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 16], vec![0; 16384]);
    let mut socket = udp::Socket::new(buffer(), buffer());
    // A fresh socket binds to any port but 0.
    let _ = socket.bind(port);
    stack.sockets.add(socket)
}

fn ping(stack: &mut Stack, address: IpAddress, ident: u16) -> SocketHandle {
    let buffer = || icmp::PacketBuffer::new(vec![icmp::PacketMetadata::EMPTY; 4], vec![0; 1024]);
    let mut socket = icmp::Socket::new(buffer(), buffer());
    // A fresh socket binds to any identifier.
    let _ = socket.bind(icmp::Endpoint::Ident(ident));
    let request = match address {
        IpAddress::Ipv4(_) => {
            let repr = Icmpv4Repr::EchoRequest { ident, seq_no: 1, data: b"netctl" };
            let mut bytes = vec![0; repr.buffer_len()];
            repr.emit(&mut Icmpv4Packet::new_unchecked(&mut bytes[..]), &ChecksumCapabilities::default());
            bytes
        }
        IpAddress::Ipv6(to) => {
            let repr = Icmpv6Repr::EchoRequest { ident, seq_no: 1, data: b"netctl" };
            let mut bytes = vec![0; repr.buffer_len()];
            let from = stack.interface.get_source_address_ipv6(&to);
            let checks = ChecksumCapabilities::default();
            repr.emit(&from, &to, &mut Icmpv6Packet::new_unchecked(&mut bytes[..]), &checks);
            bytes
        }
    };
    // Fails only for what no one can have as an address: that is silence as well.
    let _ = socket.send_slice(&request, address);
    stack.sockets.add(socket)
}

/// Type, identifier and sequence number; smoltcp has checked the sum.
fn is_reply(message: &[u8], address: IpAddr, ident: u16) -> bool {
    let kind = if address.is_ipv4() { 0 } else { 129 };
    let [a, b] = ident.to_be_bytes();
    message.first() == Some(&kind) && message.get(4..8) == Some(&[a, b, 0, 1])
}
