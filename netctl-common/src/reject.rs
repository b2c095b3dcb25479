//! What the sender of a rejected frame is told: TCP a reset (RFC 9293, 3.10.7.1), everything else that the destination
//! is administratively prohibited (RFC 1812, 5.2.7.1; RFC 4443, 3.1). Pure: bytes in, bytes out.
//!
//! The answer comes from where the frame was for. It is at most [`MAX_LEN`] bytes long: as much as the rejected packet's
//! header and 8 bytes behind it need, so that there is nothing to amplify.

use bytemuck::{Pod, Zeroable};

use crate::abi::port_flags;
use crate::address::Address;
use crate::frame::header::{Ethernet, Ipv4, Tcp};
use crate::frame::{ETHERNET_LEN, Frame, ICMP_LEN, IPV4_MIN_LEN, IPV6_LEN, Layer, Packet, TCP_MIN_LEN};
use crate::frame::{number, tcp};
use crate::verdict::Direction;

/// Answers per second and CPU that one port may cause in the long run, and at once.
pub const RATE: u64 = 500;
pub const BURST: u64 = 500;

/// Of an answer with the Ethernet header. Bytes.
pub const MAX_LEN: u32 = ETHERNET_LEN + IPV6_LEN + ICMP_LEN + IPV6_LEN + QUOTED;
pub const MIN_LEN: u32 = ETHERNET_LEN + IPV4_MIN_LEN + TCP_MIN_LEN;
const WORDS: usize = MAX_LEN as usize / 2 + 1;

/// Bytes behind the IP header that an ICMP error shows of the packet: the ports (RFC 792).
const QUOTED: u32 = 8;
/// 16-bit words of the longest quotation; an IPv4 header has up to 60 bytes.
const MAX_QUOTED_WORDS: usize = (60 + QUOTED as usize) / 2;
/// Hops of an answer.
const TTL: u16 = 64;
/// "Don't fragment": an atomic datagram needs no identification (RFC 6864).
const DONT_FRAGMENT: u16 = 0x4000;
/// Communication administratively prohibited, as type * 256 + code.
const PROHIBITED: u16 = 0x030d;
const PROHIBITED6: u16 = 0x0101;

/// A whole frame.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Answer {
    /// Bytes; what lies behind them means nothing.
    pub len: u32,
    /// As they go over the wire.
    pub words: [u16; WORDS],
}

impl Default for Answer {
    fn default() -> Self {
        Self { len: 0, words: [0; WORDS] }
    }
}

impl Answer {
    pub fn frame(&self) -> &[u8] {
        let bytes: &[u8] = bytemuck::cast_slice(&self.words);
        bytes.get(..self.len as usize).unwrap_or_default()
    }

    #[inline(always)]
    fn put(&mut self, at: usize, word: u16) {
        if let Some(place) = self.words.get_mut(at) {
            *place = word;
        }
    }

    /// Writes the answer to `frame`, whose parsed form is `packet`. `false` if there is none: to groups and from
    /// nobody, to resets and to ICMP errors (RFC 1122, 3.2.2), to later fragments, to frames with VLAN tags and to IPv6
    /// with extension headers, whose quotation would not show what the packet was.
    #[inline(always)]
    pub fn write<F: Frame + ?Sized>(&mut self, frame: &F, packet: &Packet) -> bool {
        let is_tcp = packet.tuple.protocol == number::TCP;
        if packet.tag != 0 || !may_be_answered(packet) || !is_whole(frame, packet, is_tcp) {
            return false;
        }
        self.link(packet);
        if is_tcp { self.reset(frame, packet) } else { self.prohibited(frame, packet) }
    }

    #[inline(always)]
    fn link(&mut self, packet: &Packet) {
        let [a, b, c] = packet.link.source.0;
        let [d, e, f] = packet.link.destination.0;
        (self.words[0], self.words[1], self.words[2]) = (a, b, c);
        (self.words[3], self.words[4], self.words[5]) = (d, e, f);
        let ethertype = if is_v4(packet) { number::ETHERTYPE_IPV4 } else { number::ETHERTYPE_IPV6 };
        self.words[6] = ethertype.to_be();
    }

