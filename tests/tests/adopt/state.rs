//! STATE of `port list` and `network list`: what the host says, while guests run.

use netctl_tests::sandbox::Sandbox;
use netctl_tests::switch::Switch;

use super::{BRIDGE, apply, bridge, count, guest, mac, macvlan, netctl, state_of};

/// STATE of `network list`.
fn network(sandbox: &Sandbox) -> String {
    netctl(sandbox, "network list --json", 0).json()[0]["state"].as_str().unwrap().to_owned()
}

fn add(sandbox: &Sandbox) {
    for (name, number, group) in [("web1", 11, "web"), ("db1", 21, "db")] {
        let line = format!(
            "port add {name} --network lab --mac {} --address 10.0.0.{number} --address fd00::{number} --group {group}",
            mac(number)
        );
        netctl(sandbox, &line, 0);
    }
}

#[test]
fn a_nic_that_goes_away_while_guests_run_is_told_and_its_coming_back_heals() {
    Sandbox::run(|sandbox| {
        let switch = Switch::new(sandbox, "switch").unwrap();
        switch.nic("up0").unwrap();
        apply(sandbox, &macvlan()).expect_code(0);
        add(sandbox);
        let (web, db) = (guest("web1", 11), guest("db1", 21));
        db.udp_echo(7);
        let asks = |limit| web.udp_ask([10, 0, 0, 21].into(), 7, b"?", limit);
        assert!(asks(super::SOON));
        assert_eq!((state_of(sandbox, "web1"), network(sandbox)), ("up".into(), "up".into()));

        sandbox.ip("link set up0 down");
        assert_eq!((state_of(sandbox, "web1"), network(sandbox)), ("up0 down".into(), "up0 down".into()));
        // Their own frames need no NIC; the policy is enforced as before.
        let before = count(sandbox, "db1", "to-guest", "rule");
        assert!(asks(super::SOON) && count(sandbox, "db1", "to-guest", "rule") > before);
        sandbox.ip("link set up0 up");
        // The other end of the wire.
        sandbox.ip("link set sw-up0 down");
        assert_eq!(state_of(sandbox, "web1"), "up0 no carrier");
        sandbox.ip("link set sw-up0 up");
        netctl_tests::macvtap::wait_carrier("web1").unwrap();
        assert_eq!(state_of(sandbox, "web1"), "up");
        assert!(asks(super::SOON), "it works again by itself");

        drop((web, db));
        sandbox.ip("link del up0");
        assert_eq!((state_of(sandbox, "web1"), network(sandbox)), ("up0 gone".into(), "up0 gone".into()));
        let running = netctl(sandbox, "show", 0).stdout;
        let said = apply(sandbox, &running).expect_code(2);
        assert!(
            said.stderr.contains("network `lab` has the uplink `up0`, but there is no such interface"),
            "{said}"
        );
        switch.nic("up0").unwrap();
        assert_eq!(state_of(sandbox, "web1"), "missing");
        apply(sandbox, &running).expect_code(0);
        assert_eq!(state_of(sandbox, "web1"), "up");
        let (web, db) = (guest("web1", 11), guest("db1", 21));
        db.udp_echo(7);
        assert!(web.udp_ask([10, 0, 0, 21].into(), 7, b"?", super::SOON), "{:?}", web.frames_received());
        assert!(count(sandbox, "db1", "to-guest", "rule") > 0);
    });
}

#[test]
fn a_tap_says_what_keeps_its_guest_from_the_network() {
    Sandbox::run(|sandbox| {
        bridge(sandbox, "br0");
        apply(sandbox, BRIDGE).expect_code(0);
        add(sandbox);
        assert_eq!(state_of(sandbox, "web1"), "no carrier");
        let _guest = guest("web1", 11);
        assert_eq!(state_of(sandbox, "web1"), "up");
        sandbox.ip("link set web1 down");
        assert_eq!(state_of(sandbox, "web1"), "down");
        sandbox.ip("link set web1 up");
        sandbox.ip("link set web1 nomaster");
        assert_eq!(state_of(sandbox, "web1"), "unplugged");
        sandbox.ip("link set web1 master br0");
        sandbox.ip("link set br0 down");
        assert_eq!((state_of(sandbox, "web1"), network(sandbox)), ("br0 down".into(), "br0 down".into()));
        sandbox.ip("link del br0");
        assert_eq!((state_of(sandbox, "web1"), network(sandbox)), ("br0 gone".into(), "br0 gone".into()));
        // A table has the same words.
        assert!(netctl(sandbox, "network list", 0).stdout.contains("  br0 gone  "));
    });
}
