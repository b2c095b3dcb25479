//! A whole document is applied while guests run: their ports stay, whatever the file knows of them.

use netctl_tests::process::Finished;
use netctl_tests::sandbox::Sandbox;

use super::{
    ADDRESSES, BRIDGE, MAC, OTHER_UUID, UUID, bridge, domain, hook, nic, port, programs, row, show, tap,
};

#[track_caller]
fn apply(sandbox: &Sandbox, document: &str, code: i32) -> Finished {
    std::fs::write("/run/host.toml", document).unwrap();
    sandbox.netctl(["apply", "/run/host.toml"]).expect_code(code)
}

fn started(sandbox: &Sandbox) -> String {
    bridge(sandbox, "br0");
    tap(sandbox, "vnet0", "br0");
    apply(sandbox, BRIDGE, 0);
    let xml = domain(UUID, &port(MAC, "web1", ADDRESSES), &nic("bridge", MAC, "vnet0"));
    hook(sandbox, "start", &xml).expect_code(0);
    xml
}

#[test]
fn a_file_that_does_not_know_the_guest_leaves_it_its_policy() {
    Sandbox::run(|sandbox| {
        started(sandbox);
        let runs = show(sandbox);
        let changed = BRIDGE.replace("udp/7", "udp/9");
        std::fs::write("/run/host.toml", &changed).unwrap();
        for words in [["diff", "/run/host.toml"].as_slice(), &["apply", "/run/host.toml", "--dry-run"]] {
            let said = sandbox.netctl(words);
            assert!(!said.stdout.contains("vnet0") && said.stdout.contains("udp/9"), "{said}");
        }
        let said = apply(sandbox, &changed, 0);
        assert!(said.stderr.contains("port `web1` stays: its guest runs in libvirt"), "{said}");
        assert_eq!((programs("vnet0"), show(sandbox)), ([1, 1], runs.replace("udp/7", "udp/9")));
        // What runs is applied again without a word about it.
        assert_eq!(apply(sandbox, &show(sandbox), 0).stderr, "");
        let gone = BRIDGE.replace("networks.lab", "networks.other").replace("br0", "br9");
        let said = apply(sandbox, &gone, 1);
        assert!(said.stderr.contains("there is no network `lab`"), "{said}");
        assert_eq!(programs("vnet0"), [1, 1]);
    });
}

#[test]
fn a_file_with_the_port_of_a_guest_that_has_ended_is_applied_without_it() {
    Sandbox::run(|sandbox| {
        let xml = started(sandbox);
        let saved = show(sandbox);
        sandbox.ip("link del vnet0");
        hook(sandbox, "stopped", &xml).expect_code(0);
        let said = apply(sandbox, &saved, 0);
        assert!(said.stderr.contains("port `web1` is left out: its guest in libvirt has ended"), "{said}");
        // The name of the interface is another guest's now.
        tap(sandbox, "vnet0", "br0");
        let mac = "52:54:00:00:00:12";
        let other = domain(OTHER_UUID, &port(mac, "web2", "addresses='any'"), &nic("bridge", mac, "vnet0"));
        hook(sandbox, "start", &other).expect_code(0);
        apply(sandbox, &saved, 0);
        assert_eq!((row(sandbox, "web1"), row(sandbox, "web2")["mac"].clone()), (().into(), mac.into()));
        // After `down`, what was saved is enforced again.
        let saved = show(sandbox);
        sandbox.netctl(["down"]).expect_code(0);
        apply(sandbox, &saved, 0);
        assert_eq!(programs("vnet0"), [1, 1]);
    });
}

#[test]
fn who_writes_a_port_for_the_interface_has_taken_it_over() {
    Sandbox::run(|sandbox| {
        let xml = started(sandbox);
        let mine = show(sandbox).replace(&format!("domain = \"{UUID}\"\n"), "");
        apply(sandbox, &mine, 0);
        assert_eq!((show(sandbox), programs("vnet0")), (mine.clone(), [1, 1]));
        hook(sandbox, "stopped", &xml).expect_code(0);
        assert_eq!(show(sandbox), mine);
    });
}
