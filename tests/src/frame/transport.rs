//! TCP (RFC 9293), UDP (RFC 768) and SCTP (RFC 9260).

use super::network::{Network, Segment};
use super::{checksum, protocol};

pub const FIN: u8 = 0x01;
pub const SYN: u8 = 0x02;
pub const RST: u8 = 0x04;
pub const PSH: u8 = 0x08;
pub const ACK: u8 = 0x10;
pub const URG: u8 = 0x20;

/// What stands in a checksum field.
#[derive(Clone, Copy, Debug)]
enum Sum {
    Right,
    /// Only the pseudo header's sum, as a sender leaves it with `VIRTIO_NET_HDR_F_NEEDS_CSUM`.
    Partial,
    Said(u16),
}

impl Sum {
    /// `segment` has zeros in its checksum field.
    fn of(self, network: &Network, protocol: u8, segment: &[u8]) -> u16 {
        let pseudo = network.pseudo_header(protocol, segment.len());
        match self {
            Self::Right => checksum::internet(&[&pseudo, segment]),
            Self::Partial => checksum::sum(&[&pseudo]),
            Self::Said(value) => value,
        }
    }
}

#[derive(Clone, Debug)]
pub struct Tcp {
    network: Network,
    ports: [u16; 2],
    sequence: Option<u32>,
    acknowledged: Option<u32>,
    flags: u8,
    window: u16,
    urgent: u16,
    options: Vec<u8>,
    payload: Vec<u8>,
    data_offset: Option<u8>,
    checksum: Sum,
}

impl Tcp {
    pub(super) fn new(network: Network, source: u16, destination: u16) -> Self {
        Self {
            network,
            ports: [source, destination],
            sequence: None,
            acknowledged: None,
            flags: SYN,
            window: 65535,
            urgent: 0,
            options: Vec::new(),
            payload: Vec::new(),
            data_offset: None,
            checksum: Sum::Right,
        }
    }

    /// SYN unless set.
    pub fn flags(mut self, flags: u8) -> Self {
        self.flags = flags;
        self
    }

    /// Unless set, 1 with SYN and else 2: as if both sides began with 1.
    pub fn sequence(mut self, number: u32) -> Self {
        self.sequence = Some(number);
        self
    }

    /// Unless set, 2 with ACK.
    pub fn acknowledged(mut self, number: u32) -> Self {
        self.acknowledged = Some(number);
        self
    }

    pub fn window(mut self, bytes: u16) -> Self {
        self.window = bytes;
        self
    }

    pub fn urgent(mut self, pointer: u16) -> Self {
        self.urgent = pointer;
        self
    }

    /// Padded with end-of-options to a multiple of 4; at most 40 bytes fit.
    pub fn options(mut self, options: &[u8]) -> Self {
        self.options = options.to_vec();
        self.options.resize(options.len().next_multiple_of(4), 0);
        self
    }

    pub fn payload(mut self, bytes: &[u8]) -> Self {
        self.payload = bytes.to_vec();
        self
    }

    /// A header length that lies, in units of 4 bytes.
    pub fn data_offset(mut self, words: u8) -> Self {
        self.data_offset = Some(words);
        self
    }

    pub fn checksum(mut self, checksum: u16) -> Self {
        self.checksum = Sum::Said(checksum);
        self
    }

    /// Only the pseudo header's sum, for [`crate::tap::VnetHeader::partial_checksum`].
    pub fn partial_checksum(mut self) -> Self {
        self.checksum = Sum::Partial;
        self
    }
}

impl Segment for Tcp {
    fn network(&self) -> &Network {
        &self.network
    }

    fn protocol(&self) -> u8 {
        protocol::TCP
    }

    fn bytes(&self) -> Vec<u8> {
        let words = self.data_offset.unwrap_or(((20 + self.options.len()) / 4) as u8);
        let mut bytes = self.ports.map(u16::to_be_bytes).concat();
        let sequence = self.sequence.unwrap_or(if self.flags & SYN == 0 { 2 } else { 1 });
        let acknowledged = self.acknowledged.unwrap_or(if self.flags & ACK == 0 { 0 } else { 2 });
        bytes.extend(sequence.to_be_bytes());
        bytes.extend(acknowledged.to_be_bytes());
        bytes.extend([words << 4, self.flags]);
        bytes.extend(self.window.to_be_bytes());
        bytes.extend([0, 0]);
        bytes.extend(self.urgent.to_be_bytes());
        bytes.extend(&self.options);
        bytes.extend(&self.payload);
        let checksum = self.checksum.of(&self.network, protocol::TCP, &bytes);
        bytes[16..18].copy_from_slice(&checksum.to_be_bytes());
        bytes
    }
}

