//! The measured frames, each with its virtio-net header in front, made so that the next one costs next to nothing.

use std::fmt;
use std::net::Ipv4Addr;

use serde::Serialize;

use super::document::MACS;
use super::rules::{DENIED_PORT, Rule};
use crate::frame::{ACK, BROADCAST, Build, Carrier, PSH, SYN, eth};
use crate::tap::{GSO_TCPV4, VnetHeader};

/// Length of the header of [`super::way`]'s queues.
pub const HEADER_LEN: usize = 12;

/// Bytes of a small frame, without FCS.
const SMALL: usize = 64;
/// Segments of a big frame, and bytes in each: 59,368 bytes of payload.
const SEGMENTS: usize = 41;
const SEGMENT_LEN: u16 = 1448;
/// Ethernet, IPv4 and TCP without options.
const HEADERS: usize = 54;
/// Source port of the established flow; those of new flows lie above.
const ESTABLISHED_PORT: u16 = 1024;

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Traffic {
    /// 64-byte segments of one TCP connection.
    Established,
    /// 64-byte SYNs, each of a connection of its own: 62 source addresses, 64,511 source ports. TCP, because the
    /// rules are about TCP; with 10 bytes of data, because padding would be cut off by br_netfilter.
    New,
    /// 59 kB segments of one TCP connection, to be cut to 1448 bytes by no one (TSO).
    Tso,
}

impl Traffic {
    pub const ALL: [Self; 3] = [Self::Established, Self::New, Self::Tso];

    /// Frames under way at most: below the 500 that a macvtap's queue holds (a tap's: 1000), and for big ones below what the caches
    /// hold, so that none is lost and none waits for memory.
    pub fn window(self) -> u64 {
        match self {
            Self::Established | Self::New => 256,
            Self::Tso => 32,
        }
    }

    /// TCP payload in a frame, for Gbit/s.
    pub fn payload_len(self) -> usize {
        match self {
            Self::Established | Self::New => SMALL - HEADERS,
            Self::Tso => SEGMENTS * usize::from(SEGMENT_LEN),
        }
    }
}

impl fmt::Display for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Established => "established, 64 B",
            Self::New => "new flows, 64 B",
            Self::Tso => "established, TSO 59 kB",
        })
    }
}

/// The frames of one way and traffic, without end.
#[derive(Clone, Debug)]
pub enum Stream {
    /// Always the same.
    Same(Vec<u8>),
    /// One template per source address; ports change.
    New { templates: Vec<Vec<u8>>, next: u32 },
}

impl Stream {
    pub fn new(traffic: Traffic, rule: &Rule) -> Self {
        match traffic {
            Traffic::Established => Self::Same(small(&established(rule, &[0; SMALL - HEADERS]).frame())),
            Traffic::New => {
                let templates = rule.sources().map(|source| small(&syn(rule, source))).collect();
                Self::New { templates, next: 0 }
            }
            Traffic::Tso => Self::Same(big(rule)),
        }
    }

    /// Header and frame, for [`crate::tap::Tap::send_raw`].
    pub fn advance(&mut self) -> &[u8] {
        match self {
            Self::Same(bytes) => bytes,
            Self::New { templates, next } => {
                let count = templates.len() as u32;
                let (template, turn) = (*next % count, *next / count);
                *next = next.wrapping_add(1);
                let port = ESTABLISHED_PORT + 1 + (turn % u32::from(u16::MAX - ESTABLISHED_PORT)) as u16;
                let frame = &mut templates[template as usize];
                let tcp = HEADER_LEN + 34;
                frame[tcp..tcp + 2].copy_from_slice(&port.to_be_bytes());
                // The low half of the sequence number takes from the checksum what the port adds to it.
                frame[tcp + 6..tcp + 8].copy_from_slice(&(u16::MAX - port).to_be_bytes());
                frame
            }
        }
    }
}

