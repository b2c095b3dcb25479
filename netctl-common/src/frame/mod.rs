//! Bytes to a parsed packet. The only place with header offsets and byte order.
//!
//! Whatever is not understood has a [`Reason`]: nothing is skipped. Offsets are computed from the headers
//! (IPv4 options and IPv6 extension headers move the transport header), never assumed.

mod arp;
mod arrived;
mod fragment;
pub mod header;
mod inner;
mod llc;
pub mod number;
mod options;
pub mod sctp;
mod tag;
pub mod tcp;
mod wire;

pub use arp::Arp;
pub use arrived::Arrived;
pub use fragment::{Fragment, Part};
pub use inner::Inner;
pub use tag::Tag;
pub use wire::Wire;

use bytemuck::Pod;

use crate::abi::guards;
use crate::address::{Address, LinkAddress};
use crate::verdict::Reason;
use header::{Ethernet, Icmp, Ipv4, Ipv6, Sctp, Tcp, TypeLength, Udp};

/// A frame as a host of the decision sees it.
pub trait Frame {
    /// Bytes of the whole frame, from the destination MAC address on, without the tag that was taken out.
    fn len(&self) -> u32;

    /// A header at an offset, wherever it lies (a guest decides how much of a frame is linear); `None` where the frame
    /// ends before it does.
    fn read<T: Pod>(&self, at: u32) -> Option<T>;

    /// [`Self::read`] for the headers in front: `AT` and the size of `T` add up to at most [`NEAR`].
    fn read_near<const AT: u32, T: Pod>(&self) -> Option<T>;

    /// The outer VLAN tag, which was taken out: the other functions show the frame without it.
    fn tag(&self) -> Option<Tag>;

    /// Whether there is a second VLAN tag, beside the frame.
    fn has_vlan_metadata(&self) -> bool;

    /// What an earlier hook said about it: see [`crate::mark`].
    fn mark(&self) -> u32 {
        0
    }

    /// The interface at which it came in last (`skb->skb_iif`); 0 = the host made it.
    fn ingress_ifindex(&self) -> u32 {
        0
    }

    /// Bytes of payload in each segment that the frame is to be cut into (`gso_size`); 0 = it is not.
    fn segment_size(&self) -> u32 {
        0
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// IPv6 extension headers that are walked; a chain that is longer is denied.
pub const MAX_EXTENSION_HEADERS: u32 = 6;

/// The headers in front: Ethernet and IPv6, or Ethernet, IPv4 and most of TCP.
pub const NEAR: u32 = 54;

pub(crate) const ETHERNET_LEN: u32 = size_of::<Ethernet>() as u32;
pub(crate) const IPV4_MIN_LEN: u32 = size_of::<Ipv4>() as u32;
pub(crate) const IPV6_LEN: u32 = size_of::<Ipv6>() as u32;
pub(crate) const TCP_MIN_LEN: u32 = 20;
pub(crate) const UDP_LEN: u32 = 8;
pub(crate) const ICMP_LEN: u32 = 8;
const SCTP_LEN: u32 = 12;

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
    pub source: Address,
    pub destination: Address,
    pub protocol: u8,
    /// TCP, UDP, SCTP; the identifier of an ICMP echo; else 0.
    pub source_port: u16,
    /// TCP, UDP, SCTP; type * 256 + code of ICMP; else 0.
    pub destination_port: u16,
}

/// Both ends on the link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Link {
    pub destination: LinkAddress,
    pub source: LinkAddress,
}

/// A parsed frame. Filled from the outside in, so that a denied frame can be reported as far as it was
/// understood; only after [`Packet::parse`] returned `Ok` do all fields mean something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Packet {
    pub length: u32,
    pub link: Link,
    /// Behind the tag; of SNAP, the one in it.
    pub ethertype: u16,
    /// The VLAN on the network that the frame is in; 0 = none. Not known to the parser.
    pub vlan: u16,
    pub layer: Layer,
    pub tcp_flags: u8,
    /// IPv6 hop limit, IPv4 time to live.
    pub hop_limit: u8,
    /// Also the protocol addresses of ARP.
    pub tuple: Tuple,
    /// See [`Frame::mark`], [`Frame::ingress_ifindex`].
    pub mark: u32,
    pub ingress_ifindex: u32,
    /// The outer tag, as [`Tag::packed`].
    pub tag: u32,
    /// Offset of the transport header, and of the end of the IP packet.
    pub transport: u32,
    pub end: u32,
    /// TCP: of the segment, of what would follow it, and what it acknowledges. SYN and FIN count as a byte each.
    pub sequence: u32,
    pub sequence_end: u32,
    pub acknowledgment: u32,
    pub fragment: Fragment,
    /// SCTP: the type of the first chunk.
    pub chunk: u8,
}

