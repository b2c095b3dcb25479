//! The hook under a real libvirtd: what libvirt makes is judged from before the guest runs, and let go at its end.

use std::path::Path;

use netctl_tests::sandbox::Sandbox;
use netctl_tests::switch::Switch;
use serde_json::Value;

use super::daemon::{Daemon, machine, wait_until};
use super::{ADDRESSES, BRIDGE, MAC, apply, bridge, count, macvlan, port, programs, row, show};

fn metadata(ports: &str) -> String {
    format!(
        "<metadata><netctl:domain xmlns:netctl='https://netctl.dev/libvirt/1'>{ports}</netctl:domain></metadata>"
    )
}

fn on_bridge(mac: &str) -> String {
    format!(
        "<interface type='bridge'><mac address='{mac}'/><source bridge='br0'/><model type='virtio'/></interface>"
    )
}

#[track_caller]
fn install(sandbox: &Sandbox) {
    sandbox.netctl(["libvirt-hook", "--install"]).expect_code(0);
}

/// Of the DHCP frames that the firmware sends.
const ALLOW_DHCP: &str = "{ allow = \"udp/67\", from = \"web\", to = \"broadcast\" },\n]";

#[test]
fn a_guest_on_a_bridge_is_judged_follows_the_policy_survives_a_restart_and_is_let_go() {
    Sandbox::run(|sandbox| {
        bridge(sandbox, "br0");
        apply(sandbox, BRIDGE);
        let mut daemon = {
            let daemon = Daemon::system(sandbox);
            install(sandbox);
            daemon
        };
        daemon.restart();
        let made = daemon.create(&machine("g1", &metadata(&port(MAC, "web1", ADDRESSES)), &on_bridge(MAC)));
        made.expect_code(0);
        assert_eq!((row(sandbox, "web1")["interface"].clone(), programs("vnet0")), ("vnet0".into(), [1, 1]));
        wait_until("a frame is denied", || count(sandbox, "web1", "default") > 0);
        assert_eq!(count(sandbox, "web1", "rule"), 0);

        let allowed = show(sandbox).replacen("]\n\n[ports", &format!("  {ALLOW_DHCP}\n\n[ports"), 1);
        apply(sandbox, &allowed);
        // The firmware may have given up.
        daemon.virsh("reset g1").expect_code(0);
        wait_until("the firmware's DHCP is allowed", || count(sandbox, "web1", "rule") > 0);

        daemon.restart();
        assert!(daemon.virsh("list --name").stdout.contains("g1"), "{}", daemon.said());
        assert_eq!(programs("vnet0"), [1, 1]);
        // Someone took the port out while libvirt was away.
        sandbox.netctl(["port", "release", "web1"]).expect_code(0);
        daemon.restart();
        wait_until("reconnect puts it back", || row(sandbox, "web1") != Value::Null);
        assert_eq!(programs("vnet0"), [1, 1]);

        daemon.virsh("destroy g1").expect_code(0);
        assert_eq!(row(sandbox, "web1"), Value::Null);
        assert!(!Path::new("/sys/class/net/vnet0").exists());
    });
}

#[test]
fn a_hook_that_refuses_stops_the_start_and_virsh_says_why() {
    Sandbox::run(|sandbox| {
        bridge(sandbox, "br0");
        install_after_world(sandbox, |daemon| {
            let with = metadata(&port(MAC, "web1", ADDRESSES));
            let done = daemon.create(&machine("g1", &with, &on_bridge(MAC)));
            assert!(done.code != Some(0) && done.stderr.contains("netctl is not running here"), "{done}");

            apply(sandbox, BRIDGE);
            let done = daemon.create(&machine("g1", "", &on_bridge(MAC)));
            let wanted =
                "`vnet0` is on network `lab` of netctl, and the domain does not say what its guest may";
            assert!(done.code != Some(0) && done.stderr.contains(wanted), "{done}");
            let bad = metadata(&port(MAC, "web1", "addresses='10.0.0.300'"));
            let done = daemon.create(&machine("g1", &bad, &on_bridge(MAC)));
            assert!(done.code != Some(0) && done.stderr.contains("`10.0.0.300`"), "{done}");
            assert_eq!(daemon.virsh("list --all --name").stdout.trim(), "");
            assert_eq!(show(sandbox), BRIDGE);
            wait_until("the tap is gone", || !Path::new("/sys/class/net/vnet0").exists());
        });
    });
}

