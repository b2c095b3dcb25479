//! The way of an allowed frame: from port to port past the bridge, with its offloads intact.

use std::process::Command;

use netctl_common::verdict::Direction::{FromGuest, ToGuest};
use netctl_common::verdict::Reason;
use netctl_tests::frame::{ACK, Build, Carrier, SYN, eth};
use netctl_tests::lab::{Family, Lab};
use netctl_tests::sandbox::Sandbox;
use netctl_tests::tap::{GSO_TCPV4, GSO_TCPV6, NEEDS_CSUM, Options, Tap, VnetHeader};

use super::{A_WHILE, SOON, document, in_bare_lab, mac_of};

const OFFLOADS: Options = Options { header_len: 12, offloads: true };
const MSS: u16 = 1448;

#[test]
fn unicast_between_ports_does_not_need_the_bridge() {
    let rules = [r#"{ allow = ["icmp/echo-request", "icmp6/echo-request"], from = "any", to = "any" }"#];
    Sandbox::run(|sandbox| {
        let lab = Lab::up(sandbox, &document(&rules)).unwrap();
        let ping = |address| lab.guest("web1").ping(address, A_WHILE);
        let host = "10.0.0.254".parse().unwrap();
        assert!(ping(host), "the host answers through the bridge");
        // netctl's ports neither learn nor take unknown unicast: without its entry, the bridge delivers nothing.
        for name in ["web1", "db1"] {
            let mut forget = Command::new("bridge");
            let mac = netctl_tests::frame::mac_text(mac_of(name));
            forget.args(["fdb", "del", &mac, "dev", name, "master", "static"]);
            sandbox.finish(forget).unwrap().expect_code(0);
        }
        for family in Family::ALL {
            assert!(ping(lab.address("db1", family)), "{family:?}");
        }
        assert!(!ping(host), "the bridge still knows web1, so the test shows nothing");
    });
}

/// A TCP segment of `len` payload bytes, as a guest with segmentation offload hands it over.
fn large(family: Family, len: usize) -> (VnetHeader, Vec<u8>) {
    let link = eth(mac_of("web1"), mac_of("db1"));
    let tcp = match family {
        Family::V4 => link.ipv4("10.0.0.11", "10.0.0.21").tcp(5000, 80),
        Family::V6 => link.ipv6("fd00::11", "fd00::21").tcp(5000, 80),
    };
    let payload: Vec<u8> = (0..len).map(|n| (n % 251) as u8).collect();
    let (gso_type, start) = if family == Family::V4 { (GSO_TCPV4, 34) } else { (GSO_TCPV6, 54) };
    let hdr_len = start + 20;
    let header = VnetHeader { gso_type, gso_size: MSS, hdr_len, ..VnetHeader::partial_checksum(start, 16) };
    (header, tcp.flags(ACK).payload(&payload).partial_checksum().frame())
}

/// So that the segment belongs to a flow.
fn open_flow(lab: &Lab<'_>, web1: &Tap, family: Family) {
    let link = eth(mac_of("web1"), mac_of("db1"));
    let syn = match family {
        Family::V4 => link.ipv4("10.0.0.11", "10.0.0.21").tcp(5000, 80).flags(SYN).frame(),
        Family::V6 => link.ipv6("fd00::11", "fd00::21").tcp(5000, 80).flags(SYN).frame(),
    };
    let opened = lab.stats("db1", ToGuest, Reason::Rule).unwrap();
    web1.send(&syn).unwrap();
    lab.wait_stats(("db1", ToGuest, Reason::Rule), opened + 1).unwrap();
}

#[test]
fn a_segment_of_many_is_redirected_whole() {
    in_bare_lab(&[r#"{ allow = "tcp/80", from = "web", to = "db" }"#], |lab| {
        let [web1, db1] = ["web1", "db1"].map(|name| lab.tap_with(name, OFFLOADS).unwrap());
        for family in Family::ALL {
            open_flow(lab, &web1, family);
            db1.drain().unwrap();
            let (header, segment) = large(family, 40_000);
            web1.send_with(header, &segment).unwrap();
            let (got, frame) = loop {
                let got = db1.recv_with(SOON).unwrap().unwrap();
                // The host has something to say on its own.
                if got.1.get(6..12) == Some(&mac_of("web1")[..]) {
                    break got;
                }
            };
            assert!(frame == segment, "{family:?}: {} of {} bytes", frame.len(), segment.len());
            assert_eq!((got.gso_type, got.gso_size), (header.gso_type, MSS));
            assert_eq!(
                (got.flags & NEEDS_CSUM, got.csum_start, got.csum_offset),
                (NEEDS_CSUM, header.csum_start, 16)
            );
        }
        assert_eq!(lab.stats("web1", FromGuest, Reason::Flow).unwrap(), 2);
    });
}

#[test]
fn a_segment_of_many_is_cut_for_a_receiver_that_wants_frames() {
    in_bare_lab(&[r#"{ allow = "tcp/80", from = "web", to = "db" }"#], |lab| {
        let (web1, db1) = (lab.tap_with("web1", OFFLOADS).unwrap(), lab.tap("db1").unwrap());
        open_flow(lab, &web1, Family::V4);
        db1.drain().unwrap();
        let (header, segment) = large(Family::V4, 3 * usize::from(MSS));
        web1.send_with(header, &segment).unwrap();
        for n in 0..3 {
            let frame = db1.recv_matching(SOON, |frame| frame.get(23) == Some(&6)).unwrap();
            let frame = frame.unwrap_or_else(|| panic!("segment {n} never came"));
            let from = 54 + n * usize::from(MSS);
            assert!(frame[54..] == segment[from..from + usize::from(MSS)], "segment {n}");
        }
        // One frame where it comes from, whatever becomes of it.
        assert_eq!(lab.stats("web1", FromGuest, Reason::Flow).unwrap(), 1);
    });
}