#[derive(Clone, Debug)]
pub struct Udp {
    network: Network,
    ports: [u16; 2],
    payload: Vec<u8>,
    length: Option<u16>,
    checksum: Sum,
}

impl Udp {
    pub(super) fn new(network: Network, source: u16, destination: u16) -> Self {
        let ports = [source, destination];
        Self { network, ports, payload: Vec::new(), length: None, checksum: Sum::Right }
    }

    pub fn payload(mut self, bytes: &[u8]) -> Self {
        self.payload = bytes.to_vec();
        self
    }

    /// A length that lies, in bytes.
    pub fn length(mut self, bytes: u16) -> Self {
        self.length = Some(bytes);
        self
    }

    /// 0 means "none" (RFC 768); IPv6 does not take it.
    pub fn checksum(mut self, checksum: u16) -> Self {
        self.checksum = Sum::Said(checksum);
        self
    }

    /// Only the pseudo header's sum, for [`crate::tap::VnetHeader::partial_checksum`].
    pub fn partial_checksum(mut self) -> Self {
        self.checksum = Sum::Partial;
        self
    }
}

impl Segment for Udp {
    fn network(&self) -> &Network {
        &self.network
    }

    fn protocol(&self) -> u8 {
        protocol::UDP
    }

    fn bytes(&self) -> Vec<u8> {
        let length = self.length.unwrap_or((8 + self.payload.len()) as u16);
        let mut bytes = self.ports.map(u16::to_be_bytes).concat();
        bytes.extend(length.to_be_bytes());
        bytes.extend([0, 0]);
        bytes.extend(&self.payload);
        let checksum = match self.checksum.of(&self.network, protocol::UDP, &bytes) {
            // A sum of 0 is sent as ffff, because 0 means "none".
            0 if matches!(self.checksum, Sum::Right) => 0xffff,
            sum => sum,
        };
        bytes[6..8].copy_from_slice(&checksum.to_be_bytes());
        bytes
    }
}

/// Type, flags and length of the chunk (RFC 9260, 3.3.2).
const INIT: [u8; 4] = [1, 0, 0, 20];

#[derive(Clone, Debug)]
pub struct Sctp {
    network: Network,
    ports: [u16; 2],
    tag: u32,
    chunks: Vec<u8>,
    checksum: Option<u32>,
}

impl Sctp {
    pub(super) fn new(network: Network, source: u16, destination: u16) -> Self {
        Self { network, ports: [source, destination], tag: 0, chunks: Vec::new(), checksum: None }
    }

    pub fn verification_tag(mut self, tag: u32) -> Self {
        self.tag = tag;
        self
    }

    /// Without any, there is an INIT. Adds a chunk: type, flags and value, padded to a multiple of 4.
    pub fn chunk(mut self, kind: u8, flags: u8, value: &[u8]) -> Self {
        self.chunks.extend([kind, flags]);
        self.chunks.extend((4 + value.len() as u16).to_be_bytes());
        self.chunks.extend(value);
        self.chunks.resize(self.chunks.len().next_multiple_of(4), 0);
        self
    }

    pub fn checksum(mut self, checksum: u32) -> Self {
        self.checksum = Some(checksum);
        self
    }
}

impl Segment for Sctp {
    fn network(&self) -> &Network {
        &self.network
    }

