//! State of one connection at one port, as pure functions on its table entry.
//!
//! A flow is found by the same key in both directions; `local` is the guest's end. TCP is tracked by the flags
//! seen, without sequence numbers. An entry whose time has run out is as good as none.

use crate::abi::{Counter, FlowEntry, FlowKey};
use crate::address::{Address, LinkAddress};
use crate::frame::{Packet, Tuple, is_echo, number, tcp};
use crate::verdict::{Action, Direction};

/// Bits of [`FlowEntry::seen`]. "Opener" is the side that sent the first frame.
pub mod seen {
    /// A frame from the side that did not open the flow.
    pub const REPLY: u8 = 1;
    pub const OPENER_FIN: u8 = 2;
    pub const REPLY_FIN: u8 = 4;
    pub const RST: u8 = 8;
    /// Taken up in the middle: the opening was not seen.
    pub const PICKED_UP: u8 = 16;
}

/// Which ICMP exchange a key stands for; [`Role::None`] for all other protocols.
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
}

/// The time of flows: `CLOCK_MONOTONIC` in units of 2^24 ns (16.8 ms). It comes round after 834 days.
#[inline(always)]
pub const fn tick(nanoseconds: u64) -> u32 {
    (nanoseconds >> 24) as u32
}

/// Ticks as seconds.
pub fn seconds(ticks: u32) -> f64 {
    f64::from(ticks) * (1u32 << 24) as f64 / 1e9
}

/// A second, in ticks, rounded up.
const SECOND: u32 = 60;

/// How long a flow may be silent, in ticks. TCP: RFC 5382 asks for at least 2 h 4 min when established.
#[inline(always)]
pub const fn timeout(protocol: u8, flags: u8) -> u32 {
    let answered = flags & (seen::REPLY | seen::PICKED_UP) != 0;
    let both_fins = seen::OPENER_FIN | seen::REPLY_FIN;
    SECOND
        * match protocol {
            number::TCP if flags & seen::RST != 0 => 10,
            number::TCP if flags & both_fins == both_fins => 30,
            number::TCP if flags & both_fins != 0 => 300,
            number::TCP if answered => 6 * 3600,
            number::TCP => 60,
            number::UDP | number::SCTP if answered => 180,
            number::ICMP | number::ICMP6 => 30,
            _ if answered => 180,
            _ => 30,
        }
}

/// Seen by people: the words of `netctl flows`.
pub const fn state_name(protocol: u8, flags: u8) -> &'static str {
    let answered = flags & (seen::REPLY | seen::PICKED_UP) != 0;
    let both_fins = seen::OPENER_FIN | seen::REPLY_FIN;
    match protocol {
        number::TCP if flags & seen::RST != 0 => "reset",
        number::TCP if flags & both_fins == both_fins => "closed",
        number::TCP if flags & both_fins != 0 => "closing",
        number::TCP if answered => "established",
        number::TCP => "opening",
        _ if answered => "answered",
        _ => "unanswered",
    }
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

/// What a TCP segment without a flow, or in a flow that is over, may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// Opens a flow, if the policy allows it.
    New,
    /// Middle of a connection: takes it up, if the policy would let this side open it.
    PickUp,
    /// Neither.
    Stray,
}

/// Which of them a packet is. Everything but TCP opens.
#[inline(always)]
pub const fn opening(packet: &Packet) -> Opening {
    if packet.tuple.protocol != number::TCP {
        return match packet.tuple.protocol {
            // An echo reply answers; it opens nothing.
            number::ICMP if packet.icmp_type() == number::ICMP_ECHO_REPLY => Opening::Stray,
            number::ICMP6 if packet.icmp_type() == number::ICMP6_ECHO_REPLY => Opening::Stray,
            _ => Opening::New,
        };
    }
    match packet.tcp_flags & (tcp::SYN | tcp::ACK | tcp::RST) {
        tcp::SYN => Opening::New,
        tcp::ACK => Opening::PickUp,
        _ => Opening::Stray,
    }
}

impl FlowEntry {
    /// A flow that `packet` opens.
    #[inline(always)]
    pub const fn open(direction: Direction, generation: u32, rule: u32, now: u32) -> Self {
        Self {
            counters: [Counter { packets: 0, bytes: 0 }; 2],
            generation,
            rule,
            last_seen: now,
            created: now,
            next_hop: 0,
            next_mac: LinkAddress::NONE,
            seen: 0,
            opener: direction as u8,
            action: Action::Allow as u8,
            reserved: [0; 3],
        }
    }

    /// Whether the entry still stands for a connection.
    #[inline(always)]
    pub const fn is_live(&self, protocol: u8, now: u32) -> bool {
        now.wrapping_sub(self.last_seen) < timeout(protocol, self.seen)
    }

    /// Whether `packet` is a new beginning rather than part of this flow: a SYN where the connection is over,
    /// or a SYN of the side that did not open it.
    #[inline(always)]
    pub const fn is_reopened_by(&self, packet: &Packet, direction: Direction) -> bool {
        let both_fins = seen::OPENER_FIN | seen::REPLY_FIN;
        let over = self.seen & seen::RST != 0 || self.seen & both_fins == both_fins;
        packet.tuple.protocol == number::TCP
            && packet.tcp_flags & (tcp::SYN | tcp::ACK) == tcp::SYN
            && (over || self.opener != direction as u8)
    }

    /// Takes note of a frame of the flow.
    #[inline(always)]
    pub const fn note(&mut self, packet: &Packet, direction: Direction, now: u32) {
        let replies = self.opener != direction as u8;
        let mut flags = if replies { seen::REPLY } else { 0 };
        if packet.tuple.protocol == number::TCP {
            if packet.tcp_flags & tcp::FIN != 0 {
                flags |= if replies { seen::REPLY_FIN } else { seen::OPENER_FIN };
            }
            if packet.tcp_flags & tcp::RST != 0 {
                flags |= seen::RST;
            }
        }
        if self.seen | flags != self.seen {
            self.seen |= flags;
        }
        self.last_seen = now;
        // Not atomic: two queues of one guest may lose a count, never a state.
        let counter = if matches!(direction, Direction::FromGuest) {
            &mut self.counters[0]
        } else {
            &mut self.counters[1]
        };
        counter.packets += 1;
        counter.bytes += packet.length as u64;
    }
}
