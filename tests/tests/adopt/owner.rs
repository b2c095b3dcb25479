//! The interface stays its owner's: it may be replaced, moved or removed at any time, and netctl says so.

use netctl_common::abi::ABI_VERSION;
use netctl_tests::sandbox::Sandbox;

use super::{
    BRIDGE, apply, assert_given_back, bridge, guest, look, mac, netctl, port, programs, state_of, tap,
};

fn adopted(sandbox: &Sandbox) {
    bridge(sandbox, "br0");
    tap(sandbox, "vnet0", "br0", "");
    apply(sandbox, BRIDGE).expect_code(0);
    netctl(sandbox, &format!("port adopt vnet0 --mac {} --address 10.0.0.11", mac(11)), 0);
    netctl(sandbox, "show", 0);
}

/// What runs, applied again.
fn apply_again(sandbox: &Sandbox, code: i32) -> netctl_tests::process::Finished {
    let running = netctl(sandbox, "show", 0).stdout;
    apply(sandbox, &running).expect_code(code)
}

#[test]
fn a_removed_interface_is_named_with_the_next_step_and_a_new_one_is_enforced_on_again() {
    Sandbox::run(|sandbox| {
        adopted(sandbox);
        assert_eq!(state_of(sandbox, "vnet0"), "no carrier");
        sandbox.ip("link del vnet0");
        assert_eq!(state_of(sandbox, "vnet0"), "missing");
        let said = apply_again(sandbox, 2);
        let wanted = "port `vnet0` adopts the interface `vnet0`, but there is no such interface now; \
                      start what makes it, or give it up with `netctl port release vnet0`";
        assert!(said.stderr.contains(wanted), "{said}");

        tap(sandbox, "vnet0", "br0", "");
        let row = port(sandbox, "vnet0");
        assert_eq!((&row["state"], &row["filtered"]), (&"not filtered".into(), &false.into()));
        let diff = sandbox.netctl(["diff", "/run/host.toml"]).expect_code(1);
        assert!(diff.stdout.contains("+ tap vnet0: adopted as port vnet0"), "{diff}");
        apply_again(sandbox, 0);
        let _guest = guest("vnet0", 11);
        assert_eq!(state_of(sandbox, "vnet0"), "up");
        assert_eq!(programs("vnet0"), [1, 1]);
    });
}

#[test]
fn a_port_whose_interface_is_gone_can_be_released() {
    Sandbox::run(|sandbox| {
        adopted(sandbox);
        sandbox.ip("link del vnet0");
        let said = netctl(sandbox, "port release vnet0", 0);
        assert_eq!(said.stdout, "generation 3: 1 rules for 0 ports\n");
        assert_eq!(netctl(sandbox, "show", 0).stdout.trim_end(), BRIDGE.trim_end());
    });
}

#[test]
fn programs_that_someone_takes_off_are_missed_and_put_back() {
    Sandbox::run(|sandbox| {
        adopted(sandbox);
        let _guest = guest("vnet0", 11);
        assert_eq!(state_of(sandbox, "vnet0"), "up");
        let pin = format!("/sys/fs/bpf/netctl/v{ABI_VERSION}/links/vnet0+to_guest");
        std::fs::remove_file(pin).unwrap();
        assert_eq!(state_of(sandbox, "vnet0"), "not filtered");
        apply_again(sandbox, 0);
        assert_eq!(state_of(sandbox, "vnet0"), "up");
    });
}

#[test]
fn an_interface_that_moved_to_another_bridge_is_refused() {
    Sandbox::run(|sandbox| {
        adopted(sandbox);
        bridge(sandbox, "br9");
        sandbox.ip("link set vnet0 master br9");
        assert_eq!(state_of(sandbox, "vnet0"), "unplugged");
        let said = apply_again(sandbox, 2);
        let wanted = "it is a port of `br9`, and network `lab` is the bridge `br0`";
        assert!(said.stderr.contains(wanted), "{said}");
        assert_eq!(programs("vnet0"), [1, 1], "still enforced");
    });
}

#[test]
fn a_port_that_changes_its_interface_leaves_the_old_one_as_it_was() {
    Sandbox::run(|sandbox| {
        bridge(sandbox, "br0");
        tap(sandbox, "vnet0", "br0", "");
        tap(sandbox, "vnet1", "br0", "");
        let before = look(sandbox, "vnet0");
        apply(sandbox, BRIDGE).expect_code(0);
        netctl(sandbox, &format!("port adopt vnet0 --name web1 --mac {} --address 10.0.0.11", mac(11)), 0);
        let running = netctl(sandbox, "show", 0).stdout;
        let said = apply(sandbox, &running.replace("vnet0", "vnet1")).expect_code(0);
        for line in ["+ tap vnet1: adopted as port web1", "- tap vnet0: port web1 is released"] {
            assert!(said.stdout.contains(line), "{said}");
        }
        assert_given_back(sandbox, "vnet0", &before);
        assert_eq!((programs("vnet0"), programs("vnet1")), ([0, 0], [1, 1]));
    });
}
