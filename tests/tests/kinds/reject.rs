//! What the sender of a rejected frame gets, on each kind, whichever end rejects it and however the frame was handed
//! over: one answer with right checksums, and nothing else for anybody.

use std::time::{Duration, Instant};

use netctl_common::verdict::Direction::{self, FromGuest, ToGuest};
use netctl_common::verdict::Reason;
use netctl_tests::frame::{ACK, Build, Carrier, Mac, Network, RST, SYN, eth, mac};
use netctl_tests::guest::{Answer, ConnectError};
use netctl_tests::lab::Family;
use netctl_tests::tap::{GSO_TCPV4, GSO_TCPV6, NEEDS_CSUM, Options, Tap, VnetHeader};
use netctl_tests::told::{self, Told, What};

use super::kind::{self, BRIDGE, DB1, Host, Kind, MACVLAN, PASSTHROUGH, Station, VEPA, WEB1, WORLD};
use super::{A_WHILE, SOON};

const RULES: &[&str] = &[
    r#"{ reject = ["tcp/23", "udp/69"], from = "any", to = "any" }"#,
    r#"{ reject = ["icmp/echo-request", "icmp6/echo-request"], from = "any", to = "any" }"#,
];
const OFFLOADS: Options = Options { header_len: 12, offloads: true };

#[test]
fn a_bridge_answers() {
    both_ends_answer(&BRIDGE);
}

#[test]
fn a_macvlan_answers() {
    both_ends_answer(&MACVLAN);
}

#[test]
fn passthrough_answers() {
    both_ends_answer(&PASSTHROUGH);
}

#[test]
fn a_vepa_answers() {
    both_ends_answer(&VEPA);
}

fn both_ends_answer(kind: &Kind) {
    kind::without_guests(kind, RULES, |host| {
        let web1 = host.lab.tap_with("web1", OFFLOADS).unwrap();
        let db1 = host.lab.tap("db1").unwrap();
        host.world.take_offloads(true).unwrap();
        for offloads in [true, false] {
            web1.take_offloads(offloads).unwrap();
            host.world.take_offloads(offloads).unwrap();
            for request in requests(WEB1, WORLD) {
                let expected = (FromGuest, ToGuest);
                answered(host, &request, (&web1, &host.world), expected);
            }
            for request in requests(WORLD, WEB1) {
                let expected = (ToGuest, FromGuest);
                answered(host, &request, (&host.world, &web1), expected);
            }
        }
        assert_eq!(of_guests(&db1), [] as [Vec<u8>; 0], "it is none of db1's business");
    });
}

/// A frame, as its sender hands it over.
struct Request {
    name: String,
    from: Station,
    to: Station,
    header: VnetHeader,
    frame: Vec<u8>,
}

fn ip(from: Station, to: Station, family: Family) -> Network {
    let link = eth(from.mac, to.mac);
    match family {
        Family::V4 => link.ipv4(from.v4, to.v4).into(),
        Family::V6 => link.ipv6(from.v6, to.v6).into(),
    }
}

fn requests(from: Station, to: Station) -> Vec<Request> {
    let mut all = Vec::new();
    for family in Family::ALL {
        let ip = || ip(from, to, family);
        let (start, gso_type) = if family == Family::V4 { (34, GSO_TCPV4) } else { (54, GSO_TCPV6) };
        let mut add = |name: &str, header, frame| {
            let name = format!("{name} ({family:?}) from {}", from.name);
            all.push(Request { name, from, to, header, frame });
        };
        let whole = VnetHeader::default();
        let partial = |offset| VnetHeader::partial_checksum(start, offset);
        add("SYN", whole, ip().tcp(4000, 23).flags(SYN).sequence(9).frame());
        add(
            "SYN, partial",
            partial(16),
            ip().tcp(4000, 23).flags(SYN).sequence(9).partial_checksum().frame(),
        );
        let text = b"a file whose name is longer than any other file's";
        add("UDP", whole, ip().udp(4000, 69).payload(text).frame());
        add("UDP, partial", partial(6), ip().udp(4000, 69).payload(text).partial_checksum().frame());
        add("UDP with nothing, partial", partial(6), ip().udp(4000, 69).partial_checksum().frame());
        // As in a tunnel, or by a guest that tries what happens.
        add(
            "UDP, partial elsewhere",
            VnetHeader::partial_checksum(start + 20, 16),
            ip().udp(4000, 69).payload(text).frame(),
        );
        add("ping", whole, ip().echo_request(7, 1).frame());
        let large = |len: usize| {
            ip().tcp(4000, 23).flags(ACK).acknowledged(77).payload(&vec![5; len]).partial_checksum().frame()
        };
        for (len, hdr_len) in [(3000, start + 20), (40_000, start + 20), (60_000, 14)] {
            let header = VnetHeader { gso_type, gso_size: 1400, hdr_len, ..partial(16) };
            add(&format!("{len} bytes in one segment, {hdr_len} linear"), header, large(len));
        }
    }
    all
}

