//! The tests' own ground: sandboxes, taps and guests over a plain Linux bridge, without netctl.
//! As root; every test is in network and mount namespaces of its own.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::any::Any;
use std::fs;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use netctl_tests::bridge::Bridge;
use netctl_tests::frame::{ACK, BROADCAST, Build, Carrier, SYN, eth, ipv4, mac};
use netctl_tests::guest::{Answer, ConnectError, Guest};
use netctl_tests::sandbox::Sandbox;
use netctl_tests::tap::{GSO_TCPV4, NEEDS_CSUM, Options, Tap, VnetHeader};

/// Enough for anything that happens at all.
const SOON: Duration = Duration::from_secs(30);
/// Enough to call it silence.
const A_WHILE: Duration = Duration::from_millis(500);

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied()).unwrap_or_default()
}

/// Two guests on a bridge: 10.0.0.1, fd00::1 and 10.0.0.2, fd00::2.
fn two_guests(sandbox: &Sandbox) -> (Guest, Guest) {
    let bridge = Bridge::new(sandbox, "br0");
    let a = Guest::start(bridge.tap("tapa").unwrap(), mac(1), &["10.0.0.1/24", "fd00::1/64"]).unwrap();
    let b = Guest::start(bridge.tap("tapb").unwrap(), mac(2), &["10.0.0.2/24", "fd00::2/64"]).unwrap();
    (a, b)
}

#[test]
fn tcp_connects_and_echoes_in_both_families() {
    Sandbox::run(|sandbox| {
        let (a, b) = two_guests(sandbox);
        b.tcp_listen(80);
        for address in [ip("10.0.0.2"), ip("fd00::2"), b.link_local()] {
            let conn = a.tcp_connect(address, 80, SOON).unwrap();
            assert!(conn.send(b"hello", SOON));
            assert_eq!(conn.recv(5, SOON).as_deref(), Some(&b"hello"[..]));
            assert!(conn.still_alive(SOON), "{address}");
        }
    });
}

#[test]
fn more_than_a_buffer_goes_through_unchanged() {
    Sandbox::run(|sandbox| {
        let (a, b) = two_guests(sandbox);
        b.tcp_listen(80);
        let conn = a.tcp_connect(ip("10.0.0.2"), 80, SOON).unwrap();
        let data: Vec<u8> = (0..100_000u32).map(|n| (n % 251) as u8).collect();
        let (sent, echoed) = std::thread::scope(|scope| {
            let echo = scope.spawn(|| conn.recv(data.len(), SOON));
            (conn.send(&data, SOON), echo.join().unwrap())
        });
        assert!(sent);
        assert!(echoed.as_ref() == Some(&data), "{:?} bytes came back", echoed.map(|e| e.len()));
    });
}

#[test]
fn a_service_takes_many_connections_at_once_and_again_and_again() {
    Sandbox::run(|sandbox| {
        let (a, b) = two_guests(sandbox);
        b.tcp_listen(80);
        for _ in 0..3 {
            let conns: Vec<_> = (0..10).map(|_| a.tcp_connect(ip("10.0.0.2"), 80, SOON).unwrap()).collect();
            assert!(conns.iter().all(|conn| conn.still_alive(SOON)));
        }
    });
}

#[test]
fn udp_and_ping_are_answered_in_both_families() {
    Sandbox::run(|sandbox| {
        let (a, b) = two_guests(sandbox);
        b.udp_echo(53);
        for address in [ip("10.0.0.2"), ip("fd00::2"), b.link_local()] {
            assert!(a.udp_ask(address, 53, b"who is there", SOON), "{address}");
            assert!(a.ping(address, SOON), "{address}");
        }
        assert!(b.ping(ip("10.0.0.1"), SOON));
        assert!(b.frames_received() >= 6);
    });
}

