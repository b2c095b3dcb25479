//! Changes of the policy while frames are on their way: each frame is judged by one policy, whole, and what is
//! withdrawn ends at once.

use std::time::Duration;

use netctl_common::verdict::Direction::{FromGuest, ToGuest};
use netctl_common::verdict::Reason;
use netctl_tests::frame::{ACK, Build, Carrier, PSH, SYN, Tcp, eth};
use netctl_tests::lab::Family;
use netctl_tests::tap::Tap;

use super::stream::while_streaming;
use super::{A_WHILE, SOON, document, in_bare_lab, in_lab, mac_of};

const WITH: [&str; 1] = [r#"{ allow = "tcp/5432", from = "web", to = "db" }"#];

/// Allowed by both policies, by one of them, by none.
const BOTH: u16 = 1000;
const ONLY_A: u16 = 1001;
const ONLY_B: u16 = 1002;
const NONE: u16 = 1003;

#[test]
fn a_connection_is_cut_when_its_rule_goes_and_goes_on_when_it_comes_back() {
    in_lab(&WITH, |lab| {
        lab.guest("db1").tcp_listen(5432);
        for family in Family::ALL {
            let conn = lab.guest("web1").tcp_connect(lab.address("db1", family), 5432, SOON).unwrap();
            assert!(conn.still_alive(SOON));
            lab.apply(&document(&[])).unwrap();
            let (alive, seen) = lab.during(|| conn.still_alive(A_WHILE)).unwrap();
            assert!(!alive, "{family:?}");
            assert!(seen.packets("web1", FromGuest, Reason::Revoked) >= 1, "{:?}", seen.ports);
            assert_eq!(seen.packets("web1", FromGuest, Reason::Flow), 0);
            lab.apply(&document(&WITH)).unwrap();
            assert!(conn.still_alive(SOON), "{family:?}");
        }
    });
}

#[test]
fn not_one_frame_passes_after_the_rule_is_gone() {
    in_bare_lab(&WITH, |lab| {
        let (web1, db1) = (lab.tap("web1").unwrap(), lab.tap("db1").unwrap());
        let to_db = |flags, n| segment(["web1", "db1"], [5000, 5432]).flags(flags).sequence(n).frame();
        let to_web = |flags, n| segment(["db1", "web1"], [5432, 5000]).flags(flags).sequence(n).frame();
        for (sent, received) in [(to_db(SYN, 1), &db1), (to_db(ACK, 2), &db1)] {
            web1.send(&sent).unwrap();
            assert_eq!(tcp(received, SOON), Some(sent));
            let answer = to_web(SYN | ACK, 1);
            db1.send(&answer).unwrap();
            assert_eq!(tcp(&web1, SOON), Some(answer));
        }
        lab.apply(&document(&[])).unwrap();
        let seen = lab.counters().unwrap();
        // Both ends, each at its own port: the first frame is the first that is denied.
        web1.send(&to_db(ACK | PSH, 3)).unwrap();
        db1.send(&to_web(ACK | PSH, 3)).unwrap();
        for port in ["web1", "db1"] {
            lab.wait_stats(
                (port, FromGuest, Reason::Revoked),
                seen.packets(port, FromGuest, Reason::Revoked) + 1,
            )
            .unwrap();
            assert_eq!(lab.stats(port, ToGuest, Reason::Revoked).unwrap(), 0);
        }
        assert_eq!([&db1, &web1].map(|tap| tcp(tap, Duration::from_millis(50))), [None, None]);

        lab.apply(&document(&WITH)).unwrap();
        let again = to_db(ACK | PSH, 4);
        web1.send(&again).unwrap();
        assert_eq!(tcp(&db1, SOON), Some(again));
        let events = lab.events().unwrap();
        let revoked: Vec<_> = events.iter().filter(|event| event.reason == "revoked").collect();
        assert_eq!(revoked.len(), 2, "{events:?}");
    });
}

/// The host has something to say on its own.
fn tcp(tap: &Tap, limit: Duration) -> Option<Vec<u8>> {
    tap.recv_matching(limit, |frame| frame.get(23) == Some(&6)).unwrap()
}

fn segment([from, to]: [&str; 2], [source, destination]: [u16; 2]) -> Tcp {
    let address = |name| if name == "web1" { "10.0.0.11" } else { "10.0.0.21" };
    eth(mac_of(from), mac_of(to)).ipv4(address(from), address(to)).tcp(source, destination)
}

#[test]
fn under_traffic_what_two_policies_allow_is_never_lost_and_what_none_allows_never_arrives() {
    let allows = |only| {
        // Rules of another number and order, so that a mix of tables would show.
        let both = format!(r#"{{ allow = "udp/{BOTH}", from = "web", to = "db" }}"#);
        let one = format!(r#"{{ allow = "udp/{only}", from = "web", to = "db" }}"#);
        let noise = r#"{ deny = "tcp", from = "any", to = "any" }"#.to_owned();
        if only == ONLY_A { vec![both, one] } else { vec![noise, one, both] }
    };
    let text = |only| document(&allows(only).iter().map(String::as_str).collect::<Vec<_>>());
    let (a, b) = (text(ONLY_A), text(ONLY_B));
    in_bare_lab(&allows(ONLY_A).iter().map(String::as_str).collect::<Vec<_>>(), |lab| {
        let (((), counts), seen) = lab
            .during(|| {
                while_streaming(lab, &[BOTH, ONLY_A, ONLY_B, NONE], || {
                    for _ in 0..12 {
                        lab.apply(&b).unwrap();
                        lab.apply(&a).unwrap();
                    }
                })
            })
            .unwrap();
        let count = |port| counts[&port];
        let denied = ["default", "revoked"];
        let denials = seen.sum(|row| denied.contains(&&*row.reason) && ["web1", "db1"].contains(&&*row.port));
        let lost: u64 = counts.values().map(|count| count.sent - count.arrived).sum();
        assert!(count(BOTH).sent > 500, "hardly any traffic: {counts:?}");
        assert_eq!(count(BOTH).arrived, count(BOTH).sent, "{counts:?}\n{:#?}", seen.ports);
        assert_eq!(count(NONE).arrived, 0);
        for only in [ONLY_A, ONLY_B] {
            assert!((1..count(only).sent).contains(&count(only).arrived), "{only}: {counts:?}");
        }
        assert_eq!(denials, lost, "each missing frame was denied by a policy\n{:#?}", seen.ports);
    });
}
