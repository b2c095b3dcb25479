//! Frames as a guest with offloads hands them over, on each kind: segments of many packets, checksums that are left to
//! the receiver, and frames of which the sender keeps all but 14 bytes out of the linear part.

use netctl_common::verdict::Direction::{FromGuest, ToGuest};
use netctl_common::verdict::Reason;
use netctl_tests::frame::{ACK, Build, Carrier, eth};
use netctl_tests::lab::Family;
use netctl_tests::tap::{GSO_TCPV4, GSO_TCPV6, NEEDS_CSUM, Options, Tap, VnetHeader};

use super::SOON;
use super::kind::{self, BRIDGE, DB1, Host, Kind, MACVLAN, PASSTHROUGH, VEPA, WEB1};

const RULES: &[&str] = &[r#"{ allow = ["tcp/80", "udp/53"], from = "web", to = "db" }"#];
const OFFLOADS: Options = Options { header_len: 12, offloads: true };
const MSS: u16 = 1448;

#[test]
fn a_bridge_keeps_offloads() {
    offloads_are_kept(&BRIDGE);
}

#[test]
fn a_macvlan_keeps_offloads() {
    offloads_are_kept(&MACVLAN);
}

#[test]
fn passthrough_keeps_offloads() {
    offloads_are_kept(&PASSTHROUGH);
}

#[test]
fn a_vepa_keeps_offloads() {
    offloads_are_kept(&VEPA);
}

fn offloads_are_kept(kind: &Kind) {
    kind::without_guests(kind, RULES, |host| {
        let taps = ["web1", "db1"].map(|name| host.lab.tap_with(name, OFFLOADS).unwrap());
        for family in Family::ALL {
            for len in [20_000, 60_000] {
                large_segments_arrive_whole(&taps, family, len);
            }
        }
        headers_out_of_the_linear_part_are_found(host, &taps);
        partial_checksums_arrive(&taps);
    });
}

/// A TCP segment of `len` payload bytes. Without a flow: what a rule allows is taken up in the middle.
fn large(family: Family, port: u16, len: usize) -> (VnetHeader, Vec<u8>) {
    let link = eth(WEB1.mac, DB1.mac);
    let tcp = match family {
        Family::V4 => link.ipv4(WEB1.v4, DB1.v4).tcp(5000, port),
        Family::V6 => link.ipv6(WEB1.v6, DB1.v6).tcp(5000, port),
    };
    let payload: Vec<u8> = (0..len).map(|n| (n % 251) as u8).collect();
    let (gso_type, start) = if family == Family::V4 { (GSO_TCPV4, 34) } else { (GSO_TCPV6, 54) };
    let header = VnetHeader {
        gso_type,
        gso_size: MSS,
        hdr_len: start + 20,
        ..VnetHeader::partial_checksum(start, 16)
    };
    (header, tcp.flags(ACK).payload(&payload).partial_checksum().frame())
}

fn large_segments_arrive_whole([web1, db1]: &[Tap; 2], family: Family, len: usize) {
    let (header, segment) = large(family, 80, len);
    web1.send_with(header, &segment).unwrap();
    let (got, frame) = db1.recv_with(SOON).unwrap().unwrap();
    assert_eq!(frame.len(), segment.len(), "{family:?}: segmented on the way");
    assert!(frame == segment, "{family:?}: other bytes");
    assert_eq!((got.gso_type, got.gso_size), (header.gso_type, MSS), "{family:?}");
    assert_eq!(
        (got.flags & NEEDS_CSUM, got.csum_start, got.csum_offset),
        (NEEDS_CSUM, header.csum_start, 16),
        "{family:?}"
    );
}

/// As they are to a guest that takes them, complete to one that does not.
fn partial_checksums_arrive([web1, db1]: &[Tap; 2]) {
    let udp = || eth(WEB1.mac, DB1.mac).ipv4(WEB1.v4, DB1.v4).udp(5001, 53).payload(b"sum me up");
    let partial = udp().partial_checksum().frame();
    let header = VnetHeader::partial_checksum(34, 6);
    web1.send_with(header, &partial).unwrap();
    let (got, frame) = db1.recv_with(SOON).unwrap().unwrap();
    assert_eq!((got.flags, got.csum_start, got.csum_offset), (NEEDS_CSUM, 34, 6));
    assert_eq!(frame, partial);

    db1.take_offloads(false).unwrap();
    web1.send_with(header, &partial).unwrap();
    let (got, frame) = db1.recv_with(SOON).unwrap().unwrap();
    assert_eq!(got.flags & NEEDS_CSUM, 0);
    assert_eq!(frame, udp().frame(), "the kernel has completed the sum");
}

/// Ethernet only is linear: what is denied must not pass because its headers are out of easy reach, and what is
/// allowed must not be denied for it.
fn headers_out_of_the_linear_part_are_found(host: &Host<'_>, [web1, db1]: &[Tap; 2]) {
    for (port, reason) in [(80, Reason::Flow), (22, Reason::NoFlow)] {
        let (header, segment) = large(Family::V4, port, 30_000);
        let before = host.lab.stats("web1", FromGuest, reason).unwrap();
        let at_db1 = host.lab.stats("db1", ToGuest, reason).unwrap();
        web1.send_with(VnetHeader { hdr_len: 14, ..header }, &segment).unwrap();
        host.lab.wait_stats(("web1", FromGuest, reason), before + 1).unwrap();
        if reason == Reason::Flow {
            let (_, frame) = db1.recv_with(SOON).unwrap().unwrap();
            assert!(frame == segment, "{} bytes, not {}", frame.len(), segment.len());
            assert_eq!(host.lab.stats("db1", ToGuest, reason).unwrap(), at_db1 + 1);
        } else {
            assert!(db1.try_recv().unwrap().is_none());
        }
    }
}