    fn protocol(&self) -> u8 {
        protocol::SCTP
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.ports.map(u16::to_be_bytes).concat();
        bytes.extend(self.tag.to_be_bytes());
        bytes.extend([0; 4]);
        match self.chunks.is_empty() {
            true => bytes.extend([&INIT[..], &[0; 16]].concat()),
            false => bytes.extend(&self.chunks),
        }
        let checksum = self.checksum.unwrap_or_else(|| checksum::crc32c(&bytes));
        // The CRC is the one field of the Internet protocols that is sent with its low byte first.
        bytes[8..12].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use smoltcp::wire::{IpAddress, TcpPacket, UdpPacket};

    use super::super::{Build, Carrier, ipv4, ipv6};
    use super::*;

    const PAIRS: [[&str; 2]; 2] = [["10.0.0.1", "10.0.0.2"], ["fd00::1", "fd00::2"]];

    fn smoltcp(address: &str) -> IpAddress {
        address.parse::<std::net::IpAddr>().unwrap().into()
    }

    #[test]
    fn a_tcp_segment_is_what_smoltcp_reads_in_both_families() {
        let fill =
            |tcp: Tcp| tcp.flags(SYN | ACK).sequence(7).acknowledged(9).window(512).options(&[2, 4, 5, 0xb4]);
        let v4 = fill(ipv4(PAIRS[0][0], PAIRS[0][1]).tcp(1024, 443)).payload(b"odd").packet();
        let v6 = fill(ipv6(PAIRS[1][0], PAIRS[1][1]).tcp(1024, 443)).payload(b"odd").packet();
        for (segment, [source, destination]) in [(&v4[20..], PAIRS[0]), (&v6[40..], PAIRS[1])] {
            let read = TcpPacket::new_checked(segment).unwrap();
            assert!(read.verify_checksum(&smoltcp(source), &smoltcp(destination)));
            assert_eq!((read.src_port(), read.dst_port(), read.header_len()), (1024, 443, 24));
            assert!(read.syn() && read.ack() && !read.fin() && !read.rst() && !read.psh());
            assert_eq!((read.seq_number().0, read.ack_number().0, read.window_len()), (7, 9, 512));
            assert_eq!(read.payload(), b"odd");
        }
    }

    #[test]
    fn a_udp_datagram_is_what_smoltcp_reads_in_both_families() {
        let v4 = ipv4(PAIRS[0][0], PAIRS[0][1]).udp(53, 1053).payload(b"hello").packet();
        let v6 = ipv6(PAIRS[1][0], PAIRS[1][1]).udp(53, 1053).payload(b"hello").packet();
        for (datagram, [source, destination]) in [(&v4[20..], PAIRS[0]), (&v6[40..], PAIRS[1])] {
            let read = UdpPacket::new_checked(datagram).unwrap();
            assert!(read.verify_checksum(&smoltcp(source), &smoltcp(destination)));
            assert_eq!((read.src_port(), read.dst_port(), read.len()), (53, 1053, 13));
            assert_eq!(read.payload(), b"hello");
        }
    }

    #[test]
    fn a_partial_checksum_completes_to_the_right_one() {
        let tcp = ipv4("10.0.0.1", "10.0.0.2").tcp(1, 2).payload(b"data");
        let (whole, partial) = (tcp.packet(), tcp.partial_checksum().packet());
        let completed = checksum::internet(&[&partial[20..]]);
        assert_ne!(whole[36..38], partial[36..38]);
        assert_eq!(whole[36..38], completed.to_be_bytes());
    }

    #[test]
    fn what_is_said_wrong_stays_wrong() {
        let tcp = ipv4("10.0.0.1", "10.0.0.2").tcp(1, 2).data_offset(15).checksum(0xdead).packet();
        assert_eq!((tcp[32] >> 4, &tcp[36..38]), (15, &[0xde, 0xad][..]));
        let udp = ipv4("10.0.0.1", "10.0.0.2").udp(1, 2).length(3).checksum(0).packet();
        assert_eq!(udp[24..28], [0, 3, 0, 0]);
    }

    #[test]
    fn an_sctp_packet_carries_its_chunks_padded_and_its_crc_low_byte_first() {
        let packet =
            ipv4("10.0.0.1", "10.0.0.2").sctp(7, 9).verification_tag(3).chunk(1, 0, b"init!").packet();
        let sctp = &packet[20..];
        assert_eq!(sctp[..8], [0, 7, 0, 9, 0, 0, 0, 3]);
        assert_eq!(sctp[12..], [1, 0, 0, 9, b'i', b'n', b'i', b't', b'!', 0, 0, 0]);
        let zeroed = [&sctp[..8], &[0; 4], &sctp[12..]].concat();
        assert_eq!(sctp[8..12], checksum::crc32c(&zeroed).to_le_bytes());
    }
}
