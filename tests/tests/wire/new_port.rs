//! A port that is added while frames for it, and from it, are already on their way.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use netctl_tests::frame::{Build, Carrier, eth, mac, mac_text};
use netctl_tests::lab::Lab;
use netctl_tests::sandbox::Sandbox;
use netctl_tests::tap::Tap;

use super::{SOON, document, port};

const ROUNDS: u32 = 6;
const LATE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 41);
const HOST: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 254);
/// The same number in both directions.
const ALLOWED: u16 = 1000;
const DENIED: u16 = 1001;

#[test]
fn a_new_port_is_never_reachable_and_reaches_no_one_before_its_policy() {
    Sandbox::run(|sandbox| {
        let without = document(&[r#"{ allow = "udp/1000", from = "any", to = "any" }"#]);
        let with = without.replacen("[policy]", &(port("late", "web", 41) + "[policy]"), 1);
        let lab = Lab::bare(sandbox, &without).unwrap();
        // A bridge without a port that is up has no carrier, and drops what the host sends.
        let _carrier = lab.tap("web1").unwrap();
        sandbox.ip(&format!("neigh add {LATE} lladdr {} nud permanent dev lab", mac_text(mac(41))));
        for round in 0..ROUNDS {
            let done = AtomicBool::new(false);
            let (to_late, from_late) = (Seen::default(), Seen::default());
            thread::scope(|scope| {
                scope.spawn(|| flood_from_host(&from_late, &done));
                scope.spawn(|| use_as_soon_as_it_is_there(&to_late, &done));
                let applied = lab.apply(&with);
                let end = Instant::now() + SOON;
                while !(to_late.is_open() && from_late.is_open()) && Instant::now() < end {
                    thread::sleep(Duration::from_millis(10));
                }
                // And a little of what comes when both directions work as they shall.
                thread::sleep(Duration::from_millis(100));
                done.store(true, Ordering::Relaxed);
                applied.unwrap();
            });
            for (way, seen) in [("to", to_late), ("from", from_late)] {
                assert!(seen.is_open(), "round {round}: nothing came {way} the new port: {seen:?}");
                let denied = seen.denied.into_inner();
                assert_eq!(denied, 0, "round {round}, {way} the new port");
            }
            lab.apply(&without).unwrap();
        }
    });
}

#[derive(Debug, Default)]
struct Seen {
    allowed: AtomicU32,
    denied: AtomicU32,
}

impl Seen {
    fn note(&self, port: u16) {
        match port {
            ALLOWED => self.allowed.fetch_add(1, Ordering::Relaxed),
            DENIED => self.denied.fetch_add(1, Ordering::Relaxed),
            _ => 0,
        };
    }

    fn is_open(&self) -> bool {
        self.allowed.load(Ordering::Relaxed) > 0
    }
}

/// Sends to the port, to it alone and to all, and listens for what it sends.
fn flood_from_host(seen: &Seen, done: &AtomicBool) {
    let sockets = [ALLOWED, DENIED].map(|port| {
        let socket = UdpSocket::bind((HOST, port)).unwrap();
        socket.set_nonblocking(true).unwrap();
        socket.set_broadcast(true).unwrap();
        socket
    });
    while !done.load(Ordering::Relaxed) {
        for port in [ALLOWED, DENIED] {
            // No carrier, no route: part of the course here.
            let _ = sockets[0].send_to(b"flood", (LATE, port));
            let _ = sockets[0].send_to(b"flood", (Ipv4Addr::new(10, 0, 0, 255), DENIED));
        }
        for (socket, port) in sockets.iter().zip([ALLOWED, DENIED]) {
            let mut data = [0; 64];
            while socket.recv_from(&mut data).is_ok_and(|(_, from)| from.ip() == LATE) {
                seen.note(port);
            }
        }
        thread::sleep(Duration::from_micros(100));
    }
}

/// A guest that opens its tap while netctl is still at work.
fn use_as_soon_as_it_is_there(seen: &Seen, done: &AtomicBool) {
    let deadline = Instant::now() + SOON;
    let tap = loop {
        match Tap::open("late") {
            Ok(tap) => break tap,
            Err(e) => assert!(Instant::now() < deadline, "{e:#}"),
        }
    };
    // Its MAC address is derived from the network's name.
    let bridge = std::fs::read_to_string("/sys/class/net/lab/address").unwrap();
    let bridge: Vec<u8> =
        bridge.trim().split(':').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
    let frame = |port| eth(mac(41), bridge[..].try_into().unwrap()).ipv4(LATE, HOST).udp(5000, port).frame();
    let frames = [frame(ALLOWED), frame(DENIED)];
    while !done.load(Ordering::Relaxed) {
        for frame in &frames {
            // EIO until the interface is up.
            let _ = tap.send(frame);
        }
        while let Some((_, frame)) = tap.try_recv().unwrap() {
            if let Some(port) = frame.get(36..38).filter(|_| frame.get(23) == Some(&17)) {
                seen.note(u16::from_be_bytes([port[0], port[1]]));
            }
        }
        thread::sleep(Duration::from_micros(100));
    }
}
