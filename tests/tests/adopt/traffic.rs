//! Guests whose interfaces were adopted while they run: judged with reasons, and let go as they were.

use std::net::IpAddr;
use std::os::fd::AsFd;

use netctl_tests::guest::Guest;
use netctl_tests::sandbox::Sandbox;
use netctl_tests::switch::Switch;
use netctl_tests::tap::Tap;

use super::{
    A_WHILE, BRIDGE, SOON, apply, assert_given_back, bridge, count, guest, look, mac, macvlan, netctl,
    netctl_clsact, port, programs, tap,
};

fn asks(from: &Guest, number: u8, port: u16) -> bool {
    let address: IpAddr = [10, 0, 0, number].into();
    from.udp_ask(address, port, b"?", if port == 7 { SOON } else { A_WHILE })
}

/// Both guests answer on two ports; without a policy everything passes.
fn unfiltered(web: &Guest, db: &Guest) {
    for guest in [web, db] {
        guest.udp_echo(7);
        guest.udp_echo(9);
    }
    assert!(asks(web, 21, 7) && asks(db, 11, 7), "the guests do not reach each other at all");
}

/// As the policy says, and each denial with its reason.
#[track_caller]
fn filtered(sandbox: &Sandbox, web: &Guest, db: &Guest) {
    let denied = |name| count(sandbox, name, "from-guest", "default");
    let allowed = |name| count(sandbox, name, "to-guest", "rule");
    let before = (denied("web"), denied("db"), allowed("db1"));
    assert!(asks(web, 21, 7), "the rule allows it");
    assert!(!asks(web, 21, 9) && !db.udp_ask([10, 0, 0, 11].into(), 7, b"?", A_WHILE));
    assert_eq!(before, (denied("web"), denied("db"), before.2), "names of ports, not of groups");
    assert!(allowed("db1") > before.2);
    assert!(denied("web1") > 0 && denied("db1") > 0, "denied by the default, at the sender");
    let v6: IpAddr = "fd00::21".parse().unwrap();
    assert!(web.udp_ask(v6, 7, b"?", SOON) && !web.udp_ask(v6, 9, b"?", A_WHILE));
}

#[test]
fn two_taps_that_others_made_follow_the_policy_and_are_given_back_as_they_were() {
    for clsact in [false, true] {
        Sandbox::run(|sandbox| two_taps(sandbox, clsact));
    }
}

fn two_taps(sandbox: &Sandbox, clsact: bool) {
    let netctl = |line: &str| {
        if clsact { netctl_clsact(sandbox, line) } else { netctl(sandbox, line, 0) }
    };
    bridge(sandbox, "br0");
    tap(sandbox, "vnet0", "br0", "");
    tap(sandbox, "vnet1", "br0", "multi_queue");
    let web = guest("vnet0", 11);
    // As QEMU does with the queues that its guest does not use.
    let db = guest("vnet1", 21);
    let spare = Tap::open("vnet1").unwrap();
    netctl::fd::tap::detach(spare.as_fd()).unwrap();
    apply(sandbox, BRIDGE).expect_code(0);
    unfiltered(&web, &db);
    let before = ["vnet0", "vnet1"].map(|name| look(sandbox, name));

    let said = netctl(&format!(
        "port adopt vnet0 --name web1 --mac {} --address 10.0.0.11 --address fd00::11 --group web",
        mac(11)
    ));
    let wanted = "+ tap vnet0: adopted as port web1: only the policy is put on it\ngeneration 2: 1 rules for 1 ports\n";
    assert_eq!(said.stdout, wanted);
    netctl(&format!(
        "port adopt vnet1 --name db1 --mac {} --address 10.0.0.21 --address fd00::21 --group db",
        mac(21)
    ));
    filtered(sandbox, &web, &db);
    let row = port(sandbox, "db1");
    let facts =
        [&row["kind"], &row["state"], &row["network"], &row["interface"]].map(|v| v.as_str().unwrap());
    assert_eq!(facts, ["tap", "up", "lab", "vnet1"]);
    assert_eq!((&row["adopted"], &row["filtered"]), (&true.into(), &true.into()));
    let list = netctl("port list").stdout;
    assert!(list.contains("up, adopted"), "{list}");

    let said = netctl("port release web1");
    assert!(said.stdout.contains("- tap vnet0: port web1 is released: it is no longer filtered\n"), "{said}");
    assert_given_back(sandbox, "vnet0", &before[0]);
    assert_ne!(look(sandbox, "vnet1"), before[1]);
    // What is allowed at one end alone is still judged at the other.
    assert!(!asks(&web, 21, 9));
    assert!(count(sandbox, "db1", "to-guest", "default") > 0);
    netctl("port release db1");
    assert_given_back(sandbox, "vnet0", &before[0]);
    assert_given_back(sandbox, "vnet1", &before[1]);
    assert!(asks(&web, 21, 9) && asks(&db, 11, 9), "released, so nothing is filtered");
}

