//! Numbers assigned by IANA and IEEE.

pub const ETHERTYPE_IPV4: u16 = 0x0800;
pub const ETHERTYPE_ARP: u16 = 0x0806;
pub const ETHERTYPE_VLAN: u16 = 0x8100;
pub const ETHERTYPE_IPV6: u16 = 0x86dd;
pub const ETHERTYPE_QINQ: u16 = 0x88a8;
pub const ETHERTYPE_QINQ_OLD: u16 = 0x9100;
/// Pause (IEEE 802.3, 31).
pub const ETHERTYPE_MAC_CONTROL: u16 = 0x8808;
/// LACP, OAM and others (IEEE 802.3, 57A).
pub const ETHERTYPE_SLOW: u16 = 0x8809;
/// Below this, the field is a length (IEEE 802.3, 3.2.6).
pub const ETHERTYPE_MIN: u16 = 0x0600;

pub const ICMP: u8 = 1;
pub const TCP: u8 = 6;
pub const UDP: u8 = 17;
pub const ICMP6: u8 = 58;
pub const SCTP: u8 = 132;

pub const HOP_BY_HOP: u8 = 0;
pub const ROUTING: u8 = 43;
pub const FRAGMENT: u8 = 44;
pub const DESTINATION_OPTIONS: u8 = 60;

pub const ICMP_ECHO_REPLY: u8 = 0;
pub const ICMP_ECHO_REQUEST: u8 = 8;
pub const ICMP6_ECHO_REQUEST: u8 = 128;
pub const ICMP6_ECHO_REPLY: u8 = 129;

/// Neighbor discovery (RFC 4861).
pub const ROUTER_SOLICITATION: u8 = 133;
pub const ROUTER_ADVERTISEMENT: u8 = 134;
pub const NEIGHBOR_SOLICITATION: u8 = 135;
pub const NEIGHBOR_ADVERTISEMENT: u8 = 136;
pub const REDIRECT: u8 = 137;

/// UDP ports of DHCP servers and clients (RFC 2131, 4.1; RFC 8415, 7.2).
pub const DHCP_SERVER: u16 = 67;
pub const DHCP_CLIENT: u16 = 68;
pub const DHCP6_CLIENT: u16 = 546;
pub const DHCP6_SERVER: u16 = 547;
