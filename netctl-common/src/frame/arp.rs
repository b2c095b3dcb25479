//! ARP for IPv4 over Ethernet (RFC 826): the one form of it that is understood.

use super::header;
use super::{ETHERNET_LEN, Frame, Packet, number};
use crate::address::{Address, LinkAddress};
use crate::verdict::Reason;

/// Who asks or answers, and about whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arp {
    pub sender_mac: LinkAddress,
    pub sender: Address,
    pub target: Address,
}

impl Packet {
    /// A frame that is ARP, in its one form on Ethernet.
    #[inline(always)]
    pub fn arp<F: Frame + ?Sized>(&mut self, frame: &F) -> Result<Arp, Reason> {
        let body: header::Arp = frame.read(ETHERNET_LEN).ok_or(Reason::Truncated)?;
        let ethernet_ipv4 =
            (u16::from_be(body.hardware), u16::from_be(body.protocol), u16::from_be(body.lengths))
                == (1, number::ETHERTYPE_IPV4, 0x0604);
        let request_or_reply = matches!(u16::from_be(body.operation), 1 | 2);
        if !ethernet_ipv4 || !request_or_reply {
            return Err(Reason::BadHeader);
        }
        let (sender, target) = (Address::v4(body.sender), Address::v4(body.target));
        let arp = Arp { sender_mac: body.sender_mac, sender, target };
        self.tuple.source = arp.sender;
        self.tuple.destination = arp.target;
        Ok(arp)
    }
}
