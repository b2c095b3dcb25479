//! DHCPv6 (RFC 8415): what the server gives a guest, and what the guest gives back.

use super::told::Told;
use crate::address::{Address, LinkAddress};
use crate::frame::{Frame, Packet, UDP_LEN, number_of};
use crate::verdict::Direction;

/// Message type and transaction.
const HEADER_LEN: u32 = 4;

const REPLY: u8 = 7;
const RELEASE: u8 = 8;
const DECLINE: u8 = 9;

/// Options (RFC 8415, 21): associations of addresses, which hold the addresses.
const IA_NA: u16 = 3;
const IA_TA: u16 = 4;
const IAADDR: u16 = 5;
const OPTION_LEN: u32 = 4;
/// What stands in front of the options in them.
const IA_NA_LEN: u32 = 12;
const IA_TA_LEN: u32 = 4;
const IAADDR_LEN: u32 = 24;
/// In IAADDR, behind the address and the preferred lifetime.
const VALID: u32 = 20;

/// Whether the message is a reply to this guest alone, or gives up addresses.
#[inline(always)]
pub(super) fn begin<F: Frame + ?Sized>(
    frame: &F,
    packet: &Packet,
    (mac, direction): (&LinkAddress, Direction),
    told: &mut Told,
) -> bool {
    let base = packet.transport + UDP_LEN;
    told.begin(base + HEADER_LEN, packet.end);
    let kind = frame.read::<u8>(base).unwrap_or(0);
    match direction {
        Direction::ToGuest => kind == REPLY && packet.link.destination == *mac,
        Direction::FromGuest => matches!(kind, RELEASE | DECLINE),
    }
}

/// Of a reply, the addresses with their valid lifetimes; of a release or refusal, the addresses that are given up.
#[inline(always)]
pub(super) fn option<F: Frame + ?Sized>(frame: &F, direction: Direction, told: &mut Told) -> Option<()> {
    let at = told.at;
    if at == told.inner_end {
        told.inner_end = 0;
    }
    if at == told.end {
        told.finish();
        return Some(());
    }
    let is_inside = told.inner_end != 0;
    let limit = if is_inside { told.inner_end } else { told.end };
    if at + OPTION_LEN > limit {
        return None;
    }
    let [code, len] = frame.read::<[u16; 2]>(at)?.map(u16::from_be);
    let (body, len) = (at + OPTION_LEN, u32::from(len));
    if body + len > limit {
        return None;
    }
    told.at = body + len;
    let head = match code {
        IA_NA => IA_NA_LEN,
        IA_TA => IA_TA_LEN,
        IAADDR => IAADDR_LEN,
        _ => return Some(()),
    };
    // An address stands in an association, and that in the message.
    if len < head || is_inside != (code == IAADDR) {
        return None;
    }
    if code == IAADDR {
        let address: Address = frame.read(body)?;
        let valid = number_of(frame.read(body + VALID)?);
        told.tell(address, if matches!(direction, Direction::ToGuest) { valid } else { 0 });
    } else {
        (told.at, told.inner_end) = (body + head, body + len);
    }
    Some(())
}