fn answered(
    host: &Host<'_>,
    request: &Request,
    (sender, receiver): (&Tap, &Tap),
    (judged, back): (Direction, Direction),
) {
    let name = &request.name;
    let before = [
        host.lab.stats("web1", judged, Reason::Rule).unwrap(),
        host.lab.stats("web1", back, Reason::Answer).unwrap(),
    ];
    sender.send_with(request.header, &request.frame).unwrap_or_else(|e| panic!("{name}: {e}"));
    let told = next_told(sender, request.to.mac).unwrap_or_else(|| panic!("{name}: no answer"));
    assert_eq!(told, expected(request), "{name}");
    let after = [
        host.lab.stats("web1", judged, Reason::Rule).unwrap(),
        host.lab.stats("web1", back, Reason::Answer).unwrap(),
    ];
    assert_eq!([after[0] - before[0], after[1] - before[1]], [1, 1], "{name}");
    assert_eq!(of_guests(receiver), [] as [Vec<u8>; 0], "{name}: the receiver");
    assert_eq!(of_guests(sender), [] as [Vec<u8>; 0], "{name}: one answer is enough");
}

/// The host has something to say on its own.
fn next_told(sender: &Tap, from: Mac) -> Option<Told> {
    loop {
        let (header, frame) = sender.recv_with(SOON).unwrap()?;
        if frame.get(6..12) == Some(&from[..]) {
            assert_eq!((header.flags & NEEDS_CSUM, header.gso_type), (0, 0));
            return Some(told::read(&frame).unwrap());
        }
    }
}

fn of_guests(tap: &Tap) -> Vec<Vec<u8>> {
    let ours = [WEB1.mac, DB1.mac, WORLD.mac];
    let frames = std::iter::from_fn(|| tap.try_recv().unwrap());
    frames
        .map(|(_, frame)| frame)
        .filter(|frame| ours.iter().any(|mac| frame.get(6..12) == Some(mac)))
        .collect()
}

fn expected(request: &Request) -> Told {
    let Request { from, to, frame, .. } = request;
    let v6 = frame[12..14] == [0x86, 0xdd];
    let (transport, protocol) = if v6 { (54, frame[20]) } else { (34, frame[23]) };
    let ends = if v6 { [to.v6, from.v6] } else { [to.v4, from.v4] };
    let what = match protocol {
        6 if frame[transport + 13] == SYN => {
            What::Reset { ports: [23, 4000], sequence: 0, acknowledged: Some(10) }
        }
        6 => What::Reset { ports: [23, 4000], sequence: 77, acknowledged: None },
        _ => What::Prohibited(frame[14..transport + 8].to_vec()),
    };
    Told { link: [to.mac, from.mac], ends: ends.map(|end| end.parse().unwrap()), what }
}

/// A guest's own TCP and UDP take it for what it is.
#[test]
fn guests_of_every_kind_hear_of_a_refusal_at_once() {
    for kind in [&BRIDGE, &MACVLAN, &PASSTHROUGH, &VEPA] {
        kind::with_guests(kind, RULES, |host| {
            let web1 = host.lab.guest("web1");
            for (family, code) in [(Family::V4, 13), (Family::V6, 1)] {
                let address = host.lab.address("db1", family);
                // The addresses are resolved before the clock runs.
                let tcp = || web1.tcp_connect(address, 23, SOON).map(drop);
                assert_eq!(tcp(), Err(ConnectError::Reset), "{}, {family:?}", kind.name);
                let started = Instant::now();
                assert_eq!(tcp(), Err(ConnectError::Reset), "{}, {family:?}", kind.name);
                let udp = web1.udp_answer(address, 69, b"a file", SOON);
                assert_eq!(udp, Answer::Unreachable(code), "{}, {family:?}", kind.name);
                assert!(started.elapsed() < Duration::from_millis(900), "that was a retransmission");
            }
            let sent = host.lab.stats("db1", ToGuest, Reason::Rule).unwrap();
            assert_eq!(sent, 0, "{}: it was refused where it came from", kind.name);
        });
    }
}

