//! Frames to groups: everyone gets each of them once, whether or not the switch sends them back, and the host gets none of
//! its own.

use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use netctl_common::verdict::Direction::FromGuest;
use netctl_common::verdict::Reason;
use netctl_tests::frame::{BROADCAST, Build, Carrier, Mac, eth};
use netctl_tests::lab::Lab;
use netctl_tests::sandbox::Sandbox;
use netctl_tests::tap::Tap;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::BindToDevice;

use super::{A_WHILE, ACCESS, ALL, Kind, document, mac_of, wait_addresses, wire};

const RULES: [&str; 2] = [
    r#"{ allow = "udp/9999", from = "web", to = ["broadcast", "10.0.0.255"] }"#,
    r#"{ allow = "udp/9999", from = "host", to = ["broadcast", "10.0.0.255"] }"#,
];

/// A host without guests of its own, the queues of `web1`, `web2` and `db1`, and a station on the switch.
fn in_silence(kind: &Kind, test: impl FnOnce(&Lab<'_>, &[Tap; 3], &Tap) + Send) {
    Sandbox::run(|sandbox| {
        let switch = wire(sandbox, kind);
        let world = switch.station("world").unwrap();
        let lab = Lab::bare(sandbox, &document(kind, ACCESS, &RULES)).unwrap();
        wait_addresses(sandbox);
        let taps = ["web1", "web2", "db1"].map(|name| lab.tap(name).unwrap());
        test(&lab, &taps, &world);
    });
}

/// Datagrams of these tests that come within a while.
fn copies(tap: &Tap, from: Mac) -> usize {
    let ours = |frame: &[u8]| frame.get(6..12) == Some(&from[..]) && frame.get(36..38) == Some(&[0x27, 0x0f]);
    let deadline = Instant::now() + A_WHILE;
    let mut count = 0;
    while let Some(left) = deadline.checked_duration_since(Instant::now()) {
        count += usize::from(tap.recv_matching(left, ours).unwrap().is_some());
    }
    count
}

/// The switch is in the same sandbox, and its own interface would hear every broadcast too.
fn on_uplink(address: impl Into<Ipv4Addr>) -> UdpSocket {
    let socket = UdpSocket::bind((address.into(), 9999)).unwrap();
    setsockopt(&socket, BindToDevice, &"up0".into()).unwrap();
    socket
}

fn received(socket: &UdpSocket) -> usize {
    socket.set_read_timeout(Some(A_WHILE)).unwrap();
    std::iter::from_fn(|| match socket.recv_from(&mut [0; 64]) {
        Ok(_) => Some(()),
        Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => None,
        Err(e) => panic!("{e}"),
    })
    .count()
}

#[test]
fn a_guests_broadcast_reaches_the_host_and_each_sibling_once() {
    for kind in ALL {
        in_silence(kind, |lab, [web1, web2, db1], world| {
            let socket = on_uplink(Ipv4Addr::UNSPECIFIED);
            let from = mac_of("web1");
            let frame =
                eth(from, BROADCAST).ipv4("10.0.0.11", "10.0.0.255").udp(1, 9999).payload(b"all").frame();
            web1.send(&frame).unwrap();
            let siblings = usize::from(kind.siblings);
            let what = kind.network;
            assert_eq!(received(&socket), 1, "{what}: the host");
            for (name, tap) in [("web2", web2), ("db1", db1)] {
                assert_eq!(
                    copies(tap, from),
                    siblings,
                    "{what}: {name}, {:#?}",
                    lab.counters().unwrap().ports
                );
            }
            assert_eq!(copies(web1, from), 0, "{what}: its sender");
            assert_eq!(copies(world, from), 1, "{what}: the wire");
        });
    }
}

#[test]
fn what_a_guest_may_not_send_to_a_group_does_not_reach_the_host() {
    in_silence(ALL[0], |lab, [_, _, db1], _| {
        let socket = on_uplink(Ipv4Addr::UNSPECIFIED);
        let from = eth(mac_of("db1"), BROADCAST);
        db1.send(&from.clone().ipv4("10.0.0.21", "10.0.0.255").udp(1, 9999).frame()).unwrap();
        lab.wait_stats(("db1", FromGuest, Reason::Default), 1).unwrap();
        let spoofed = eth(mac_of("web1"), BROADCAST).ipv4("10.0.0.11", "10.0.0.255").udp(1, 9999).frame();
        db1.send(&spoofed).unwrap();
        lab.wait_stats(("db1", FromGuest, Reason::SpoofedMac), 1).unwrap();
        assert_eq!(received(&socket), 0);
    });
}

#[test]
fn the_hosts_broadcast_reaches_the_wire_and_each_guest_once_and_not_the_host() {
    for kind in ALL {
        in_silence(kind, |lab, taps, world| {
            let here: Vec<u8> = std::fs::read_to_string("/sys/class/net/up0/address")
                .unwrap()
                .trim()
                .split(':')
                .map(|byte| u8::from_str_radix(byte, 16).unwrap())
                .collect();
            let here: Mac = here.try_into().unwrap();
            let (socket, others) = (on_uplink([10, 0, 0, 254]), on_uplink([10, 0, 0, 255]));
            socket.set_broadcast(true).unwrap();
            socket.send_to(b"all", "10.0.0.255:9999").unwrap();
            let what = kind.network;
            // Linux gives a broadcast back to its own sockets by itself (net/ipv4/ip_output.c, ip_mc_output()).
            assert_eq!(received(&others), 1, "{what}: the host");
            for (name, tap) in ["web1", "web2", "db1"].iter().zip(taps) {
                assert_eq!(copies(tap, here), 1, "{what}: {name}, {:#?}", lab.counters().unwrap().ports);
            }
            assert_eq!(copies(world, here), 1, "{what}: the wire");
        });
    }
}

/// An answer to its own question would be proof that somebody has the address (RFC 4862, 5.4.3).
#[test]
fn the_host_does_not_find_its_own_new_addresses_taken() {
    for kind in ALL {
        Sandbox::run(|sandbox| {
            let _switch = wire(sandbox, kind);
            let _lab = Lab::up(sandbox, &document(kind, ACCESS, &RULES)).unwrap();
            wait_addresses(sandbox);
            // Without nonces (RFC 7527), by which Linux would know its own question.
            std::fs::write("/proc/sys/net/ipv6/conf/up0/enhanced_dad", "0").unwrap();
            std::fs::write("/proc/sys/net/ipv6/conf/all/enhanced_dad", "0").unwrap();
            sandbox.ip("addr add fd00::aa/64 dev up0");
            std::thread::sleep(Duration::from_millis(100));
            wait_addresses(sandbox);
            let addresses = sandbox.ip("-6 addr show dev up0");
            assert!(addresses.contains("fd00::aa") && !addresses.contains("dadfailed"), "{addresses}");
        });
    }
}

/// The host defends its address against a guest that tries it out.
#[test]
fn a_guest_learns_that_an_address_is_the_hosts() {
    for kind in ALL {
        in_silence(kind, |_, [web1, ..], _| {
            let probe = eth(mac_of("web1"), BROADCAST).arp_request("0.0.0.0", "10.0.0.254").frame();
            web1.send(&probe).unwrap();
            let answers =
                |frame: &[u8]| frame.get(12..14) == Some(&[0x08, 0x06]) && frame.get(20..22) == Some(&[0, 2]);
            assert!(web1.recv_matching(super::SOON, answers).unwrap().is_some(), "{}", kind.network);
        });
    }
}