#[test]
fn two_macvtaps_that_others_made_follow_the_policy_and_are_given_back_as_they_were() {
    for clsact in [false, true] {
        Sandbox::run(|sandbox| two_macvtaps(sandbox, clsact));
    }
}

fn two_macvtaps(sandbox: &Sandbox, clsact: bool) {
    let netctl = |line: &str| {
        if clsact { netctl_clsact(sandbox, line) } else { netctl(sandbox, line, 0) }
    };
    let switch = Switch::new(sandbox, "switch").unwrap();
    switch.nic("up0").unwrap();
    for (name, number) in [("mv0", 11), ("mv1", 21)] {
        sandbox
            .ip(&format!("link add link up0 name {name} address {} type macvtap mode bridge", mac(number)));
        sandbox.ip(&format!("link set {name} allmulticast on up"));
    }
    let (web, db) = (guest("mv0", 11), guest("mv1", 21));
    apply(sandbox, &macvlan()).expect_code(0);
    unfiltered(&web, &db);
    let before = ["mv0", "mv1", "up0"].map(|name| look(sandbox, name));
    // The MAC address is the macvtap's own.
    let said = netctl("port adopt mv0 --name web1 --address 10.0.0.11 --address fd00::11 --group web");
    assert!(said.stderr.contains("`mv0` is a macvtap, on `up0`: a port of network `lab`"), "{said}");
    netctl("port adopt mv1 --name db1 --address 10.0.0.21 --address fd00::21 --group db");
    assert_eq!(
        (&port(sandbox, "web1")["mac"], &port(sandbox, "web1")["kind"]),
        (&mac(11).into(), &"macvtap".into())
    );
    filtered(sandbox, &web, &db);
    let done = netctl("down");
    for line in ["- macvtap mv0: port web1 is released", "- macvtap mv1: port db1 is released"] {
        assert!(done.stdout.contains(line), "{done}");
    }
    for (name, before) in ["mv0", "mv1", "up0"].iter().zip(before) {
        assert_given_back(sandbox, name, &before);
    }
    assert!(asks(&db, 11, 9));
}

#[test]
fn an_adopted_guest_and_one_of_netctls_own_follow_the_same_policy() {
    Sandbox::run(|sandbox| {
        bridge(sandbox, "br0");
        tap(sandbox, "vnet0", "br0", "");
        apply(sandbox, BRIDGE).expect_code(0);
        let web = guest("vnet0", 11);
        let mac = [mac(11), mac(21)];
        netctl(
            sandbox,
            &format!(
                "port adopt vnet0 --name web1 --mac {} --address 10.0.0.11 --address fd00::11 --group web",
                mac[0]
            ),
            0,
        );
        netctl(
            sandbox,
            &format!(
                "port add db1 --network lab --mac {} --address 10.0.0.21 --address fd00::21 --group db",
                mac[1]
            ),
            0,
        );
        let db = guest("db1", 21);
        netctl_tests::bridge::wait_forwarding("db1").unwrap();
        for guest in [&web, &db] {
            guest.udp_echo(7);
            guest.udp_echo(9);
        }
        filtered(sandbox, &web, &db);
        assert_eq!(programs("vnet0"), [1, 1]);
    });
}

#[test]
fn a_nic_that_someone_gave_to_a_guest_whole_is_adopted_and_released() {
    Sandbox::run(|sandbox| {
        let switch = Switch::new(sandbox, "switch").unwrap();
        switch.nic("up0").unwrap();
        sandbox.ip("link add link up0 name mv0 type macvtap mode passthru");
        sandbox.ip("link set mv0 up");
        let before = look(sandbox, "mv0");
        apply(sandbox, &macvlan().replace("macvlan", "passthrough")).expect_code(0);
        netctl(sandbox, "port adopt mv0 --address 10.0.0.11", 0);
        assert_eq!((programs("mv0"), port(sandbox, "mv0")["state"].as_str().unwrap()), ([1, 1], "up"));
        // Its NIC is not free.
        let said = netctl(sandbox, "port add web2 --network lab --address 10.0.0.12", 2);
        assert!(said.stderr.contains("port `web2` has no uplink"), "{said}");
        netctl(sandbox, "port release mv0", 0);
        assert_given_back(sandbox, "mv0", &before);
    });
}
