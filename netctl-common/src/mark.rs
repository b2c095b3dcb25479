//! `skb->mark`: what one hook of netctl tells a later one about the same frame, on the same host.
//!
//! Guests have no way to set it and no wire carries it; in user space it takes CAP_NET_ADMIN or CAP_NET_RAW on the host
//! (socket(7), SO_MARK). It goes with a frame through a bridge, a macvlan and a redirect (net/core/skbuff.c,
//! skb_scrub_packet clears it between network namespaces only). What goes to the host's own stack has no mark of netctl's.

use crate::abi::{PortEntry, guards, port_flags};
use crate::decide::Facts;
use crate::frame::Packet;
use crate::verdict::{Direction, Reason};

/// A frame of the host that netctl hands to guests: `host-access`. ASCII "nctl".
pub const FROM_HOST: u32 = 0x6e63_746c;

/// netctl's own answer to a frame that a rule rejected, between the two hooks of one port. ASCII "ncta".
pub const ANSWER: u32 = 0x6e63_7461;

/// A frame of the guest on a macvtap, with the port's id in the lower half: the macvlan driver does not keep where a
/// frame came from. ASCII "np".
const FROM_PORT: u32 = 0x6e70_0000;

#[inline(always)]
pub const fn from_port(id: u32) -> u32 {
    FROM_PORT | (id & 0xffff)
}

/// Where a frame to a guest comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Trusted.
    Host,
    /// The guest of the port with this id.
    Port(u32),
    /// The interface with this index, whatever it is.
    Interface(u32),
    /// A wire, or something else that is no port.
    Outside,
}

/// The trace of a frame's origin, which is enough to tell that it is the same as an earlier frame's; 0 where the port does
/// not ask.
#[inline(always)]
pub const fn trace(packet: &Packet, port: &PortEntry, direction: Direction) -> u32 {
    let knows =
        if packet.is_group_frame() { port_flags::KNOWS_GROUP_ORIGIN } else { port_flags::KNOWS_ORIGIN };
    let asks = matches!(direction, Direction::ToGuest) && port.flags & knows != 0;
    if !asks || port.guards & guards::ORIGIN == 0 {
        return 0;
    }
    let seen = if port.flags & port_flags::INGRESS != 0 { packet.mark } else { packet.ingress_ifindex };
    if seen == u32::MAX { 1 } else { !seen }
}

/// What a trace other than 0 says at a port.
#[inline(always)]
pub const fn origin(trace: u32, port: &PortEntry) -> Origin {
    let seen = !trace;
    if port.flags & port_flags::INGRESS == 0 {
        return if seen == 0 || seen == port.bridge { Origin::Host } else { Origin::Interface(seen) };
    }
    match seen {
        FROM_HOST => Origin::Host,
        _ if seen & 0xffff_0000 == FROM_PORT => Origin::Port(seen & 0xffff),
        _ => Origin::Outside,
    }
}

/// What a frame that a port allowed carries from there on; `None` = what it carried.
#[inline(always)]
pub const fn leaving(direction: Direction, reason: Reason, facts: &Facts) -> Option<u32> {
    let tells = port_flags::INGRESS | port_flags::KNOWS_ORIGIN;
    let to_host = facts.redirect != 0 && facts.redirect == facts.uplink;
    if matches!(direction, Direction::FromGuest) && facts.port_flags & tells == tells && !to_host {
        Some(from_port(facts.port))
    } else if matches!(reason, Reason::Answer) {
        Some(0)
    } else {
        None
    }
}
