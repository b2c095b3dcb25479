//! DHCP (RFC 2131): what the server gives a guest, and what the guest gives back.

use super::told::Told;
use crate::address::{Address, LinkAddress};
use crate::frame::{Frame, Packet, UDP_LEN, number_of};
use crate::verdict::Direction;

/// Offsets in the message (RFC 2131, 2).
const CIADDR: u32 = 12;
const YIADDR: u32 = 16;
const CHADDR: u32 = 28;
const COOKIE: u32 = 236;
const OPTIONS: u32 = 240;

/// Operation, hardware type and length: Ethernet.
const REQUEST: [u8; 3] = [1, 1, 6];
const REPLY: [u8; 3] = [2, 1, 6];
const MAGIC: [u16; 2] = [u16::from_ne_bytes([99, 130]), u16::from_ne_bytes([83, 99])];

/// Options (RFC 2132).
const PAD: u8 = 0;
const REQUESTED_ADDRESS: u8 = 50;
const LEASE_TIME: u8 = 51;
const MESSAGE_TYPE: u8 = 53;
const END: u8 = 255;

const DECLINE: u32 = 4;
const ACK: u32 = 5;
const RELEASE: u32 = 7;

/// Whether the message is about this guest and no other.
#[inline(always)]
pub(super) fn begin<F: Frame + ?Sized>(
    frame: &F,
    packet: &Packet,
    (mac, direction): (&LinkAddress, Direction),
    told: &mut Told,
) -> bool {
    let base = packet.transport + UDP_LEN;
    told.begin(base + OPTIONS, packet.end);
    let expected = match direction {
        Direction::ToGuest => REPLY,
        Direction::FromGuest => REQUEST,
    };
    frame.read::<[u8; 3]>(base) == Some(expected)
        && frame.read::<LinkAddress>(base + CHADDR) == Some(*mac)
        && frame.read::<[u16; 2]>(base + COOKIE) == Some(MAGIC)
}

/// Of an acknowledgment, the address with its lease time; of a release or refusal, the address that is given up.
#[inline(always)]
pub(super) fn conclude<F: Frame + ?Sized>(frame: &F, packet: &Packet, direction: Direction, told: &mut Told) {
    let base = packet.transport + UDP_LEN;
    let at = match (direction, told.kind) {
        (Direction::ToGuest, ACK) if told.seconds != 0 => base + YIADDR,
        (Direction::FromGuest, RELEASE) => base + CIADDR,
        // The option's place.
        (Direction::FromGuest, DECLINE) if told.inner_end != 0 => told.inner_end,
        _ => return,
    };
    let Some(address) = frame.read::<[u16; 2]>(at) else { return };
    let seconds = if matches!(direction, Direction::ToGuest) { told.seconds } else { 0 };
    told.tell(Address::v4(address), seconds);
}

/// Message type and lease time, which stand once each; `inner_end` becomes the place of the requested address.
#[inline(always)]
pub(super) fn option<F: Frame + ?Sized>(frame: &F, told: &mut Told) -> Option<()> {
    let at = told.at;
    if at >= told.end {
        return None;
    }
    let code: u8 = frame.read(at)?;
    match code {
        END => {
            told.finish();
            return Some(());
        }
        PAD => {
            told.at = at + 1;
            return Some(());
        }
        _ => {}
    }
    let len = u32::from(frame.read::<u8>(at + 1)?);
    if at + 2 + len > told.end {
        return None;
    }
    match (code, len) {
        (MESSAGE_TYPE, 1) if told.kind == 0 => told.kind = u32::from(frame.read::<u8>(at + 2)?),
        (LEASE_TIME, 4) if told.seconds == 0 => {
            told.seconds = number_of(frame.read(at + 2)?);
        }
        (REQUESTED_ADDRESS, 4) if told.inner_end == 0 => told.inner_end = at + 2,
        // Of another length, or twice.
        (MESSAGE_TYPE | LEASE_TIME | REQUESTED_ADDRESS, _) => return None,
        _ => {}
    }
    told.at = at + 2 + len;
    Some(())
}
