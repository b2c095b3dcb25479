//! Bytes to a parsed packet. The only place with header offsets and byte order.
//!
//! Whatever is not understood has a [`Reason`]: nothing is skipped. Offsets are computed from the headers
//! (IPv4 options and IPv6 extension headers move the transport header), never assumed.

use crate::verdict::Reason;

/// A frame as a host of the decision sees it.
pub trait Frame {
    /// Bytes of the whole frame, from the destination MAC address on.
    fn len(&self) -> u32;

    /// `N` bytes at an offset, wherever they lie (a guest decides how much of a frame is linear);
    /// `None` beyond the end.
    fn read<const N: usize>(&self, at: u32) -> Option<[u8; N]>;

    /// Whether a VLAN tag was taken out of the frame and is kept beside it.
    fn has_vlan_metadata(&self) -> bool;

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Frame for [u8] {
    fn len(&self) -> u32 {
        u32::try_from(<[u8]>::len(self)).unwrap_or(u32::MAX)
    }

    fn read<const N: usize>(&self, at: u32) -> Option<[u8; N]> {
        let at = at as usize;
        self.get(at..at.checked_add(N)?)?.try_into().ok()
    }

    fn has_vlan_metadata(&self) -> bool {
        false
    }
}

/// Numbers assigned by IANA and IEEE.
pub mod number {
    pub const ETHERTYPE_IPV4: u16 = 0x0800;
    pub const ETHERTYPE_ARP: u16 = 0x0806;
    pub const ETHERTYPE_VLAN: u16 = 0x8100;
    pub const ETHERTYPE_IPV6: u16 = 0x86dd;
    pub const ETHERTYPE_QINQ: u16 = 0x88a8;
    pub const ETHERTYPE_QINQ_OLD: u16 = 0x9100;
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
}

/// TCP flags (RFC 9293, 3.1).
pub mod tcp {
    pub const FIN: u8 = 0x01;
    pub const SYN: u8 = 0x02;
    pub const RST: u8 = 0x04;
    pub const ACK: u8 = 0x10;
}

/// IPv6 extension headers that are walked; a chain that is longer is denied.
pub const MAX_EXTENSION_HEADERS: u32 = 6;

const ETHERNET_LEN: u32 = 14;
const IPV4_MIN_LEN: u32 = 20;
const IPV6_LEN: u32 = 40;
const ARP_LEN: u32 = 28;
const TCP_MIN_LEN: u32 = 20;
const UDP_LEN: u32 = 8;
const ICMP_LEN: u32 = 8;
const SCTP_LEN: u32 = 12;
/// Router alert (RFC 2113), the one IPv4 option that hosts send by themselves (IGMP).
const ROUTER_ALERT: [u8; 4] = [0x94, 0x04, 0x00, 0x00];
/// The high bytes of `::ffff:0:0/96`.
const MAPPED: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/// What a frame carries.
#[repr(u8)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layer {
    /// Something without IP; only the Ethernet header was read.
    #[default]
    Other = 0,
    Arp = 1,
    Ipv4 = 2,
    Ipv6 = 3,
}

/// Who talks to whom by which service: what rules and flows look at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tuple {
    /// 16-byte form, see [`crate::abi`].
    pub source: [u8; 16],
    pub destination: [u8; 16],
    pub protocol: u8,
    /// TCP, UDP, SCTP; the identifier of an ICMP echo; else 0.
    pub source_port: u16,
    /// TCP, UDP, SCTP; type * 256 + code of ICMP; else 0.
    pub destination_port: u16,
}

/// A parsed frame. Filled from the outside in, so that a denied frame can be reported as far as it was
/// understood; only after [`Packet::parse`] returned `Ok` do all fields mean something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Packet {
    pub length: u32,
    pub destination_mac: [u8; 6],
    pub source_mac: [u8; 6],
    pub ethertype: u16,
    pub layer: Layer,
    pub tcp_flags: u8,
    /// IPv6 hop limit, IPv4 time to live.
    pub hop_limit: u8,
    /// Also the protocol addresses of ARP.
    pub tuple: Tuple,
    /// Offset of the transport header, and of the end of the IP packet.
    pub transport: u32,
    pub end: u32,
}

/// ARP for IPv4 over Ethernet (RFC 826).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arp {
    pub sender_mac: [u8; 6],
    pub sender: [u8; 16],
    pub target: [u8; 16],
}

