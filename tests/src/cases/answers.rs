//! Random frames that belong to an earlier one: the same again, a reply to it, an ICMP error about it.

use std::net::{Ipv4Addr, Ipv6Addr};

use netctl_common::verdict::Direction;

use super::random::RandomFrame;
use crate::frame::{ACK, Build, Carrier, FIN, Mac, RST, SYN, eth, protocol};
use crate::policies::Random;

/// Where things lie in a frame of IP without options and extension headers.
struct Layout {
    addresses: usize,
    address_len: usize,
    protocol: usize,
    transport: usize,
}

const IPV4: Layout = Layout { addresses: 26, address_len: 4, protocol: 23, transport: 34 };
const IPV6: Layout = Layout { addresses: 22, address_len: 16, protocol: 20, transport: 54 };

fn layout(bytes: &[u8]) -> Option<Layout> {
    let layout = match bytes.get(12..15)? {
        [0x08, 0x00, 0x45] => IPV4,
        [0x86, 0xdd, 0x60] => IPV6,
        _ => return None,
    };
    (bytes.len() >= layout.transport + 8).then_some(layout)
}

/// `None` for frames that have none.
pub fn answer(random: &mut Random, to: &RandomFrame) -> Option<RandomFrame> {
    let layout = layout(&to.bytes)?;
    let mut bytes = to.bytes.clone();
    let back = match random.below(6) {
        0 | 1 => false,
        2 => {
            bytes = error(random, to, &layout)?;
            true
        }
        _ => {
            turn(&mut bytes, &layout);
            true
        }
    };
    if let (protocol::TCP, Some(flags)) = (bytes[layout.protocol], bytes.get_mut(layout.transport + 13)) {
        *flags = random.pick(&[ACK, ACK, ACK, SYN | ACK, SYN, FIN | ACK, RST | ACK]);
    }
    let direction = match (to.direction, back) {
        (Direction::FromGuest, true) => Direction::ToGuest,
        (Direction::ToGuest, true) => Direction::FromGuest,
        (direction, false) => direction,
    };
    Some(RandomFrame { port: to.port.clone(), direction, bytes })
}

/// Source and destination change places; a question becomes its answer.
fn turn(bytes: &mut [u8], layout: &Layout) {
    swap(bytes, 0, 6);
    swap(bytes, layout.addresses, layout.address_len);
    let at = layout.transport;
    match (bytes[layout.protocol], bytes[at]) {
        (protocol::TCP | protocol::UDP | protocol::SCTP, _) => swap(bytes, at, 2),
        (protocol::ICMP, kind @ (0 | 8)) => bytes[at] = kind ^ 8,
        (protocol::ICMP6, kind @ (128 | 129)) => bytes[at] = kind ^ 1,
        _ => {}
    }
}

fn swap(bytes: &mut [u8], at: usize, len: usize) {
    let (first, second) = bytes[at..at + 2 * len].split_at_mut(len);
    first.swap_with_slice(second);
}

fn error(random: &mut Random, about: &RandomFrame, layout: &Layout) -> Option<Vec<u8>> {
    let bytes = &about.bytes;
    let mac = |at: usize| -> Option<Mac> { bytes.get(at..at + 6)?.try_into().ok() };
    let link = eth(mac(0)?, mac(6)?);
    let address = |number: usize| {
        let at = layout.addresses + number * layout.address_len;
        bytes.get(at..at + layout.address_len)
    };
    let quoted = &bytes[14..];
    let shown = if random.chance(15) { random.below(quoted.len()) } else { quoted.len() };
    let (inner, code) = (&quoted[..shown], random.below(4) as u8);
    let icmp = match layout.address_len {
        4 => {
            let [source, destination] = [address(0)?, address(1)?].map(|a| <[u8; 4]>::try_from(a).ok());
            link.ipv4(Ipv4Addr::from(destination?), Ipv4Addr::from(source?)).unreachable(code, inner)
        }
        _ => {
            let [source, destination] = [address(0)?, address(1)?].map(|a| <[u8; 16]>::try_from(a).ok());
            link.ipv6(Ipv6Addr::from(destination?), Ipv6Addr::from(source?)).unreachable(code, inner)
        }
    };
    Some(icmp.frame())
}
