//! An uplink that goes while guests run on it, and comes back.

use std::time::Duration;

use netctl_common::verdict::Direction::ToGuest;
use netctl_common::verdict::Reason;
use netctl_tests::frame::{Build, Carrier, eth};
use netctl_tests::lab::Lab;
use netctl_tests::sandbox::Sandbox;
use netctl_tests::switch::Switch;

use super::kind::{Kind, MACVLAN, PASSTHROUGH, VEPA, WEB1, WORLD};
use super::{A_WHILE, SOON};

const RULES: &[&str] = &[r#"{ allow = "udp/53", from = "any", to = "any" }"#];

#[test]
fn ports_of_a_macvlan_go_with_their_uplink_and_come_back_with_it() {
    goes_and_comes_back(&MACVLAN);
}

#[test]
fn a_passthrough_port_goes_with_its_uplink_and_comes_back_with_it() {
    goes_and_comes_back(&PASSTHROUGH);
}

#[test]
fn ports_of_a_vepa_go_with_their_uplink_and_come_back_with_it() {
    goes_and_comes_back(&VEPA);
}

fn goes_and_comes_back(kind: &Kind) {
    Sandbox::run(|sandbox| {
        let switch = Switch::new(sandbox, "switch").unwrap();
        kind.wire(&switch);
        let world = switch.station("world").unwrap();
        let document = kind.document(RULES);
        let lab = Lab::bare(sandbox, &document).unwrap();
        let to_web1 = |port| eth(WORLD.mac, WEB1.mac).ipv4(WORLD.v4, WEB1.v4).udp(port, 53).frame();
        let guest = lab.tap("web1").unwrap();
        world.send(&to_web1(1)).unwrap();
        assert_eq!(guest.recv(SOON).unwrap(), Some(to_web1(1)));

        for nic in kind.uplinks {
            sandbox.ip(&format!("link del {nic}"));
        }
        // A queue without an interface takes frames, and drops them (drivers/net/tap.c, tap_get_user()).
        let _ = guest.send(&eth(WEB1.mac, WORLD.mac).ipv4(WEB1.v4, WORLD.v4).udp(2, 53).frame());
        // `apply` has asked the switch behind a vepa network, so that other frames may have come.
        let from_web1 = |frame: &[u8]| frame.get(6..12) == Some(&WEB1.mac[..]);
        assert_eq!(world.recv_matching(A_WHILE, from_web1).unwrap(), None);
        let path = lab.write(&document).unwrap();
        let refused = sandbox.netctl(["apply", &path]).expect_code(2);
        let wanted = "network `lab` has the uplink `up0`, but there is no such interface";
        assert!(refused.stderr.contains(wanted), "{refused}");
        let ports = sandbox.netctl(["port", "list", "--json"]).expect_code(0).json();
        assert!(ports.as_array().unwrap().iter().all(|port| port["state"] != "up"), "{ports}");
        // Commands that only look still answer.
        for words in [&["port", "list"][..], &["stats"], &["flows"], &["show"]] {
            sandbox.netctl(words).expect_code(0);
        }
        let closed = sandbox.netctl(["run", "web1", "--", "true", "{web1.fds}"]).expect_code(2);
        assert!(closed.stderr.contains("no interface `web1`; `netctl apply` makes"), "{closed}");
        drop(guest);

        kind.wire(&switch);
        lab.apply(&document).unwrap();
        let guest = lab.tap("web1").unwrap();
        let before = lab.stats("web1", ToGuest, Reason::Rule).unwrap();
        world.send(&to_web1(3)).unwrap();
        assert_eq!(guest.recv(SOON).unwrap(), Some(to_web1(3)));
        let after = lab.wait_stats(("web1", ToGuest, Reason::Rule), before + 1).unwrap();
        assert_eq!(after, before + 1, "judged once");
        world.send(&eth(WORLD.mac, WEB1.mac).ipv4(WORLD.v4, WEB1.v4).udp(3, 54).frame()).unwrap();
        lab.wait_stats(("web1", ToGuest, Reason::Default), 1).unwrap();
        assert_eq!(guest.recv(Duration::from_millis(20)).unwrap(), None);
        assert!(lab.apply(&document).unwrap().stdout.starts_with("generation "), "nothing is left to do");
    });
}