impl Packet {
    /// Reads the headers of a frame. The frame's own claims about lengths are checked against its end.
    // Out of line for the stack: see `decide::without_flow`.
    #[inline(never)]
    pub fn parse<F: Frame + ?Sized>(&mut self, frame: &F) -> Result<(), Reason> {
        self.length = frame.len();
        let header = frame.read::<14>(0).ok_or(Reason::Truncated)?;
        let [a, b, c, d, e, f, g, h, i, j, k, l, type_high, type_low] = header;
        self.destination_mac = [a, b, c, d, e, f];
        self.source_mac = [g, h, i, j, k, l];
        self.ethertype = u16::from_be_bytes([type_high, type_low]);
        if frame.has_vlan_metadata() {
            return Err(Reason::VlanTag);
        }
        match self.ethertype {
            number::ETHERTYPE_IPV4 => self.parse_ipv4(frame),
            number::ETHERTYPE_IPV6 => self.parse_ipv6(frame),
            number::ETHERTYPE_ARP => {
                self.layer = Layer::Arp;
                Ok(())
            }
            number::ETHERTYPE_VLAN | number::ETHERTYPE_QINQ | number::ETHERTYPE_QINQ_OLD => {
                Err(Reason::VlanTag)
            }
            length if length < number::ETHERTYPE_MIN => Err(Reason::LlcFrame),
            _ => Ok(()),
        }
    }

    #[inline(always)]
    fn parse_ipv4<F: Frame + ?Sized>(&mut self, frame: &F) -> Result<(), Reason> {
        let header = frame.read::<20>(ETHERNET_LEN).ok_or(Reason::Truncated)?;
        self.layer = Layer::Ipv4;
        self.tuple.source = mapped([header[12], header[13], header[14], header[15]]);
        self.tuple.destination = mapped([header[16], header[17], header[18], header[19]]);
        self.tuple.protocol = header[9];
        self.hop_limit = header[8];
        let header_len = u32::from(header[0] & 0x0f) * 4;
        let total_len = u32::from(u16::from_be_bytes([header[2], header[3]]));
        if header[0] >> 4 != 4 || header_len < IPV4_MIN_LEN || total_len < header_len {
            return Err(Reason::BadHeader);
        }
        self.end = ETHERNET_LEN + total_len;
        if self.end > self.length {
            return Err(Reason::Truncated);
        }
        // More-fragments, or an offset (RFC 791): neither end of a fragmented packet shows its ports in full.
        if u16::from_be_bytes([header[6], header[7]]) & 0x3fff != 0 {
            return Err(Reason::Fragment);
        }
        if header_len > IPV4_MIN_LEN {
            let option = frame.read::<4>(ETHERNET_LEN + IPV4_MIN_LEN).ok_or(Reason::Truncated)?;
            if header_len != IPV4_MIN_LEN + 4 || option != ROUTER_ALERT {
                return Err(Reason::Ipv4Options);
            }
            self.transport = ETHERNET_LEN + IPV4_MIN_LEN + 4;
        } else {
            self.transport = ETHERNET_LEN + IPV4_MIN_LEN;
        }
        self.parse_transport(frame)
    }

    #[inline(always)]
    fn parse_ipv6<F: Frame + ?Sized>(&mut self, frame: &F) -> Result<(), Reason> {
        let header = frame.read::<40>(ETHERNET_LEN).ok_or(Reason::Truncated)?;
        self.layer = Layer::Ipv6;
        self.tuple.source = sixteen(&header, 8);
        self.tuple.destination = sixteen(&header, 24);
        self.hop_limit = header[7];
        if header[0] >> 4 != 6 {
            return Err(Reason::BadHeader);
        }
        // An IPv6 header with such an address would be taken for the IPv4 address itself.
        if is_mapped(&self.tuple.source) || is_mapped(&self.tuple.destination) {
            return Err(Reason::MartianAddress);
        }
        self.end = ETHERNET_LEN + IPV6_LEN + u32::from(u16::from_be_bytes([header[4], header[5]]));
        if self.end > self.length {
            return Err(Reason::Truncated);
        }
        self.transport = ETHERNET_LEN + IPV6_LEN;
        self.tuple.protocol = header[6];
        if is_extension(header[6]) {
            self.walk_extensions(frame)?;
        }
        self.parse_transport(frame)
    }

    /// RFC 8200, section 4: the chain up to the transport header.
    #[inline(always)]
    fn walk_extensions<F: Frame + ?Sized>(&mut self, frame: &F) -> Result<(), Reason> {
        for walked in 0..MAX_EXTENSION_HEADERS {
            match self.tuple.protocol {
                number::FRAGMENT => return Err(Reason::Fragment),
                number::ROUTING => return Err(Reason::RoutingHeader),
                // Only right behind the IPv6 header (RFC 8200, 4.1).
                number::HOP_BY_HOP if walked != 0 => return Err(Reason::ExtensionChain),
                number::HOP_BY_HOP | number::DESTINATION_OPTIONS => {}
                _ => return Ok(()),
            }
            let [next, units] = frame.read::<2>(self.transport).ok_or(Reason::Truncated)?;
            self.transport += (u32::from(units) + 1) * 8;
            if self.transport > self.end {
                return Err(Reason::Truncated);
            }
            self.tuple.protocol = next;
        }
        if is_extension(self.tuple.protocol) { Err(Reason::ExtensionChain) } else { Ok(()) }
    }

