//! TCP of a guest: an echo service, and connections to others' services.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use smoltcp::iface::SocketHandle;
use smoltcp::socket::tcp::{Socket, State};
use smoltcp::wire::IpEndpoint;

use super::stack::{Stack, new_tcp_socket};
use super::{Guest, Shared};
use crate::frame::protocol;

/// Why there is no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectError {
    /// Silence.
    Timeout,
    /// The other side, or someone in its name, sent RST.
    Reset,
    /// "Destination unreachable" with this code, of the family's ICMP.
    Unreachable(u8),
}

impl Guest {
    /// Accepts connections on `port`, many at a time and again and again, and sends back what comes.
    ///
    /// # Panics
    /// On port 0.
    pub fn tcp_listen(&self, port: u16) {
        assert!(port != 0, "port 0 cannot be listened on");
        self.shared.lock().serve_tcp(port);
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// How the attempt ended, at the latest after `limit`.
    ///
    /// # Panics
    /// If the guest has no address of the family.
    pub fn tcp_connect(&self, address: IpAddr, port: u16, limit: Duration) -> Result<Conn, ConnectError> {
        let (handle, local_port) = self.begin(IpEndpoint::new(address.into(), port));
        let conn = Conn { shared: Arc::clone(&self.shared), handle, local_port };
        let outcome = self.shared.wait(limit, |stack| outcome(stack, handle, local_port));
        match outcome.unwrap_or(Err(ConnectError::Timeout)) {
            Ok(()) => Ok(conn),
            Err(error) => {
                // Not a goodbye but the end of retransmissions.
                self.shared.lock().sockets.get_mut::<Socket<'_>>(handle).abort();
                Err(error)
            }
        }
    }

    fn begin(&self, remote: IpEndpoint) -> (SocketHandle, u16) {
        let mut stack = self.shared.lock();
        let local_port = stack.ephemeral_port();
        let mut socket = new_tcp_socket();
        let begun = socket.connect(stack.interface.context(), remote, local_port);
        begun.unwrap_or_else(|e| panic!("a guest cannot connect to {remote}: {e}"));
        (stack.sockets.add(socket), local_port)
    }
}

fn outcome(stack: &mut Stack, handle: SocketHandle, local_port: u16) -> Option<Result<(), ConnectError>> {
    let refused = stack.take_refusal(|r| r.protocol == protocol::TCP && r.local_port == local_port);
    if let Some(code) = refused {
        return Some(Err(ConnectError::Unreachable(code)));
    }
    let socket = stack.sockets.get::<Socket<'_>>(handle);
    match socket.state() {
        State::SynSent => None,
        State::Closed => Some(Err(ConnectError::Reset)),
        _ => Some(Ok(())),
    }
}

/// An open connection. Dropping it closes it in the background.
#[derive(Debug)]
pub struct Conn {
    shared: Arc<Shared>,
    handle: SocketHandle,
    local_port: u16,
}

impl Conn {
    pub fn local_port(&self) -> u16 {
        self.local_port
    }

    /// Hands over all of `data`, which may be more than fits in the buffer; false if it is not taken in time.
    pub fn send(&self, mut data: &[u8], limit: Duration) -> bool {
        let sent = self.shared.wait(limit, |stack| {
            let socket = stack.sockets.get_mut::<Socket<'_>>(self.handle);
            match socket.send_slice(data) {
                Ok(0) => {}
                Ok(taken) => {
                    data = &data[taken..];
                    self.shared.wake();
                }
                Err(_) => return Some(false),
            }
            data.is_empty().then_some(true)
        });
        sent.unwrap_or(false)
    }

    /// Sends no more, and still receives.
    pub fn end(&self) {
        self.shared.lock().sockets.get_mut::<Socket<'_>>(self.handle).close();
        self.shared.wake();
    }

    /// Exactly `len` bytes, or `None` if they do not come in time or the other side has closed.
    pub fn recv(&self, len: usize, limit: Duration) -> Option<Vec<u8>> {
        let mut data = vec![0; len];
        let mut have = 0;
        let received = self.shared.wait(limit, |stack| {
            let socket = stack.sockets.get_mut::<Socket<'_>>(self.handle);
            match socket.recv_slice(&mut data[have..]) {
                Ok(0) => {}
                Ok(taken) => {
                    have += taken;
                    // The other side may wait to hear of the room in the buffer.
                    self.shared.wake();
                }
                Err(_) => return Some(false),
            }
            (have == len).then_some(true)
        });
        received.unwrap_or(false).then_some(data)
    }

    /// Whether an echo service at the other end still answers over this connection, in both directions,
    /// within `limit`. What had come before is dropped.
    pub fn still_alive(&self, limit: Duration) -> bool {
        let probe = {
            let mut stack = self.shared.lock();
            let probe = u64::from(stack.ident()).to_be_bytes();
            let socket = stack.sockets.get_mut::<Socket<'_>>(self.handle);
            while socket.can_recv() && socket.recv(|data| (data.len(), ())).is_ok() {}
            match socket.send_slice(&probe) {
                Ok(taken) if taken == probe.len() => probe,
                Ok(_) | Err(_) => return false,
            }
        };
        // An earlier probe may have been lost on the way and come back now, in front of this one.
        let mut heard = Vec::new();
        let answer = self.shared.wait(limit, |stack| {
            let socket = stack.sockets.get_mut::<Socket<'_>>(self.handle);
            if socket.recv(|data| (data.len(), heard.extend_from_slice(data))).is_err() {
                return Some(false);
            }
            heard.ends_with(&probe).then_some(true)
        });
        answer.unwrap_or(false)
    }

    /// Whether the connection is over: closed or reset by either side.
    pub fn is_closed(&self) -> bool {
        !self.shared.lock().sockets.get::<Socket<'_>>(self.handle).may_send()
    }
}

impl Drop for Conn {
    fn drop(&mut self) {
        self.shared.lock().retire(self.handle);
        self.shared.wake();
    }
}
