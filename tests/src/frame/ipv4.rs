//! IPv4 headers (RFC 791).

use std::net::Ipv4Addr;

use super::{Eth, checksum};

#[derive(Clone, Debug)]
pub struct Ipv4 {
    pub(super) link: Eth,
    pub(super) source: Ipv4Addr,
    pub(super) destination: Ipv4Addr,
    tos: u8,
    id: u16,
    flags_and_offset: u16,
    ttl: u8,
    options: Vec<u8>,
    version: u8,
    ihl: Option<u8>,
    total_length: Option<u16>,
    checksum: Option<u16>,
    protocol: Option<u8>,
}

impl Ipv4 {
    pub(super) fn new(link: Eth, source: Ipv4Addr, destination: Ipv4Addr) -> Self {
        Self {
            link,
            source,
            destination,
            tos: 0,
            id: 0,
            flags_and_offset: 0,
            ttl: 64,
            options: Vec::new(),
            version: 4,
            ihl: None,
            total_length: None,
            checksum: None,
            protocol: None,
        }
    }

    pub fn tos(mut self, tos: u8) -> Self {
        self.tos = tos;
        self
    }

    pub fn id(mut self, id: u16) -> Self {
        self.id = id;
        self
    }

    pub fn ttl(mut self, ttl: u8) -> Self {
        self.ttl = ttl;
        self
    }

    /// Options, padded with end-of-options to a multiple of 4; at most 40 bytes fit.
    pub fn options(mut self, options: &[u8]) -> Self {
        self.options = options.to_vec();
        self.options.resize(options.len().next_multiple_of(4), 0);
        self
    }

    pub fn dont_fragment(mut self) -> Self {
        self.flags_and_offset |= 0x4000;
        self
    }

    /// A fragment: `offset` in bytes (rounded down to a multiple of 8), and whether more follow.
    pub fn fragment(mut self, offset: u16, more: bool) -> Self {
        self.flags_and_offset = (offset / 8) | if more { 0x2000 } else { 0 };
        self
    }

    /// The reserved bit of the flags ("evil bit").
    pub fn reserved_flag(mut self) -> Self {
        self.flags_and_offset |= 0x8000;
        self
    }

    /// A version other than 4.
    pub fn version(mut self, version: u8) -> Self {
        self.version = version;
        self
    }

    /// A header length that lies, in units of 4 bytes.
    pub fn ihl(mut self, ihl: u8) -> Self {
        self.ihl = Some(ihl);
        self
    }

    /// A total length that lies, in bytes.
    pub fn total_length(mut self, length: u16) -> Self {
        self.total_length = Some(length);
        self
    }

    pub fn checksum(mut self, checksum: u16) -> Self {
        self.checksum = Some(checksum);
        self
    }

    /// A protocol number other than that of the payload.
    pub fn protocol(mut self, protocol: u8) -> Self {
        self.protocol = Some(protocol);
        self
    }

    pub(super) fn around(&self, protocol: u8, payload: &[u8]) -> Vec<u8> {
        let header_len = 20 + self.options.len();
        let ihl = self.ihl.unwrap_or((header_len / 4) as u8);
        let total = self.total_length.unwrap_or((header_len + payload.len()) as u16);
        let mut header = vec![self.version << 4 | ihl & 0x0f, self.tos];
        header.extend(total.to_be_bytes());
        header.extend(self.id.to_be_bytes());
        header.extend(self.flags_and_offset.to_be_bytes());
        header.extend([self.ttl, self.protocol.unwrap_or(protocol), 0, 0]);
        header.extend(self.source.octets());
        header.extend(self.destination.octets());
        header.extend(&self.options);
        let checksum = self.checksum.unwrap_or_else(|| checksum::internet(&[&header]));
        header[10..12].copy_from_slice(&checksum.to_be_bytes());
        header.extend(payload);
        header
    }
}

#[cfg(test)]
mod tests {
    use smoltcp::wire::Ipv4Packet;

    use super::super::{Build, Carrier, ipv4};
    #[test]
    fn a_header_has_the_bytes_of_a_captured_one() {
        // The worked example of the header checksum in RFC 1071's companion texts: checksum b861.
        let ip = ipv4("192.168.0.1", "192.168.0.199").dont_fragment().payload(17, &[0; 95]);
        let expected = [
            0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11, 0xb8, 0x61, 0xc0, 0xa8, 0x00, 0x01,
            0xc0, 0xa8, 0x00, 0xc7,
        ];
        assert_eq!(ip.packet()[..20], expected);
    }

    #[test]
    fn options_move_the_payload_and_keep_the_checksum_right() {
        let packet = ipv4("10.0.0.1", "10.0.0.2").options(&[0x94, 4, 0, 0, 1]).udp(1, 2).packet();
        let read = Ipv4Packet::new_checked(&packet[..]).unwrap();
        assert_eq!((read.header_len(), read.total_len(), read.verify_checksum()), (28, 36, true));
    }

    #[test]
    fn a_fragment_has_its_offset_in_units_of_eight() {
        let packet = ipv4("10.0.0.1", "10.0.0.2").id(7).fragment(1480, true).payload(6, b"abc").packet();
        let read = Ipv4Packet::new_checked(&packet[..]).unwrap();
        assert_eq!((read.ident(), read.frag_offset(), read.more_frags()), (7, 1480, true));
    }

    #[test]
    fn what_is_said_wrong_stays_wrong() {
        let ip = ipv4("10.0.0.1", "10.0.0.2").version(5).ihl(3).total_length(9).checksum(0xdead).protocol(99);
        let packet = ip.tcp(1, 2).packet();
        assert_eq!((packet[0], &packet[2..4], packet[9]), (0x53, &[0, 9][..], 99));
        assert_eq!(packet[10..12], [0xde, 0xad]);
    }
}