#[test]
fn a_closed_port_resets_or_refuses_and_says_so() {
    Sandbox::run(|sandbox| {
        let (a, _b) = two_guests(sandbox);
        for address in [ip("10.0.0.2"), ip("fd00::2")] {
            assert_eq!(a.tcp_connect(address, 81, SOON).err(), Some(ConnectError::Reset));
        }
        // Port unreachable: code 3 of ICMP (RFC 792), 4 of ICMPv6 (RFC 4443).
        assert_eq!(a.udp_answer(ip("10.0.0.2"), 54, b"?", SOON), Answer::Unreachable(3));
        assert_eq!(a.udp_answer(ip("fd00::2"), 54, b"?", SOON), Answer::Unreachable(4));
    });
}

#[test]
fn an_administrative_refusal_ends_a_connection_attempt() {
    Sandbox::run(|sandbox| {
        let bridge = Bridge::new(sandbox, "br0");
        let a = Guest::start(bridge.tap("tapa").unwrap(), mac(1), &["10.0.0.1/24"]).unwrap();
        let wire = bridge.tap("tapb").unwrap();
        let refusing = std::thread::spawn(move || {
            let seen = |frame: &[u8], kind: u16| frame.get(12..14) == Some(&kind.to_be_bytes()[..]);
            wire.recv_matching(SOON, |frame| seen(frame, 0x0806)).unwrap().unwrap();
            wire.send(&eth(mac(2), mac(1)).arp_reply("10.0.0.2", "10.0.0.1").target_mac(mac(1)).frame())
                .unwrap();
            let syn = wire.recv_matching(SOON, |frame| seen(frame, 0x0800)).unwrap().unwrap();
            let error = eth(mac(2), mac(1)).ipv4("10.0.0.2", "10.0.0.1").unreachable(13, &syn[14..42]);
            wire.send(&error.frame()).unwrap();
        });
        let started = Instant::now();
        assert_eq!(a.tcp_connect(ip("10.0.0.2"), 80, SOON).err(), Some(ConnectError::Unreachable(13)));
        assert!(started.elapsed() < SOON, "it waited for the end of its time");
        refusing.join().unwrap();
    });
}

#[test]
fn a_cut_link_is_silence() {
    Sandbox::run(|sandbox| {
        let (a, b) = two_guests(sandbox);
        b.tcp_listen(80);
        b.udp_echo(53);
        let conn = a.tcp_connect(ip("10.0.0.2"), 80, SOON).unwrap();
        assert!(conn.still_alive(SOON));
        sandbox.ip("link set tapb nomaster");
        let started = Instant::now();
        assert_eq!(a.tcp_connect(ip("10.0.0.2"), 80, A_WHILE).err(), Some(ConnectError::Timeout));
        assert!((A_WHILE..SOON).contains(&started.elapsed()), "{:?}", started.elapsed());
        assert!(!a.udp_ask(ip("10.0.0.2"), 53, b"?", A_WHILE));
        assert!(!a.ping(ip("fd00::2"), A_WHILE));
        assert!(!conn.still_alive(A_WHILE));
        assert!(!conn.is_closed(), "a cut link does not close a connection");
    });
}

#[test]
fn a_deleted_tap_ends_the_wait_at_once() {
    Sandbox::run(|sandbox| {
        let (a, _b) = two_guests(sandbox);
        sandbox.ip("link del tapa");
        let started = Instant::now();
        assert!(!a.ping(ip("10.0.0.2"), SOON));
        assert!(started.elapsed() < SOON);
    });
}