/// Ports that reject each other's frames, and those about the answers: each frame has one answer, and that is all.
#[test]
fn two_ports_that_reject_each_other_do_not_answer_answers() {
    const COUNT: u64 = 50;
    let all = &[r#"{ reject = "any", from = "any", to = "any" }"#];
    for kind in [&BRIDGE, &MACVLAN] {
        kind::without_guests(kind, all, |host| {
            let [web1, db1] = ["web1", "db1"].map(|name| host.lab.tap(name).unwrap());
            for number in 0..COUNT as u16 {
                for (tap, from, to) in [(&web1, WEB1, DB1), (&db1, DB1, WEB1)] {
                    let v4 = || ip(from, to, Family::V4);
                    tap.send(&v4().tcp(4000 + number, 80).frame()).unwrap();
                    tap.send(&v4().udp(4000 + number, 53).frame()).unwrap();
                    tap.send(&v4().tcp(80, 4000 + number).flags(RST | ACK).frame()).unwrap();
                    let about = ip(to, from, Family::V4).udp(53, 4000 + number).packet();
                    tap.send(&v4().unreachable(3, &about).frame()).unwrap();
                }
            }
            for (name, tap) in [("web1", &web1), ("db1", &db1)] {
                host.lab.wait_stats((name, ToGuest, Reason::Answer), 2 * COUNT).unwrap();
                std::thread::sleep(A_WHILE);
                assert_eq!(of_guests(tap).len() as u64, 2 * COUNT, "{}, {name}", kind.name);
                let counters = host.lab.counters().unwrap();
                let packets = |direction, reason| counters.packets(name, direction, reason);
                assert_eq!(packets(FromGuest, Reason::Rule), 2 * COUNT, "{}, {name}", kind.name);
                assert_eq!(packets(FromGuest, Reason::NoFlow), COUNT, "{}, {name}", kind.name);
                assert_eq!(packets(FromGuest, Reason::UnrelatedError), COUNT, "{}, {name}", kind.name);
                assert_eq!(packets(ToGuest, Reason::Rule) + packets(FromGuest, Reason::Answer), 0);
            }
        });
    }
}

/// A guest that the policy knows at its own port by its groups, and at the other's as nobody: the receiver's port rejects.
#[test]
fn the_answer_of_the_receivers_port_comes_back_to_a_local_guest() {
    let rules = [
        r#"{ allow = ["tcp/80", "udp/53"], from = "probes", to = "db" }"#,
        r#"{ reject = ["tcp/80", "udp/53"], from = "world", to = "db" }"#,
    ];
    let probe = Station { name: "probe", mac: mac(0x31), v4: "10.0.0.99", v6: "fd00::99", group: "probes" };
    let port = "[ports.probe]\nnetwork = \"lab\"\nmac = \"52:54:00:00:00:31\"\naddresses = \"any\"\ngroups = [\"probes\"]\n";
    for kind in [&BRIDGE, &MACVLAN] {
        let document = kind.document(&rules) + port;
        kind::with_document(kind, &document, |host| {
            let [tap, _db1] = ["probe", "db1"].map(|name| host.lab.tap(name).unwrap());
            for family in Family::ALL {
                let ip = || ip(probe, DB1, family);
                for (frame, reason) in [
                    (ip().tcp(4000, 80).frame(), Reason::Flow),
                    (ip().udp(4000, 53).frame(), Reason::Related),
                ] {
                    let before = host.lab.stats("probe", ToGuest, reason).unwrap();
                    tap.send(&frame).unwrap();
                    let told = next_told(&tap, DB1.mac)
                        .unwrap_or_else(|| panic!("{}, {family:?}: no answer", kind.name));
                    assert_eq!(told.link, [DB1.mac, probe.mac]);
                    assert_eq!(
                        host.lab.stats("probe", ToGuest, reason).unwrap(),
                        before + 1,
                        "by its own flow"
                    );
                }
            }
            let counters = host.lab.counters().unwrap();
            assert_eq!(counters.packets("probe", FromGuest, Reason::Rule), 4, "{:?}", counters.ports);
            assert_eq!(counters.packets("db1", ToGuest, Reason::Rule), 4, "{:?}", counters.ports);
            assert_eq!(counters.packets("db1", FromGuest, Reason::Answer), 4, "{:?}", counters.ports);
        });
    }
}

/// The connection ends within one segment, for both ends.
#[test]
fn a_connection_whose_rule_now_rejects_is_reset() {
    let allow = [r#"{ allow = "tcp/80", from = "web", to = "db" }"#];
    let reject = [r#"{ reject = "tcp/80", from = "web", to = "db" }"#];
    for kind in [&BRIDGE, &MACVLAN] {
        kind::with_guests(kind, &allow, |host| {
            host.lab.guest("db1").tcp_listen(80);
            let address = host.lab.address("db1", Family::V4);
            let conn = host.lab.guest("web1").tcp_connect(address, 80, SOON).unwrap();
            assert!(conn.still_alive(SOON));
            host.lab.apply(&kind.document(&reject)).unwrap();
            assert!(conn.send(b"still there?", SOON));
            let deadline = Instant::now() + Duration::from_millis(900);
            while !conn.is_closed() {
                assert!(Instant::now() < deadline, "{}: it goes on", kind.name);
                std::thread::sleep(Duration::from_millis(5));
            }
            let counters = host.lab.counters().unwrap();
            assert!(counters.packets("web1", FromGuest, Reason::Revoked) >= 1, "{:?}", counters.ports);
            assert!(counters.packets("web1", ToGuest, Reason::Answer) >= 1, "{:?}", counters.ports);
        });
    }
}
