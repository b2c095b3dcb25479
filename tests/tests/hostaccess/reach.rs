//! Who reaches whom, and who says no.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};

use netctl_common::verdict::Direction::{FromGuest, ToGuest};
use netctl_common::verdict::Reason;
use netctl_tests::lab::{Family, Lab};
use netctl_tests::sandbox::Sandbox;

use super::{A_WHILE, ALL, Kind, LONELY_VEPA, MACVLAN, PRIVATE, SOON, VEPA, document, host, on_each, wire};

const RULES: [&str; 4] = [
    r#"{ allow = "tcp/80", from = "host", to = "web" }"#,
    r#"{ allow = "udp/53", from = "host", to = "web" }"#,
    r#"{ allow = "tcp/8080", from = "web", to = "host" }"#,
    r#"{ allow = ["icmp/echo-request", "icmp6/echo-request"], from = "web", to = "host" }"#,
];

fn open(lab: &Lab<'_>, name: &str, family: Family, port: u16) -> std::io::Result<TcpStream> {
    TcpStream::connect_timeout(&SocketAddr::new(lab.address(name, family), port), A_WHILE)
}

#[test]
fn the_host_reaches_a_guest_as_the_policy_says() {
    on_each(&ALL, &RULES, |kind, lab, _| {
        [80, 81].into_iter().for_each(|port| lab.guest("web1").tcp_listen(port));
        lab.guest("web2").udp_echo(53);
        for family in Family::ALL {
            let (mut stream, seen) = lab.during(|| open(lab, "web1", family, 80).unwrap()).unwrap();
            assert_eq!(seen.packets("web1", ToGuest, Reason::Rule), 1, "{} {family:?}", kind.network);
            stream.write_all(b"hello").unwrap();
            let mut echoed = [0; 5];
            stream.set_read_timeout(Some(SOON)).unwrap();
            stream.read_exact(&mut echoed).unwrap();
            assert_eq!(&echoed, b"hello");

            let socket = UdpSocket::bind(SocketAddr::new(host(family), 0)).unwrap();
            socket.set_read_timeout(Some(SOON)).unwrap();
            socket.send_to(b"name?", SocketAddr::new(lab.address("web2", family), 53)).unwrap();
            assert_eq!(socket.recv_from(&mut [0; 16]).unwrap().0, 5);

            let (refused, seen) = lab.during(|| open(lab, "web1", family, 81).is_err()).unwrap();
            assert!(refused);
            assert!(seen.packets("web1", ToGuest, Reason::Default) >= 1, "{:?}", seen.ports);
        }
    });
}

#[test]
fn a_guest_reaches_the_host_as_the_policy_says() {
    on_each(&ALL, &RULES, |kind, lab, _| {
        let _listeners = [8080, 8081].map(|port| TcpListener::bind(("::", port)).unwrap());
        for family in Family::ALL {
            let (web1, to) = (lab.guest("web1"), host(family));
            let (reached, seen) = lab.during(|| web1.tcp_connect(to, 8080, SOON).is_ok()).unwrap();
            assert!(reached, "{} {family:?}", kind.network);
            assert_eq!(seen.packets("web1", FromGuest, Reason::Rule), 1);
            assert!(seen.packets("web1", ToGuest, Reason::Flow) >= 1, "the reply");
            assert!(web1.ping(to, SOON), "{} {family:?}", kind.network);

            for (name, port) in [("web1", 8081), ("db1", 8080)] {
                let open = || lab.guest(name).tcp_connect(to, port, A_WHILE).is_ok();
                let (reached, seen) = lab.during(open).unwrap();
                assert!(!reached, "{name} {port}");
                assert!(seen.packets(name, FromGuest, Reason::Default) >= 1, "{:?}", seen.ports);
            }
            assert!(!lab.guest("db1").ping(to, A_WHILE));
        }
        for (from, to, service, allowed) in [
            ("web1", "host", "icmp/echo-request", true),
            ("db1", "host", "icmp/echo-request", false),
            ("host", "web1", "tcp/80", true),
            ("host", "web1", "tcp/22", false),
        ] {
            assert_eq!(lab.explain(from, to, service).unwrap().allowed, allowed, "{from} {to} {service}");
        }
    });
}

#[test]
fn the_hosts_link_local_address_is_the_host_too() {
    on_each(&[&MACVLAN], &RULES, |_, lab, _| {
        let mac = std::fs::read_to_string("/sys/class/net/up0/address").unwrap();
        let bytes: Vec<u8> = mac.trim().split(':').map(|b| u8::from_str_radix(b, 16).unwrap()).collect();
        let address = netctl_tests::frame::link_local(bytes.try_into().unwrap()).into();
        assert!(lab.guest("web1").ping(address, SOON));
        assert!(!lab.guest("db1").ping(address, A_WHILE));
    });
}

#[test]
fn without_it_they_do_not_reach_each_other_whatever_the_policy() {
    let any = [r#"{ allow = "any", from = "any", to = "any" }"#];
    let off = "addresses = [\"10.0.0.254/24\", \"fd00::fe/64\"]\n";
    for kind in [&MACVLAN, &PRIVATE, &LONELY_VEPA] {
        Sandbox::run(|sandbox| {
            let _switch = wire(sandbox, kind);
            let lab = Lab::up(sandbox, &document(kind, off, &any)).unwrap();
            lab.guest("web1").tcp_listen(80);
            assert!(!lab.guest("web1").ping(host(Family::V4), A_WHILE));
            let explained = sandbox.netctl(["explain", "web1", "host", "icmp"]).expect_code(0).stdout;
            let told = explained.contains("but network `lab` has no `host-access`");
            assert_eq!(told, !kind.network.contains("vepa"), "{explained}");
            assert!(open(&lab, "web1", Family::V4, 80).is_err());
            let on = document(kind, super::ACCESS, &any);
            lab.apply(&on).unwrap();
            super::wait_addresses(sandbox);
            assert!(lab.guest("web1").ping(host(Family::V4), SOON), "{}: nothing was shown", kind.network);
            assert!(open(&lab, "web1", Family::V4, 80).is_ok());
            lab.apply(&document(kind, off, &any)).unwrap();
            assert!(!lab.guest("web1").ping(host(Family::V4), A_WHILE), "{}: withdrawn", kind.network);
        });
    }
}

/// Frames between guests that the switch must see, and those with the host that it must not.
#[test]
fn guests_of_a_vepa_network_still_talk_through_the_switch() {
    let any = [r#"{ allow = "any", from = "any", to = "any" }"#];
    on_each(&[&VEPA, &LONELY_VEPA], &any, |kind: &Kind, lab, switch| {
        lab.guest("web2").udp_echo(7);
        let web2 = lab.address("web2", Family::V4);
        let ask = |limit| lab.guest("web1").udp_ask(web2, 7, b"?", limit);
        assert_eq!(ask(if kind.reflects { SOON } else { A_WHILE }), kind.reflects);
        let before = switch.received_from("up0").unwrap();
        if kind.reflects {
            assert!(ask(SOON));
            assert!(switch.received_from("up0").unwrap() >= before + 2, "question and answer");
        }
        assert!(lab.guest("web1").ping(host(Family::V4), SOON));
        let before = switch.received_from("up0").unwrap();
        for _ in 0..40 {
            assert!(lab.guest("web1").ping(host(Family::V4), SOON));
        }
        // The host has something to say on its own.
        let seen = switch.received_from("up0").unwrap() - before;
        assert!(seen < 20, "the switch saw {seen} frames of 40 pings");
    });
}