#[test]
fn a_partial_checksum_is_completed_for_a_tap_without_offloads_and_kept_for_one_with() {
    Sandbox::run(|sandbox| {
        let bridge = Bridge::new(sandbox, "br0");
        let from = bridge.tap("tapa").unwrap();
        let plain = bridge.tap("tapb").unwrap();
        let with = Options { offloads: true, header_len: 10 };
        let offloading = bridge.tap_with("tapc", with).unwrap();
        let udp = eth(mac(1), BROADCAST).ipv4("10.0.0.1", "10.0.0.255").udp(5, 6).payload(b"data");
        let (whole, partial) = (udp.frame(), udp.partial_checksum().frame());
        assert_ne!(whole, partial);
        from.send_with(VnetHeader::partial_checksum(34, 6), &partial).unwrap();
        let ours = |frame: &[u8]| frame.get(6..12) == Some(&mac(1)[..]);
        assert_eq!(plain.recv_matching(SOON, ours).unwrap(), Some(whole));
        let (header, frame) = loop {
            let got = offloading.recv_with(SOON).unwrap().expect("the frame never came");
            if ours(&got.1) {
                break got;
            }
        };
        assert_eq!((header.flags, header.csum_start, header.csum_offset), (NEEDS_CSUM, 34, 6));
        assert_eq!(frame, partial);
    });
}

#[test]
fn a_tcp_segment_of_many_is_cut_for_a_tap_without_offloads() {
    Sandbox::run(|sandbox| {
        let bridge = Bridge::new(sandbox, "br0");
        let from = bridge.tap_with("tapa", Options { offloads: true, header_len: 12 }).unwrap();
        let to = bridge.tap("tapb").unwrap();
        let tcp = eth(mac(1), BROADCAST).ipv4("10.0.0.1", "10.0.0.2").tcp(5, 6).flags(ACK);
        let segment = tcp.payload(&[7; 4344]).partial_checksum().frame();
        let header = VnetHeader {
            gso_type: GSO_TCPV4,
            gso_size: 1448,
            hdr_len: 54,
            ..VnetHeader::partial_checksum(34, 16)
        };
        from.send_with(header, &segment).unwrap();
        for n in 0..3 {
            let frame = to.recv_matching(SOON, |frame| frame.get(6..12) == Some(&mac(1)[..])).unwrap();
            assert_eq!(frame.map(|f| f.len()), Some(54 + 1448), "segment {n}");
        }
    });
}

#[test]
fn a_guest_takes_no_frame_with_a_wrong_checksum() {
    Sandbox::run(|sandbox| {
        let bridge = Bridge::new(sandbox, "br0");
        let guest = Guest::start(bridge.tap("tapa").unwrap(), mac(1), &["10.0.0.1/24"]).unwrap();
        guest.tcp_listen(80);
        let wire = bridge.tap("tapb").unwrap();
        let syn = eth(mac(2), mac(1)).ipv4("10.0.0.2", "10.0.0.1").tcp(5000, 80).flags(SYN);
        // So that the guest need not ask who 10.0.0.2 is.
        wire.send(&eth(mac(2), mac(1)).arp_request("10.0.0.2", "10.0.0.1").frame()).unwrap();
        let answer = |frame: &[u8]| frame.get(12..14) == Some(&[8, 0]) && frame.get(23) == Some(&6);
        wire.send(&syn.clone().checksum(0xdead).frame()).unwrap();
        assert_eq!(wire.recv_matching(A_WHILE, answer).unwrap(), None);
        wire.send(&syn.frame()).unwrap();
        let reply = wire.recv_matching(SOON, answer).unwrap().expect("no answer to a right SYN");
        assert_eq!(reply[47], SYN | ACK);
    });
}

#[test]
fn opening_a_tap_never_makes_one() {
    Sandbox::run(|sandbox| {
        let error = Tap::open("nosuch").unwrap_err();
        assert_eq!(error.to_string(), "there is no tap nosuch here");
        assert!(!sandbox.ip("-o link").contains("nosuch"));
    });
}

#[test]
fn a_multi_queue_tap_can_be_opened_more_than_once() {
    Sandbox::run(|sandbox| {
        sandbox.ip("tuntap add dev tapq mode tap multi_queue vnet_hdr");
        sandbox.ip("link set tapq up");
        let (first, second) = (Tap::open("tapq").unwrap(), Tap::open("tapq").unwrap());
        for queue in [&first, &second] {
            queue.send(&ipv4("10.0.0.1", "10.0.0.2").udp(1, 2).frame()).unwrap();
        }
    });
}