impl Packet {
    /// Reads the headers of a frame. The frame's own claims about lengths are checked against its end. `guards` says what
    /// is denied for its form although it can be read ([`guards::LLC`], [`guards::OPTIONS`]).
    // Out of line for the stack: see `decide::without_flow`.
    #[inline(never)]
    pub fn parse<F: Frame + ?Sized>(&mut self, frame: &F, guards: u32) -> Result<(), Reason> {
        self.length = frame.len();
        // Kept here, where the kernel's verifier does not remember what each is: it would follow all of the decision once for
        // every value that it tells apart.
        self.mark = frame.mark();
        self.ingress_ifindex = frame.ingress_ifindex();
        self.tag = frame.tag().map_or(0, Tag::packed);
        // Word by word: a copy of the whole becomes a call of a function that moves bytes.
        let Ethernet { destination: LinkAddress([a, b, c]), source: LinkAddress([d, e, f]), ethertype } =
            frame.read_near::<0, Ethernet>().ok_or(Reason::Truncated)?;
        self.link.destination.0 = [a, b, c];
        self.link.source.0 = [d, e, f];
        self.ethertype = u16::from_be(ethertype);
        if frame.has_vlan_metadata() {
            return Err(Reason::VlanTag);
        }
        match self.ethertype {
            number::ETHERTYPE_IPV4 => self.parse_ipv4(frame, guards),
            number::ETHERTYPE_IPV6 => self.parse_ipv6(frame, guards),
            number::ETHERTYPE_ARP => {
                self.layer = Layer::Arp;
                Ok(())
            }
            number::ETHERTYPE_VLAN | number::ETHERTYPE_QINQ | number::ETHERTYPE_QINQ_OLD => {
                Err(Reason::VlanTag)
            }
            length if length < number::ETHERTYPE_MIN => self.parse_llc(frame, guards),
            _ => Ok(()),
        }
    }

    #[inline(always)]
    fn parse_ipv4<F: Frame + ?Sized>(&mut self, frame: &F, guards: u32) -> Result<(), Reason> {
        let header = frame.read_near::<ETHERNET_LEN, Ipv4>().ok_or(Reason::Truncated)?;
        self.layer = Layer::Ipv4;
        self.tuple.source = Address::v4(header.source);
        self.tuple.destination = Address::v4(header.destination);
        self.tuple.protocol = header.protocol;
        self.hop_limit = header.ttl;
        let header_len = u32::from(header.version_ihl & 0x0f) * 4;
        let total_len = u32::from(u16::from_be(header.total_len));
        if header.version_ihl >> 4 != 4 || header_len < IPV4_MIN_LEN || total_len < header_len {
            return Err(Reason::BadHeader);
        }
        self.end = ETHERNET_LEN + total_len;
        if self.end > self.length {
            return Err(Reason::Truncated);
        }
        self.transport = ETHERNET_LEN + header_len;
        let fragment = u16::from_be(header.fragment);
        if fragment & 0x3fff != 0 {
            let (id, at) = (u32::from(u16::from_be(header.id)), u32::from(fragment & 0x1fff) * 8);
            self.set_fragment(id, at, fragment & 0x2000 != 0, (self.transport, header_len))?;
        }
        if header_len > IPV4_MIN_LEN {
            if guards & guards::OPTIONS != 0 {
                options::plain(frame, self.transport)?;
            }
            return self.parse_transport(frame);
        }
        // A constant for the headers in front.
        self.transport = ETHERNET_LEN + IPV4_MIN_LEN;
        self.parse_transport(frame)
    }

