//! ICMP (RFC 792) and ICMPv6 (RFC 4443): any type and code, echo, and errors with a packet inside.

use super::network::{Network, Segment};
use super::{checksum, protocol};

#[derive(Clone, Debug)]
pub struct Icmp {
    network: Network,
    kind: u8,
    code: u8,
    rest: [u8; 4],
    body: Vec<u8>,
    checksum: Option<u16>,
}

impl Icmp {
    pub(super) fn new(network: Network, kind: u8, code: u8) -> Self {
        Self { network, kind, code, rest: [0; 4], body: Vec::new(), checksum: None }
    }

    pub(super) fn echo(network: Network, request: bool, id: u16, sequence: u16) -> Self {
        let kind = match (&network, request) {
            (Network::V4(_), true) => 8,
            (Network::V4(_), false) => 0,
            (Network::V6(_), true) => 128,
            (Network::V6(_), false) => 129,
        };
        let ([a, b], [c, d]) = (id.to_be_bytes(), sequence.to_be_bytes());
        Self::new(network, kind, 0).rest([a, b, c, d])
    }

    /// The four bytes behind the checksum.
    pub fn rest(mut self, rest: [u8; 4]) -> Self {
        self.rest = rest;
        self
    }

    /// What follows these: echo data, the inner packet of an error.
    pub fn body(mut self, bytes: &[u8]) -> Self {
        self.body = bytes.to_vec();
        self
    }

    /// Adds an option of neighbor discovery: type, length in units of 8 bytes, data padded with zeros.
    pub fn option(mut self, kind: u8, data: &[u8]) -> Self {
        let len = (2 + data.len()).next_multiple_of(8);
        let end = self.body.len() + len;
        self.body.extend([kind, (len / 8) as u8]);
        self.body.extend(data);
        self.body.resize(end, 0);
        self
    }

    pub fn code(mut self, code: u8) -> Self {
        self.code = code;
        self
    }

    pub fn checksum(mut self, checksum: u16) -> Self {
        self.checksum = Some(checksum);
        self
    }
}

impl Segment for Icmp {
    fn network(&self) -> &Network {
        &self.network
    }

    fn protocol(&self) -> u8 {
        match self.network {
            Network::V4(_) => protocol::ICMP,
            Network::V6(_) => protocol::ICMP6,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = [&[self.kind, self.code, 0, 0][..], &self.rest, &self.body].concat();
        let pseudo = match self.network {
            Network::V4(_) => Vec::new(),
            Network::V6(_) => self.network.pseudo_header(protocol::ICMP6, bytes.len()),
        };
        let checksum = self.checksum.unwrap_or_else(|| checksum::internet(&[&pseudo, &bytes]));
        bytes[2..4].copy_from_slice(&checksum.to_be_bytes());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use smoltcp::phy::ChecksumCapabilities;
    use smoltcp::wire::{
        Icmpv4DstUnreachable, Icmpv4Packet, Icmpv4Repr, Icmpv6DstUnreachable, Icmpv6Packet, Icmpv6Repr,
    };

    use super::super::{Build, Carrier, ipv4, ipv6};

    #[test]
    fn an_echo_request_is_what_smoltcp_reads_in_both_families() {
        let checks = ChecksumCapabilities::default();
        let v4 = ipv4("10.0.0.1", "10.0.0.2").echo_request(7, 9).body(b"abc").packet();
        let read = Icmpv4Repr::parse(&Icmpv4Packet::new_checked(&v4[20..]).unwrap(), &checks).unwrap();
        assert_eq!(read, Icmpv4Repr::EchoRequest { ident: 7, seq_no: 9, data: b"abc" });

        let (a, b) = ("fd00::1".parse().unwrap(), "fd00::2".parse().unwrap());
        let v6 = ipv6(a, b).echo_request(7, 9).body(b"abc").packet();
        let read =
            Icmpv6Repr::parse(&a, &b, &Icmpv6Packet::new_checked(&v6[40..]).unwrap(), &checks).unwrap();
        assert_eq!(read, Icmpv6Repr::EchoRequest { ident: 7, seq_no: 9, data: b"abc" });
    }

    #[test]
    fn an_error_quotes_the_packet_in_both_families() {
        let checks = ChecksumCapabilities::default();
        let inner = ipv4("10.0.0.2", "10.0.0.1").udp(5, 6).payload(b"x").packet();
        let v4 = ipv4("10.0.0.1", "10.0.0.2").unreachable(13, &inner).packet();
        let packet = Icmpv4Packet::new_checked(&v4[20..]).unwrap();
        let Icmpv4Repr::DstUnreachable { reason, header, data } =
            Icmpv4Repr::parse(&packet, &checks).unwrap()
        else {
            panic!("not an error: {packet:?}");
        };
        assert_eq!(reason, Icmpv4DstUnreachable::CommProhibited);
        assert_eq!((header.src_addr.octets(), data), ([10, 0, 0, 2], &inner[20..]));

        let (a, b) = ("fd00::1".parse().unwrap(), "fd00::2".parse().unwrap());
        let inner = ipv6(b, a).udp(5, 6).payload(b"x").packet();
        let v6 = ipv6(a, b).unreachable(1, &inner).packet();
        let packet = Icmpv6Packet::new_checked(&v6[40..]).unwrap();
        let Icmpv6Repr::DstUnreachable { reason, header, data } =
            Icmpv6Repr::parse(&a, &b, &packet, &checks).unwrap()
        else {
            panic!("not an error: {packet:?}");
        };
        assert_eq!(reason, Icmpv6DstUnreachable::AdminProhibit);
        assert_eq!((header.src_addr, data), (b, &inner[40..]));
    }

    #[test]
    fn too_big_has_the_mtu_where_each_family_wants_it() {
        let v4 = ipv4("10.0.0.1", "10.0.0.2").too_big(1400, b"").packet();
        assert_eq!((&v4[20..22], &v4[24..28]), (&[3, 4][..], &[0, 0, 5, 0x78][..]));
        let v6 = ipv6("fd00::1", "fd00::2").too_big(1400, b"").packet();
        assert_eq!((&v6[40..42], &v6[44..48]), (&[2, 0][..], &[0, 0, 5, 0x78][..]));
    }

    #[test]
    fn a_checksum_that_is_said_stays() {
        let packet = ipv4("10.0.0.1", "10.0.0.2").icmp(8, 0).checksum(0xdead).packet();
        assert_eq!(packet[22..24], [0xde, 0xad]);
    }
}