/// Opens the established flow: what A, B and A send.
pub fn handshake(rule: &Rule) -> [Vec<u8>; 3] {
    let forth = established(rule, b"");
    let (client, server) = ends(rule);
    let back = eth(MACS[1], MACS[0]).ipv4(server, client).tcp(rule.ports.0, ESTABLISHED_PORT);
    [
        forth.clone().flags(SYN).sequence(0).acknowledged(0).frame(),
        back.flags(SYN | ACK).sequence(0).acknowledged(1).frame(),
        forth.frame(),
    ]
}

/// B says where it is.
pub fn announcement(rule: &Rule) -> Vec<u8> {
    eth(MACS[1], BROADCAST).arp_gratuitous(rule.destination()).frame()
}

/// What B sends in the established flow.
pub fn answer(rule: &Rule) -> Vec<u8> {
    let (client, server) = ends(rule);
    let back = eth(MACS[1], MACS[0]).ipv4(server, client).tcp(rule.ports.0, ESTABLISHED_PORT);
    back.flags(ACK).sequence(1).acknowledged(1).frame()
}

/// A SYN to a port that no rule allows.
pub fn denied(rule: &Rule) -> Vec<u8> {
    let (client, server) = ends(rule);
    eth(MACS[0], MACS[1]).ipv4(client, server).tcp(ESTABLISHED_PORT, DENIED_PORT).frame()
}

fn ends(rule: &Rule) -> (Ipv4Addr, Ipv4Addr) {
    // A /26 has a first address.
    (rule.sources().next().unwrap_or(rule.from), rule.destination())
}

fn established(rule: &Rule, payload: &[u8]) -> crate::frame::Tcp {
    let (client, server) = ends(rule);
    let tcp = eth(MACS[0], MACS[1]).ipv4(client, server).tcp(ESTABLISHED_PORT, rule.ports.0);
    tcp.flags(ACK | PSH).sequence(1).acknowledged(1).payload(payload)
}

fn syn(rule: &Rule, source: Ipv4Addr) -> Vec<u8> {
    let ip = eth(MACS[0], MACS[1]).ipv4(source, rule.destination());
    // Port and sequence number as `Stream::advance` keeps them: their sum is ffff.
    ip.tcp(0, rule.ports.0).sequence(0xffff).payload(&[0; SMALL - HEADERS]).frame()
}

fn small(frame: &[u8]) -> Vec<u8> {
    [&VnetHeader::default().to_bytes()[..], frame].concat()
}

fn big(rule: &Rule) -> Vec<u8> {
    let frame = established(rule, &vec![0; Traffic::Tso.payload_len()]).partial_checksum().frame();
    let checksum = VnetHeader::partial_checksum(34, 16);
    let header =
        VnetHeader { gso_type: GSO_TCPV4, gso_size: SEGMENT_LEN, hdr_len: HEADERS as u16, ..checksum };
    [&header.to_bytes()[..], &frame].concat()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use smoltcp::wire::{Ipv4Packet, TcpPacket};

    use super::super::rules::measured;
    use super::*;

    #[test]
    fn small_frames_have_64_bytes_and_big_ones_41_segments() {
        let rule = measured(10);
        for traffic in [Traffic::Established, Traffic::New] {
            assert_eq!(Stream::new(traffic, &rule).advance().len(), HEADER_LEN + 64, "{traffic}");
        }
        assert_eq!(Stream::new(Traffic::Tso, &rule).advance().len(), HEADER_LEN + 54 + 59_368);
    }

    #[test]
    fn new_flows_are_all_different_match_the_rule_and_have_right_checksums() {
        let rule = measured(10);
        let mut stream = Stream::new(Traffic::New, &rule);
        let mut seen = HashSet::new();
        for _ in 0..200_000 {
            let frame = stream.advance();
            let ip = Ipv4Packet::new_checked(&frame[HEADER_LEN + 14..]).unwrap();
            let tcp = TcpPacket::new_checked(ip.payload()).unwrap();
            assert!(tcp.verify_checksum(&ip.src_addr().into(), &ip.dst_addr().into()));
            assert!(tcp.syn() && tcp.dst_port() == rule.ports.0 && tcp.src_port() > ESTABLISHED_PORT);
            assert!(seen.insert((ip.src_addr(), tcp.src_port())), "{ip} came twice");
        }
    }
}
