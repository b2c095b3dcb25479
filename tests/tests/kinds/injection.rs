//! Real connections, and someone beside their path who sends in a peer's name: nothing of it ends them. The peer and
//! the forger are on the switch.

use std::net::IpAddr;

use netctl_common::verdict::Direction::ToGuest;
use netctl_common::verdict::Reason;
use netctl_tests::frame::{ACK, Build, Carrier, FIN, Mac, Network, RST, SYN, eth, mac};
use netctl_tests::guest::{Conn, Guest};
use netctl_tests::lab::{Family, Flow};

use super::SOON;
use super::kind::{self, BRIDGE, Host, Kind, MACVLAN, WEB1};

const RULES: &[&str] = &[
    r#"{ allow = "tcp/80", from = "web", to = ["10.0.0.50", "fd00::50"] }"#,
    r#"{ allow = "tcp/81", from = ["10.0.0.50", "fd00::50"], to = "web" }"#,
];
const PEER: Mac = mac(0x50);
/// On a bridge it must not take the peer's place.
const FORGER: Mac = mac(0x66);
/// Of each kind of forged segment; their numbers are as far apart as they can be.
const FORGED: u32 = 32;
const EVERYTHING: usize = 300_000;

#[test]
fn nobody_beside_the_path_resets_or_closes_a_connection_of_a_tap() {
    injected(&BRIDGE);
}

#[test]
fn nobody_beside_the_path_resets_or_closes_a_connection_of_a_macvtap() {
    injected(&MACVLAN);
}

fn injected(kind: &Kind) {
    kind::with_guests(kind, RULES, |host| {
        let station = host.switch.station("peer").unwrap();
        let peer = Guest::start(station, PEER, &["10.0.0.50/24", "fd00::50/64"]).unwrap();
        peer.tcp_listen(80);
        host.lab.guest("web1").tcp_listen(81);
        for family in Family::ALL {
            let own = host.lab.address("web1", family);
            let other: IpAddr = if own.is_ipv4() { "10.0.0.50" } else { "fd00::50" }.parse().unwrap();
            let asked = host.lab.guest("web1").tcp_connect(other, 80, SOON).unwrap();
            let asking = peer.tcp_connect(own, 81, SOON).unwrap();
            let both = [
                (&asked, (80, asked.local_port()), "tcp/80"),
                (&asking, (asking.local_port(), 81), "tcp/81"),
            ];
            for (conn, ports, service) in both {
                assert!(conn.still_alive(SOON), "{family:?}");
                let forge = |flags, number| forged(other, own, ports, flags, number);
                resets(host, &forge, conn);
                others(host, &forge, conn, service);
            }
            half_closed(&asked);
        }
    });
}

/// From the peer to `web1`.
fn forged(other: IpAddr, own: IpAddr, ports: (u16, u16), flags: u8, number: u32) -> Vec<u8> {
    let link = eth(FORGER, WEB1.mac);
    let ip: Network = match (other, own) {
        (IpAddr::V4(other), IpAddr::V4(own)) => link.ipv4(other, own).into(),
        (IpAddr::V6(other), IpAddr::V6(own)) => link.ipv6(other, own).into(),
        _ => unreachable!("addresses of one family"),
    };
    ip.tcp(ports.0, ports.1).flags(flags).sequence(number).acknowledged(number).frame()
}

fn numbers() -> impl Iterator<Item = u32> {
    (0..FORGED).map(|number| number * (u32::MAX / FORGED) + 7)
}

fn resets(host: &Host<'_>, forge: &dyn Fn(u8, u32) -> Vec<u8>, conn: &Conn) {
    let before = host.lab.stats("web1", ToGuest, Reason::TcpState).unwrap();
    for number in numbers() {
        host.world.send(&forge(RST, number)).unwrap();
        host.world.send(&forge(RST | ACK, number)).unwrap();
        host.world.send(&forge(SYN | ACK, number)).unwrap();
    }
    let counted = ("web1", ToGuest, Reason::TcpState);
    let seen = host.lab.wait_stats(counted, before + u64::from(3 * FORGED)).unwrap();
    assert_eq!(seen, before + u64::from(3 * FORGED));
    assert!(conn.still_alive(SOON), "after resets");
}

/// What passes, because only its receiver can tell, leaves the connection open here. Not with SYN: smoltcp opens
/// another connection with the same ports, beside the one that it has.
fn others(host: &Host<'_>, forge: &dyn Fn(u8, u32) -> Vec<u8>, conn: &Conn, service: &str) {
    for number in numbers() {
        host.world.send(&forge(FIN | ACK, number)).unwrap();
        host.world.send(&forge(ACK, number)).unwrap();
    }
    assert!(conn.still_alive(SOON), "after ends");
    let flows = host.lab.flows().unwrap();
    let is_of = |flow: &&Flow| {
        flow.port == "web1" && flow.service == service && flow.source_port == Some(conn.local_port())
    };
    let states: Vec<_> = flows.iter().filter(is_of).map(|flow| flow.state.as_str()).collect();
    assert_eq!(states, ["established"]);
}

/// Who has said goodbye still gets all of the answer.
fn half_closed(conn: &Conn) {
    let data: Vec<u8> = (0..EVERYTHING).map(|number| number as u8).collect();
    std::thread::scope(|scope| {
        let sent = scope.spawn(|| {
            let taken = conn.send(&data, SOON);
            conn.end();
            taken
        });
        let heard = conn.recv(EVERYTHING, SOON);
        assert!(sent.join().unwrap());
        assert!(heard == Some(data.clone()), "the echo is not what was sent");
    });
}
