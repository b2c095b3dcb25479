//! Guests with TCP/IP stacks of their own talk over each kind: they resolve each other, what a rule allows is
//! answered, what none allows is silent, and a connection ends with its rule.

use std::collections::BTreeSet;
use std::time::Instant;

use netctl_common::verdict::Direction::{FromGuest, ToGuest};
use netctl_common::verdict::Reason;
use netctl_tests::guest::Conn;
use netctl_tests::lab::{Counters, Family};

use super::kind::{self, BRIDGE, DB1, Host, Kind, MACVLAN, PASSTHROUGH, Station, VEPA, WEB1};
use super::{A_WHILE, SOON};

const RULES: &[&str] = &[
    r#"{ allow = ["tcp/5432", "udp/53"], from = "web", to = "db" }"#,
    r#"{ allow = ["icmp/echo-request", "icmp6/echo-request"], from = "web", to = "db" }"#,
];

#[test]
fn guests_talk_over_a_bridge() {
    talk(&BRIDGE);
}

#[test]
fn guests_talk_over_a_macvlan() {
    talk(&MACVLAN);
}

#[test]
fn guests_talk_over_passthrough() {
    talk(&PASSTHROUGH);
}

#[test]
fn guests_talk_over_a_vepa_whose_switch_reflects() {
    talk(&VEPA);
}

fn talk(kind: &Kind) {
    kind::with_guests(kind, RULES, |host| {
        host.lab.guest("db1").tcp_listen(5432);
        host.lab.guest("db1").udp_echo(53);
        // Kept: an end says goodbye, which would be counted with what follows.
        let _open: Vec<Conn> = Family::ALL
            .map(|family| {
                let conn = allowed(host, family);
                denied(host, family);
                conn
            })
            .into();
        resolved(host);
        cut_and_mended(kind, host);
    });
}

/// Ping, UDP and TCP from `web1` to `db1`, with the reasons of both ports.
fn allowed(host: &Host<'_>, family: Family) -> Conn {
    let (web1, address) = (host.lab.guest("web1"), host.lab.address("db1", family));
    let asks: [(&str, &dyn Fn() -> bool); 2] =
        [("ping", &|| web1.ping(address, SOON)), ("UDP", &|| web1.udp_ask(address, 53, b"who?", SOON))];
    for (name, ask) in asks {
        let (answered, seen) = host.lab.during(ask).unwrap();
        assert!(answered, "{name} {family:?}: {:?}", seen.ports);
        assert_eq!(denials(&seen), BTreeSet::new(), "{name} {family:?}");
        passed(&seen, &format!("{name} {family:?}"));
    }
    let (conn, seen) = host.lab.during(|| web1.tcp_connect(address, 5432, SOON)).unwrap();
    passed(&seen, &format!("TCP {family:?}"));
    let conn = conn.unwrap();
    assert!(conn.still_alive(SOON), "{family:?}");
    conn
}

/// Opened by a rule at both ports, answered by the flow.
fn passed(seen: &Counters, what: &str) {
    for (port, direction, reason) in [
        (WEB1, FromGuest, Reason::Rule),
        (DB1, ToGuest, Reason::Rule),
        (DB1, FromGuest, Reason::Flow),
        (WEB1, ToGuest, Reason::Flow),
    ] {
        assert!(
            seen.packets(port.name, direction, reason) >= 1,
            "{what}: {} {}",
            port.name,
            direction.name()
        );
    }
}

/// Other services, and the same ones the other way.
fn denied(host: &Host<'_>, family: Family) {
    let (web1, db1) = (host.lab.guest("web1"), host.lab.guest("db1"));
    let (of_web1, of_db1) = (host.lab.address("web1", family), host.lab.address("db1", family));
    let (answered, seen) = host
        .lab
        .during(|| {
            let forth = in_vain(host, WEB1, || web1.udp_ask(of_db1, 123, b"?", A_WHILE));
            [forth, in_vain(host, DB1, || db1.ping(of_web1, A_WHILE))]
        })
        .unwrap();
    assert_eq!(answered, [false; 2], "{family:?}");
    let by_default = ["web1", "db1"].map(|port| format!("{port} from-guest default"));
    assert_eq!(denials(&seen), by_default.into(), "{family:?}");
}

/// Asks until the guest's own port has denied it by default: on a slow machine, the guest may first have to resolve
/// whom it asks. Whether it was answered.
pub(crate) fn in_vain(host: &Host<'_>, from: Station, ask: impl Fn() -> bool) -> bool {
    let denied = || host.lab.stats(from.name, FromGuest, Reason::Default).unwrap();
    let (before, deadline) = (denied(), Instant::now() + SOON);
    let mut answered = false;
    while !answered && denied() == before && Instant::now() < deadline {
        answered = ask();
    }
    answered
}

fn resolved(host: &Host<'_>) {
    let counters = host.lab.counters().unwrap();
    for reason in [Reason::Arp, Reason::NeighborDiscovery] {
        for (port, direction) in
            [("web1", FromGuest), ("db1", ToGuest), ("db1", FromGuest), ("web1", ToGuest)]
        {
            assert!(counters.packets(port, direction, reason) >= 1, "{port} {direction:?} {reason:?}");
        }
    }
}

fn cut_and_mended(kind: &Kind, host: &Host<'_>) {
    for family in Family::ALL {
        let address = host.lab.address("db1", family);
        let conn = host.lab.guest("web1").tcp_connect(address, 5432, SOON).unwrap();
        host.lab.apply(&kind.document(&[])).unwrap();
        let revoked = ("web1", FromGuest, Reason::Revoked);
        let before = host.lab.stats(revoked.0, revoked.1, revoked.2).unwrap();
        let (alive, seen) = host
            .lab
            .during(|| {
                let alive = conn.still_alive(A_WHILE);
                host.lab.wait_stats(revoked, before + 1).unwrap();
                alive
            })
            .unwrap();
        assert!(!alive, "{family:?}");
        assert!(denials(&seen).iter().all(|row| row.ends_with(" revoked")), "{:?}", seen.ports);
        host.lab.apply(&kind.document(RULES)).unwrap();
        assert!(conn.still_alive(SOON), "{family:?}");
    }
}

/// `PORT DIRECTION REASON` of what is denied.
fn denials(seen: &Counters) -> BTreeSet<String> {
    let allows = ["rule", "flow", "arp", "neighbor-discovery", "related"];
    let denied = seen.ports.iter().filter(|row| row.packets > 0 && !allows.contains(&&*row.reason));
    denied.map(|row| format!("{} {} {}", row.port, row.direction, row.reason)).collect()
}
