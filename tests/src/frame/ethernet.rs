//! Ethernet II, VLAN tags, and 802.3 with LLC or SNAP.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{Arp, Build, Ipv4, Ipv6, Mac, ToIp, ethertype};

/// The outside of a frame.
#[derive(Clone, Debug)]
pub struct Eth {
    source: Mac,
    destination: Mac,
    tags: Vec<[u8; 4]>,
    framing: Framing,
    type_field: Option<u16>,
}

#[derive(Clone, Debug)]
enum Framing {
    EthernetII,
    /// Length, DSAP, SSAP, control.
    Llc([u8; 3]),
    /// Length, aa aa 03, OUI, ethertype.
    Snap([u8; 3]),
}

impl Eth {
    pub(super) fn new(source: Mac, destination: Mac) -> Self {
        Self { source, destination, tags: Vec::new(), framing: Framing::EthernetII, type_field: None }
    }

    /// Adds an 802.1Q tag inside the tags so far: priority, DEI and VLAN id as they stand in the tag.
    pub fn vlan(self, tci: u16) -> Self {
        self.tag(ethertype::VLAN, tci)
    }

    /// Adds a tag of any kind, for example [`ethertype::SERVICE_VLAN`].
    pub fn tag(mut self, tpid: u16, tci: u16) -> Self {
        let ([a, b], [c, d]) = (tpid.to_be_bytes(), tci.to_be_bytes());
        self.tags.push([a, b, c, d]);
        self
    }

    /// 802.3: the length where the ethertype belongs, then DSAP, SSAP and control.
    pub fn llc(mut self, dsap: u8, ssap: u8, control: u8) -> Self {
        self.framing = Framing::Llc([dsap, ssap, control]);
        self
    }

    /// 802.3 with SNAP: LLC aa aa 03, the organization, then the ethertype.
    pub fn snap(mut self, organization: [u8; 3]) -> Self {
        self.framing = Framing::Snap(organization);
        self
    }

    /// What stands in the ethertype field (in 802.3: the length field), whatever follows.
    pub fn type_field(mut self, value: u16) -> Self {
        self.type_field = Some(value);
        self
    }

    pub fn source(&self) -> Mac {
        self.source
    }

    pub fn ipv4(self, source: impl ToIp<Ipv4Addr>, destination: impl ToIp<Ipv4Addr>) -> Ipv4 {
        Ipv4::new(self, source.to_ip(), destination.to_ip())
    }

    pub fn ipv6(self, source: impl ToIp<Ipv6Addr>, destination: impl ToIp<Ipv6Addr>) -> Ipv6 {
        Ipv6::new(self, source.to_ip(), destination.to_ip())
    }

    /// Who has `target`? Tell `sender`.
    pub fn arp_request(self, sender: impl ToIp<Ipv4Addr>, target: impl ToIp<Ipv4Addr>) -> Arp {
        Arp::request(self, sender.to_ip(), target.to_ip())
    }

    /// `sender` is at this frame's source address, for `target`.
    pub fn arp_reply(self, sender: impl ToIp<Ipv4Addr>, target: impl ToIp<Ipv4Addr>) -> Arp {
        Arp::reply(self, sender.to_ip(), target.to_ip())
    }

    /// A request for the sender's own address (RFC 5227, 1.1: an announcement).
    pub fn arp_gratuitous(self, address: impl ToIp<Ipv4Addr>) -> Arp {
        let address = address.to_ip();
        Arp::request(self, address, address)
    }

    /// Anything else.
    pub fn payload(self, ethertype: u16, bytes: &[u8]) -> Other {
        Other { link: self, ethertype, bytes: bytes.to_vec() }
    }

    pub(super) fn around(&self, ethertype: u16, packet: &[u8]) -> Vec<u8> {
        let llc: Vec<u8> = match &self.framing {
            Framing::EthernetII => Vec::new(),
            Framing::Llc(header) => header.to_vec(),
            Framing::Snap(organization) => {
                [&[0xaa, 0xaa, 0x03][..], organization, &ethertype.to_be_bytes()].concat()
            }
        };
        let natural = match self.framing {
            Framing::EthernetII => ethertype,
            Framing::Llc(_) | Framing::Snap(_) => (llc.len() + packet.len()) as u16,
        };
        let type_field = self.type_field.unwrap_or(natural).to_be_bytes();
        [&self.destination, &self.source, &self.tags.concat()[..], &type_field, &llc, packet].concat()
    }
}

/// A frame with a payload that is no IP and no ARP.
#[derive(Clone, Debug)]
pub struct Other {
    link: Eth,
    ethertype: u16,
    bytes: Vec<u8>,
}

impl Build for Other {
    fn link(&self) -> &Eth {
        &self.link
    }

    fn ethertype(&self) -> u16 {
        self.ethertype
    }

    fn packet(&self) -> Vec<u8> {
        self.bytes.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{eth, mac};
    use super::*;

    const HEAD: [u8; 12] = [0x52, 0x54, 0, 0, 0, 2, 0x52, 0x54, 0, 0, 0, 1];

    #[test]
    fn tags_stand_in_the_order_of_the_calls() {
        let frame = eth(mac(1), mac(2)).tag(0x88a8, 7).vlan(0x6005).payload(0x88cc, b"x").frame();
        assert_eq!(frame[..12], HEAD);
        assert_eq!(frame[12..], [0x88, 0xa8, 0, 7, 0x81, 0, 0x60, 5, 0x88, 0xcc, b'x']);
    }

    #[test]
    fn snap_carries_the_ethertype_behind_a_length() {
        let frame = eth(mac(1), mac(2)).snap([0, 0, 0]).payload(0x0800, b"abc").frame();
        assert_eq!(frame[12..], [0, 11, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0, b'a', b'b', b'c']);
    }

    #[test]
    fn llc_has_no_ethertype_and_its_length_can_lie() {
        let frame = eth(mac(1), mac(2)).llc(0x42, 0x42, 3).payload(0, b"stp").frame();
        assert_eq!(frame[12..], [0, 6, 0x42, 0x42, 3, b's', b't', b'p']);
        let lie = eth(mac(1), mac(2)).llc(0x42, 0x42, 3).type_field(1500).payload(0, b"stp").frame();
        assert_eq!(lie[12..14], 1500u16.to_be_bytes());
    }

    #[test]
    fn truncation_and_padding_are_at_the_end() {
        let other = eth(mac(1), mac(2)).payload(0x88cc, &[9; 10]);
        assert_eq!(other.truncated(13).len(), 13);
        assert_eq!(other.padded().len(), 60);
        assert_eq!(other.padded()[..24], other.frame());
    }
}