    /// The IP header of a packet with `len` bytes behind it. Gives the place of the first word behind it.
    #[inline(always)]
    fn network(&mut self, packet: &Packet, protocol: u8, len: u32) -> usize {
        let (source, destination) = (&packet.tuple.destination, &packet.tuple.source);
        let first = ETHERNET_LEN as usize / 2;
        if !is_v4(packet) {
            let words = [0x6000, 0, len as u16, u16::from(protocol) << 8 | TTL].map(u16::to_be);
            for (at, word) in words.into_iter().enumerate() {
                self.put(first + at, word);
            }
            for at in 0..4 {
                self.put_pair(first + 4 + 2 * at, source.0[at]);
                self.put_pair(first + 12 + 2 * at, destination.0[at]);
            }
            self.len = ETHERNET_LEN + IPV6_LEN + len;
            return first + IPV6_LEN as usize / 2;
        }
        let total = (IPV4_MIN_LEN + len) as u16;
        let words = [0x4500, total, 0, DONT_FRAGMENT, TTL << 8 | u16::from(protocol)].map(u16::to_be);
        let mut sum = sum_of(source) + sum_of(destination);
        for (at, word) in words.into_iter().enumerate() {
            self.put(first + at, word);
            sum += u32::from(word);
        }
        self.put(first + 5, checksum(sum));
        self.put_pair(first + 6, source.0[3]);
        self.put_pair(first + 8, destination.0[3]);
        self.len = ETHERNET_LEN + IPV4_MIN_LEN + len;
        first + IPV4_MIN_LEN as usize / 2
    }

    /// Two words that are as they go over the wire.
    #[inline(always)]
    fn put_pair(&mut self, at: usize, pair: u32) {
        let [first, second]: [u16; 2] = bytemuck::cast(pair);
        self.put(at, first);
        self.put(at + 1, second);
    }

    /// What a TCP without the connection answers: it takes its numbers from the segment, so that its sender takes it.
    #[inline(always)]
    fn reset<F: Frame + ?Sized>(&mut self, frame: &F, packet: &Packet) -> bool {
        let Some(segment) = frame.read::<Tcp>(packet.transport) else { return false };
        let number =
            |[high, low]: [u16; 2]| u32::from(u16::from_be(high)) << 16 | u32::from(u16::from_be(low));
        let (sequence, acknowledgment, flags) = if segment.flags & tcp::ACK != 0 {
            (number(segment.acknowledgment), 0, tcp::RST)
        } else {
            let header_len = u32::from(segment.offset >> 4) * 4;
            let counted = u32::from(segment.flags & tcp::SYN != 0) + u32::from(segment.flags & tcp::FIN != 0);
            let length = (packet.end - packet.transport).saturating_sub(header_len) + counted;
            (0, number(segment.sequence).wrapping_add(length), tcp::RST | tcp::ACK)
        };
        let at = self.network(packet, number::TCP, TCP_MIN_LEN);
        let words = [
            segment.destination_port,
            segment.source_port,
            ((sequence >> 16) as u16).to_be(),
            (sequence as u16).to_be(),
            ((acknowledgment >> 16) as u16).to_be(),
            (acknowledgment as u16).to_be(),
            (0x5000 | u16::from(flags)).to_be(),
            0,
        ];
        let mut sum = pseudo_header(packet, number::TCP, TCP_MIN_LEN);
        for (number, word) in words.into_iter().enumerate() {
            self.put(at + number, word);
            sum += u32::from(word);
        }
        self.put(at + 8, checksum(sum));
        self.put(at + 9, 0);
        true
    }

    #[inline(always)]
    fn prohibited<F: Frame + ?Sized>(&mut self, frame: &F, packet: &Packet) -> bool {
        let shown = packet.transport - ETHERNET_LEN + QUOTED;
        if packet.transport + QUOTED > packet.end || shown as usize > 2 * MAX_QUOTED_WORDS {
            return false;
        }
        let (protocol, kind) =
            if is_v4(packet) { (number::ICMP, PROHIBITED) } else { (number::ICMP6, PROHIBITED6) };
        let at = self.network(packet, protocol, ICMP_LEN + shown);
        let mut sum = u32::from(kind.to_be());
        if !is_v4(packet) {
            sum += pseudo_header(packet, protocol, ICMP_LEN + shown);
        }
        for number in 0..MAX_QUOTED_WORDS {
            if number as u32 * 2 >= shown {
                break;
            }
            let Some(word) = frame.read::<u16>(ETHERNET_LEN + number as u32 * 2) else { return false };
            self.put(at + ICMP_LEN as usize / 2 + number, word);
            sum += u32::from(word);
        }
        self.put(at, kind.to_be());
        self.put(at + 1, checksum(sum));
        self.put(at + 2, 0);
        self.put(at + 3, 0);
        true
    }
}

