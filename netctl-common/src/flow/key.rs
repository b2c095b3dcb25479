//! What a flow is found by, in both directions.

use crate::abi::FlowKey;
use crate::address::Address;
use crate::frame::{Tuple, is_echo, number};
use crate::verdict::Direction;

/// Which ICMP exchange a key stands for, or whose fragments; [`Role::None`] for flows of all other protocols.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    None = 0,
    /// `local_port` is the identifier of an echo that the guest asked.
    GuestAsks = 1,
    /// `local_port` is the identifier of an echo that the other side asked.
    PeerAsks = 2,
    /// `local_port` is type * 256 + code of a message without an answer.
    GuestTells = 3,
    PeerTells = 4,
    /// No flow but the first fragment of a packet from the guest: the ports are the halves of its identification.
    GuestFragments = 5,
    /// Of a packet to the guest.
    PeerFragments = 6,
}

impl FlowKey {
    /// No flow's.
    pub const NONE: Self = Self {
        local: Address::UNSPECIFIED,
        remote: Address::UNSPECIFIED,
        local_port: 0,
        remote_port: 0,
        protocol: 0,
        role: Role::None as u8,
        reserved: [0; 2],
    };

    /// Becomes the key of a packet that travels in `direction` at the port. In place: each copy of a key costs.
    #[inline(always)]
    pub fn set(&mut self, tuple: &Tuple, direction: Direction) {
        let from_guest = matches!(direction, Direction::FromGuest);
        (self.local, self.remote) =
            if from_guest { (tuple.source, tuple.destination) } else { (tuple.destination, tuple.source) };
        let (local_port, remote_port, role) = match tuple.protocol {
            number::TCP | number::UDP | number::SCTP if from_guest => {
                (tuple.source_port, tuple.destination_port, Role::None)
            }
            number::TCP | number::UDP | number::SCTP => {
                (tuple.destination_port, tuple.source_port, Role::None)
            }
            number::ICMP | number::ICMP6 => icmp_role(tuple, from_guest),
            _ => (0, 0, Role::None),
        };
        self.local_port = local_port;
        self.remote_port = remote_port;
        self.protocol = tuple.protocol;
        self.role = role as u8;
        self.reserved = [0; 2];
    }

    /// The first packet of the flow, when `opener` opened it: what a later policy judges again.
    #[inline(always)]
    pub fn opening(&self, opener: Direction) -> Tuple {
        let from_guest = matches!(opener, Direction::FromGuest);
        let (source, destination) =
            if from_guest { (self.local, self.remote) } else { (self.remote, self.local) };
        let echo_request = match self.protocol {
            number::ICMP => number::ICMP_ECHO_REQUEST,
            _ => number::ICMP6_ECHO_REQUEST,
        };
        let (source_port, destination_port) = if self.role == Role::None as u8 {
            if from_guest { (self.local_port, self.remote_port) } else { (self.remote_port, self.local_port) }
        } else if self.role <= Role::PeerAsks as u8 {
            (self.local_port, (echo_request as u16) << 8)
        } else {
            (0, self.local_port)
        };
        Tuple { source, destination, protocol: self.protocol, source_port, destination_port }
    }
}

/// Local port, remote port and role in the key of an ICMP message.
#[inline(always)]
const fn icmp_role(tuple: &Tuple, from_guest: bool) -> (u16, u16, Role) {
    let icmp_type = (tuple.destination_port >> 8) as u8;
    if !is_echo(tuple.protocol, icmp_type) {
        let role = if from_guest { Role::GuestTells } else { Role::PeerTells };
        return (tuple.destination_port, 0, role);
    }
    let asks = matches!(icmp_type, number::ICMP_ECHO_REQUEST | number::ICMP6_ECHO_REQUEST);
    (tuple.source_port, 0, if asks == from_guest { Role::GuestAsks } else { Role::PeerAsks })
}
