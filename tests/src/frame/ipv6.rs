//! IPv6 headers and chains of extension headers (RFC 8200).

use std::net::Ipv6Addr;

use super::{Eth, protocol};

/// The hop-by-hop option of MLD (RFC 2711).
pub const ROUTER_ALERT: [u8; 4] = [5, 2, 0, 0];

#[derive(Clone, Debug)]
pub struct Ipv6 {
    pub(super) link: Eth,
    pub(super) source: Ipv6Addr,
    pub(super) destination: Ipv6Addr,
    version: u8,
    flow_label: u32,
    hop_limit: Option<u8>,
    extensions: Vec<Extension>,
    payload_length: Option<u16>,
    next_header: Option<u8>,
}

/// An extension header; its first byte, the next header, is filled in at the end.
#[derive(Clone, Debug)]
struct Extension {
    number: u8,
    bytes: Vec<u8>,
}

impl Ipv6 {
    pub(super) fn new(link: Eth, source: Ipv6Addr, destination: Ipv6Addr) -> Self {
        Self {
            link,
            source,
            destination,
            version: 6,
            flow_label: 0,
            hop_limit: None,
            extensions: Vec::new(),
            payload_length: None,
            next_header: None,
        }
    }

    /// 64 unless set; neighbor discovery has 255.
    pub fn hop_limit(mut self, hops: u8) -> Self {
        self.hop_limit = Some(hops);
        self
    }

    pub(super) fn default_hop_limit(mut self, hops: u8) -> Self {
        self.hop_limit.get_or_insert(hops);
        self
    }

    /// The 20 bits of the flow label.
    pub fn flow_label(mut self, label: u32) -> Self {
        self.flow_label = label & 0x000f_ffff;
        self
    }

    /// A hop-by-hop header with these options, padded.
    pub fn hop_by_hop(self, options: &[u8]) -> Self {
        self.extension(protocol::HOP_BY_HOP, options)
    }

    /// A destination options header with these options, padded.
    pub fn destination_options(self, options: &[u8]) -> Self {
        self.extension(protocol::DESTINATION_OPTIONS, options)
    }

    /// A routing header: type, segments left, and data that begins with the 4 type-specific bytes.
    pub fn routing(self, kind: u8, segments_left: u8, data: &[u8]) -> Self {
        self.extension(protocol::ROUTING, &[&[kind, segments_left][..], data].concat())
    }

    /// A fragment header: `offset` in bytes (rounded down to a multiple of 8), whether more follow, and the id.
    pub fn fragment(self, offset: u16, more: bool, id: u32) -> Self {
        let [high, low] = (offset & 0xfff8 | u16::from(more)).to_be_bytes();
        let bytes = [&[0, 0, high, low][..], &id.to_be_bytes()].concat();
        self.push(protocol::FRAGMENT, bytes)
    }

    /// An authentication header (RFC 4302) with this check value, a multiple of 4 bytes.
    pub fn authentication(self, spi: u32, check_value: &[u8]) -> Self {
        // Its length counts units of 4 bytes, less 2, unlike that of all others.
        let len = ((12 + check_value.len()) / 4 - 2) as u8;
        let bytes = [&[0, len, 0, 0][..], &spi.to_be_bytes(), &1u32.to_be_bytes(), check_value].concat();
        self.push(protocol::AUTHENTICATION, bytes)
    }

    /// Any extension header of the usual shape: next header, length in units of 8 bytes less 1, data.
    /// The data is padded with PadN.
    pub fn extension(self, number: u8, data: &[u8]) -> Self {
        let mut bytes = [&[0, 0][..], data].concat();
        match bytes.len().next_multiple_of(8) - bytes.len() {
            0 => {}
            1 => bytes.push(0),
            n => bytes.extend([&[1, (n - 2) as u8][..], &vec![0; n - 2]].concat()),
        }
        bytes[1] = (bytes.len() / 8 - 1) as u8;
        self.push(number, bytes)
    }