#[test]
fn a_guest_on_a_macvtap_of_libvirts_is_judged_and_let_go() {
    Sandbox::run(|sandbox| {
        let switch = Switch::new(sandbox, "switch").unwrap();
        switch.nic("up0").unwrap();
        apply(sandbox, &macvlan());
        install_after_world(sandbox, |daemon| {
            let interface = format!(
                "<interface type='direct'><mac address='{MAC}'/><source dev='up0' mode='bridge'/>\
                 <model type='virtio'/></interface>"
            );
            let made = daemon.create(&machine("g1", &metadata(&port(MAC, "web1", ADDRESSES)), &interface));
            made.expect_code(0);
            assert_eq!(row(sandbox, "web1")["kind"], "macvtap");
            wait_until("a frame is denied", || count(sandbox, "web1", "default") > 0);
            daemon.virsh("destroy g1").expect_code(0);
            assert_eq!(row(sandbox, "web1"), Value::Null);
        });
    });
}

#[test]
fn on_a_network_of_libvirts_a_guest_starts_with_its_port_and_gets_no_other_nic_while_it_runs() {
    Sandbox::run(|sandbox| {
        bridge(sandbox, "br0");
        apply(sandbox, BRIDGE);
        install_after_world(sandbox, |daemon| {
            let network = "<network><name>n1</name><forward mode='bridge'/><bridge name='br0'/></network>";
            std::fs::write("/run/network.xml", network).unwrap();
            daemon.virsh("net-create /run/network.xml").expect_code(0);
            let interface = format!(
                "<interface type='network'><mac address='{MAC}'/><source network='n1'/><model type='virtio'/></interface>"
            );
            let made = daemon.create(&machine("g1", &metadata(&port(MAC, "web1", ADDRESSES)), &interface));
            made.expect_code(0);
            assert_eq!(programs("vnet0"), [1, 1]);
            let plugged = daemon.virsh("attach-interface g1 network n1 --mac 52:54:00:00:00:12 --live");
            let wanted = "libvirt tells no hook of a NIC that is added then";
            assert!(plugged.code != Some(0) && plugged.stderr.contains(wanted), "{plugged}");
            assert!(!Path::new("/sys/class/net/vnet1").exists());
            daemon.virsh("destroy g1").expect_code(0);
            assert_eq!(show(sandbox).trim_end(), BRIDGE.trim_end());
        });
    });
}

/// Runs after netctl's: what there is at each operation.
const LOOK: &str = "#!/bin/sh
pins=$(ls /sys/fs/bpf/netctl/v*/links 2>/dev/null | tr '\\n' ' ')
up=$(ip -o link show up | grep -cE 'vnet0|macvtap0')
monitors=$(ls /run/libvirt/qemu/g1.pid 2>/dev/null | wc -l)
echo \"$2: links $pins, up $up, monitors $monitors\" >> /run/look
";

#[test]
fn the_programs_are_on_the_interface_before_there_is_a_monitor_and_a_macvtap_is_down_till_then() {
    let both = "links web1+from_guest web1+to_guest ";
    let direct = format!(
        "<interface type='direct'><mac address='{MAC}'/><source dev='up0' mode='bridge'/></interface>"
    );
    for (document, interface, up) in [(BRIDGE.to_owned(), on_bridge(MAC), 1), (macvlan(), direct, 0)] {
        Sandbox::run(|sandbox| {
            let switch = Switch::new(sandbox, "switch").unwrap();
            switch.nic("up0").unwrap();
            bridge(sandbox, "br0");
            apply(sandbox, &document);
            install_after_world(sandbox, |daemon| {
                let look = Path::new("/etc/libvirt/hooks/qemu.d/zz");
                std::fs::write(look, LOOK).unwrap();
                std::fs::set_permissions(look, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
                let xml = machine("g1", &metadata(&port(MAC, "web1", ADDRESSES)), &interface);
                daemon.create(&xml).expect_code(0);
                daemon.virsh("destroy g1").expect_code(0);
                let seen = std::fs::read_to_string("/run/look").unwrap();
                let seen: Vec<_> = seen.lines().collect();
                assert_eq!(seen[0], "prepare: links , up 0, monitors 0", "{seen:#?}");
                assert_eq!(seen[1], format!("start: {both}, up {up}, monitors 0"), "{seen:#?}");
                assert_eq!(seen[2], format!("started: {both}, up 1, monitors 1"), "{seen:#?}");
                assert!(seen[3].starts_with("stopped: links , "), "{seen:#?}");
            });
        });
    }
}

/// libvirtd looks for hooks when it starts.
fn install_after_world(sandbox: &Sandbox, test: impl FnOnce(&Daemon<'_>)) {
    let mut daemon = Daemon::system(sandbox);
    install(sandbox);
    daemon.restart();
    test(&daemon);
}
