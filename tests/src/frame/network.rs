//! What IPv4 and IPv6 have in common for what they carry: a protocol number and a pseudo header.

use super::{Build, Eth, Icmp, Ipv4, Ipv6, Sctp, Tcp, Udp, ethertype, protocol};

/// The network layer of a packet.
#[derive(Clone, Debug)]
pub enum Network {
    V4(Ipv4),
    V6(Ipv6),
}

impl Network {
    pub(super) fn around(&self, protocol: u8, payload: &[u8]) -> Vec<u8> {
        match self {
            Self::V4(ip) => ip.around(protocol, payload),
            Self::V6(ip) => ip.around(protocol, payload),
        }
    }

    /// What the checksums of TCP, UDP and ICMPv6 cover besides the segment (RFC 9293, 3.1; RFC 8200, 8.1).
    pub(super) fn pseudo_header(&self, protocol: u8, len: usize) -> Vec<u8> {
        let len = (len as u32).to_be_bytes();
        let (source, destination) = match self {
            Self::V4(ip) => (ip.source.octets().to_vec(), ip.destination.octets().to_vec()),
            Self::V6(ip) => (ip.source.octets().to_vec(), ip.destination.octets().to_vec()),
        };
        // The order and width of protocol and length differ between the families; their sum does not.
        [&source[..], &destination, &len, &[0, 0, 0, protocol]].concat()
    }

    pub(super) fn link(&self) -> &Eth {
        match self {
            Self::V4(ip) => &ip.link,
            Self::V6(ip) => &ip.link,
        }
    }

    pub(super) fn ethertype(&self) -> u16 {
        match self {
            Self::V4(_) => ethertype::IPV4,
            Self::V6(_) => ethertype::IPV6,
        }
    }
}

impl From<Ipv4> for Network {
    fn from(ip: Ipv4) -> Self {
        Self::V4(ip)
    }
}

impl From<Ipv6> for Network {
    fn from(ip: Ipv6) -> Self {
        Self::V6(ip)
    }
}

/// What an IP header can carry.
pub trait Carrier: Into<Network> {
    fn tcp(self, source: u16, destination: u16) -> Tcp {
        Tcp::new(self.into(), source, destination)
    }

    fn udp(self, source: u16, destination: u16) -> Udp {
        Udp::new(self.into(), source, destination)
    }

    fn sctp(self, source: u16, destination: u16) -> Sctp {
        Sctp::new(self.into(), source, destination)
    }

    /// The family's own ICMP, of any type and code.
    fn icmp(self, kind: u8, code: u8) -> Icmp {
        Icmp::new(self.into(), kind, code)
    }

    fn echo_request(self, id: u16, sequence: u16) -> Icmp {
        Icmp::echo(self.into(), true, id, sequence)
    }

    fn echo_reply(self, id: u16, sequence: u16) -> Icmp {
        Icmp::echo(self.into(), false, id, sequence)
    }

    /// An error about `inner`, a packet or as much of it as it shall quote.
    fn unreachable(self, code: u8, inner: &[u8]) -> Icmp {
        let network = self.into();
        let kind = if matches!(network, Network::V4(_)) { 3 } else { 1 };
        Icmp::new(network, kind, code).body(inner)
    }

    /// Like [`Self::unreachable`].
    fn time_exceeded(self, code: u8, inner: &[u8]) -> Icmp {
        let network = self.into();
        let kind = if matches!(network, Network::V4(_)) { 11 } else { 3 };
        Icmp::new(network, kind, code).body(inner)
    }

    /// "Fragmentation needed" (RFC 1191) or "packet too big", about `inner`.
    fn too_big(self, mtu: u16, inner: &[u8]) -> Icmp {
        let network = self.into();
        let (kind, code) = if matches!(network, Network::V4(_)) { (3, 4) } else { (2, 0) };
        let [high, low] = mtu.to_be_bytes();
        Icmp::new(network, kind, code).rest([0, 0, high, low]).body(inner)
    }

    /// Any protocol; also TCP, UDP and ICMP with bytes of your own, and later fragments.
    fn payload(self, protocol: u8, bytes: &[u8]) -> Raw {
        Raw { network: self.into(), protocol, bytes: bytes.to_vec() }
    }

    /// GRE with an IPv4 packet or anything else inside (RFC 2784).
    fn gre(self, ethertype: u16, inner: &[u8]) -> Raw {
        let [high, low] = ethertype.to_be_bytes();
        self.payload(protocol::GRE, &[&[0, 0, high, low][..], inner].concat())
    }
}

impl Carrier for Ipv4 {}
impl Carrier for Ipv6 {}

/// What stands behind an IP header.
pub(super) trait Segment {
    fn network(&self) -> &Network;
    fn protocol(&self) -> u8;
    fn bytes(&self) -> Vec<u8>;
}

macro_rules! build_from_segment {
    ($($kind:ty),+) => { $(
        impl Build for $kind {
            fn link(&self) -> &Eth {
                self.network().link()
            }

            fn ethertype(&self) -> u16 {
                self.network().ethertype()
            }

            fn packet(&self) -> Vec<u8> {
                self.network().around(self.protocol(), &self.bytes())
            }
        }
    )+ };
}

build_from_segment!(Tcp, Udp, Sctp, Icmp, Raw);

/// A protocol number and bytes.
#[derive(Clone, Debug)]
pub struct Raw {
    network: Network,
    protocol: u8,
    bytes: Vec<u8>,
}

impl Segment for Raw {
    fn network(&self) -> &Network {
        &self.network
    }

    fn protocol(&self) -> u8 {
        self.protocol
    }

    fn bytes(&self) -> Vec<u8> {
        self.bytes.clone()
    }
}
