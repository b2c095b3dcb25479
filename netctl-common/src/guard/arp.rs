//! ARP: who says what about whom.

use super::{claim, is_own};
use crate::abi::{PortEntry, Root, guards};
use crate::decide::Tables;
use crate::frame::Arp;
use crate::verdict::{Direction, Reason};

/// The sender of ARP. From the guest: its own MAC address, and its own address or none (a probe, RFC 5227). To the
/// guest: not the guest's own address, nor another local guest's from elsewhere.
#[inline(always)]
pub fn arp<T: Tables>(
    tables: &T,
    root: &Root,
    port: &PortEntry,
    (arp, direction): (&Arp, Direction),
) -> Result<(), Reason> {
    if !port.has_guard(guards::ARP) {
        return Ok(());
    }
    let honest = match direction {
        Direction::FromGuest => {
            arp.sender_mac == port.mac
                && (arp.sender.is_unspecified() || is_own(tables, root, port, &arp.sender)?)
        }
        Direction::ToGuest => claim::is_true(tables, root, port, (&arp.sender, &arp.sender_mac))?,
    };
    if honest { Ok(()) } else { Err(Reason::SpoofedArp) }
}
