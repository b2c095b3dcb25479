//! `netctl down` leaves a host as it was before the first `apply`: interfaces and their names, addresses, queueing
//! disciplines, filters and pinned objects, whatever the kind, and whatever the hooks.

use std::process::Command;

use netctl_tests::cli;
use netctl_tests::sandbox::Sandbox;
use serde_json::Value;

use super::kind::{BRIDGE, Kind, MACVLAN, PASSTHROUGH, VEPA};

const RULES: &[&str] = &[r#"{ allow = "udp/53", from = "any", to = "any" }"#];

#[test]
fn down_leaves_no_trace_of_a_bridge() {
    no_trace(&BRIDGE);
}

#[test]
fn down_leaves_no_trace_of_a_macvlan() {
    no_trace(&MACVLAN);
}

#[test]
fn down_leaves_no_trace_of_passthrough() {
    no_trace(&PASSTHROUGH);
}

#[test]
fn down_leaves_no_trace_of_a_vepa() {
    no_trace(&VEPA);
}

fn no_trace(kind: &Kind) {
    for up in [true, false] {
        Sandbox::run(|sandbox| {
            furnish(sandbox, kind, up);
            let before = snapshot(sandbox);
            for no_tcx in [false, true] {
                std::fs::write("/run/host.toml", kind.document(RULES)).unwrap();
                let done = netctl(sandbox, &["apply", "/run/host.toml"], no_tcx);
                assert_ne!(snapshot(sandbox), before, "nothing was done\n{done}");
                netctl(sandbox, &["down"], no_tcx);
                let differs = difference(&before, &snapshot(sandbox));
                assert!(
                    differs.is_empty(),
                    "{}, up {up}, no tcx {no_tcx}:\n{}",
                    kind.name,
                    differs.join("\n")
                );
            }
        });
    }
}

/// Uplinks as an administrator has them: with names, settings and filters of their own.
fn furnish(sandbox: &Sandbox, kind: &Kind, up: bool) {
    // Addresses that the kernel makes by itself come and go with the time.
    std::fs::write("/proc/sys/net/ipv6/conf/default/addr_gen_mode", "1").unwrap();
    for nic in kind.uplinks {
        sandbox.ip(&format!("link add {nic} type veth peer name far-{nic}"));
        sandbox.ip(&format!("link set far-{nic} up"));
        sandbox.ip(&format!("link set {nic} alias mine txqueuelen 77"));
        sandbox.ip(&format!("link property add dev {nic} altname the-{nic}"));
        tc(sandbox, &format!("qdisc add dev {nic} clsact"));
        // Its queueing discipline is chosen when an interface goes up for the first time, and stays.
        sandbox.ip(&format!("link set {nic} up"));
        if !up {
            sandbox.ip(&format!("link set {nic} down"));
        }
        // A port of a bridge cannot keep addresses; netctl says so and refuses.
        if up && kind.name != BRIDGE.name {
            sandbox.ip(&format!("address add 192.0.2.5/24 dev {nic}"));
            sandbox.ip(&format!("address add 2001:db8::5/64 dev {nic} nodad"));
        }
    }
}

fn tc(sandbox: &Sandbox, words: &str) -> String {
    let mut command = Command::new("tc");
    command.args(words.split_whitespace());
    sandbox.finish(command).unwrap().expect_code(0).stdout
}

fn netctl(sandbox: &Sandbox, words: &[&str], no_tcx: bool) -> String {
    let mut command = Command::new(cli::binary().unwrap());
    command.args(words);
    if no_tcx {
        command.env("NETCTL_NO_TCX", "1");
    }
    sandbox.finish(command).unwrap().expect_code(0).to_string()
}

/// Lines, one for each fact.
fn snapshot(sandbox: &Sandbox) -> Vec<String> {
    let links = list(&sandbox.ip("-j -d link show"));
    let mut lines: Vec<String> =
        links.iter().map(|link| format!("link {}", without_volatile(link))).collect();
    lines.extend(list(&sandbox.ip("-j address show")).iter().map(|link| {
        let addresses = &link["addr_info"];
        format!("address {} {addresses}", link["ifname"])
    }));
    lines.extend(list(&tc(sandbox, "-j qdisc show")).iter().map(|qdisc| format!("qdisc {qdisc}")));
    for link in &links {
        let name = link["ifname"].as_str().unwrap();
        for hook in ["ingress", "egress"] {
            let filters = tc(sandbox, &format!("filter show dev {name} {hook}"));
            lines.extend(filters.lines().map(|filter| format!("filter {name} {hook} {filter}")));
        }
    }
    let mut find = Command::new("find");
    find.args(["/sys/fs/bpf", "/run/netctl", "-printf", "pin %p %y\n"]);
    // The kernel's own are there from the start; /run/netctl need not be there at all.
    lines.extend(sandbox.finish(find).unwrap().stdout.lines().map(str::to_owned));
    lines
}

/// Carrier follows the other end in its own time, and what a bridge's port has taken on for the bridge's sake
/// (TSO sizes) is not netctl's to undo.
fn without_volatile(link: &Value) -> Value {
    let mut link = link.clone();
    for name in ["operstate", "tso_max_size", "tso_max_segs", "gso_max_size"] {
        link.as_object_mut().unwrap().remove(name);
    }
    if let Some(flags) = link["flags"].as_array_mut() {
        flags.retain(|flag| flag != "LOWER_UP" && flag != "NO-CARRIER");
    }
    link
}

fn list(text: &str) -> Vec<Value> {
    serde_json::from_str(text).unwrap()
}

fn difference(before: &[String], after: &[String]) -> Vec<String> {
    let missing = before.iter().filter(|line| !after.contains(line)).map(|line| format!("- {line}"));
    let added = after.iter().filter(|line| !before.contains(line)).map(|line| format!("+ {line}"));
    missing.chain(added).collect()
}