#[test]
fn sandboxes_do_not_see_each_other_or_the_host() {
    let hosts = fs::read_dir("/sys/class/net").unwrap().count();
    Sandbox::run(|one| {
        one.ip("link add same type bridge");
        fs::create_dir("/sys/fs/bpf/mine").unwrap();
        fs::write("/run/mine", "x").unwrap();
        Sandbox::run(|other| {
            other.ip("link add same type bridge");
            let names: Vec<_> =
                fs::read_dir("/sys/class/net").unwrap().map(|e| e.unwrap().file_name()).collect();
            assert_eq!(names.len(), 2, "lo and the bridge: {names:?}");
            assert!(!Path::new("/sys/fs/bpf/mine").exists() && !Path::new("/run/mine").exists());
        });
        assert!(one.ip("-o link show lo").contains("UP"));
    });
    assert_eq!(fs::read_dir("/sys/class/net").unwrap().count(), hosts);
    assert!(!Path::new("/sys/fs/bpf/mine").exists() && !Path::new("/run/mine").exists());
}

#[test]
fn a_panic_inside_keeps_its_message() {
    let panic = catch_unwind(|| Sandbox::run(|_| panic!("the link is {}", "down"))).unwrap_err();
    assert_eq!(message(&*panic), "the link is down");
}

#[test]
fn a_sandbox_can_be_left_and_entered_again() {
    let sandbox = Sandbox::new().unwrap();
    let directory = std::env::current_dir().unwrap();
    sandbox.enter(|| sandbox.ip("link add br0 type bridge"));
    let (links, inside) = sandbox.enter(|| (sandbox.ip("-o link"), std::env::current_dir().unwrap()));
    assert!(links.contains("br0"), "{links}");
    assert_eq!(inside, directory);
}

#[test]
fn commands_from_outside_are_refused() {
    let sandbox = Sandbox::new().unwrap();
    let panic = catch_unwind(AssertUnwindSafe(|| sandbox.ip("link add br0 type bridge"))).unwrap_err();
    assert_eq!(message(&*panic), "this thread is outside the sandbox: use Sandbox::enter");
}

#[test]
fn what_runs_inside_ends_with_the_sandbox() {
    let runs = |pid: u32| Path::new(&format!("/proc/{pid}")).exists();
    let (kept, stray) = Sandbox::run(|sandbox| {
        let mut sleep = Command::new("sleep");
        sleep.arg("1000");
        let kept = sandbox.start(sleep).unwrap();
        // A grandchild that its parent leaves behind.
        let mut shell = Command::new("sh");
        shell.args(["-c", "sleep 1000 >/dev/null 2>&1 & echo $!"]);
        let stray: u32 = sandbox.finish(shell).unwrap().stdout.trim().parse().unwrap();
        assert!(runs(kept.pid()) && runs(stray));
        (kept.pid(), stray)
    });
    let deadline = Instant::now() + SOON;
    while (runs(kept) || runs(stray)) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(!runs(kept) && !runs(stray), "{kept} or {stray} still runs");
}

#[test]
fn a_running_command_is_heard_line_by_line() {
    Sandbox::run(|sandbox| {
        let mut shell = Command::new("sh");
        shell.args(["-c", "echo one; echo two >&2; exec sleep 1000"]);
        let mut running = sandbox.start(shell).unwrap();
        assert_eq!(running.wait_for_line(SOON, |line| line.starts_with("tw")).as_deref(), Some("two"));
        assert_eq!(running.wait_for_line(A_WHILE, |line| line == "three"), None);
        assert_eq!(running.wait(Duration::ZERO), None);
        running.kill();
        assert!(running.wait(SOON).is_some());
    });
}
