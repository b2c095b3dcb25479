//! Networks of different kinds in one zone, whose uplinks end in one switch: guests meet there, under one policy that
//! both ports judge.

use netctl_common::verdict::Direction::{FromGuest, ToGuest};
use netctl_common::verdict::Reason;
use netctl_tests::bridge::wait_forwarding;
use netctl_tests::lab::{Family, Lab};
use netctl_tests::sandbox::Sandbox;
use netctl_tests::switch::Switch;

use super::kind::{BRIDGE, DB1, Kind, MACVLAN, PASSTHROUGH, VEPA, WEB1, policy};
use super::{A_WHILE, SOON};

const RULES: &[&str] = &[
    r#"{ allow = "tcp/5432", from = "web", to = "db" }"#,
    r#"{ deny = "udp/53", from = "db", to = "web" }"#,
    r#"{ allow = "udp", from = "db", to = "web" }"#,
];

#[test]
fn a_guest_on_a_bridge_and_one_on_a_macvlan_follow_one_policy() {
    one_policy(&BRIDGE, &MACVLAN);
}

#[test]
fn a_guest_on_a_vepa_and_one_on_passthrough_follow_one_policy() {
    one_policy(&VEPA, &PASSTHROUGH);
}

/// `web1` on the one, `db1` on the other, each with one uplink.
fn one_policy(one: &Kind, other: &Kind) {
    let network = |name: &str, kind: &Kind, nic: &'static str| {
        Kind { uplinks: if nic == "up0" { &["up0"] } else { &["up1"] }, ..*kind }.network(name)
    };
    let document = network("one", one, "up0")
        + &network("other", other, "up1")
        + &WEB1.port_on("one")
        + &DB1.port_on("other")
        + &policy(RULES);
    Sandbox::run(|sandbox| {
        let switch = Switch::new(sandbox, "switch").unwrap();
        for nic in ["up0", "up1"] {
            switch.nic(nic).unwrap();
        }
        let lab = Lab::up(sandbox, &document).unwrap();
        if one.name == BRIDGE.name {
            wait_forwarding("up0").unwrap();
        }
        judged_at_both_ports(&lab);
        // What leaves and comes back is a frame of the switch like any other.
        assert!(switch.received_from("up0").unwrap() > 0 && switch.received_from("up1").unwrap() > 0);
    });
}

fn judged_at_both_ports(lab: &Lab<'_>) {
    let (web1, db1) = (lab.guest("web1"), lab.guest("db1"));
    db1.tcp_listen(5432);
    for port in [53, 123] {
        web1.udp_echo(port);
    }
    for family in Family::ALL {
        let (of_web1, of_db1) = (lab.address("web1", family), lab.address("db1", family));
        let (conn, seen) = lab.during(|| web1.tcp_connect(of_db1, 5432, SOON)).unwrap();
        assert!(conn.unwrap().still_alive(SOON), "{family:?}");
        assert_eq!(seen.packets("web1", FromGuest, Reason::Rule), 1, "{family:?}");
        assert_eq!(seen.packets("db1", ToGuest, Reason::Rule), 1, "{family:?}");

        let (answers, seen) = lab
            // The allowed one first: then whom to ask is resolved, and the other is on its way at once.
            .during(|| {
                [(123, SOON), (53, A_WHILE)].map(|(port, limit)| db1.udp_ask(of_web1, port, b"?", limit))
            })
            .unwrap();
        assert_eq!(answers, [true, false], "{family:?}");
        assert_eq!(seen.packets("db1", FromGuest, Reason::Rule), 2, "one denied, one allowed");
        assert_eq!(seen.packets("web1", ToGuest, Reason::Rule), 1, "{family:?}");
    }
}
