//! The host at the bridge's address: it has no port, so only the guests' ports judge.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use netctl_common::verdict::Direction::{FromGuest, ToGuest};
use netctl_common::verdict::Reason;
use netctl_tests::lab::{Family, Lab};
use netctl_tests::sandbox::Sandbox;

use super::{A_WHILE, SOON, document};

const RULES: [&str; 2] = [
    r#"{ allow = "tcp/80", from = "host", to = "web" }"#,
    r#"{ allow = "tcp/8080", from = "web", to = "host" }"#,
];

fn host(family: Family) -> IpAddr {
    match family {
        Family::V4 => "10.0.0.254".parse().unwrap(),
        Family::V6 => "fd00::fe".parse().unwrap(),
    }
}

/// The kernel uses an IPv6 address only after it has made sure that nobody else has it (RFC 4862, 5.4).
pub(crate) fn wait_addresses(sandbox: &Sandbox) {
    let deadline = Instant::now() + SOON;
    while !sandbox.ip("-6 addr show dev lab tentative").is_empty() {
        assert!(Instant::now() < deadline, "fd00::fe stays tentative");
        thread::sleep(Duration::from_millis(20));
    }
}

fn in_lab(test: impl FnOnce(&Lab<'_>) + Send) {
    Sandbox::run(|sandbox| {
        let lab = Lab::up(sandbox, &document(&RULES)).unwrap();
        wait_addresses(sandbox);
        test(&lab);
    });
}

#[test]
fn the_host_reaches_a_guest_as_the_policy_says() {
    in_lab(|lab| {
        for port in [80, 81] {
            lab.guest("web1").tcp_listen(port);
        }
        for family in Family::ALL {
            let address = lab.address("web1", family);
            let open = |port| TcpStream::connect_timeout(&SocketAddr::new(address, port), A_WHILE);
            let (mut stream, seen) = lab.during(|| open(80).unwrap()).unwrap();
            assert_eq!(seen.packets("web1", ToGuest, Reason::Rule), 1, "{family:?}");
            stream.write_all(b"hello").unwrap();
            let mut echoed = [0; 5];
            stream.set_read_timeout(Some(SOON)).unwrap();
            stream.read_exact(&mut echoed).unwrap();
            assert_eq!(&echoed, b"hello");

            let (refused, seen) = lab.during(|| open(81).is_err()).unwrap();
            assert!(refused);
            assert!(seen.packets("web1", ToGuest, Reason::Default) >= 1, "{:?}", seen.ports);
        }
    });
}

#[test]
fn a_guest_reaches_the_host_as_the_policy_says() {
    in_lab(|lab| {
        let _listeners = [8080, 8081].map(|port| TcpListener::bind(("::", port)).unwrap());
        for family in Family::ALL {
            let open = |name: &str, port| lab.guest(name).tcp_connect(host(family), port, A_WHILE).is_ok();
            let (reached, seen) = lab.during(|| open("web1", 8080)).unwrap();
            assert!(reached, "{family:?}");
            assert_eq!(seen.packets("web1", FromGuest, Reason::Rule), 1);
            assert!(seen.packets("web1", ToGuest, Reason::Flow) >= 1, "the reply");
            for (name, port) in [("web1", 8081), ("db1", 8080)] {
                let (reached, seen) = lab.during(|| open(name, port)).unwrap();
                assert!(!reached, "{name} {port}");
                assert!(seen.packets(name, FromGuest, Reason::Default) >= 1, "{:?}", seen.ports);
            }
        }
    });
}
