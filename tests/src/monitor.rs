//! What passes an interface in either direction, as a packet capture sees it: before the programs at its ingress,
//! behind those at its egress, and also what a driver hands to it again.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::{AddressFamily, LinkAddr, SockFlag, SockProtocol, SockType, recvfrom, socket};

/// Longest frame that is looked at.
const SNAP: usize = 65536 + 64;

/// A packet socket for one interface.
#[derive(Debug)]
pub struct Monitor {
    socket: OwnedFd,
    index: usize,
}

impl Monitor {
    /// Begins to listen on `interface`, in the sandbox that the caller is in.
    ///
    /// # Errors
    /// If there is no such interface, or the kernel has no packet sockets.
    pub fn on(interface: &str) -> Result<Self> {
        let index = if_nametoindex(interface).with_context(|| format!("there is no {interface} here"))?;
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        // Of all interfaces: frames that came before it was bound to one could not be told from its own.
        let socket = socket(AddressFamily::Packet, SockType::Raw, flags, SockProtocol::EthAll)
            .context("cannot open a packet socket")?;
        Ok(Self { socket, index: index as usize })
    }

    /// The frames since the last call.
    ///
    /// # Errors
    /// Those of recvfrom(2).
    pub fn frames(&self) -> io::Result<Vec<Vec<u8>>> {
        let mut frames = Vec::new();
        let mut buffer = vec![0; SNAP];
        loop {
            match recvfrom::<LinkAddr>(self.socket.as_raw_fd(), &mut buffer) {
                Ok((len, from)) if from.as_ref().is_some_and(|from| from.ifindex() == self.index) => {
                    frames.push(buffer[..len].to_vec());
                }
                Ok(_) => {}
                Err(Errno::EAGAIN) => return Ok(frames),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}
