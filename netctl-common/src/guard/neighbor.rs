//! IPv6 neighbor discovery: who says what about whom.

use super::{claim, is_own};
use crate::abi::{PortEntry, Root, guards, port_flags};
use crate::address::{Address, LinkAddress};
use crate::decide::Tables;
use crate::frame::header::TypeLength;
use crate::frame::{Frame, Packet, number};
use crate::lease::{self, Lesson};
use crate::verdict::{Direction, Reason};

/// Options (RFC 4861, 4.6.1).
const SOURCE_LINK_LAYER: u8 = 1;
const TARGET_LINK_LAYER: u8 = 2;

/// Multicast listener reports and dones (RFC 2710, RFC 3810): hosts send them by themselves.
mod mld {
    pub(super) const REPORT: u8 = 131;
    pub(super) const DONE: u8 = 132;
    pub(super) const REPORT_V2: u8 = 143;
}

/// Options of one message that are looked at; more are denied. Hosts send one or two, routers some more.
const MAX_OPTIONS_FROM_GUEST: u32 = 4;
const MAX_OPTIONS_TO_GUEST: u32 = 16;

/// Whether the packet is neighbor discovery or a multicast listener's report, which are not subject to rules.
#[inline(always)]
pub fn is_neighbor_discovery(packet: &Packet) -> bool {
    packet.tuple.protocol == number::ICMP6
        && (is_solicitation_to_redirect(packet.icmp_type()) || is_listener_report(packet))
}

/// The address that a neighbor advertisement is about.
#[inline(always)]
pub fn advertised<F: Frame + ?Sized>(packet: &Packet, frame: &F) -> Result<Option<Address>, Reason> {
    if packet.icmp_type() != number::NEIGHBOR_ADVERTISEMENT {
        return Ok(None);
    }
    Ok(Some(frame.read(packet.transport + 8).ok_or(Reason::Truncated)?))
}

#[inline(always)]
const fn is_solicitation_to_redirect(icmp_type: u8) -> bool {
    icmp_type >= number::ROUTER_SOLICITATION && icmp_type <= number::REDIRECT
}

#[inline(always)]
fn is_listener_report(packet: &Packet) -> bool {
    matches!(packet.icmp_type(), mld::REPORT | mld::DONE | mld::REPORT_V2)
        && packet.tuple.destination.is_multicast()
}

/// Neighbor discovery that was forwarded, or with a code, is none (RFC 4861, 7.1); nor is it behind extension headers,
/// where switches do not find it (RFC 6980).
#[inline(always)]
pub fn neighbor_header(packet: &Packet) -> Result<(), Reason> {
    let code = packet.tuple.destination_port & 0xff;
    let is_report = is_listener_report(packet);
    if code != 0 || (packet.hop_limit != 255 && !is_report) {
        return Err(Reason::BadHeader);
    }
    if packet.has_extensions() && !is_report { Err(Reason::ExtensionChain) } else { Ok(()) }
}

/// What a message of neighbor discovery says about an address, and where its options begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    pub address: Address,
    /// Offset in the frame; 0 = no options are looked at.
    pub options: u32,
}

impl Claim {
    pub const NONE: Self = Self { address: Address::UNSPECIFIED, options: 0 };
}

/// Neighbor discovery (RFC 4861): from the guest only about itself; to the guest nothing about itself, nor about
/// another local guest from elsewhere. What its options say has to fit the claim: [`link_layer`].
#[inline(always)]
pub fn neighbor<T: Tables, F: Frame + ?Sized>(
    (tables, root, port): (&T, &Root, &PortEntry),
    (packet, direction): (&Packet, Direction),
    frame: &F,
) -> Result<Claim, Reason> {
    let mut claim = Claim { address: packet.tuple.source, options: 0 };
    if !port.has_guard(guards::NEIGHBOR) || is_listener_report(packet) {
        return Ok(claim);
    }
    let at = packet.transport + 8;
    claim.options = match packet.icmp_type() {
        number::ROUTER_SOLICITATION => at,
        number::ROUTER_ADVERTISEMENT => at + 8,
        number::NEIGHBOR_SOLICITATION | number::NEIGHBOR_ADVERTISEMENT => at + 16,
        // A redirect is about a router's MAC address, which its sender knows (RFC 4861, 8.2).
        _ => return Ok(claim),
    };
    if matches!(packet.icmp_type(), number::NEIGHBOR_SOLICITATION | number::NEIGHBOR_ADVERTISEMENT) {
        let target: Address = frame.read(at).ok_or(Reason::Truncated)?;
        // A solicitation may ask for anyone; without a source it claims its target (RFC 4862, 5.4).
        if claim.address.is_unspecified() || packet.icmp_type() == number::NEIGHBOR_ADVERTISEMENT {
            let honest = match direction {
                // What the guest may come to have is for the step that learns to say.
                Direction::FromGuest if learns(packet, port) => true,
                Direction::FromGuest => is_own(tables, root, port, &target)?,
                Direction::ToGuest => claim::is_true(tables, root, port, (&target, &packet.link.source))?,
            };
            if !honest {
                return Err(Reason::SpoofedNeighbor);
            }
            claim.address = target;
        }
    }
    Ok(claim)
}

#[inline(always)]
fn learns(packet: &Packet, port: &PortEntry) -> bool {
    let lesson = lease::lesson(packet, Direction::FromGuest);
    port.flags & port_flags::LEARN != 0 && matches!(lesson, Some(Lesson::Claim))
}

/// A link-layer address in the options must be the guest's own; to the guest, that of who has the address
/// (RFC 4861, 4.6.1).
#[inline(always)]
pub fn link_layer<T: Tables, F: Frame + ?Sized>(
    (tables, root, port): (&T, &Root, &PortEntry),
    (packet, direction): (&Packet, Direction),
    frame: &F,
    claim: &Claim,
) -> Result<(), Reason> {
    // Looked up behind the loop: the kernel's verifier follows each round of it.
    let mac = link_layer_option((packet.end, direction), frame, claim.options)?;
    let honest = match direction {
        _ if mac == LinkAddress::NONE => true,
        Direction::FromGuest => mac == port.mac,
        Direction::ToGuest => claim::is_true(tables, root, port, (&claim.address, &mac))?,
    };
    if honest { Ok(()) } else { Err(Reason::SpoofedNeighbor) }
}

/// The link-layer address in the options, or none. No message has two (RFC 4861, 4.1 to 4.4).
#[inline(always)]
fn link_layer_option<F: Frame + ?Sized>(
    (end, direction): (u32, Direction),
    frame: &F,
    mut at: u32,
) -> Result<LinkAddress, Reason> {
    let mut found = LinkAddress::NONE;
    let most = match direction {
        Direction::FromGuest => MAX_OPTIONS_FROM_GUEST,
        Direction::ToGuest => MAX_OPTIONS_TO_GUEST,
    };
    for _ in 0..most {
        if at >= end {
            return if at == end { Ok(found) } else { Err(Reason::Truncated) };
        }
        let TypeLength { kind, units } = frame.read(at).ok_or(Reason::Truncated)?;
        if units == 0 {
            return Err(Reason::BadHeader);
        }
        if matches!(kind, SOURCE_LINK_LAYER | TARGET_LINK_LAYER) {
            let mac: LinkAddress = frame.read(at + 2).ok_or(Reason::Truncated)?;
            if units != 1 || mac == LinkAddress::NONE || found != LinkAddress::NONE {
                return Err(Reason::SpoofedNeighbor);
            }
            found = mac;
        }
        at += u32::from(units) * 8;
    }
    if at == end { Ok(found) } else { Err(Reason::BadHeader) }
}
