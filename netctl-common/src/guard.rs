//! Checks before the policy: is the sender who it says it is, and is the frame for this port at all.
//!
//! An address is the port's own if the table of addresses says so. Established flows skip these look-ups,
//! because a flow exists only after they passed; the MAC address is checked on every frame.

use crate::abi::{AddressKey, PortEntry, Root, StationKey, port_flags};
use crate::address::{Address, LinkAddress};
use crate::decide::Tables;
use crate::frame::header::TypeLength;
use crate::frame::{Arp, Frame, Layer, Packet, number};
use crate::verdict::{Direction, Reason};

/// Neighbor discovery message types (RFC 4861).
mod nd {
    pub(super) const ROUTER_SOLICITATION: u8 = 133;
    pub(super) const ROUTER_ADVERTISEMENT: u8 = 134;
    pub(super) const NEIGHBOR_SOLICITATION: u8 = 135;
    pub(super) const NEIGHBOR_ADVERTISEMENT: u8 = 136;
    pub(super) const REDIRECT: u8 = 137;
    pub(super) const SOURCE_LINK_LAYER: u8 = 1;
    pub(super) const TARGET_LINK_LAYER: u8 = 2;
}

/// Multicast listener reports and dones (RFC 2710, RFC 3810): hosts send them by themselves.
mod mld {
    pub(super) const REPORT: u8 = 131;
    pub(super) const DONE: u8 = 132;
    pub(super) const REPORT_V2: u8 = 143;
}

/// ICMP messages by which a router directs hosts (RFC 792, RFC 1256).
const ICMP_REDIRECT: u8 = 5;
const ICMP_ROUTER_ADVERTISEMENT: u8 = 9;

/// Options of one neighbor discovery message that are looked at; more are denied.
const MAX_ND_OPTIONS: u32 = 4;

/// The frame's MAC addresses against the port's.
#[inline(always)]
pub fn link(packet: &Packet, port: &PortEntry, direction: Direction) -> Result<(), Reason> {
    match direction {
        Direction::FromGuest if packet.link.source != port.mac => Err(Reason::SpoofedMac),
        Direction::ToGuest if !packet.is_group_frame() && packet.link.destination != port.mac => {
            Err(Reason::WrongDestination)
        }
        _ => Ok(()),
    }
}

/// Guests of a private network are strangers to each other, whatever a switch sends back: the macvlan driver itself
/// only keeps them from hearing each other directly, and returns reflected groups to their sender (drivers/net/macvlan.c,
/// macvlan_handle_frame).
#[inline(always)]
pub fn strangers<T: Tables>(
    tables: &T,
    root: &Root,
    port: &PortEntry,
    packet: &Packet,
    direction: Direction,
) -> Result<(), Reason> {
    if port.flags & port_flags::PRIVATE == 0 {
        return Ok(());
    }
    let mac = match direction {
        Direction::FromGuest => packet.link.destination,
        Direction::ToGuest => packet.link.source,
    };
    match tables.station(root.slot, &StationKey { network: port.network, mac }) {
        Some(station) if station.is_guest() => Err(Reason::PrivateNetwork),
        _ => Ok(()),
    }
}

/// Whether the port may use an address. A port with `addresses = "any"` may use what nobody else owns: the
/// other ports know their peers by address.
#[inline(always)]
pub fn is_own<T: Tables>(
    tables: &T,
    root: &Root,
    port: &PortEntry,
    address: &Address,
) -> Result<bool, Reason> {
    let entry = tables.address(root.slot, &AddressKey { zone: port.zone, address: *address })?;
    Ok(match entry {
        Some(entry) => entry.port == port.id,
        None => port.flags & port_flags::ANY_ADDRESS != 0,
    })
}

/// Addresses that no frame on a wire has (RFC 6890).
#[inline(always)]
pub fn martian(packet: &Packet) -> Result<(), Reason> {
    let (source, destination) = (&packet.tuple.source, &packet.tuple.destination);
    if source.is_group() || source.is_loopback() || destination.is_loopback() || destination.is_unspecified()
    {
        return Err(Reason::MartianAddress);
    }
    Ok(())
}

/// The source address of an IP packet from the guest.
#[inline(always)]
pub fn source<T: Tables>(tables: &T, root: &Root, port: &PortEntry, packet: &Packet) -> Result<(), Reason> {
    let address = &packet.tuple.source;
    if is_own(tables, root, port, address)? || asks_for_address(packet) {
        return Ok(());
    }
    Err(match packet.layer {
        Layer::Ipv6 => Reason::SpoofedIpv6,
        _ => Reason::SpoofedIpv4,
    })
}

/// A DHCP client before it has an address (RFC 2131, 4.1).
#[inline(always)]
fn asks_for_address(packet: &Packet) -> bool {
    matches!(packet.layer, Layer::Ipv4)
        && packet.tuple.source.is_unspecified()
        && packet.tuple.protocol == number::UDP
        && packet.tuple.source_port == 68
        && packet.tuple.destination_port == 67
}

