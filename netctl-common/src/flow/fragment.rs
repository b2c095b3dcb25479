//! What a first fragment leaves in its port's flow table, for those that follow it: its ports, and where its payload
//! ends. Each direction has entries of its own.

use super::{Role, TIMEOUTS, Timeout};
use crate::abi::{FlowEntry, FlowKey};
use crate::frame::{Packet, Tuple};
use crate::verdict::Direction;

impl FlowKey {
    /// Becomes the key of the first fragment of the packet that `packet` is a fragment of: what a receiver puts it
    /// together by (RFC 791, 3.2; RFC 8200, 4.5), and the protocol that the fragment names.
    #[inline(always)]
    pub fn set_fragment(&mut self, packet: &Packet, direction: Direction) {
        let (tuple, fragment) = (&packet.tuple, &packet.fragment);
        let (local, remote, role) = match direction {
            Direction::FromGuest => (tuple.source, tuple.destination, Role::GuestFragments),
            Direction::ToGuest => (tuple.destination, tuple.source, Role::PeerFragments),
        };
        (self.local, self.remote) = (local, remote);
        (self.local_port, self.remote_port) = ((fragment.id >> 16) as u16, fragment.id as u16);
        self.protocol = fragment.protocol;
        self.role = role as u8;
        self.reserved = [0; 2];
    }

    /// Of a first fragment, not of a flow.
    #[inline(always)]
    pub const fn is_fragment(&self) -> bool {
        self.role >= Role::GuestFragments as u8
    }
}

impl FlowEntry {
    /// What `packet`, a first fragment, leaves. The fields of TCP hold its ports and protocol and its end.
    #[inline(always)]
    pub const fn first_fragment(packet: &Packet, direction: Direction, now: u32) -> Self {
        let tuple = &packet.tuple;
        let mut entry = Self::open(direction, 0, crate::abi::NO_RULE, now);
        entry.sequence =
            [(tuple.source_port as u32) << 16 | tuple.destination_port as u32, packet.fragment.end as u32];
        entry.acknowledged = [tuple.protocol as u32, 0];
        entry
    }

    /// Whether later fragments may still follow.
    #[inline(always)]
    pub const fn is_awaited(&self, now: u32, timeouts: &[u32; TIMEOUTS]) -> bool {
        now.wrapping_sub(self.last_seen) < timeouts[Timeout::Fragment as usize]
    }

    /// Gives a later fragment the ports of its first one; `false` if it begins before that one's end.
    #[inline(always)]
    pub const fn continues(&self, fragment_at: u16, tuple: &mut Tuple) -> bool {
        let [ports, end] = self.sequence;
        tuple.source_port = (ports >> 16) as u16;
        tuple.destination_port = ports as u16;
        tuple.protocol = self.acknowledged[0] as u8;
        fragment_at as u32 >= end
    }
}
