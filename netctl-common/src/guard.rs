//! Checks before the policy: is the sender who it says it is, and is the frame for this port at all.
//!
//! An address is the port's own if the table of addresses says so. Established flows skip these look-ups,
//! because a flow exists only after they passed; the MAC address is checked on every frame. Each check can be off
//! at a port ([`crate::abi::guards`]); it asks its bit where it would deny, so that it costs nothing where it does not.

mod arp;
mod claim;
mod link_control;
mod neighbor;
mod owner;
mod server;

pub use arp::arp;
pub use link_control::is_link_control;
pub use neighbor::{Claim, advertised, is_neighbor_discovery, link_layer, neighbor, neighbor_header};
pub use owner::{holder, owner};
pub use server::server;

use crate::abi::{PortEntry, Root, StationKey, guards, port_flags};
use crate::address::Address;
use crate::decide::Tables;
use crate::frame::{Layer, Packet, number};
use crate::verdict::{Direction, Reason};

/// The frame's MAC addresses against the port's.
#[inline(always)]
pub fn link(packet: &Packet, port: &PortEntry, direction: Direction) -> Result<(), Reason> {
    match direction {
        Direction::FromGuest if packet.link.source != port.mac && port.has_guard(guards::MAC) => {
            Err(Reason::SpoofedMac)
        }
        Direction::ToGuest
            if !packet.is_group_frame()
                && packet.link.destination != port.mac
                && port.has_guard(guards::DESTINATION) =>
        {
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
    Ok(match owner(tables, root, port, address)? {
        Some(entry) => entry.port == port.id,
        None => port.flags & port_flags::ANY_ADDRESS != 0,
    })
}

/// Whether the guest's end of what it sends, or gets, may have this address.
#[inline(always)]
pub fn may_have<T: Tables>(
    tables: &T,
    root: &Root,
    port: &PortEntry,
    address: &Address,
    direction: Direction,
) -> Result<bool, Reason> {
    let guard = match direction {
        Direction::FromGuest => guards::IP,
        Direction::ToGuest => guards::DESTINATION,
    };
    Ok(!port.has_guard(guard) || is_own(tables, root, port, address)?)
}

/// Addresses that no frame on a wire has (RFC 6890, 2.2.2 and 2.2.3; RFC 4291, 2.5.2).
#[inline(always)]
pub fn martian(packet: &Packet, port: &PortEntry) -> Result<(), Reason> {
    let (source, destination) = (&packet.tuple.source, &packet.tuple.destination);
    let has_sender = !source.is_group() && !source.is_reserved();
    // Who has no address yet speaks to groups only: DHCP, duplicate address detection, listener reports.
    let has_sender = has_sender && (!source.is_unspecified() || packet.is_to_group());
    let has_receiver = !destination.is_reserved() && !destination.is_unspecified();
    if (has_sender && has_receiver) || !port.has_guard(guards::MARTIAN) {
        Ok(())
    } else {
        Err(Reason::MartianAddress)
    }
}

/// The source address of an IP packet from the guest.
#[inline(always)]
pub fn source<T: Tables>(tables: &T, root: &Root, port: &PortEntry, packet: &Packet) -> Result<(), Reason> {
    let address = &packet.tuple.source;
    if may_have(tables, root, port, address, Direction::FromGuest)? || asks_for_address(packet) {
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
        && packet.tuple.source_port == number::DHCP_CLIENT
        && packet.tuple.destination_port == number::DHCP_SERVER
}