/// The sender of ARP from the guest: its own MAC address, and its own address or none (a probe, RFC 5227).
#[inline(always)]
pub fn arp<T: Tables>(tables: &T, root: &Root, port: &PortEntry, arp: &Arp) -> Result<(), Reason> {
    if arp.sender_mac != port.mac {
        return Err(Reason::SpoofedArp);
    }
    if arp.sender.is_unspecified() || is_own(tables, root, port, &arp.sender)? {
        return Ok(());
    }
    Err(Reason::SpoofedArp)
}

/// ICMP that only routers send.
#[inline(always)]
pub fn router(packet: &Packet) -> Result<(), Reason> {
    let routers_only = match packet.tuple.protocol {
        number::ICMP => matches!(packet.icmp_type(), ICMP_REDIRECT | ICMP_ROUTER_ADVERTISEMENT),
        number::ICMP6 => matches!(packet.icmp_type(), nd::ROUTER_ADVERTISEMENT | nd::REDIRECT),
        _ => false,
    };
    if routers_only { Err(Reason::RogueRouter) } else { Ok(()) }
}

/// Whether the packet is neighbor discovery or a multicast listener's report, which are not subject to rules.
#[inline(always)]
pub fn is_neighbor_discovery(packet: &Packet) -> bool {
    packet.tuple.protocol == number::ICMP6
        && (is_solicitation_to_redirect(packet.icmp_type()) || is_listener_report(packet))
}

#[inline(always)]
const fn is_solicitation_to_redirect(icmp_type: u8) -> bool {
    icmp_type >= nd::ROUTER_SOLICITATION && icmp_type <= nd::REDIRECT
}

#[inline(always)]
fn is_listener_report(packet: &Packet) -> bool {
    matches!(packet.icmp_type(), mld::REPORT | mld::DONE | mld::REPORT_V2)
        && packet.tuple.destination.is_multicast()
}

/// Neighbor discovery (RFC 4861): from the guest only about itself, with the hop limit that proves that no router
/// forwarded it.
#[inline(always)]
pub fn neighbor<T: Tables, F: Frame + ?Sized>(
    tables: &T,
    root: &Root,
    port: &PortEntry,
    packet: &Packet,
    frame: &F,
) -> Result<(), Reason> {
    let no_source = packet.tuple.source.is_unspecified();
    let own_source = no_source || is_own(tables, root, port, &packet.tuple.source)?;
    if !own_source {
        return Err(Reason::SpoofedIpv6);
    }
    if is_listener_report(packet) {
        return Ok(());
    }
    let options_at = match packet.icmp_type() {
        nd::ROUTER_SOLICITATION => packet.transport + 8,
        nd::NEIGHBOR_SOLICITATION | nd::NEIGHBOR_ADVERTISEMENT => {
            let target: Address = frame.read(packet.transport + 8).ok_or(Reason::Truncated)?;
            // A solicitation may ask for anyone; without a source it claims its target (RFC 4862, 5.4).
            let claims = no_source || packet.icmp_type() == nd::NEIGHBOR_ADVERTISEMENT;
            if claims && !is_own(tables, root, port, &target)? {
                return Err(Reason::SpoofedNeighbor);
            }
            packet.transport + 24
        }
        _ => return Err(Reason::RogueRouter),
    };
    link_layer_options(frame, options_at, packet.end, port)
}

/// Neighbor discovery that was forwarded, or with a code, is none (RFC 4861, 7.1).
#[inline(always)]
pub fn neighbor_header(packet: &Packet) -> Result<(), Reason> {
    let code = packet.tuple.destination_port & 0xff;
    let on_link = packet.hop_limit == 255 || is_listener_report(packet);
    if on_link && code == 0 { Ok(()) } else { Err(Reason::BadHeader) }
}

/// Every link-layer address in the options must be the port's (RFC 4861, 4.6.1).
#[inline(always)]
fn link_layer_options<F: Frame + ?Sized>(
    frame: &F,
    mut at: u32,
    end: u32,
    port: &PortEntry,
) -> Result<(), Reason> {
    for _ in 0..MAX_ND_OPTIONS {
        if at >= end {
            return if at == end { Ok(()) } else { Err(Reason::Truncated) };
        }
        let TypeLength { kind, units } = frame.read(at).ok_or(Reason::Truncated)?;
        if units == 0 {
            return Err(Reason::BadHeader);
        }
        if matches!(kind, nd::SOURCE_LINK_LAYER | nd::TARGET_LINK_LAYER) {
            let mac: LinkAddress = frame.read(at + 2).ok_or(Reason::Truncated)?;
            if units != 1 || mac != port.mac {
                return Err(Reason::SpoofedNeighbor);
            }
        }
        at += u32::from(units) * 8;
    }
    if at == end { Ok(()) } else { Err(Reason::BadHeader) }
}
