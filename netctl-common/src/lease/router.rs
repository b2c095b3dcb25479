//! Router advertisements (RFC 4861, 4.2): the prefixes from which a guest may form addresses (RFC 4862).

use super::is_link_local;
use super::told::Told;
use crate::address::Address;
use crate::frame::header::TypeLength;
use crate::frame::{Frame, Packet, number_of};

const HEADER_LEN: u32 = 16;
/// Prefix information (RFC 4861, 4.6.2).
const PREFIX: u8 = 3;
const PREFIX_UNITS: u8 = 4;
/// The flag by which hosts form addresses from a prefix.
const AUTONOMOUS: u8 = 0x40;

/// Whether a router itself says so (RFC 4861, 6.1.2).
#[inline(always)]
pub(super) fn begin(packet: &Packet, told: &mut Told) -> bool {
    told.begin(packet.transport + HEADER_LEN, packet.end);
    is_link_local(&packet.tuple.source)
}

/// The prefixes of 64 bits that guests form addresses from, with their valid lifetimes.
#[inline(always)]
pub(super) fn option<F: Frame + ?Sized>(frame: &F, told: &mut Told) -> Option<()> {
    let at = told.at;
    if at == told.end {
        told.finish();
        return Some(());
    }
    let TypeLength { kind, units } = frame.read(at)?;
    let next = at + u32::from(units) * 8;
    if units == 0 || next > told.end {
        return None;
    }
    told.at = next;
    if kind == PREFIX && units == PREFIX_UNITS {
        let [bits, flags] = frame.read::<[u8; 2]>(at + 2)?;
        let [valid, preferred] = frame.read::<[[u16; 2]; 2]>(at + 4)?.map(number_of);
        let network: Address = frame.read(at + 16)?;
        let forms = bits == 64 && flags & AUTONOMOUS != 0 && preferred <= valid;
        if forms && !is_link_local(&network) && !network.is_group() {
            told.tell(network, valid);
        }
    }
    Some(())
}
