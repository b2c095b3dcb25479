//! Guests whose NICs are sockets reach each other as the policy says: over each kind of socket, on a tap of a bridge and on a
//! macvtap, with the counters of the ports.

use netctl_common::verdict::Direction::{FromGuest, ToGuest};
use netctl_common::verdict::Reason;
use netctl_tests::frame::{Build as _, Carrier as _, eth, mac};
use netctl_tests::lab::{Family, Lab};
use netctl_tests::nic::{Nic as _, StreamNic};
use nix::sys::socket::SockType;

use crate::lab::{
    A_WHILE, BRIDGE, Inherited, MACVLAN, Plugged, SOON, Socket, document, pair, plug, wait_carrier, with,
};

#[test]
fn guests_talk_over_unix_streams_on_a_bridge() {
    talk(BRIDGE, Socket::UnixStream);
}

#[test]
fn guests_talk_over_unix_streams_on_a_macvlan() {
    talk(MACVLAN, Socket::UnixStream);
}

#[test]
fn guests_talk_over_unix_datagrams_on_a_bridge() {
    talk(BRIDGE, Socket::UnixDatagram);
}

#[test]
fn guests_talk_over_unix_datagrams_on_a_macvlan() {
    talk(MACVLAN, Socket::UnixDatagram);
}

#[test]
fn guests_talk_over_inherited_messages_on_a_bridge() {
    talk(BRIDGE, Socket::Messages);
}

#[test]
fn guests_talk_over_inherited_messages_on_a_macvlan() {
    talk(MACVLAN, Socket::Messages);
}

#[test]
fn guests_talk_over_tcp_on_a_bridge() {
    talk(BRIDGE, Socket::Tcp);
}

#[test]
fn guests_talk_over_tcp_that_the_vmm_listens_on_on_a_macvlan() {
    talk(MACVLAN, Socket::TcpServer);
}

fn talk(network: &str, socket: Socket) {
    with(network, |sandbox, lab| {
        let web1 = plug(sandbox, lab, "web1", socket);
        let db1 = plug(sandbox, lab, "db1", socket);
        db1.guest.tcp_listen(5432);
        db1.guest.udp_echo(53);
        for family in Family::ALL {
            allowed(lab, &web1, family);
            denied(lab, [&web1, &db1], family);
        }
        cut(network, lab, &web1);
    });
}

fn allowed(lab: &Lab<'_>, web1: &Plugged, family: Family) {
    let address = lab.address("db1", family);
    assert!(web1.guest.ping(address, SOON), "{family:?}");
    assert!(web1.guest.udp_ask(address, 53, b"who?", SOON), "{family:?}");
    let conn = web1.guest.tcp_connect(address, 5432, SOON).unwrap();
    assert!(conn.still_alive(SOON), "{family:?}");
    for counted in [
        ("web1", FromGuest, Reason::Rule),
        ("db1", ToGuest, Reason::Rule),
        ("db1", FromGuest, Reason::Flow),
        ("web1", ToGuest, Reason::Flow),
    ] {
        lab.wait_stats(counted, 3).unwrap();
    }
}

fn denied(lab: &Lab<'_>, [web1, db1]: [&Plugged; 2], family: Family) {
    let (of_web1, of_db1) = (lab.address("web1", family), lab.address("db1", family));
    let counted = ["web1", "db1"].map(|port| (port, FromGuest, Reason::Default));
    let before = counted.map(|(port, direction, reason)| lab.stats(port, direction, reason).unwrap());
    assert!(!web1.guest.udp_ask(of_db1, 123, b"?", A_WHILE), "{family:?}");
    assert!(!db1.guest.ping(of_web1, A_WHILE), "{family:?}");
    for (counted, before) in counted.into_iter().zip(before) {
        lab.wait_stats(counted, before + 1).unwrap();
    }
}

/// A policy change is seen by a socket that is open.
fn cut(network: &str, lab: &Lab<'_>, web1: &Plugged) {
    let address = lab.address("db1", Family::V4);
    let conn = web1.guest.tcp_connect(address, 5432, SOON).unwrap();
    lab.apply(&document(network, "rules = []")).unwrap();
    assert!(!conn.still_alive(A_WHILE));
    lab.wait_stats(("web1", FromGuest, Reason::Revoked), 1).unwrap();
}

#[test]
fn a_guest_cannot_take_another_mac_or_ip_address_over_a_socket() {
    for network in [BRIDGE, MACVLAN] {
        with(network, |_, lab| {
            let (ours, theirs) = pair(SockType::Stream);
            let _relay = Inherited::start("web1", theirs);
            let _db1 = lab.tap("db1").unwrap();
            wait_carrier("web1");
            let nic = StreamNic::new(ours).unwrap();
            let frame = |source, ip| eth(source, mac(0x21)).ipv4(ip, "10.0.0.21").udp(5000, 53).frame();
            for (frame, reason) in [
                (frame(mac(0x66), "10.0.0.11"), Reason::SpoofedMac),
                (frame(mac(0x11), "10.0.0.66"), Reason::SpoofedIpv4),
                (frame(mac(0x11), "10.0.0.11"), Reason::Rule),
            ] {
                nic.send(&frame).unwrap();
                lab.wait_stats(("web1", FromGuest, reason), 1).unwrap();
            }
            assert_eq!(lab.stats("db1", ToGuest, Reason::Rule).unwrap(), 1, "the last one alone");
        });
    }
}
