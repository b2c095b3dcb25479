//! `stopped` and `release`: the ports of a domain go with it, and nothing stands in the way of that.

use netctl_tests::sandbox::Sandbox;

use super::{
    ADDRESSES, BRIDGE, MAC, OTHER_UUID, UUID, apply, bridge, domain, hook, nic, port, programs, row, show,
    tap,
};

fn started(sandbox: &Sandbox) -> String {
    bridge(sandbox, "br0");
    tap(sandbox, "vnet0", "br0");
    apply(sandbox, BRIDGE);
    let xml = domain(UUID, &port(MAC, "web1", ADDRESSES), &nic("bridge", MAC, "vnet0"));
    hook(sandbox, "start", &xml).expect_code(0);
    xml
}

/// Another domain on another tap.
fn second(sandbox: &Sandbox) -> String {
    tap(sandbox, "vnet1", "br0");
    let mac = "52:54:00:00:00:12";
    let xml = domain(OTHER_UUID, &port(mac, "web2", "addresses='10.0.0.12'"), &nic("bridge", mac, "vnet1"));
    hook(sandbox, "start", &xml).expect_code(0);
    xml
}

#[test]
fn stopped_releases_what_the_hook_adopted_whether_or_not_the_interface_is_gone() {
    for (operation, is_gone) in [("stopped", true), ("release", true), ("stopped", false)] {
        Sandbox::run(|sandbox| {
            let xml = started(sandbox);
            if is_gone {
                sandbox.ip("link del vnet0");
            }
            hook(sandbox, operation, &xml).expect_code(0);
            assert_eq!(show(sandbox).trim_end(), BRIDGE.trim_end());
            let again = hook(sandbox, "release", &xml).expect_code(0);
            assert_eq!(again.stderr, "");
        });
    }
}

#[test]
fn ports_of_others_stay() {
    Sandbox::run(|sandbox| {
        let xml = started(sandbox);
        second(sandbox);
        tap(sandbox, "vnet9", "br0");
        sandbox.netctl(["port", "adopt", "vnet9", "--mac", "52:54:00:00:00:99"]).expect_code(0);
        sandbox.ip("link del vnet0");
        hook(sandbox, "stopped", &xml).expect_code(0);
        assert_eq!((programs("vnet1"), programs("vnet9")), ([1, 1], [1, 1]));
        assert_eq!(row(sandbox, "web1"), serde_json::Value::Null);
    });
}

#[test]
fn guests_that_end_at_once_or_unnoticed_do_not_stand_in_each_others_way() {
    Sandbox::run(|sandbox| {
        let first = started(sandbox);
        let second = second(sandbox);
        sandbox.ip("link del vnet0");
        sandbox.ip("link del vnet1");
        hook(sandbox, "stopped", &first).expect_code(0);
        let said = hook(sandbox, "stopped", &second).expect_code(0);
        assert_eq!((show(sandbox).trim_end(), said.stderr.as_str()), (BRIDGE.trim_end(), ""));
    });
    // The daemon was down when the first one ended.
    Sandbox::run(|sandbox| {
        started(sandbox);
        sandbox.ip("link del vnet0");
        second(sandbox);
        let text = show(sandbox);
        assert!(!text.contains("web1") && text.contains("[ports.web2]"), "{text}");
        // And its interface's name is used again.
        sandbox.ip("link del vnet1");
        tap(sandbox, "vnet1", "br0");
        let xml = domain(UUID, &port(MAC, "web2", ADDRESSES), &nic("bridge", MAC, "vnet1"));
        hook(sandbox, "start", &xml).expect_code(0);
        assert_eq!((programs("vnet1"), row(sandbox, "web2")["mac"].clone()), ([1, 1], MAC.into()));
    });
}

#[test]
fn an_end_and_a_reconnect_never_fail() {
    Sandbox::run(|sandbox| {
        let xml = started(sandbox);
        // Something else stands in the way: a rule names the port.
        let text = show(sandbox).replace("from = \"web\"", "from = \"web1\"");
        apply(sandbox, &text);
        let said = hook(sandbox, "stopped", &xml).expect_code(0);
        let wanted = "the running document does not take the ports of domain `g1`: line 12: there is no port";
        assert!(said.stderr.contains(wanted), "{said}");
        assert_eq!(programs("vnet0"), [1, 1], "it is enforced until it is taken out");
        for operation in ["stopped", "release", "reconnect", "attach"] {
            for xml in ["", "<domain", "<network/>", "\u{0}", &xml.replace("addresses", "adresses")] {
                hook(sandbox, operation, xml).expect_code(0);
            }
        }
        sandbox.netctl(["down"]).expect_code(0);
        for operation in ["stopped", "release", "reconnect", "attach"] {
            hook(sandbox, operation, &xml).expect_code(0);
        }
    });
}

#[test]
fn operations_that_are_not_its_business_are_passed_without_a_word() {
    Sandbox::run(|sandbox| {
        let xml = started(sandbox);
        for operation in ["migrate", "restore", "no-such-operation", "", "--help"] {
            for xml in [xml.as_str(), "", "<domain"] {
                let done = hook(sandbox, operation, xml).expect_code(0);
                assert_eq!(done.stderr, "", "{operation}");
            }
        }
    });
}
