//! A port as a message over a unix socket, for a VMM's manager (`netctl open`). The protocol is in docs/handover.md.

use std::os::fd::AsFd;

use serde::Serialize;

use super::open::Opened;
use crate::config::PortKind;
use crate::fd::pass::{Channel, PassError};
use crate::fd::tap::VNET_HEADER_LEN;

/// One line of JSON, which the port's descriptors come with: first the queues, then those of vhost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Message {
    pub port: String,
    pub interface: String,
    /// `tap` or `macvtap`.
    pub kind: &'static str,
    /// The guest's MAC address.
    pub mac: String,
    /// Bytes; for the guest, where the document sets it.
    pub mtu: Option<u32>,
    /// Queue pairs.
    pub queues: u16,
    /// Descriptors of queues: one for each.
    pub tap_fds: usize,
    /// Descriptors of vhost-net: one for each queue, or none.
    pub vhost_fds: usize,
    /// Bytes of the virtio header in front of every frame, until the receiver chooses another size.
    pub vnet_header: u16,
    /// Messages that follow this one.
    pub remaining: usize,
}

impl Message {
    /// Of a port that is open.
    pub fn new(opened: &Opened, remaining: usize) -> Self {
        let port = &opened.port;
        Self {
            port: port.name.clone(),
            interface: port.interface.clone(),
            kind: match port.kind {
                PortKind::Tap => "tap",
                PortKind::Macvtap => "macvtap",
            },
            mac: port.mac.to_string(),
            mtu: port.mtu,
            queues: port.queues,
            tap_fds: opened.queues.len(),
            vhost_fds: opened.vhost.fds().len(),
            vnet_header: VNET_HEADER_LEN,
            remaining,
        }
    }

    /// For all ports, in their order.
    pub fn of_all(opened: &[Opened]) -> Vec<Self> {
        let remaining = (0..opened.len()).rev();
        opened.iter().zip(remaining).map(|(opened, remaining)| Self::new(opened, remaining)).collect()
    }

    /// Sends the message with the descriptors of `opened`, which may be closed here afterwards.
    ///
    /// # Errors
    /// [`PassError`].
    pub fn send(&self, channel: &Channel, opened: &Opened) -> Result<(), PassError> {
        // Names, numbers and text: there is nothing in it that is not JSON.
        let mut line = serde_json::to_string(self).map_err(|e| PassError::Send(e.into()))?;
        line.push('\n');
        let fds: Vec<_> = opened.queues.iter().chain(opened.vhost.fds()).map(AsFd::as_fd).collect();
        channel.send(line.as_bytes(), &fds)
    }
}
