//! The host's own sockets at a guest's port that rejects, and a guest that the host may not be reached by.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use netctl_common::verdict::Direction::{FromGuest, ToGuest};
use netctl_common::verdict::Reason;
use netctl_tests::lab::{Family, Lab};
use netctl_tests::sandbox::Sandbox;

use super::host::wait_addresses;
use super::{SOON, document};

const RULES: [&str; 1] = [r#"{ reject = ["tcp/23", "udp/69"], from = "any", to = "any" }"#];

#[test]
fn the_hosts_sockets_hear_of_a_refusal_at_once() {
    Sandbox::run(|sandbox| {
        let lab = Lab::up(sandbox, &document(&RULES)).unwrap();
        wait_addresses(sandbox);
        // ICMP "filtered" and ICMPv6 "prohibited" (net/ipv4/icmp.c, net/ipv6/icmp.c).
        for (family, any, refused) in
            [(Family::V4, "0.0.0.0:0", libc::EHOSTUNREACH), (Family::V6, "[::]:0", libc::EACCES)]
        {
            let address = lab.address("web1", family);
            let connect = || TcpStream::connect_timeout(&SocketAddr::new(address, 23), SOON).map(drop);
            let (outcome, seen) = lab.during(connect).unwrap();
            assert_eq!(outcome.unwrap_err().kind(), ErrorKind::ConnectionRefused, "{family:?}");
            assert_eq!(seen.packets("web1", ToGuest, Reason::Rule), 1, "{family:?}: one SYN");
            assert_eq!(seen.packets("web1", FromGuest, Reason::Answer), 1, "{family:?}: one answer");
            // The guest's address is known by now.
            let started = Instant::now();
            assert_eq!(connect().unwrap_err().kind(), ErrorKind::ConnectionRefused);
            let socket = UdpSocket::bind(any).unwrap();
            socket.set_read_timeout(Some(SOON)).unwrap();
            socket.connect((address, 69)).unwrap();
            socket.send(b"a file").unwrap();
            let error = socket.recv(&mut [0; 16]).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(refused), "{family:?}: {error}");
            assert!(started.elapsed() < Duration::from_millis(900), "that was a retransmission");
        }
    });
}
