//! `prepare`, `start`, `started`: the interfaces of a starting domain become ports.

use netctl_tests::guest::Guest;
use netctl_tests::sandbox::Sandbox;
use netctl_tests::switch::Switch;
use netctl_tests::tap::Tap;

use super::{
    ADDRESSES, BRIDGE, MAC, UUID, apply, bridge, count, domain, hook, macvlan, nic, port, programs, row,
    show, tap,
};

#[test]
fn a_tap_is_adopted_at_start_before_there_is_a_monitor() {
    Sandbox::run(|sandbox| {
        bridge(sandbox, "br0");
        apply(sandbox, BRIDGE);
        let ports = port(MAC, "web1", ADDRESSES);
        hook(sandbox, "prepare", &domain(UUID, &ports, &nic("bridge", MAC, ""))).expect_code(0);
        assert_eq!(show(sandbox), BRIDGE, "there is nothing to adopt yet");

        tap(sandbox, "vnet0", "br0");
        let xml = domain(UUID, &ports, &nic("bridge", MAC, "vnet0"));
        hook(sandbox, "start", &xml).expect_code(0);
        let section = format!(
            "\n[ports.web1]\nnetwork = \"lab\"\nmac = \"{MAC}\"\naddresses = [\"10.0.0.11\", \"fd00::11\"]\n\
             groups = [\"web\"]\nifname = \"vnet0\"\nadopt = true\ndomain = \"{UUID}\"\n"
        );
        assert_eq!(show(sandbox), format!("{BRIDGE}{section}"));
        assert_eq!(programs("vnet0"), [1, 1]);

        let guest = Guest::start(Tap::open("vnet0").unwrap(), [0x52, 0x54, 0, 0, 0, 0x11], &["10.0.0.11/24"])
            .unwrap();
        assert!(!guest.udp_ask([10, 0, 0, 9].into(), 9, b"?", std::time::Duration::from_millis(200)));
        let row = row(sandbox, "web1");
        assert_eq!(
            (&row["state"], &row["adopted"], &row["filtered"]),
            (&"up".into(), &true.into(), &true.into())
        );
    });
}

#[test]
fn started_changes_nothing_after_start_and_does_its_work_where_libvirt_names_interfaces_later() {
    Sandbox::run(|sandbox| {
        bridge(sandbox, "br0");
        apply(sandbox, BRIDGE);
        let ports = port(MAC, "web1", ADDRESSES);
        hook(sandbox, "start", &domain(UUID, &ports, &nic("bridge", MAC, ""))).expect_code(0);
        tap(sandbox, "vnet0", "br0");
        let xml = domain(UUID, &ports, &nic("bridge", MAC, "vnet0"));
        hook(sandbox, "started", &xml).expect_code(0);
        assert_eq!(programs("vnet0"), [1, 1]);
        let generation = || sandbox.netctl(["show", "--json"]).expect_code(0).json()["generation"].clone();
        let before = generation();
        hook(sandbox, "started", &xml).expect_code(0);
        assert_eq!(generation(), before, "all is as it should be");
    });
}

#[test]
fn a_macvtap_is_adopted_with_the_address_that_it_has() {
    Sandbox::run(|sandbox| {
        let switch = Switch::new(sandbox, "switch").unwrap();
        switch.nic("up0").unwrap();
        sandbox.ip(&format!("link add link up0 macvtap0 address {MAC} type macvtap mode bridge"));
        apply(sandbox, &macvlan());
        let xml = domain(UUID, &port(MAC, "web1", ADDRESSES), &nic("direct", MAC, "macvtap0"));
        hook(sandbox, "start", &xml).expect_code(0);
        assert_eq!(row(sandbox, "web1")["kind"], "macvtap");
        assert_eq!(programs("macvtap0"), [1, 1]);
    });
}

#[test]
fn all_interfaces_of_a_domain_are_adopted_in_one_change_and_a_port_may_be_named_by_alias() {
    Sandbox::run(|sandbox| {
        bridge(sandbox, "br0");
        apply(sandbox, BRIDGE);
        tap(sandbox, "vnet0", "br0");
        tap(sandbox, "vnet1", "br0");
        let second = nic("bridge", "52:54:00:00:00:12", "vnet1").replace("net0", "net1");
        let ports = port(MAC, "web1", ADDRESSES)
            + "<netctl:port alias=\"net1\" name=\"web2\" network=\"lab\" addresses=\"any\"/>";
        let xml = domain(UUID, &ports, &(nic("bridge", MAC, "vnet0") + &second));
        hook(sandbox, "start", &xml).expect_code(0);
        assert_eq!(sandbox.netctl(["show", "--json"]).expect_code(0).json()["generation"], 2);
        assert_eq!((programs("vnet0"), programs("vnet1")), ([1, 1], [1, 1]));
        assert_eq!(row(sandbox, "web2")["mac"], "52:54:00:00:00:12");
        assert_eq!(row(sandbox, "web2")["addresses"][0], "any");
    });
}

#[test]
fn reconnect_puts_back_what_is_missing() {
    Sandbox::run(|sandbox| {
        bridge(sandbox, "br0");
        tap(sandbox, "vnet0", "br0");
        apply(sandbox, BRIDGE);
        let xml = domain(UUID, &port(MAC, "web1", ADDRESSES), &nic("bridge", MAC, "vnet0"));
        for operation in ["reconnect", "attach"] {
            hook(sandbox, operation, &xml).expect_code(0);
            assert_eq!(programs("vnet0"), [1, 1], "{operation}");
            sandbox.netctl(["port", "release", "web1"]).expect_code(0);
        }
        hook(sandbox, "start", &xml).expect_code(0);
        // The interface was replaced while libvirt's daemon was down.
        sandbox.ip("link del vnet0");
        tap(sandbox, "vnet0", "br0");
        assert_eq!(row(sandbox, "web1")["state"], "not filtered");
        hook(sandbox, "reconnect", &xml).expect_code(0);
        assert_eq!(programs("vnet0"), [1, 1]);
    });
}

#[test]
fn the_guest_of_an_adopted_tap_is_judged_from_its_first_frame() {
    Sandbox::run(|sandbox| {
        bridge(sandbox, "br0");
        tap(sandbox, "vnet0", "br0");
        apply(sandbox, BRIDGE);
        let xml = domain(UUID, &port(MAC, "web1", ADDRESSES), &nic("bridge", MAC, "vnet0"));
        hook(sandbox, "start", &xml).expect_code(0);
        // An address that is another's: 02:…
        let stranger =
            Guest::start(Tap::open("vnet0").unwrap(), [2, 0, 0, 0, 0, 9], &["10.0.0.11/24"]).unwrap();
        assert!(!stranger.udp_ask([10, 0, 0, 9].into(), 7, b"?", std::time::Duration::from_millis(200)));
        assert!(count(sandbox, "web1", "spoofed-mac") > 0, "{}", sandbox.netctl(["stats"]).stdout);
    });
}