    #[inline(always)]
    fn parse_transport<F: Frame + ?Sized>(&mut self, frame: &F) -> Result<(), Reason> {
        let room = self.end - self.transport;
        match self.tuple.protocol {
            number::TCP => self.parse_tcp(frame, room),
            number::UDP => self.parse_udp(frame, room),
            number::SCTP if room < SCTP_LEN => Err(Reason::Truncated),
            number::SCTP => {
                let ports = frame.read::<4>(self.transport).ok_or(Reason::Truncated)?;
                self.set_ports(ports);
                Ok(())
            }
            number::ICMP if self.layer as u8 == Layer::Ipv4 as u8 => self.parse_icmp(frame, room),
            number::ICMP6 if self.layer as u8 == Layer::Ipv6 as u8 => self.parse_icmp(frame, room),
            // ICMP of the other family is no protocol of this one.
            number::ICMP | number::ICMP6 => Err(Reason::BadHeader),
            _ => Ok(()),
        }
    }

    #[inline(always)]
    fn parse_tcp<F: Frame + ?Sized>(&mut self, frame: &F, room: u32) -> Result<(), Reason> {
        if room < TCP_MIN_LEN {
            return Err(Reason::Truncated);
        }
        let header = frame.read::<14>(self.transport).ok_or(Reason::Truncated)?;
        self.set_ports([header[0], header[1], header[2], header[3]]);
        self.tcp_flags = header[13];
        let header_len = u32::from(header[12] >> 4) * 4;
        if header_len < TCP_MIN_LEN || header_len > room {
            return Err(Reason::BadHeader);
        }
        let opening_or_ending = header[13] & (tcp::SYN | tcp::RST | tcp::FIN);
        let contradicts = opening_or_ending & (opening_or_ending.wrapping_sub(1)) != 0;
        if contradicts || header[13] & (tcp::SYN | tcp::RST | tcp::FIN | tcp::ACK) == 0 {
            return Err(Reason::BadTcpFlags);
        }
        Ok(())
    }

    #[inline(always)]
    fn parse_udp<F: Frame + ?Sized>(&mut self, frame: &F, room: u32) -> Result<(), Reason> {
        if room < UDP_LEN {
            return Err(Reason::Truncated);
        }
        let header = frame.read::<8>(self.transport).ok_or(Reason::Truncated)?;
        self.set_ports([header[0], header[1], header[2], header[3]]);
        let length = u32::from(u16::from_be_bytes([header[4], header[5]]));
        if length < UDP_LEN || length > room { Err(Reason::BadHeader) } else { Ok(()) }
    }

    #[inline(always)]
    fn parse_icmp<F: Frame + ?Sized>(&mut self, frame: &F, room: u32) -> Result<(), Reason> {
        if room < ICMP_LEN {
            return Err(Reason::Truncated);
        }
        let header = frame.read::<8>(self.transport).ok_or(Reason::Truncated)?;
        self.tuple.destination_port = u16::from_be_bytes([header[0], header[1]]);
        if is_echo(self.tuple.protocol, header[0]) {
            self.tuple.source_port = u16::from_be_bytes([header[4], header[5]]);
        }
        Ok(())
    }

    #[inline(always)]
    fn set_ports(&mut self, [a, b, c, d]: [u8; 4]) {
        self.tuple.source_port = u16::from_be_bytes([a, b]);
        self.tuple.destination_port = u16::from_be_bytes([c, d]);
    }

    /// The ICMP type; only for ICMP and ICMPv6.
    #[inline(always)]
    pub const fn icmp_type(&self) -> u8 {
        (self.tuple.destination_port >> 8) as u8
    }

    #[inline(always)]
    pub const fn is_ip(&self) -> bool {
        self.layer as u8 >= Layer::Ipv4 as u8
    }

    /// Broadcast or multicast on the link.
    #[inline(always)]
    pub const fn is_group_frame(&self) -> bool {
        self.destination_mac[0] & 1 != 0
    }

    #[inline(always)]
    pub fn is_broadcast_frame(&self) -> bool {
        self.destination_mac == [0xff; 6]
    }

    /// A frame that is ARP, in its one form on Ethernet.
    #[inline(always)]
    pub fn arp<F: Frame + ?Sized>(&mut self, frame: &F) -> Result<Arp, Reason> {
        let body = frame.read::<{ ARP_LEN as usize }>(ETHERNET_LEN).ok_or(Reason::Truncated)?;
        let ethernet_ipv4 = [body[0], body[1], body[2], body[3], body[4], body[5]] == [0, 1, 8, 0, 6, 4];
        let request_or_reply = body[6] == 0 && (body[7] == 1 || body[7] == 2);
        if !ethernet_ipv4 || !request_or_reply {
            return Err(Reason::BadHeader);
        }
        let arp = Arp {
            sender_mac: [body[8], body[9], body[10], body[11], body[12], body[13]],
            sender: mapped([body[14], body[15], body[16], body[17]]),
            target: mapped([body[24], body[25], body[26], body[27]]),
        };
        self.tuple.source = arp.sender;
        self.tuple.destination = arp.target;
        Ok(arp)
    }

