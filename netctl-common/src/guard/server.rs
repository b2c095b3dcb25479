//! What only routers and DHCP servers send.

use crate::abi::{PortEntry, guards};
use crate::frame::{Layer, Packet, number};
use crate::verdict::{Direction, Reason};

/// ICMP messages by which a router directs hosts (RFC 792, RFC 1256).
const ICMP_REDIRECT: u8 = 5;
const ICMP_ROUTER_ADVERTISEMENT: u8 = 9;

/// Of a packet that no flow answers for. To a guest that is no DHCP server nobody opens a flow to the server's port:
/// its answers would belong to it.
#[inline(always)]
pub fn server(packet: &Packet, port: &PortEntry, direction: Direction) -> Result<(), Reason> {
    let from_guest = matches!(direction, Direction::FromGuest);
    if from_guest && is_router(packet) && port.has_guard(guards::ROUTER) {
        return Err(Reason::RogueRouter);
    }
    if packet.tuple.protocol == number::UDP && port.has_guard(guards::DHCP_SERVER) {
        let (server, client) = match packet.layer {
            Layer::Ipv6 => (number::DHCP6_SERVER, number::DHCP6_CLIENT),
            _ => (number::DHCP_SERVER, number::DHCP_CLIENT),
        };
        let tuple = &packet.tuple;
        let serves = match direction {
            // Clients take an answer from any port.
            Direction::FromGuest => tuple.source_port == server || tuple.destination_port == client,
            Direction::ToGuest => tuple.destination_port == server && !packet.is_to_group(),
        };
        if serves {
            return Err(Reason::RogueDhcp);
        }
    }
    Ok(())
}

#[inline(always)]
fn is_router(packet: &Packet) -> bool {
    match packet.tuple.protocol {
        number::ICMP => matches!(packet.icmp_type(), ICMP_REDIRECT | ICMP_ROUTER_ADVERTISEMENT),
        number::ICMP6 => matches!(packet.icmp_type(), number::ROUTER_ADVERTISEMENT | number::REDIRECT),
        _ => false,
    }
}
