//! Peers that keep to nothing: lengths of no frame, halves of frames, a socket that is never read, a second connection.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use netctl_common::verdict::Direction::FromGuest;
use netctl_common::verdict::Reason;
use netctl_tests::frame::{Build as _, Carrier as _, eth, mac};
use netctl_tests::lab::{Counted, Lab};
use netctl_tests::nic::{MessageNic, Nic as _, StreamNic};
use netctl_tests::process::Running;
use netctl_tests::sandbox::Sandbox;
use nix::sys::signal::Signal;
use nix::sys::socket::SockType;

use crate::lab::{
    BRIDGE, Inherited, MACVLAN, SOON, pair, relay, relays_of, status, wait_carrier, wait_until, with,
};

const ALLOWED: Counted<'static> = ("web1", FromGuest, Reason::Rule);

/// A datagram that a rule allows, from a source port of its own.
fn allowed(port: u16) -> Vec<u8> {
    eth(mac(0x11), mac(0x21)).ipv4("10.0.0.11", "10.0.0.21").udp(port, 53).frame()
}

fn listening(sandbox: &Sandbox) -> Running {
    relay(sandbox, &["web1", "--listen", "unix:/run/web1.sock"])
}

fn connect() -> StreamNic {
    StreamNic::new(UnixStream::connect("/run/web1.sock").unwrap()).unwrap()
}

/// What the relay says at its end, when it is told to.
#[track_caller]
fn last_words(mut relay: Running) -> String {
    relay.signal(Signal::SIGTERM);
    let status = relay.wait(SOON).expect("it ends at SIGTERM");
    let said = relay.wait_for_line(SOON, |line| line.contains(" ended: "));
    assert_eq!(status.code(), Some(0), "{:?}", relay.said());
    said.unwrap_or_else(|| panic!("{:?}", relay.said()))
}

/// The connection is closed by the relay.
#[track_caller]
fn closed(nic: &StreamNic) {
    wait_until("the connection is closed", || nic.try_recv().is_err());
}

fn passes(lab: &Lab<'_>, nic: &StreamNic, port: u16) {
    let before = lab.stats(ALLOWED.0, ALLOWED.1, ALLOWED.2).unwrap();
    nic.send(&allowed(port)).unwrap();
    lab.wait_stats(ALLOWED, before + 1).unwrap();
}

#[test]
fn frames_that_are_none_are_dropped_and_counted_and_the_next_one_passes() {
    for network in [BRIDGE, MACVLAN] {
        with(network, |sandbox, lab| {
            let relay = listening(sandbox);
            let _db1 = lab.tap("db1").unwrap();
            let nic = connect();
            for length in [0_usize, 1, 13] {
                nic.send(&vec![0; length]).unwrap();
            }
            passes(lab, &nic, 5001);
            let said = last_words(relay);
            assert!(said.contains("ended: stopped; frames from the guest 1 (3 too short),"), "{said}");
        });
    }
}

#[test]
fn a_length_of_more_than_any_frame_closes_the_connection_and_the_next_peer_is_served() {
    with(BRIDGE, |sandbox, lab| {
        let relay = listening(sandbox);
        let _db1 = lab.tap("db1").unwrap();
        for length in [65536_u32 + 33, 0x7fff_ffff, u32::MAX] {
            let nic = connect();
            nic.send_bytes(&length.to_be_bytes()).unwrap();
            closed(&nic);
        }
        passes(lab, &connect(), 5001);
        let said = last_words(relay);
        assert!(
            said.contains("frames from the guest 1, ") && said.contains("3 connections broken off"),
            "{said}"
        );
    });
}

#[test]
fn a_peer_that_is_handed_over_and_breaks_the_protocol_ends_the_relay_with_its_reason() {
    with(BRIDGE, |sandbox, _| {
        let (ours, theirs) = pair(SockType::Stream);
        let relay = Inherited::start("web1", theirs);
        StreamNic::new(ours).unwrap().send_bytes(&[0xff; 64]).unwrap();
        assert_eq!(relay.wait(), Some(2));
        assert_eq!(
            sandbox.netctl(["run", "web1", "--", "true", "{web1.fds}"]).code,
            Some(0),
            "the port is free"
        );
    });
}