/// Whether the answer to a frame that was judged in `direction` comes in at the ingress of its interface: it passes the
/// port's other hook. Of macvtaps that of frames to the guest is at the ingress, of taps that of frames from it.
#[inline(always)]
pub const fn enters_at_ingress(direction: Direction, port: u32) -> bool {
    matches!(direction, Direction::FromGuest) == (port & port_flags::INGRESS != 0)
}

#[inline(always)]
const fn is_v4(packet: &Packet) -> bool {
    matches!(packet.layer, Layer::Ipv4)
}

/// By its addresses and by what it is.
#[inline(always)]
fn may_be_answered(packet: &Packet) -> bool {
    let (source, destination) = (&packet.tuple.source, &packet.tuple.destination);
    let from_one = !packet.link.source.is_group() && !source.is_group() && !source.is_unspecified();
    let to_one = !packet.link.destination.is_group() && !destination.is_group();
    let reports = match packet.tuple.protocol {
        number::TCP => packet.tcp_flags & tcp::RST != 0,
        // Unreachable, source quench, redirect, time exceeded, parameter problem.
        number::ICMP => matches!(packet.icmp_type(), 3..=5 | 11 | 12),
        // Errors, and redirects (RFC 4443, 2.4).
        number::ICMP6 => packet.icmp_type() < 128 || packet.icmp_type() == 137,
        _ => false,
    };
    packet.is_ip() && from_one && to_one && !source.is_reserved() && !reports
}

/// Untagged, and with the transport header where the quotation would show it.
#[inline(always)]
fn is_whole<F: Frame + ?Sized>(frame: &F, packet: &Packet, is_tcp: bool) -> bool {
    let ethertype = frame.read::<Ethernet>(0).map_or(0, |link| u16::from_be(link.ethertype));
    if frame.has_vlan_metadata() {
        return false;
    }
    if !is_v4(packet) {
        return ethertype == number::ETHERTYPE_IPV6 && packet.transport == ETHERNET_LEN + IPV6_LEN;
    }
    let fragment = frame.read::<Ipv4>(ETHERNET_LEN).map_or(u16::MAX, |header| u16::from_be(header.fragment));
    let is_later = fragment & 0x1fff != 0;
    let is_cut = fragment & 0x2000 != 0;
    ethertype == number::ETHERTYPE_IPV4
        && packet.transport >= ETHERNET_LEN + IPV4_MIN_LEN
        && !is_later
        && !(is_cut && is_tcp)
}

/// One's complement sum of the words of an address (RFC 1071), not folded.
#[inline(always)]
fn sum_of(address: &Address) -> u32 {
    let pair = |word: u32| {
        let [first, second]: [u16; 2] = bytemuck::cast(word);
        u32::from(first) + u32::from(second)
    };
    let [first, second, third, fourth] = address.0;
    if address.is_v4() { pair(fourth) } else { pair(first) + pair(second) + pair(third) + pair(fourth) }
}

/// Of the answer (RFC 9293, 3.1; RFC 8200, 8.1), not folded.
#[inline(always)]
fn pseudo_header(packet: &Packet, protocol: u8, len: u32) -> u32 {
    let numbers = u32::from(u16::from(protocol).to_be()) + u32::from((len as u16).to_be());
    sum_of(&packet.tuple.source) + sum_of(&packet.tuple.destination) + numbers
}

/// The sum of words as they go over the wire, as such a word.
#[inline(always)]
const fn checksum(sum: u32) -> u16 {
    let folded = (sum & 0xffff) + (sum >> 16);
    !((folded & 0xffff) + (folded >> 16)) as u16
}
