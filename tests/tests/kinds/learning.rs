//! A guest that gets its address by DHCP, on a tap and on a macvtap: what the server gives it passes, and nothing else.

use netctl_common::verdict::Direction::{FromGuest, ToGuest};
use netctl_common::verdict::Reason;
use netctl_tests::frame::dhcp::{ACK, DISCOVER, OFFER, RELEASE, REQUEST};
use netctl_tests::frame::{BROADCAST, Build, Carrier, Dhcp, eth, mac_text};
use netctl_tests::guest::Guest;
use netctl_tests::tap::Tap;
use serde_json::Value;

use super::kind::{self, BRIDGE, DB1, Host, Kind, MACVLAN, WEB1, WORLD};
use super::{A_WHILE, SOON};

const RULES: &[&str] = &[
    r#"{ allow = "udp/67", from = "web", to = "any" }"#,
    r#"{ allow = "udp/68", from = "world", to = "any" }"#,
    r#"{ allow = "udp/53", from = "web", to = "any" }"#,
];
const GIVEN: &str = "10.0.0.50";
const SERVER: &str = "10.0.0.2";

#[test]
fn a_guest_on_a_tap_uses_what_dhcp_gives_it() {
    given(&BRIDGE);
}

#[test]
fn a_guest_on_a_macvtap_uses_what_dhcp_gives_it() {
    given(&MACVLAN);
}

fn given(kind: &Kind) {
    let web1 = format!(
        "[ports.web1]\nnetwork = \"lab\"\nmac = \"{}\"\naddresses = \"learn\"\ngroups = [\"web\"]\n",
        mac_text(WEB1.mac)
    );
    let document = kind.network("lab") + &web1 + &DB1.port() + &kind::policy(RULES);
    kind::with_document(kind, &document, |host| {
        before(host);
        exchange(host);
        after(host);
        given_back(host);
    });
}

fn question(source: &str, port: u16) -> Vec<u8> {
    eth(WEB1.mac, WORLD.mac).ipv4(source, WORLD.v4).udp(port, 53).payload(b"name").frame()
}

/// Whether a datagram from the address arrives at the station on the switch.
fn arrives(host: &Host<'_>, web1: &Tap, source: &str, port: u16) -> bool {
    let frame = question(source, port);
    web1.send(&frame).unwrap();
    host.world.recv_matching(A_WHILE, |arrived| arrived == frame).unwrap().is_some()
}

fn learned(host: &Host<'_>) -> Vec<Value> {
    let rows = host.sandbox.netctl(["port", "addresses", "web1", "--json"]).expect_code(0).json();
    let rows = rows.as_array().unwrap().clone();
    rows.into_iter().filter(|row| row["source"] != "mac").collect()
}

fn before(host: &Host<'_>) {
    let web1 = host.lab.tap("web1").unwrap();
    assert!(!arrives(host, &web1, GIVEN, 5001));
    host.lab.wait_stats(("web1", FromGuest, Reason::SpoofedIpv4), 1).unwrap();
    assert_eq!(learned(host), [] as [Value; 0]);
}

/// A client that knows nothing of netctl, and a server on the switch.
fn exchange(host: &Host<'_>) {
    let guest = Guest::start(host.lab.tap("web1").unwrap(), WEB1.mac, &[]).unwrap();
    let given = std::thread::scope(|scope| {
        let client = scope.spawn(|| guest.dhcp(SOON));
        let mut answered = 0;
        while answered != ACK {
            answered = serve(host);
        }
        client.join().unwrap()
    });
    assert_eq!(given, Some(GIVEN.parse().unwrap()));
}