    /// The length field of the last extension header, lying.
    ///
    /// # Panics
    /// If there is none.
    pub fn extension_length(mut self, length: u8) -> Self {
        match self.extensions.last_mut() {
            Some(last) => last.bytes[1] = length,
            None => panic!("there is no extension header before extension_length"),
        }
        self
    }

    /// A version other than 6.
    pub fn version(mut self, version: u8) -> Self {
        self.version = version;
        self
    }

    /// A payload length that lies, in bytes.
    pub fn payload_length(mut self, length: u16) -> Self {
        self.payload_length = Some(length);
        self
    }

    /// The last next-header field, other than the payload's protocol.
    pub fn next_header(mut self, number: u8) -> Self {
        self.next_header = Some(number);
        self
    }

    fn push(mut self, number: u8, bytes: Vec<u8>) -> Self {
        self.extensions.push(Extension { number, bytes });
        self
    }

    pub(super) fn around(&self, protocol: u8, payload: &[u8]) -> Vec<u8> {
        let last = self.next_header.unwrap_or(protocol);
        let numbers = self.extensions.iter().map(|e| e.number).chain([last]).collect::<Vec<_>>();
        let mut body = Vec::new();
        for (extension, next) in self.extensions.iter().zip(&numbers[1..]) {
            body.push(*next);
            body.extend(&extension.bytes[1..]);
        }
        body.extend(payload);
        let length = self.payload_length.unwrap_or(body.len() as u16);
        let first_word = u32::from(self.version) << 28 | self.flow_label;
        [
            &first_word.to_be_bytes()[..],
            &length.to_be_bytes(),
            &[numbers[0], self.hop_limit.unwrap_or(64)],
            &self.source.octets(),
            &self.destination.octets(),
            &body,
        ]
        .concat()
    }
}

#[cfg(test)]
mod tests {
    use smoltcp::wire::{IpProtocol, Ipv6Packet};

    use super::super::{Build, Carrier, ToIp, ipv6};
    use super::*;

    #[test]
    fn the_fixed_header_is_what_smoltcp_reads() {
        let packet = ipv6("fd00::1", "fd00::2").flow_label(0xabcde).hop_limit(3).udp(1, 2).packet();
        let read = Ipv6Packet::new_checked(&packet[..]).unwrap();
        assert_eq!((read.version(), read.flow_label(), read.hop_limit()), (6, 0xabcde, 3));
        assert_eq!((read.payload_len(), read.next_header()), (8, IpProtocol::Udp));
        assert_eq!((read.src_addr(), read.dst_addr()), ("fd00::1".to_ip(), "fd00::2".to_ip()));
    }

    #[test]
    fn a_chain_names_each_next_header_and_each_length() {
        let chain = ipv6("fd00::1", "fd00::2").hop_by_hop(&ROUTER_ALERT).routing(0, 1, &[0; 20]);
        let chain = chain.authentication(9, &[7; 4]).fragment(8, true, 5).destination_options(&[]);
        let packet = chain.payload(17, b"end").packet();
        let expected = [
            &[43, 0, 5, 2, 0, 0, 1, 0][..],
            &[51, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            &[44, 2, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1, 7, 7, 7, 7],
            &[60, 0, 0, 9, 0, 0, 0, 5],
            &[17, 0, 1, 4, 0, 0, 0, 0],
            b"end",
        ]
        .concat();
        assert_eq!((packet[6], &packet[40..]), (0, &expected[..]));
        assert_eq!(packet[4..6], (expected.len() as u16).to_be_bytes());
    }

    #[test]
    fn what_is_said_wrong_stays_wrong() {
        let ip = ipv6("fd00::1", "fd00::2").version(4).payload_length(1).hop_by_hop(&[]).extension_length(31);
        let packet = ip.next_header(6).udp(1, 2).packet();
        assert_eq!((packet[0], &packet[4..6], packet[40], packet[41]), (0x40, &[0, 1][..], 6, 31));
    }
}