    #[inline(always)]
    fn parse_ipv6<F: Frame + ?Sized>(&mut self, frame: &F, guards: u32) -> Result<(), Reason> {
        let header = frame.read_near::<ETHERNET_LEN, Ipv6>().ok_or(Reason::Truncated)?;
        self.layer = Layer::Ipv6;
        self.tuple.source = Address(bytemuck::cast(header.source));
        self.tuple.destination = Address(bytemuck::cast(header.destination));
        self.hop_limit = header.hop_limit;
        if header.version >> 4 != 6 {
            return Err(Reason::BadHeader);
        }
        // An IPv6 header with such an address would be taken for the IPv4 address itself.
        if self.tuple.source.is_v4() || self.tuple.destination.is_v4() {
            return Err(Reason::MartianAddress);
        }
        self.end = ETHERNET_LEN + IPV6_LEN + u32::from(u16::from_be(header.payload_len));
        if self.end > self.length {
            return Err(Reason::Truncated);
        }
        self.transport = ETHERNET_LEN + IPV6_LEN;
        self.tuple.protocol = header.next;
        if is_extension(header.next) {
            self.walk_extensions(frame, guards)?;
        }
        self.parse_transport(frame)
    }

    /// RFC 8200, section 4: the chain up to the transport header.
    #[inline(always)]
    fn walk_extensions<F: Frame + ?Sized>(&mut self, frame: &F, guards: u32) -> Result<(), Reason> {
        let mut fragmented = false;
        for walked in 0..MAX_EXTENSION_HEADERS {
            match self.tuple.protocol {
                number::FRAGMENT if fragmented => return Err(Reason::ExtensionChain),
                number::FRAGMENT => {
                    self.ipv6_fragment(frame)?;
                    if self.is_later_fragment() {
                        return Ok(());
                    }
                    fragmented = true;
                    continue;
                }
                number::ROUTING if guards & guards::OPTIONS != 0 => return Err(Reason::RoutingHeader),
                // Only right behind the IPv6 header (RFC 8200, 4.1).
                number::HOP_BY_HOP if walked != 0 => return Err(Reason::ExtensionChain),
                number::HOP_BY_HOP | number::ROUTING | number::DESTINATION_OPTIONS => {}
                _ => return Ok(()),
            }
            let extension: TypeLength = frame.read(self.transport).ok_or(Reason::Truncated)?;
            self.transport += (u32::from(extension.units) + 1) * 8;
            if self.transport > self.end {
                return Err(self.cut_short());
            }
            self.tuple.protocol = extension.kind;
        }
        if is_extension(self.tuple.protocol) { Err(Reason::ExtensionChain) } else { Ok(()) }
    }

    #[inline(always)]
    fn parse_transport<F: Frame + ?Sized>(&mut self, frame: &F) -> Result<(), Reason> {
        if self.is_later_fragment() {
            return Ok(());
        }
        let room = self.end - self.transport;
        match self.tuple.protocol {
            number::TCP => self.parse_tcp(frame, room),
            number::UDP => self.parse_udp(frame, room),
            number::SCTP => self.parse_sctp(frame, room),
            number::ICMP if self.layer as u8 == Layer::Ipv4 as u8 => self.parse_icmp(frame, room),
            number::ICMP6 if self.layer as u8 == Layer::Ipv6 as u8 => self.parse_icmp(frame, room),
            // ICMP of the other family is no protocol of this one.
            number::ICMP | number::ICMP6 => Err(Reason::BadHeader),
            _ => Ok(()),
        }
    }

    /// Behind an IPv4 header without options, as nearly always, it is among the headers in front.
    #[inline(always)]
    fn transport_header<T: Pod, F: Frame + ?Sized>(&self, frame: &F) -> Result<T, Reason> {
        const USUAL: u32 = ETHERNET_LEN + IPV4_MIN_LEN;
        let header =
            if self.transport == USUAL { frame.read_near::<USUAL, T>() } else { frame.read(self.transport) };
        header.ok_or(Reason::Truncated)
    }

    #[inline(always)]
    fn parse_tcp<F: Frame + ?Sized>(&mut self, frame: &F, room: u32) -> Result<(), Reason> {
        if room < TCP_MIN_LEN {
            return Err(self.cut_short());
        }
        let header: Tcp = self.transport_header(frame)?;
        self.set_ports(header.source_port, header.destination_port);
        self.tcp_flags = header.flags;
        let header_len = u32::from(header.offset >> 4) * 4;
        if header_len < TCP_MIN_LEN {
            return Err(Reason::BadHeader);
        }
        if header_len > room {
            return Err(if self.is_fragment() { Reason::TinyFragment } else { Reason::BadHeader });
        }
        let opening_or_ending = header.flags & (tcp::SYN | tcp::RST | tcp::FIN);
        let contradicts = opening_or_ending & (opening_or_ending.wrapping_sub(1)) != 0;
        // All but the first segment and a reset acknowledge (RFC 9293, 3.10.7.4).
        if contradicts || header.flags & (tcp::SYN | tcp::RST | tcp::ACK) == 0 {
            return Err(Reason::BadTcpFlags);
        }
        self.sequence = number_of(header.sequence);
        self.acknowledgment = number_of(header.acknowledgment);
        let ends = u32::from(header.flags & (tcp::SYN | tcp::FIN) != 0);
        self.sequence_end = self.sequence.wrapping_add(room - header_len + ends);
        Ok(())
    }

