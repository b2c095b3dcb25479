//! Frames between the host itself and guests above its own NIC (`host-access`), where the macvlan driver lets none pass.
//!
//! Nothing is judged here: the guest's port does that, on either way. These steps only find the way, at the two hooks
//! of an uplink, and leave alone whatever is not between the two. A frame that the host sent to a group comes in at the
//! uplink a second time, as a copy that the driver hands to its macvtaps; the host's own stack must not take it. Nothing
//! that comes in at the uplink is sent out there again, so no frame can go in a circle.

use crate::abi::{PortEntry, StationEntry, StationKey, port_flags};
use crate::address::LinkAddress;
use crate::decide::Tables;
use crate::frame::header::Ethernet;
use crate::frame::{Frame, number};
use crate::verdict::Reason;

/// What becomes of a frame that the host sends out of an uplink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It goes out.
    Pass,
    /// It goes to the local port with this interface, and not out.
    ToPort(u32),
    /// It goes out, and a copy comes in for the guests.
    Copy,
}

/// What becomes of a frame that comes in at an uplink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// The host's stack gets it, and the macvlan driver.
    Pass,
    /// Only the macvlan driver gets it.
    Hide,
    /// Nobody does.
    Drop,
}

/// The uplink of a network with `host-access`.
#[inline(always)]
pub fn uplink<T: Tables>(tables: &T, ifindex: u32) -> Result<&PortEntry, Reason> {
    match tables.port(ifindex) {
        Ok(entry) if entry.flags & port_flags::UPLINK != 0 => Ok(entry),
        _ => Err(Reason::UnknownPort),
    }
}

/// Guests' frames go out here too, from the macvlan driver; they are known by their source.
#[inline(always)]
pub fn sent<F: Frame + ?Sized, T: Tables>(ifindex: u32, frame: &F, tables: &T) -> Sent {
    let Ok(uplink) = uplink(tables, ifindex) else { return Sent::Pass };
    let Some(link) = frame.read::<Ethernet>(0) else { return Sent::Pass };
    if link.source != uplink.mac || is_tagged(frame, &link) {
        return Sent::Pass;
    }
    if link.destination.is_group() {
        return Sent::Copy;
    }
    match guest(tables, uplink, link.destination) {
        Some(station) => Sent::ToPort(station.ifindex),
        None => Sent::Pass,
    }
}

/// A switch in reflective relay sends group frames back to where they came from; host and guests have had them.
#[inline(always)]
pub fn received<F: Frame + ?Sized, T: Tables>(
    ifindex: u32,
    is_copy: bool,
    frame: &F,
    tables: &T,
) -> Received {
    let Ok(uplink) = uplink(tables, ifindex) else { return Received::Pass };
    let Some(link) = frame.read::<Ethernet>(0) else { return Received::Pass };
    if !link.destination.is_group() || is_tagged(frame, &link) {
        Received::Pass
    } else if link.source == uplink.mac {
        if is_copy { Received::Hide } else { Received::Drop }
    } else if guest(tables, uplink, link.source).is_some() {
        Received::Hide
    } else {
        Received::Pass
    }
}

/// Of another network on the same wire.
#[inline(always)]
fn is_tagged<F: Frame + ?Sized>(frame: &F, link: &Ethernet) -> bool {
    let tags = [number::ETHERTYPE_VLAN, number::ETHERTYPE_QINQ, number::ETHERTYPE_QINQ_OLD];
    frame.tag().is_some() || frame.has_vlan_metadata() || tags.contains(&u16::from_be(link.ethertype))
}

#[inline(always)]
fn guest<'a, T: Tables>(tables: &'a T, uplink: &PortEntry, mac: LinkAddress) -> Option<&'a StationEntry> {
    let key = StationKey { network: uplink.network, mac };
    let station = tables.station(uplink.root.slot, &key)?;
    if station.is_guest() && station.ifindex != 0 { Some(station) } else { None }
}