/// Answers one message; returns the type of the answer.
fn serve(host: &Host<'_>) -> u8 {
    let to_server = |frame: &[u8]| frame.get(23) == Some(&17) && frame.get(36..38) == Some(&[0, 67]);
    let asked = host.world.recv_matching(SOON, to_server).unwrap().expect("a question");
    let (transaction, options) = (&asked[46..50], &asked[282..]);
    // smoltcp puts the message's type first.
    let kind = match options {
        [53, 1, DISCOVER, ..] => OFFER,
        [53, 1, REQUEST, ..] => ACK,
        _ => panic!("no question: {options:?}"),
    };
    let answer = Dhcp::to_client(WEB1.mac, kind).gives(GIVEN).option(54, &[10, 0, 0, 2]).lease(3600);
    let mut bytes = answer.option(1, &[255, 255, 255, 0]).bytes();
    bytes[4..8].copy_from_slice(transaction);
    let link = eth(WORLD.mac, BROADCAST).ipv4(SERVER, "255.255.255.255");
    host.world.send(&link.udp(67, 68).payload(&bytes).frame()).unwrap();
    kind
}

fn after(host: &Host<'_>) {
    let web1 = host.lab.tap("web1").unwrap();
    let rows = learned(host);
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(
        (&rows[0]["address"], &rows[0]["source"], &rows[0]["state"]),
        (&GIVEN.into(), &"dhcp".into(), &"valid".into())
    );
    let expires = rows[0]["expires"].as_u64().unwrap();
    assert!((3000..=3630).contains(&expires), "{expires}");
    let list = host.sandbox.netctl(["port", "list"]).expect_code(0).stdout;
    assert!(list.contains("learn,10.0.0.50"), "{list}");
    assert!(arrives(host, &web1, GIVEN, 5002));
    assert!(!arrives(host, &web1, "10.0.0.51", 5003));
    let answer = eth(WORLD.mac, WEB1.mac).ipv4(WORLD.v4, GIVEN).udp(53, 5002).payload(b"address").frame();
    host.world.send(&answer).unwrap();
    assert_eq!(web1.recv_matching(SOON, |frame| frame[12..14] == [8, 0]).unwrap(), Some(answer));
    // Another guest can neither have it nor claim it.
    let db1 = host.lab.tap("db1").unwrap();
    db1.send(&eth(DB1.mac, BROADCAST).arp_gratuitous(GIVEN).frame()).unwrap();
    host.lab.wait_stats(("db1", FromGuest, Reason::SpoofedArp), 1).unwrap();
    let forged = Dhcp::ack(WEB1.mac, "10.0.0.66", 60).bytes();
    db1.send(&eth(DB1.mac, BROADCAST).ipv4(DB1.v4, "255.255.255.255").udp(67, 68).payload(&forged).frame())
        .unwrap();
    host.lab.wait_stats(("db1", FromGuest, Reason::RogueDhcp), 1).unwrap();
    // Nor is one given that another has.
    let taken = Dhcp::ack(WEB1.mac, DB1.v4, 60).bytes();
    let broadcast = eth(WORLD.mac, BROADCAST).ipv4(SERVER, "255.255.255.255").udp(67, 68);
    host.world.send(&broadcast.payload(&taken).frame()).unwrap();
    host.lab.wait_stats(("web1", ToGuest, Reason::AddressTaken), 1).unwrap();
    // What is learned stays through a change of the policy.
    let document = host.sandbox.netctl(["show"]).expect_code(0).stdout;
    host.lab.apply(&format!("{document}\n# again\n")).unwrap();
    assert!(arrives(host, &web1, GIVEN, 5004));
}

fn given_back(host: &Host<'_>) {
    let web1 = host.lab.tap("web1").unwrap();
    let release = Dhcp::from_client(WEB1.mac, RELEASE).has(GIVEN).bytes();
    web1.send(&eth(WEB1.mac, WORLD.mac).ipv4(GIVEN, SERVER).udp(68, 67).payload(&release).frame()).unwrap();
    host.lab.wait_stats(("web1", FromGuest, Reason::Rule), 1).unwrap();
    assert_eq!(learned(host), [] as [Value; 0]);
    assert!(!arrives(host, &web1, GIVEN, 5005));
}
