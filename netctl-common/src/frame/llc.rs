//! IEEE 802.3 with LLC, of which SNAP carries an ethertype (RFC 1042).

use super::{ETHERNET_LEN, Frame, Packet, number};
use crate::abi::guards;
use crate::verdict::Reason;

/// The greatest length field (IEEE 802.3, 3.2.6).
const MAX_LENGTH: u16 = 1500;

/// DSAP, SSAP and control of SNAP, then the organization of RFC 1042, which is none.
const SNAP: [u16; 3] =
    [u16::from_ne_bytes([0xaa, 0xaa]), u16::from_ne_bytes([0x03, 0x00]), u16::from_ne_bytes([0x00, 0x00])];

impl Packet {
    /// A frame whose ethertype is a length. IP and ARP are not looked for in it, and so are not let through in it.
    #[inline(always)]
    pub(super) fn parse_llc<F: Frame + ?Sized>(&mut self, frame: &F, guards: u32) -> Result<(), Reason> {
        let length = self.ethertype;
        if guards & guards::LLC != 0 || length > MAX_LENGTH {
            return Err(Reason::LlcFrame);
        }
        if ETHERNET_LEN + u32::from(length) > self.length {
            return Err(Reason::Truncated);
        }
        let [a, b, c, ethertype]: [u16; 4] = frame.read(ETHERNET_LEN).ok_or(Reason::Truncated)?;
        if length < 8 || [a, b, c] != SNAP {
            return Err(Reason::LlcFrame);
        }
        match u16::from_be(ethertype) {
            number::ETHERTYPE_IPV4
            | number::ETHERTYPE_IPV6
            | number::ETHERTYPE_ARP
            | number::ETHERTYPE_VLAN
            | number::ETHERTYPE_QINQ
            | number::ETHERTYPE_QINQ_OLD
            | 0..number::ETHERTYPE_MIN => Err(Reason::LlcFrame),
            ethertype => {
                self.ethertype = ethertype;
                Ok(())
            }
        }
    }
}
