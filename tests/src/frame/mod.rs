//! Frames of any shape, normal and hostile, written as a chain from the outside to the inside:
//! `eth(A, B).vlan(5).ipv4("10.0.0.1", "10.0.0.2").tcp(1024, 80).flags(SYN).frame()`.
//! Lengths and checksums are right unless a call says otherwise. What a frame means is not known here.

mod arp;
mod checksum;
pub mod dhcp;
mod ethernet;
mod fragment;
mod icmp;
mod ipv4;
mod ipv6;
mod nd;
mod network;
mod transport;

use std::net::IpAddr;
use std::net::{Ipv4Addr, Ipv6Addr};

pub use arp::Arp;
pub use dhcp::{Dhcp, dhcp6, ia_address, ia_na, option6};
pub use ethernet::{Eth, Other};
pub use fragment::fragments;
pub use icmp::Icmp;
pub use ipv4::Ipv4;
pub use ipv6::{Ipv6, ROUTER_ALERT};
pub use nd::{OVERRIDE, ROUTER, SOLICITED};
pub use network::{Carrier, Network, Raw};
pub use transport::{ACK, FIN, PSH, RST, SYN, Sctp, Tcp, URG, Udp};

/// An Ethernet address.
pub type Mac = [u8; 6];

/// The one that all stations take.
pub const BROADCAST: Mac = [0xff; 6];

pub mod ethertype {
    pub const IPV4: u16 = 0x0800;
    pub const ARP: u16 = 0x0806;
    pub const VLAN: u16 = 0x8100;
    pub const IPV6: u16 = 0x86dd;
    pub const SERVICE_VLAN: u16 = 0x88a8;
    pub const LLDP: u16 = 0x88cc;
}

pub mod protocol {
    pub const HOP_BY_HOP: u8 = 0;
    pub const ICMP: u8 = 1;
    pub const TCP: u8 = 6;
    pub const UDP: u8 = 17;
    pub const ROUTING: u8 = 43;
    pub const FRAGMENT: u8 = 44;
    pub const GRE: u8 = 47;
    pub const ESP: u8 = 50;
    pub const AUTHENTICATION: u8 = 51;
    pub const ICMP6: u8 = 58;
    pub const NO_NEXT_HEADER: u8 = 59;
    pub const DESTINATION_OPTIONS: u8 = 60;
    pub const SCTP: u8 = 132;
}

/// Begins a frame.
pub fn eth(source: Mac, destination: Mac) -> Eth {
    Eth::new(source, destination)
}

/// An IPv4 packet for which the Ethernet header does not matter: the inside of an ICMP error.
pub fn ipv4(source: impl ToIp<Ipv4Addr>, destination: impl ToIp<Ipv4Addr>) -> Ipv4 {
    eth(mac(1), mac(2)).ipv4(source, destination)
}

/// Like [`ipv4`].
pub fn ipv6(source: impl ToIp<Ipv6Addr>, destination: impl ToIp<Ipv6Addr>) -> Ipv6 {
    eth(mac(1), mac(2)).ipv6(source, destination)
}

/// `52:54:00:00:00:n`, what guest number `n` of a test has.
pub const fn mac(n: u8) -> Mac {
    [0x52, 0x54, 0, 0, 0, n]
}

/// `52:54:00:00:00:0b`
pub fn mac_text(mac: Mac) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

/// The multicast MAC address of a group (RFC 1112, 6.4; RFC 2464, 7).
pub fn group_mac(group: IpAddr) -> Mac {
    match group {
        IpAddr::V4(v4) => {
            let [_, b, c, d] = v4.octets();
            [0x01, 0x00, 0x5e, b & 0x7f, c, d]
        }
        IpAddr::V6(v6) => {
            let [.., a, b, c, d] = v6.octets();
            [0x33, 0x33, a, b, c, d]
        }
    }
}

/// The group that asks for an address in neighbor discovery (RFC 4291, 2.7.1).
pub fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    let [.., x, y, z] = address.octets();
    Ipv6Addr::from([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, x, y, z])
}

/// The link-local address of a MAC address (modified EUI-64; RFC 4291, appendix A).
pub fn link_local(mac: Mac) -> Ipv6Addr {
    let [a, b, c, d, e, f] = mac;
    Ipv6Addr::from([0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f])
}

/// An address, or its text.
pub trait ToIp<A> {
    /// # Panics
    /// If the text is no such address.
    fn to_ip(self) -> A;
}

impl ToIp<Ipv4Addr> for Ipv4Addr {
    fn to_ip(self) -> Ipv4Addr {
        self
    }
}

impl ToIp<Ipv6Addr> for Ipv6Addr {
    fn to_ip(self) -> Ipv6Addr {
        self
    }
}

impl ToIp<Ipv4Addr> for &str {
    fn to_ip(self) -> Ipv4Addr {
        self.parse().unwrap_or_else(|_| panic!("{self:?} is no IPv4 address"))
    }
}

impl ToIp<Ipv6Addr> for &str {
    fn to_ip(self) -> Ipv6Addr {
        self.parse().unwrap_or_else(|_| panic!("{self:?} is no IPv6 address"))
    }
}

/// What can be sent: the end of every chain.
pub trait Build {
    fn link(&self) -> &Eth;

    fn ethertype(&self) -> u16;

    /// What follows the Ethernet header.
    fn packet(&self) -> Vec<u8>;

    /// The whole frame, without FCS and without padding.
    fn frame(&self) -> Vec<u8> {
        self.link().around(self.ethertype(), &self.packet())
    }

    /// The first `len` bytes of the frame.
    fn truncated(&self, len: usize) -> Vec<u8> {
        let mut frame = self.frame();
        frame.truncate(len);
        frame
    }

    /// With zeros up to the 60 bytes that Ethernet wants.
    fn padded(&self) -> Vec<u8> {
        let mut frame = self.frame();
        frame.resize(frame.len().max(60), 0);
        frame
    }
}
