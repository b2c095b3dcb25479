//! What cannot be adopted: refused with the reason and the next step, and nothing changed.

use netctl_tests::bench::raw_bpf::xdp_pass;
use netctl_tests::sandbox::Sandbox;
use netctl_tests::switch::Switch;

use super::{BRIDGE, apply, bridge, mac, macvlan, netctl, tap};

/// Exit code 2, one line, nothing changed.
#[track_caller]
fn refused(sandbox: &Sandbox, line: &str, wanted: &str) {
    let before = netctl(sandbox, "show", 0).stdout;
    let done = netctl(sandbox, line, 2);
    assert!(done.stderr.contains(wanted), "no `{wanted}`\n{done}");
    assert_eq!(netctl(sandbox, "show", 0).stdout, before);
}

#[test]
fn a_tap_is_refused_with_the_reason() {
    Sandbox::run(|sandbox| {
        bridge(sandbox, "br0");
        bridge(sandbox, "br9");
        tap(sandbox, "vnet0", "br0", "");
        tap(sandbox, "vnet9", "br9", "");
        sandbox.ip("tuntap add dev tun0 mode tun");
        sandbox.ip("link add eth0 type veth peer name eth1");
        apply(sandbox, BRIDGE).expect_code(0);
        netctl(sandbox, "port add own --network lab --address 10.0.0.1", 0);
        let with_mac = format!("--mac {} --address 10.0.0.11", mac(11));
        for (interface, wanted) in [
            ("eth7", "there is no interface `eth7`; `ip link` lists them"),
            ("eth0", "cannot adopt `eth0`: it is of kind veth; netctl enforces on taps and macvtaps"),
            ("tun0", "cannot adopt `tun0`: it is of kind tun; netctl enforces on taps and macvtaps"),
            ("br0", "cannot adopt `br0`: it is a bridge; netctl enforces on taps and macvtaps"),
            ("own --name x", "`own` is the interface of port `own` already"),
            (
                "vnet9",
                "no network of the running document fits `vnet9`, a tap, a port of `br9`; add one of kind \"bridge\" \
                 with `interface = \"br9\"` to the document",
            ),
            (
                "vnet9 --network lab",
                "port `vnet9` cannot adopt the interface `vnet9`: it is a port of `br9`, and network `lab` is the \
                 bridge `br0`; plug it in there, or choose another network",
            ),
            ("vnet0 --name own", "there is a port `own` already"),
        ] {
            refused(sandbox, &format!("port adopt {interface} {with_mac}"), wanted);
        }
        refused(
            sandbox,
            "port adopt vnet0",
            "does not say which MAC address its guest has; say it with `--mac`",
        );
        refused(sandbox, "port release own", "port `own` is netctl's own");
        refused(sandbox, "port release nothing", "no port `nothing`");
    });
}

#[test]
fn a_program_that_sees_a_taps_frames_before_the_policy_is_refused() {
    Sandbox::run(|sandbox| {
        bridge(sandbox, "br0");
        tap(sandbox, "vnet0", "br0", "");
        let xdp = xdp_pass("vnet0").unwrap();
        apply(sandbox, BRIDGE).expect_code(0);
        let line = format!("port adopt vnet0 --mac {} --address 10.0.0.11", mac(11));
        refused(
            sandbox,
            &line,
            "which sees the guest's frames before the policy and could send them past it",
        );
        drop(xdp);
        netctl(sandbox, &line, 0);
    });
}

#[test]
fn a_macvtap_is_refused_with_the_reason() {
    Sandbox::run(|sandbox| {
        let switch = Switch::new(sandbox, "switch").unwrap();
        switch.nic("up0").unwrap();
        switch.nic("up1").unwrap();
        let add = |name: &str, lower: &str, mode: &str| {
            sandbox.ip(&format!("link add link {lower} name {name} type macvtap mode {mode}"));
        };
        add("mv0", "up0", "bridge");
        add("mv1", "up0", "private");
        add("mv2", "up1", "bridge");
        apply(sandbox, &macvlan()).expect_code(0);
        for (line, wanted) in [
            ("port adopt mv1", "no network of the running document fits `mv1`, a macvtap, on `up0`"),
            ("port adopt mv1 --network lab", "its mode is private, and network `lab` needs bridge"),
            ("port adopt mv2 --network lab", "it is on `up1`, and network `lab` is on `up0`"),
            (
                "port adopt mv0 --mac 52:54:00:00:00:99",
                "and the port's is 52:54:00:00:00:99; give the port the interface's",
            ),
        ] {
            refused(sandbox, line, wanted);
        }
    });
}

#[test]
fn where_nothing_runs_the_command_says_what_comes_first() {
    Sandbox::run(|sandbox| {
        bridge(sandbox, "br0");
        tap(sandbox, "vnet0", "br0", "");
        for line in
            ["port adopt vnet0", "port release vnet0", "port add web1 --network lab", "port remove web1"]
        {
            let done = netctl(sandbox, line, 2);
            assert!(
                done.stderr.contains("describe them in a document and run `netctl apply FILE` first"),
                "{done}"
            );
        }
    });
}
