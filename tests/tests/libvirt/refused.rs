//! What keeps a domain from starting, in words that say what to do; what is not netctl's business passes.

use netctl_tests::sandbox::Sandbox;

use super::{
    ADDRESSES, BRIDGE, MAC, UUID, apply, bridge, domain, hook, nic, port, programs, refused, show, tap,
};

const STARTS: [&str; 2] = ["start", "started"];

fn world(sandbox: &Sandbox) {
    bridge(sandbox, "br0");
    bridge(sandbox, "br9");
    tap(sandbox, "vnet0", "br0");
    tap(sandbox, "vnet9", "br9");
    apply(sandbox, BRIDGE);
}

#[test]
fn on_a_network_of_netctl_nobody_starts_without_metadata_and_elsewhere_everybody_does() {
    Sandbox::run(|sandbox| {
        world(sandbox);
        for operation in STARTS {
            let elsewhere = nic("bridge", "52:54:00:00:00:99", "vnet9") + &nic("user", MAC, "");
            let passed = hook(sandbox, operation, &domain(UUID, "", &elsewhere)).expect_code(0);
            assert_eq!(passed.stderr, "");
            let here = domain(UUID, "", &(elsewhere + &nic("bridge", MAC, "vnet0")));
            let wanted = "domain `g1`: `vnet0` is on network `lab` of netctl, and the domain does not say what its \
                          guest may send from; add to its <metadata> <netctl:domain \
                          xmlns:netctl=\"https://netctl.dev/libvirt/1\"><netctl:port mac=\"52:54:00:00:00:11\" ";
            refused(hook(sandbox, operation, &here), wanted);
        }
        assert_eq!((show(sandbox).as_str(), programs("vnet0")), (BRIDGE, [0, 0]));
    });
}

#[test]
fn a_port_that_the_operator_adopted_is_its_metadata() {
    Sandbox::run(|sandbox| {
        world(sandbox);
        sandbox.netctl(["port", "adopt", "vnet0", "--mac", MAC, "--address", "10.0.0.11"]).expect_code(0);
        let text = show(sandbox);
        // Its domain starts again, with another tap of that name.
        sandbox.ip("link del vnet0");
        tap(sandbox, "vnet0", "br0");
        assert_eq!(programs("vnet0"), [0, 0]);
        let xml = domain(UUID, "", &nic("bridge", MAC, "vnet0"));
        hook(sandbox, "start", &xml).expect_code(0);
        assert_eq!((show(sandbox), programs("vnet0")), (text.clone(), [1, 1]));
        hook(sandbox, "stopped", &xml).expect_code(0);
        assert_eq!(show(sandbox), text, "what the operator adopted, the operator releases");
        let other = domain(UUID, "", &nic("bridge", "52:54:00:00:00:12", "vnet0"));
        let wanted =
            "is plugged into `vnet0`, whose port `vnet0` is for MAC address 52:54:00:00:00:11; write that";
        refused(hook(sandbox, "start", &other), wanted);
    });
}

#[test]
fn a_domain_on_a_port_of_netctls_own_needs_the_ports_mac_address_and_no_metadata() {
    Sandbox::run(|sandbox| {
        world(sandbox);
        sandbox
            .netctl(["port", "add", "web1", "--network", "lab", "--mac", MAC, "--address", "10.0.0.11"])
            .expect_code(0);
        let text = show(sandbox);
        hook(sandbox, "start", &domain(UUID, "", &nic("ethernet", MAC, "web1"))).expect_code(0);
        assert_eq!(show(sandbox), text);
        let other = domain(UUID, "", &nic("ethernet", "52:54:00:00:00:12", "web1"));
        refused(hook(sandbox, "start", &other), "whose port `web1` is for MAC address 52:54:00:00:00:11");
        let both = domain(UUID, &port(MAC, "web9", ADDRESSES), &nic("ethernet", MAC, "web1"));
        refused(hook(sandbox, "start", &both), "`web1` is netctl's own, whose port says all");
    });
}

#[test]
fn without_a_running_policy_only_domains_with_metadata_are_refused() {
    Sandbox::run(|sandbox| {
        bridge(sandbox, "br0");
        tap(sandbox, "vnet0", "br0");
        let interface = nic("bridge", MAC, "vnet0");
        for operation in ["prepare", "start", "started"] {
            hook(sandbox, operation, &domain(UUID, "", &interface)).expect_code(0);
            let done = hook(sandbox, operation, &domain(UUID, &port(MAC, "web1", ADDRESSES), &interface));
            refused(done, "netctl is not running here: no policy would be enforced; describe its network");
        }
    });
}

