//! The parser of frames: no input makes it panic, and what it accepts, another parser reads in the same way.

use netctl_common::abi::guards;
use netctl_common::frame::{Frame, Layer, Packet, number};
use smoltcp::wire::{EthernetFrame, Ipv4Packet, Ipv6Packet, TcpPacket, UdpPacket};

/// # Panics
/// If the parser is wrong.
pub fn parser(bytes: &[u8]) {
    let mut packet = Packet::default();
    if packet.parse(bytes, guards::ALL).is_err() {
        return;
    }
    let mut inner = Default::default();
    let _ = packet.inner(bytes, &mut inner);
    // A tag is beside the frame for the parser.
    let untagged = bytes.tag().map(|_| [&bytes[..12], &bytes[16..]].concat());
    let bytes = untagged.as_deref().unwrap_or(bytes);
    let Ok(frame) = EthernetFrame::new_checked(bytes) else { panic!("shorter than Ethernet, and accepted") };
    assert_eq!(packet.link.source.bytes(), frame.src_addr().0);
    assert_eq!(packet.link.destination.bytes(), frame.dst_addr().0);
    match packet.layer {
        Layer::Ipv4 => ipv4(&packet, frame.payload()),
        Layer::Ipv6 => ipv6(&packet, frame.payload()),
        Layer::Arp | Layer::Other => {}
    }
}

fn ipv4(packet: &Packet, bytes: &[u8]) {
    let ip = Ipv4Packet::new_checked(bytes)
        .unwrap_or_else(|_| panic!("IPv4 that only one parser accepts: {bytes:02x?}"));
    assert_eq!(packet.tuple.source.bytes(), ip.src_addr().to_ipv6_mapped().octets());
    assert_eq!(packet.tuple.destination.bytes(), ip.dst_addr().to_ipv6_mapped().octets());
    assert_eq!(packet.tuple.protocol, u8::from(ip.next_header()));
    assert_eq!(packet.end, 14 + u32::from(ip.total_len()));
    if ip.frag_offset() == 0 {
        assert_eq!(packet.transport, 14 + u32::from(ip.header_len()));
        ports(packet, ip.payload());
    }
}

fn ipv6(packet: &Packet, bytes: &[u8]) {
    let ip = Ipv6Packet::new_checked(bytes)
        .unwrap_or_else(|_| panic!("IPv6 that only one parser accepts: {bytes:02x?}"));
    assert_eq!(packet.tuple.source.bytes(), ip.src_addr().octets());
    assert_eq!(packet.tuple.destination.bytes(), ip.dst_addr().octets());
    assert!(packet.transport >= 54 && packet.transport <= packet.end);
    if packet.tuple.protocol == u8::from(ip.next_header()) && packet.transport == 54 {
        ports(packet, ip.payload());
    }
}

/// The bytes that a receiver takes for ports are those that rules were asked about.
fn ports(packet: &Packet, payload: &[u8]) {
    let found = match packet.tuple.protocol {
        number::TCP => {
            let tcp = TcpPacket::new_checked(payload).ok();
            tcp.map(|tcp| (tcp.src_port(), tcp.dst_port()))
        }
        number::UDP => {
            let udp = UdpPacket::new_checked(payload).ok();
            udp.map(|udp| (udp.src_port(), udp.dst_port()))
        }
        _ => return,
    };
    if let Some(found) = found {
        assert_eq!(found, (packet.tuple.source_port, packet.tuple.destination_port));
    }
}