    #[inline(always)]
    fn parse_sctp<F: Frame + ?Sized>(&mut self, frame: &F, room: u32) -> Result<(), Reason> {
        if room < SCTP_LEN {
            return Err(self.cut_short());
        }
        let header: Sctp = frame.read(self.transport).ok_or(Reason::Truncated)?;
        self.set_ports(header.source_port, header.destination_port);
        self.chunk = match room > SCTP_LEN {
            true => frame.read(self.transport + SCTP_LEN).ok_or(Reason::Truncated)?,
            false => sctp::NONE,
        };
        Ok(())
    }

    #[inline(always)]
    fn parse_udp<F: Frame + ?Sized>(&mut self, frame: &F, room: u32) -> Result<(), Reason> {
        if room < UDP_LEN {
            return Err(self.cut_short());
        }
        let header: Udp = self.transport_header(frame)?;
        self.set_ports(header.source_port, header.destination_port);
        let length = u32::from(u16::from_be(header.length));
        let too_long = length > room && !self.is_fragment();
        if length < UDP_LEN || too_long { Err(Reason::BadHeader) } else { Ok(()) }
    }

    #[inline(always)]
    fn parse_icmp<F: Frame + ?Sized>(&mut self, frame: &F, room: u32) -> Result<(), Reason> {
        if room < ICMP_LEN {
            return Err(self.cut_short());
        }
        let header: Icmp = frame.read(self.transport).ok_or(Reason::Truncated)?;
        self.tuple.destination_port = u16::from_be(header.kind);
        if is_echo(self.tuple.protocol, self.icmp_type()) {
            self.tuple.source_port = u16::from_be(header.identifier);
        }
        Ok(())
    }

    #[inline(always)]
    fn set_ports(&mut self, source: u16, destination: u16) {
        self.tuple.source_port = u16::from_be(source);
        self.tuple.destination_port = u16::from_be(destination);
    }

    /// The packet ends inside a header.
    #[inline(always)]
    const fn cut_short(&self) -> Reason {
        if self.is_fragment() { Reason::TinyFragment } else { Reason::Truncated }
    }

    #[inline(always)]
    pub const fn is_fragment(&self) -> bool {
        self.fragment.part as u8 != Part::Whole as u8
    }

    /// Without a transport header; until its first fragment was looked up, the ports are 0.
    #[inline(always)]
    pub const fn is_later_fragment(&self) -> bool {
        self.fragment.part as u8 == Part::Later as u8
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
        self.link.destination.is_group()
    }

    /// To more than one receiver, on the link or by address.
    #[inline(always)]
    pub const fn is_to_group(&self) -> bool {
        self.is_group_frame() || self.tuple.destination.is_group()
    }

    /// Whether IPv6 extension headers are in front of the transport header.
    #[inline(always)]
    pub const fn has_extensions(&self) -> bool {
        self.layer as u8 == Layer::Ipv6 as u8 && self.transport != ETHERNET_LEN + IPV6_LEN
    }

    #[inline(always)]
    pub fn is_broadcast_frame(&self) -> bool {
        self.link.destination == LinkAddress::BROADCAST
    }
}

#[inline(always)]
pub const fn is_echo(protocol: u8, icmp_type: u8) -> bool {
    match protocol {
        number::ICMP => matches!(icmp_type, number::ICMP_ECHO_REQUEST | number::ICMP_ECHO_REPLY),
        _ => matches!(icmp_type, number::ICMP6_ECHO_REQUEST | number::ICMP6_ECHO_REPLY),
    }
}

/// Of two words in network byte order.
#[inline(always)]
pub(crate) fn number_of(words: [u16; 2]) -> u32 {
    u32::from_be(bytemuck::cast(words))
}

#[inline(always)]
const fn is_extension(protocol: u8) -> bool {
    matches!(protocol, number::HOP_BY_HOP | number::ROUTING | number::FRAGMENT | number::DESTINATION_OPTIONS)
}
