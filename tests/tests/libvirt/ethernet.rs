//! `<interface type='ethernet'>` with `managed='no'` on a port that netctl made: libvirt only opens it.

use std::process::Command;

use netctl_tests::cli;
use netctl_tests::sandbox::Sandbox;
use netctl_tests::switch::Switch;
use serde_json::Value;

use super::daemon::{Daemon, machine, monitor_arguments, wait_until};
use super::{apply, row};

const USER: u32 = 64100;

const DOCUMENT: &str = r#"
[networks.lab]
kind = "bridge"

[networks.direct]
kind = "macvlan"
uplinks = ["up0"]

[ports.web1]
network = "lab"
mac = "52:54:00:00:00:11"
addresses = []
owner = 0

[ports.web4]
network = "lab"
mac = "52:54:00:00:00:14"
addresses = []
queues = 4

[ports.mtap1]
network = "direct"
mac = "52:54:00:00:00:21"
addresses = []

[ports.mtap4]
network = "direct"
mac = "52:54:00:00:00:24"
addresses = []
queues = 4

[ports.user1]
network = "lab"
mac = "52:54:00:00:00:31"
addresses = []
owner = 64100

[policy]
default = "deny"
rules = []
"#;

fn interface(port: &str, mac: &str, queues: u8) -> String {
    let queues = if queues == 1 { String::new() } else { format!("<driver queues='{queues}'/>") };
    format!(
        "<interface type='ethernet'><mac address='{mac}'/><target dev='{port}' managed='no'/>\
         <model type='virtio'/>{queues}</interface>"
    )
}

/// All frames of the port's guest that were judged.
fn judged(sandbox: &Sandbox, port: &str) -> u64 {
    let stats = sandbox.netctl(["stats", "--json", "--port", port]).expect_code(0).json();
    let rows = stats["ports"].as_array().unwrap().iter();
    let from = rows.filter(|row| row["direction"] == "from-guest" && row["port"] == port);
    from.map(|row| row["packets"].as_u64().unwrap()).sum()
}

/// What libvirt could have changed.
fn settings(sandbox: &Sandbox, port: &str) -> [Value; 4] {
    let shown: Value = serde_json::from_str(&sandbox.ip(&format!("-j -d link show dev {port}"))).unwrap();
    ["address", "mtu", "master", "ifalias"].map(|key| shown[0][key].clone())
}

#[track_caller]
fn a_guest_runs_on(sandbox: &Sandbox, daemon: &Daemon<'_>, (port, mac): (&str, &str), queues: u8) {
    let before = settings(sandbox, port);
    let made = daemon.create(&machine("g1", "", &interface(port, mac, queues)));
    made.expect_code(0);
    wait_until(&format!("frames of {port} are judged"), || judged(sandbox, port) > 0);
    assert_eq!(row(sandbox, port)["state"], "up");
    if queues > 1 {
        let arguments = monitor_arguments("g1");
        let fds = arguments.split_once("\"fds\":\"").map(|(_, rest)| rest.split('"').next().unwrap());
        assert_eq!(fds.map(|fds| fds.split(':').count()), Some(queues.into()), "{arguments}");
    }
    assert_eq!(settings(sandbox, port), before);
    daemon.virsh("destroy g1").expect_code(0);
    assert_eq!((settings(sandbox, port), row(sandbox, port)["filtered"].clone()), (before, true.into()));
}

#[test]
fn roots_libvirt_runs_guests_on_taps_and_macvtaps_with_one_queue_and_with_four() {
    Sandbox::run(|sandbox| {
        let switch = Switch::new(sandbox, "switch").unwrap();
        switch.nic("up0").unwrap();
        let daemon = Daemon::system(sandbox);
        apply(sandbox, DOCUMENT);
        a_guest_runs_on(sandbox, &daemon, ("web1", "52:54:00:00:00:11"), 1);
        a_guest_runs_on(sandbox, &daemon, ("web4", "52:54:00:00:00:14"), 4);
        a_guest_runs_on(sandbox, &daemon, ("mtap1", "52:54:00:00:00:21"), 1);
        a_guest_runs_on(sandbox, &daemon, ("mtap4", "52:54:00:00:00:24"), 4);
    });
}

#[test]
fn a_users_libvirt_runs_a_guest_on_the_tap_that_it_owns_and_on_no_other() {
    Sandbox::run(|sandbox| {
        let switch = Switch::new(sandbox, "switch").unwrap();
        switch.nic("up0").unwrap();
        let daemon = Daemon::session(sandbox, USER);
        apply(sandbox, DOCUMENT);
        a_guest_runs_on(sandbox, &daemon, ("user1", "52:54:00:00:00:31"), 1);
        let other = daemon.create(&machine("g2", "", &interface("web1", "52:54:00:00:00:11", 1)));
        assert!(other.code != Some(0) && other.stderr.contains("Operation not permitted"), "{other}");
    });
}

#[test]
fn the_hook_in_a_users_libvirt_passes_domains_and_refuses_those_that_it_cannot_adopt_for() {
    Sandbox::run(|sandbox| {
        let switch = Switch::new(sandbox, "switch").unwrap();
        switch.nic("up0").unwrap();
        let mut daemon = Daemon::session(sandbox, USER);
        apply(sandbox, DOCUMENT);
        // Where this user can read it, wherever the sources are.
        std::fs::copy(cli::binary().unwrap(), "/run/netctl").unwrap();
        let mut install = Command::new("/run/netctl");
        install.args(["libvirt-hook", "--install"]);
        sandbox.finish(install).unwrap().expect_code(0);
        daemon.restart();
        a_guest_runs_on(sandbox, &daemon, ("user1", "52:54:00:00:00:31"), 1);
        let metadata = "<metadata><netctl:domain xmlns:netctl='https://netctl.dev/libvirt/1'/></metadata>";
        let refused = daemon.create(&machine("g2", metadata, ""));
        let wanted = "it has netctl metadata, and this libvirt is not root's";
        assert!(refused.code != Some(0) && refused.stderr.contains(wanted), "{refused}");
    });
}
