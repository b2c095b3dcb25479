//! What the sender of a rejected frame is told, byte by byte, without a kernel.

use std::net::IpAddr;

use netctl_common::abi::guards;
use netctl_common::frame::Packet;
use netctl_common::reject::{Answer, MAX_LEN};
use netctl_tests::frame::{ACK, BROADCAST, Build, Carrier, FIN, Network, PSH, RST, SYN, eth, group_mac, mac};
use netctl_tests::told::{self, Told, What};

const GUEST: u8 = 1;
const SERVER: u8 = 2;

/// `None` where there is no answer.
fn answer(frame: &[u8]) -> Option<Vec<u8>> {
    let mut packet = Packet::default();
    packet.parse(frame, guards::ALL).unwrap_or_else(|reason| panic!("{}: {frame:02x?}", reason.name()));
    let mut answer = Answer::default();
    answer.write(frame, &packet).then(|| answer.frame().to_vec())
}

fn told(frame: &[u8]) -> Told {
    told::read(&answer(frame).unwrap_or_else(|| panic!("no answer"))).unwrap()
}

fn families() -> [(Network, [&'static str; 2]); 2] {
    let link = || eth(mac(GUEST), mac(SERVER));
    [
        (link().ipv4("10.0.0.1", "10.0.0.2").into(), ["10.0.0.2", "10.0.0.1"]),
        (link().ipv6("fd00::1", "fd00::2").into(), ["fd00::2", "fd00::1"]),
    ]
}

fn from_the_server(told: &Told, ends: [&str; 2]) {
    assert_eq!(told.link, [mac(SERVER), mac(GUEST)]);
    let ends: [IpAddr; 2] = ends.map(|end| end.parse().unwrap());
    assert_eq!(told.ends, ends);
}

#[test]
fn a_reset_has_the_numbers_by_which_its_receiver_knows_it() {
    for (ip, ends) in families() {
        let segment = |flags, payload: &[u8]| {
            ip.clone()
                .tcp(40001, 80)
                .sequence(0xffff_fff0)
                .acknowledged(0xdead_beef)
                .flags(flags)
                .payload(payload)
                .frame()
        };
        let reset = |sequence, acknowledged| What::Reset { ports: [80, 40001], sequence, acknowledged };
        for (flags, payload, expected) in [
            (SYN, &b""[..], reset(0, Some(0xffff_fff1))),
            (SYN, b"fast open", reset(0, Some(0xffff_fffa))),
            (SYN | ACK, b"", reset(0xdead_beef, None)),
            (ACK, b"", reset(0xdead_beef, None)),
            (ACK | PSH, b"data", reset(0xdead_beef, None)),
            (FIN | ACK, b"", reset(0xdead_beef, None)),
        ] {
            let told = told(&segment(flags, payload));
            from_the_server(&told, ends);
            assert_eq!(told.what, expected, "flags {flags:#x} with {} bytes", payload.len());
        }
        let with_options = ip.clone().tcp(40001, 80).sequence(7).flags(SYN).options(&[2, 4, 5, 0xb4]).frame();
        assert_eq!(told(&with_options).what, reset(0, Some(8)), "options are no data");
        assert_eq!(answer(&segment(RST, b"")), None);
        assert_eq!(answer(&segment(RST | ACK, b"")), None);
    }
}

#[test]
fn everything_else_is_prohibited_and_shown_up_to_its_ports() {
    for (ip, ends) in families() {
        for frame in [
            ip.clone().udp(5001, 53).payload(b"who is there, and for how long?").frame(),
            ip.clone().udp(5001, 53).padded(),
            ip.clone().echo_request(1, 1).frame(),
            ip.clone().sctp(1, 2).frame(),
            ip.clone().payload(47, &[7; 8]).frame(),
        ] {
            let told = told(&frame);
            from_the_server(&told, ends);
            let shown = if ends[0].contains(':') { 48 } else { 28 };
            assert_eq!(told.what, What::Prohibited(frame[14..14 + shown].to_vec()));
        }
    }
    let alert =
        eth(mac(GUEST), mac(SERVER)).ipv4("10.0.0.1", "10.0.0.2").options(&[0x94, 4, 0, 0]).udp(1, 2).frame();
    assert_eq!(told(&alert).what, What::Prohibited(alert[14..14 + 32].to_vec()), "options are shown");
}

#[test]
fn nobody_is_told_about_groups_errors_and_what_cannot_be_shown() {
    let v4 = |source, destination| eth(mac(GUEST), mac(SERVER)).ipv4(source, destination);
    let v6 = |source, destination| eth(mac(GUEST), mac(SERVER)).ipv6(source, destination);
    let shown = v4("10.0.0.2", "10.0.0.1").udp(1, 2).packet();
    let group = "224.0.0.251";
    for (what, frame) in [
        ("a broadcast frame", eth(mac(GUEST), BROADCAST).ipv4("10.0.0.1", "10.0.0.255").udp(1, 2).frame()),
        (
            "a multicast frame",
            eth(mac(GUEST), group_mac(group.parse().unwrap())).ipv4("10.0.0.1", group).udp(1, 2).frame(),
        ),
        ("a group in a frame for one", v4("10.0.0.1", group).udp(1, 2).frame()),
        ("a group in a frame for one", v6("fd00::1", "ff02::fb").udp(1, 2).frame()),
        ("everyone in a frame for one", v4("10.0.0.1", "255.255.255.255").udp(1, 2).frame()),
        ("from a group", v4(group, "10.0.0.2").udp(1, 2).frame()),
        (
            "from a group's MAC",
            eth([1, 0, 0, 0, 0, 1], mac(SERVER)).ipv4("10.0.0.1", "10.0.0.2").udp(1, 2).frame(),
        ),
        ("from nobody", v4("0.0.0.0", "10.0.0.2").udp(68, 67).frame()),
        ("from nobody", v6("::", "fd00::2").udp(1, 2).frame()),
        ("from the sender itself", v4("127.0.0.1", "10.0.0.2").udp(1, 2).frame()),
        ("unreachable", v4("10.0.0.1", "10.0.0.2").unreachable(3, &shown).frame()),
        ("time exceeded", v4("10.0.0.1", "10.0.0.2").time_exceeded(0, &shown).frame()),
        ("source quench", v4("10.0.0.1", "10.0.0.2").icmp(4, 0).body(&shown).frame()),
        ("a redirect", v4("10.0.0.1", "10.0.0.2").icmp(5, 0).body(&shown).frame()),
        ("unreachable", v6("fd00::1", "fd00::2").unreachable(1, &shown).frame()),
        ("an error of no known type", v6("fd00::1", "fd00::2").icmp(100, 0).body(&shown).frame()),
        ("a redirect", v6("fd00::1", "fd00::2").icmp(137, 0).body(&shown).frame()),
        ("a chain of headers", v6("fd00::1", "fd00::2").destination_options(&[]).udp(1, 2).frame()),
        ("7 bytes of payload", v4("10.0.0.1", "10.0.0.2").payload(47, &[7; 7]).frame()),
        ("ARP", eth(mac(GUEST), mac(SERVER)).arp_reply("10.0.0.1", "10.0.0.2").frame()),
    ] {
        assert_eq!(answer(&frame), None, "{what}");
    }
}

/// Its own errors as well: whatever it is fed.
#[test]
fn an_answer_gets_no_answer_and_is_no_longer_than_the_longest() {
    for (ip, _) in families() {
        for frame in [ip.clone().tcp(1, 2).frame(), ip.clone().udp(1, 2).payload(&[0; 1400]).frame()] {
            let first = answer(&frame).unwrap_or_else(|| panic!("no answer"));
            assert!(first.len() <= MAX_LEN as usize);
            assert!(first.len() <= frame.len() || frame.len() < 60, "{} for {}", first.len(), frame.len());
            assert_eq!(answer(&first), None);
        }
    }
}

/// Whatever the parser lets through: no panic, and what is written can be read.
#[test]
fn mutated_frames_have_a_right_answer_or_none() {
    let mut random = netctl_tests::policies::Random::new(5);
    let (mut answered, mut silent) = (0, 0);
    for _ in 0..60_000 {
        let (ip, _) = families()[random.below(2)].clone();
        let mut frame = match random.below(4) {
            0 => ip.tcp(1, 2).payload(&[1; 20]).frame(),
            1 => ip.udp(1, 2).payload(&[1; 5]).frame(),
            2 => ip.echo_request(1, 1).frame(),
            _ => ip.sctp(1, 2).frame(),
        };
        for _ in 0..random.below(4) {
            let at = random.below(frame.len());
            frame[at] = random.below(256) as u8;
        }
        let mut packet = Packet::default();
        if packet.parse(&frame[..], guards::ALL).is_err() {
            continue;
        }
        let mut answer = Answer::default();
        if answer.write(&frame[..], &packet) {
            answered += 1;
            if let Err(wrong) = told::read(answer.frame()) {
                panic!("{wrong:#}: {:02x?} about {frame:02x?}", answer.frame());
            }
        } else {
            silent += 1;
        }
    }
    println!("{answered} answered, {silent} not");
    assert!(answered > 10_000 && silent > 1_000);
}