#[test]
fn a_frame_that_comes_byte_by_byte_passes_and_half_of_one_holds_nothing_up() {
    with(BRIDGE, |sandbox, lab| {
        let relay = listening(sandbox);
        let db1 = lab.tap("db1").unwrap();
        let nic = connect();
        let frame = allowed(5001);
        for byte in [&(frame.len() as u32).to_be_bytes()[..], &frame].concat() {
            nic.send_bytes(&[byte]).unwrap();
        }
        lab.wait_stats(ALLOWED, 1).unwrap();
        // Half of a frame, for ever: the other direction goes on, and so does the relay's end.
        nic.send_bytes(&[0, 0, 1, 0, 1, 2, 3]).unwrap();
        let answer = eth(mac(0x21), mac(0x11)).ipv4("10.0.0.21", "10.0.0.11").udp(53, 5001).frame();
        db1.send(&answer).unwrap();
        wait_until("the answer arrives", || nic.try_recv().unwrap().is_some_and(|frame| frame == answer));
        let said = last_words(relay);
        assert!(said.contains("frames from the guest 1, to the guest "), "{said}");
    });
}

#[test]
fn messages_of_no_frame_s_length_are_dropped_and_counted() {
    with(BRIDGE, |_, lab| {
        let (ours, theirs) = pair(SockType::Datagram);
        let relay = Inherited::start("web1", theirs);
        wait_carrier("web1");
        let _db1 = lab.tap("db1").unwrap();
        let nic = MessageNic::new(ours);
        for length in [0, 13, 65536 + 33, 100_000] {
            nic.send(&vec![0; length]).unwrap();
        }
        nic.send(&allowed(5001)).unwrap();
        lab.wait_stats(ALLOWED, 1).unwrap();
        let said = relay.last_words();
        assert!(said.contains("frames from the guest 1 (2 too short) (2 too long), "), "{said}");
    });
}

#[test]
fn a_second_connection_is_turned_away_and_the_first_one_stays() {
    with(BRIDGE, |sandbox, lab| {
        let relay = listening(sandbox);
        let _db1 = lab.tap("db1").unwrap();
        let first = connect();
        passes(lab, &first, 5001);
        let mut second = UnixStream::connect("/run/web1.sock").unwrap();
        second.set_read_timeout(Some(SOON)).unwrap();
        // Sent before it was closed or not: no frame of it gets in.
        let _ = second.write_all(&[&[0, 0, 0, 60][..], &[0; 60]].concat());
        assert!(matches!(second.read(&mut [0; 1]), Ok(0) | Err(_)), "it is closed");
        passes(lab, &first, 5002);
        let said = last_words(relay);
        assert!(
            said.contains("frames from the guest 2, ") && said.contains("1 connections turned away"),
            "{said}"
        );
    });
}

#[test]
fn a_guest_that_never_reads_costs_frames_and_no_memory() {
    with(BRIDGE, |sandbox, lab| {
        let relay = listening(sandbox);
        let db1 = lab.tap("db1").unwrap();
        let nic = connect();
        passes(lab, &nic, 5001);
        let [pid] = relays_of(Some(relay.pid()))[..] else { panic!("one process below") };
        let answer =
            eth(mac(0x21), mac(0x11)).ipv4("10.0.0.21", "10.0.0.11").udp(53, 5001).payload(&[7; 1400]);
        let (answer, before) = (answer.frame(), status(pid, "VmRSS"));
        let dropped = || {
            let text = std::fs::read_to_string("/sys/class/net/web1/statistics/tx_dropped").unwrap();
            text.trim().parse::<u64>().unwrap()
        };
        wait_until("the tap drops", || {
            (0..500).for_each(|_| db1.send(&answer).unwrap());
            dropped() > 1000
        });
        let kilobytes = |text: &str| text.split(' ').next().unwrap().parse::<u64>().unwrap();
        let after = status(pid, "VmRSS");
        assert!(kilobytes(&after) < kilobytes(&before) + 1024, "{before}, then {after}");
        // What waits is delivered in order, and then the guest's own frames pass as before.
        wait_until("all that waited arrives", || nic.try_recv().unwrap().is_none());
        passes(lab, &nic, 5003);
        drop(last_words(relay));
    });
}

#[test]
fn frames_to_a_port_without_a_vmm_are_not_for_the_next_one() {
    with(BRIDGE, |sandbox, lab| {
        let relay = listening(sandbox);
        let db1 = lab.tap("db1").unwrap();
        let first = connect();
        passes(lab, &first, 5001);
        drop(first);
        let answer = eth(mac(0x21), mac(0x11)).ipv4("10.0.0.21", "10.0.0.11").udp(53, 5001).frame();
        std::thread::sleep(Duration::from_millis(100));
        db1.send(&answer).unwrap();
        lab.wait_stats(("web1", netctl_common::verdict::Direction::ToGuest, Reason::Flow), 1).unwrap();
        let second = connect();
        passes(lab, &second, 5002);
        while let Some(frame) = second.try_recv().unwrap() {
            assert_ne!(frame, answer);
        }
        let said = last_words(relay);
        assert!(said.contains(" frames to nobody"), "{said}");
    });
}
