//! Headers as they stand in a frame. Fields are in network byte order, in words of at most 16 bits: that is how a frame
//! is aligned in memory.

use bytemuck::{Pod, Zeroable};

use crate::address::LinkAddress;

/// IEEE 802.3.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Ethernet {
    pub destination: LinkAddress,
    pub source: LinkAddress,
    pub ethertype: u16,
}

/// RFC 791.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub(crate) struct Ipv4 {
    pub version_ihl: u8,
    pub service: u8,
    pub total_len: u16,
    pub id: u16,
    pub fragment: u16,
    pub ttl: u8,
    pub protocol: u8,
    pub checksum: u16,
    pub source: [u16; 2],
    pub destination: [u16; 2],
}

/// RFC 8200.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub(crate) struct Ipv6 {
    pub version: u8,
    pub class_flow: [u8; 3],
    pub payload_len: u16,
    pub next: u8,
    pub hop_limit: u8,
    pub source: [u16; 8],
    pub destination: [u16; 8],
}

/// RFC 9293, up to the flags.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub(crate) struct Tcp {
    pub source_port: u16,
    pub destination_port: u16,
    pub sequence: [u16; 2],
    pub acknowledgment: [u16; 2],
    pub offset: u8,
    pub flags: u8,
}

/// RFC 768; and the head of what an ICMP error shows of any transport.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub(crate) struct Udp {
    pub source_port: u16,
    pub destination_port: u16,
    pub length: u16,
    pub checksum: u16,
}

/// RFC 9260, the ports.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub(crate) struct Sctp {
    pub source_port: u16,
    pub destination_port: u16,
}

/// RFC 8200, 4.5.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub(crate) struct Fragment {
    pub next: u8,
    pub reserved: u8,
    /// Offset in bytes, two bits that are reserved, and whether more follow.
    pub offset: u16,
    pub id: [u16; 2],
}

/// RFC 792 and RFC 4443; `identifier` is an echo's.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub(crate) struct Icmp {
    /// Type and code.
    pub kind: u16,
    pub checksum: u16,
    pub identifier: u16,
    pub sequence: u16,
}

/// RFC 826, for IPv4 over Ethernet.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub(crate) struct Arp {
    pub hardware: u16,
    pub protocol: u16,
    /// Lengths of hardware and protocol addresses.
    pub lengths: u16,
    pub operation: u16,
    pub sender_mac: LinkAddress,
    pub sender: [u16; 2],
    pub target_mac: LinkAddress,
    pub target: [u16; 2],
}

/// The head of an IPv6 extension header, or of an option of neighbor discovery.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub(crate) struct TypeLength {
    pub kind: u8,
    /// In units of 8 bytes.
    pub units: u8,
}
