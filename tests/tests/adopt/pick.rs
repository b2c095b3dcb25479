//! `network = "eth0"`: the interface says which kind of network it is.

use netctl_tests::sandbox::Sandbox;
use netctl_tests::switch::Switch;

use super::{apply, bridge, guest, netctl, run, tap};

fn document(network: &str) -> String {
    format!(
        "[ports.web1]\nnetwork = \"{network}\"\nmac = \"52:54:00:00:00:0b\"\naddresses = [\"10.0.0.11\", \"fd00::11\"]\n\n\
         [ports.db1]\nnetwork = \"{network}\"\nmac = \"52:54:00:00:00:15\"\naddresses = [\"10.0.0.21\", \"fd00::21\"]\n\n\
         [policy]\nrules = [{{ allow = \"udp/7\", from = \"web1\", to = \"db1\" }}]\n"
    )
}

/// The policy works, and what `show` prints says what was picked and can be applied without a look at the host.
fn works(sandbox: &Sandbox, section: &str) {
    let (web, db) = (guest("web1", 11), guest("db1", 21));
    db.udp_echo(7);
    web.udp_echo(7);
    assert!(web.udp_ask([10, 0, 0, 21].into(), 7, b"?", super::SOON));
    assert!(!db.udp_ask([10, 0, 0, 11].into(), 7, b"?", super::A_WHILE));
    let shown = netctl(sandbox, "show", 0).stdout;
    assert!(shown.ends_with(section), "{shown}");
    std::fs::write("/run/shown.toml", &shown).unwrap();
    assert_eq!(netctl(sandbox, "diff /run/shown.toml", 0).stdout, "");
    assert_eq!(netctl(sandbox, "diff /run/shown.toml", 0).stderr, "");
}

#[test]
fn a_nic_becomes_a_macvlan_network_and_says_so() {
    Sandbox::run(|sandbox| {
        Switch::new(sandbox, "switch").unwrap().nic("eth7").unwrap();
        let said = apply(sandbox, &document("eth7")).expect_code(0);
        let note = "network `eth7`: `eth7` is a NIC, so its ports are macvtaps that share it (macvlan)";
        assert_eq!(said.stderr, format!("netctl: {note}\n"));
        assert!(said.stdout.contains("+ macvtap web1: port web1, bridge on eth7"), "{said}");
        works(sandbox, "\n[networks.eth7]\nkind = \"macvlan\"\nuplinks = [\"eth7\"]\n");
        let checked = netctl(sandbox, "check /run/host.toml --json", 0).json();
        assert_eq!(checked["picked"][0]["kind"], "macvlan");
        assert_eq!(checked["diagnostics"].as_array().unwrap().len(), 0);
        let done = netctl(sandbox, "apply /run/host.toml --json", 0).json();
        assert_eq!(done["picked"][0]["network"], "eth7");

        // What runs does not depend on what the name stands for any more.
        sandbox.ip("link del eth7");
        assert_eq!(netctl(sandbox, "port list --json", 0).json()[0]["state"], "eth7 gone");
    });
}

#[test]
fn a_bridge_becomes_a_bridge_network_also_for_a_port_that_is_added() {
    Sandbox::run(|sandbox| {
        bridge(sandbox, "br0");
        let said = apply(sandbox, &document("br0")).expect_code(0);
        assert!(
            said.stderr.contains("network `br0`: `br0` is a bridge, so its ports are taps on it"),
            "{said}"
        );
        assert!(run(sandbox, "bridge link").contains("web1"));
        works(sandbox, "\n[networks.br0]\nkind = \"bridge\"\ninterface = \"br0\"\n");
        bridge(sandbox, "br1");
        netctl(sandbox, "port add web9 --network br1 --address 10.0.0.9", 0);
        assert!(netctl(sandbox, "network list", 0).stdout.contains("br1      bridge"));
    });
}

#[test]
fn what_is_no_network_is_refused_with_what_it_is() {
    Sandbox::run(|sandbox| {
        bridge(sandbox, "br0");
        tap(sandbox, "vnet0", "br0", "");
        sandbox.ip("link add eth0 type veth peer name eth1");
        sandbox.ip("link set eth0 master br0");
        sandbox.ip("link add link eth1 name mv0 type macvtap mode bridge");
        for (name, wanted) in [
            ("vnet0", "`vnet0` is a tap, which is no network"),
            ("mv0", "`mv0` is a macvtap, which is no network"),
            ("eth0", "`eth0` is a port of `br0`, which is no network"),
            ("eth9", "there is no network `eth9`"),
            ("lo", "there is no network `lo`"),
        ] {
            let said = apply(sandbox, &document(name)).expect_code(1);
            assert!(said.stderr.contains(wanted), "{said}");
        }
        let near = format!("[networks.eth2]\nkind = \"bridge\"\n{}", document("eth3"));
        let said = apply(sandbox, &near).expect_code(1);
        assert!(said.stderr.contains("did you mean `eth2`?"), "{said}");
    });
}
