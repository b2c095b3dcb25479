//! The packet that an ICMP error is about, as far as the error shows it.

use super::header::{self, Ipv4, Ipv6, Udp};
use super::{
    Frame, ICMP_LEN, IPV4_MIN_LEN, IPV6_LEN, Layer, Packet, Tuple, is_echo, is_extension, number, number_of,
};
use crate::address::Address;
use crate::verdict::Reason;

/// What an error tells about the packet that it is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inner {
    pub tuple: Tuple,
    /// Of TCP.
    pub sequence: u32,
}

impl Packet {
    /// The packet inside an ICMP error, as far as errors show it: the IP header and 8 bytes behind it
    /// (RFC 792; RFC 4443, 2.4). Its own checks are looser: routers cut it where they like.
    #[inline(always)]
    pub fn inner<F: Frame + ?Sized>(&self, frame: &F, inner: &mut Inner) -> Result<(), Reason> {
        let tuple = &mut inner.tuple;
        let at = self.transport + ICMP_LEN;
        let transport = match self.layer {
            Layer::Ipv4 => inner_ipv4(frame, at, tuple)?,
            _ => inner_ipv6(frame, at, tuple)?,
        };
        // What lies behind the end of the packet is padding, which its receiver does not see.
        if transport + 8 > self.end {
            return Err(Reason::Truncated);
        }
        let head: Udp = frame.read(transport).ok_or(Reason::Truncated)?;
        inner.sequence = number_of([head.length, head.checksum]);
        let [first, second, third] = [head.source_port, head.destination_port, head.length].map(u16::from_be);
        (tuple.source_port, tuple.destination_port) = match tuple.protocol {
            number::TCP | number::UDP | number::SCTP => (first, second),
            // Type and code first, an echo's identifier third.
            number::ICMP | number::ICMP6 if is_echo(tuple.protocol, (first >> 8) as u8) => (third, first),
            number::ICMP | number::ICMP6 => (0, first),
            _ => (0, 0),
        };
        Ok(())
    }
}

/// Fills in addresses and protocol; gives the offset of the transport header.
#[inline(always)]
fn inner_ipv4<F: Frame + ?Sized>(frame: &F, at: u32, tuple: &mut Tuple) -> Result<u32, Reason> {
    let header: Ipv4 = frame.read(at).ok_or(Reason::Truncated)?;
    let header_len = u32::from(header.version_ihl & 0x0f) * 4;
    if header.version_ihl >> 4 != 4 || header_len < IPV4_MIN_LEN {
        return Err(Reason::BadHeader);
    }
    if u16::from_be(header.fragment) & 0x1fff != 0 {
        return Err(Reason::Fragment);
    }
    tuple.protocol = header.protocol;
    tuple.source = Address::v4(header.source);
    tuple.destination = Address::v4(header.destination);
    Ok(at + header_len)
}

#[inline(always)]
fn inner_ipv6<F: Frame + ?Sized>(frame: &F, at: u32, tuple: &mut Tuple) -> Result<u32, Reason> {
    let header: Ipv6 = frame.read(at).ok_or(Reason::Truncated)?;
    if header.version >> 4 != 6 {
        return Err(Reason::BadHeader);
    }
    tuple.source = Address(bytemuck::cast(header.source));
    tuple.destination = Address(bytemuck::cast(header.destination));
    tuple.protocol = header.next;
    let mut transport = at + IPV6_LEN;
    // The one header that a host that sends large datagrams puts in between.
    if header.next == number::FRAGMENT {
        let fragment: header::Fragment = frame.read(transport).ok_or(Reason::Truncated)?;
        if u16::from_be(fragment.offset) & !7 != 0 {
            return Err(Reason::Fragment);
        }
        tuple.protocol = fragment.next;
        transport += size_of::<header::Fragment>() as u32;
    }
    if is_extension(tuple.protocol) { Err(Reason::ExtensionChain) } else { Ok(transport) }
}
