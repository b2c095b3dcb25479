//! What a packet without a flow may do.

use crate::frame::{Packet, number, sctp, tcp};

/// What a packet without a flow, or in a flow that is over, may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// Opens a flow, if the policy allows it.
    New,
    /// Middle of a connection: takes it up, if the policy would let this side open it.
    PickUp,
    /// Neither.
    Stray,
}

/// Which of them a packet is. What has no connections opens.
#[inline(always)]
pub const fn opening(packet: &Packet) -> Opening {
    if packet.tuple.protocol != number::TCP {
        return match packet.tuple.protocol {
            // An echo reply answers; it opens nothing.
            number::ICMP if packet.icmp_type() == number::ICMP_ECHO_REPLY => Opening::Stray,
            number::ICMP6 if packet.icmp_type() == number::ICMP6_ECHO_REPLY => Opening::Stray,
            number::SCTP => sctp_opening(packet.chunk),
            _ => Opening::New,
        };
    }
    match packet.tcp_flags & (tcp::SYN | tcp::ACK | tcp::RST) {
        tcp::SYN => Opening::New,
        tcp::ACK => Opening::PickUp,
        _ => Opening::Stray,
    }
}

/// By the first chunk (RFC 9260, 3.2). Endpoints prove to each other by their tags that they are meant; here, only who
/// begins counts, and an association is over when it is silent.
#[inline(always)]
const fn sctp_opening(chunk: u8) -> Opening {
    match chunk {
        sctp::INIT => Opening::New,
        sctp::DATA | sctp::SACK | sctp::HEARTBEAT | sctp::COOKIE_ECHO | sctp::I_DATA => Opening::PickUp,
        _ => Opening::Stray,
    }
}