    /// The packet inside an ICMP error, as far as errors show it: the IP header and 8 bytes behind it
    /// (RFC 792; RFC 4443, 2.4). Its own checks are looser: routers cut it where they like.
    #[inline(always)]
    pub fn inner<F: Frame + ?Sized>(&self, frame: &F, tuple: &mut Tuple) -> Result<(), Reason> {
        let at = self.transport + ICMP_LEN;
        let transport = match self.layer {
            Layer::Ipv4 => inner_ipv4(frame, at, tuple)?,
            _ => inner_ipv6(frame, at, tuple)?,
        };
        let head = frame.read::<8>(transport).ok_or(Reason::Truncated)?;
        (tuple.source_port, tuple.destination_port) = match tuple.protocol {
            number::TCP | number::UDP | number::SCTP => {
                (u16::from_be_bytes([head[0], head[1]]), u16::from_be_bytes([head[2], head[3]]))
            }
            number::ICMP | number::ICMP6 if is_echo(tuple.protocol, head[0]) => {
                (u16::from_be_bytes([head[4], head[5]]), u16::from_be_bytes([head[0], head[1]]))
            }
            number::ICMP | number::ICMP6 => (0, u16::from_be_bytes([head[0], head[1]])),
            _ => (0, 0),
        };
        Ok(())
    }
}

/// Fills in addresses and protocol; gives the offset of the transport header.
#[inline(always)]
fn inner_ipv4<F: Frame + ?Sized>(frame: &F, at: u32, tuple: &mut Tuple) -> Result<u32, Reason> {
    let header = frame.read::<20>(at).ok_or(Reason::Truncated)?;
    let header_len = u32::from(header[0] & 0x0f) * 4;
    if header[0] >> 4 != 4 || header_len < IPV4_MIN_LEN {
        return Err(Reason::BadHeader);
    }
    if u16::from_be_bytes([header[6], header[7]]) & 0x1fff != 0 {
        return Err(Reason::Fragment);
    }
    tuple.protocol = header[9];
    tuple.source = mapped([header[12], header[13], header[14], header[15]]);
    tuple.destination = mapped([header[16], header[17], header[18], header[19]]);
    Ok(at + header_len)
}

#[inline(always)]
fn inner_ipv6<F: Frame + ?Sized>(frame: &F, at: u32, tuple: &mut Tuple) -> Result<u32, Reason> {
    let [version, _, _, _, _, _, next, _] = frame.read::<8>(at).ok_or(Reason::Truncated)?;
    if version >> 4 != 6 {
        return Err(Reason::BadHeader);
    }
    if is_extension(next) {
        return Err(Reason::ExtensionChain);
    }
    tuple.protocol = next;
    tuple.source = frame.read::<16>(at + 8).ok_or(Reason::Truncated)?;
    tuple.destination = frame.read::<16>(at + 24).ok_or(Reason::Truncated)?;
    Ok(at + IPV6_LEN)
}

/// An IPv4 address in the 16-byte form.
#[inline(always)]
pub const fn mapped([a, b, c, d]: [u8; 4]) -> [u8; 16] {
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d]
}

/// Whether it is the 16-byte form of an IPv4 address.
#[inline(always)]
pub fn is_mapped(address: &[u8; 16]) -> bool {
    let [a, b, c, d, e, f, g, h, i, j, k, l, ..] = *address;
    [a, b, c, d, e, f, g, h, i, j, k, l] == MAPPED
}

#[inline(always)]
pub const fn is_echo(protocol: u8, icmp_type: u8) -> bool {
    match protocol {
        number::ICMP => matches!(icmp_type, number::ICMP_ECHO_REQUEST | number::ICMP_ECHO_REPLY),
        _ => matches!(icmp_type, number::ICMP6_ECHO_REQUEST | number::ICMP6_ECHO_REPLY),
    }
}

#[inline(always)]
const fn is_extension(protocol: u8) -> bool {
    matches!(protocol, number::HOP_BY_HOP | number::ROUTING | number::FRAGMENT | number::DESTINATION_OPTIONS)
}

/// 16 bytes of an IPv6 header; `at` is 8 or 24.
#[inline(always)]
fn sixteen(header: &[u8; 40], at: usize) -> [u8; 16] {
    let mut address = [0; 16];
    let mut i = 0;
    while i < 16 {
        address[i] = header[at + i];
        i += 1;
    }
    address
}
