//! Segments of many frames, as guests with offloads hand them over, arrive at the host whole.

use std::io::Read;
use std::net::TcpListener;

use netctl_common::verdict::Direction::FromGuest;
use netctl_common::verdict::Reason;
use netctl_tests::frame::{ACK, Build, Carrier, PSH, SYN, eth, mac_text};
use netctl_tests::lab::{Family, Lab};
use netctl_tests::sandbox::Sandbox;
use netctl_tests::tap::{GSO_TCPV4, GSO_TCPV6, Options, VnetHeader};

use super::{ACCESS, MACVLAN, SOON, VEPA, document, host, mac_of, wait_addresses, wire};

const LEN: usize = 60_000;
const MSS: u16 = 1400;

#[test]
fn a_segment_of_sixty_kilobytes_reaches_the_host_whole() {
    for (kind, family) in [(&MACVLAN, Family::V4), (&MACVLAN, Family::V6), (&VEPA, Family::V4)] {
        Sandbox::run(|sandbox| {
            let _switch = wire(sandbox, kind);
            let rule = r#"{ allow = "tcp/8080", from = "web", to = "host" }"#;
            let lab = Lab::bare(sandbox, &document(kind, ACCESS, &[rule])).unwrap();
            wait_addresses(sandbox);
            for address in ["10.0.0.11", "fd00::11"] {
                let mac = mac_text(mac_of("web1"));
                sandbox.ip(&format!("neigh add {address} lladdr {mac} dev up0 nud permanent"));
            }
            send(&lab, family);
        });
    }
}

/// A connection by hand, and its one segment.
fn send(lab: &Lab<'_>, family: Family) {
    let listener = TcpListener::bind((host(family), 8080)).unwrap();
    let web1 = lab.tap_with("web1", Options { header_len: 12, offloads: true }).unwrap();
    let here = std::fs::read_to_string("/sys/class/net/up0/address").unwrap();
    let bytes: Vec<u8> = here.trim().split(':').map(|b| u8::from_str_radix(b, 16).unwrap()).collect();
    let link = eth(mac_of("web1"), bytes.try_into().unwrap());
    let tcp = || match family {
        Family::V4 => link.clone().ipv4("10.0.0.11", "10.0.0.254").tcp(5000, 8080),
        Family::V6 => link.clone().ipv6("fd00::11", "fd00::fe").tcp(5000, 8080),
    };
    let (start, gso_type) = if family == Family::V4 { (34, GSO_TCPV4) } else { (54, GSO_TCPV6) };
    web1.send(&tcp().flags(SYN).sequence(100).frame()).unwrap();
    let at = usize::from(start);
    let is_answer = |frame: &[u8]| {
        frame.get(at..at + 2) == Some(&8080u16.to_be_bytes()[..]) && frame[at + 13] == SYN | ACK
    };
    let answer = web1.recv_matching(SOON, is_answer).unwrap().expect("no SYN-ACK");
    let theirs = u32::from_be_bytes(answer[at + 4..at + 8].try_into().unwrap()) + 1;
    let segment = |flags| tcp().flags(flags).sequence(101).acknowledged(theirs);
    web1.send(&segment(ACK).frame()).unwrap();

    let payload: Vec<u8> = (0..LEN).map(|n| (n % 251) as u8).collect();
    let header = VnetHeader {
        gso_type,
        gso_size: MSS,
        hdr_len: start + 20,
        ..VnetHeader::partial_checksum(start, 16)
    };
    let before = lab.stats("web1", FromGuest, Reason::Flow).unwrap();
    web1.send_with(header, &segment(ACK | PSH).payload(&payload).partial_checksum().frame()).unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    let mut got = vec![0; LEN];
    stream.read_exact(&mut got).unwrap();
    assert!(got == payload, "{family:?}: other bytes");
    assert_eq!(lab.stats("web1", FromGuest, Reason::Flow).unwrap(), before + 1, "one frame on the way");
}
