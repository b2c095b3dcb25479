//! What stations and their switch tell each other, and no switch forwards.

use crate::address::LinkAddress;
use crate::frame::{Packet, number};

/// 01:80:c2:00:00:00 to 0f (IEEE 802.1Q, table 8-1): STP, pause, LACP, LLDP and others.
const GROUPS: LinkAddress = LinkAddress([
    u16::from_ne_bytes([0x01, 0x80]),
    u16::from_ne_bytes([0xc2, 0x00]),
    u16::from_ne_bytes([0x00, 0x00]),
]);

/// By its destination, or, to whatever address, by its ethertype.
#[inline(always)]
pub fn is_link_control(packet: &Packet) -> bool {
    let [a, b, c] = packet.link.destination.0;
    let [first, second, third] = GROUPS.0;
    let in_groups = a == first && b == second && c & u16::from_ne_bytes([0xff, 0xf0]) == third;
    in_groups || matches!(packet.ethertype, number::ETHERTYPE_MAC_CONTROL | number::ETHERTYPE_SLOW)
}