#[test]
fn metadata_that_cannot_be_done_is_refused_and_changes_nothing() {
    Sandbox::run(|sandbox| {
        world(sandbox);
        sandbox.netctl(["port", "add", "taken", "--network", "lab"]).expect_code(0);
        let text = show(sandbox);
        let interface = nic("bridge", MAC, "vnet0");
        let with = |more: &str| port(MAC, "web1", more);
        for (ports, wanted) in [
            (port(MAC, "taken", ADDRESSES), "there is a port `taken` already"),
            (port(MAC, "-x", ADDRESSES), "`-x` cannot name a port: it does not start with a letter or digit"),
            (port(MAC, "a&#10;[policy]", ADDRESSES), r"cannot name a port: it has the character `\n`"),
            (port("52:54:00:00:00:12", "web1", ADDRESSES), "is for no interface of the domain"),
            (with(ADDRESSES).repeat(2), "two ports are for the same interface"),
            (with("addresses='10.0.0.300'"), "`10.0.0.300`"),
            (with("addresses='any' network='lap'"), "there is no network `lap`; did you mean `lab`?"),
            (with("addresses='any' groups='we&#34;b'"), "cannot name a group"),
        ] {
            refused_or_2(hook(sandbox, "start", &domain(UUID, &ports, &interface)), wanted);
            assert_eq!(show(sandbox), text, "{wanted}");
        }
        let user = domain(UUID, &with(ADDRESSES), &nic("user", MAC, ""));
        refused(hook(sandbox, "prepare", &user), "(type `user`) is no tap or macvtap of the host");
        let elsewhere = domain(UUID, &with(ADDRESSES), &nic("bridge", MAC, "vnet9"));
        let wanted = "no network of the running document fits `vnet9`, a tap, a port of `br9`; add one";
        refused(hook(sandbox, "start", &elsewhere), wanted);
        let gone = domain(UUID, &with(ADDRESSES), &nic("bridge", MAC, "vnet7"));
        refused(hook(sandbox, "started", &gone), "has no interface on this host that netctl sees");
        assert_eq!((show(sandbox), programs("vnet0"), programs("vnet9")), (text, [0, 0], [0, 0]));
    });
}

#[test]
fn while_another_version_s_state_is_here_no_domain_starts() {
    Sandbox::run(|sandbox| {
        bridge(sandbox, "br0");
        tap(sandbox, "vnet0", "br0");
        let xml = domain(UUID, "", &nic("bridge", MAC, "vnet0"));
        for (version, wanted) in [
            ("v0", "`netctl upgrade` moves to this one"),
            ("v4000", "use that netctl, or take everything away"),
        ] {
            std::fs::create_dir_all(format!("/sys/fs/bpf/netctl/{version}")).unwrap();
            let done = hook(sandbox, "start", &xml).expect_code(2);
            assert!(done.stderr.contains(version) && done.stderr.contains(wanted), "{done}");
            hook(sandbox, "reconnect", &xml).expect_code(0);
            sandbox.netctl(["down"]).expect_code(0);
            hook(sandbox, "start", &xml).expect_code(0);
        }
        apply(sandbox, BRIDGE);
        refused(hook(sandbox, "start", &xml), "`vnet0` is on network `lab` of netctl");
    });
}

/// What the document's parser refuses is "could not run": the metadata itself could be read.
#[track_caller]
fn refused_or_2(done: netctl_tests::process::Finished, wanted: &str) {
    assert!(matches!(done.code, Some(1 | 2)) && done.stderr.contains(wanted), "no `{wanted}` in: {done}");
}

#[test]
fn hostile_xml_is_refused_at_a_start() {
    Sandbox::run(|sandbox| {
        world(sandbox);
        let large = format!("<domain>{}</domain>", " ".repeat(1 << 20));
        let entities = "<!DOCTYPE d [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><domain>&a;</domain>";
        for (xml, wanted) in [
            (large.as_str(), "has more than 1048576 bytes"),
            (entities, "cannot be read"),
            ("<domain/>", "has no UUID"),
            ("", "cannot be read"),
        ] {
            let done = hook(sandbox, "start", xml).expect_code(2);
            assert!(done.stderr.contains(wanted), "{done}");
        }
    });
}
