//! Ports on what the host has: `netctl port add|remove|adopt|release`, and interfaces in place of networks. Taps and
//! macvtaps made with `ip`, on a bridge and a NIC made with `ip`, held open by guests. As root; each test has its own world.

#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "adopt/conflicts.rs"]
mod conflicts;
#[path = "adopt/crashes.rs"]
mod crashes;
#[path = "adopt/edits.rs"]
mod edits;
#[path = "adopt/owner.rs"]
mod owner;
#[path = "adopt/pick.rs"]
mod pick;
#[path = "adopt/state.rs"]
mod state;
#[path = "adopt/traffic.rs"]
mod traffic;

use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use netctl_tests::bench::raw_bpf::tcx_programs;
use netctl_tests::cli;
use netctl_tests::guest::Guest;
use netctl_tests::process::Finished;
use netctl_tests::sandbox::Sandbox;
use netctl_tests::tap::Tap;
use serde_json::Value;

/// Enough for anything that happens at all.
const SOON: Duration = Duration::from_secs(30);
/// Enough to call it silence.
const A_WHILE: Duration = Duration::from_millis(400);

/// A network on a bridge of someone else's, and a policy for ports that are still to come.
const BRIDGE: &str = r#"# rack 7
[networks.lab]
kind = "bridge"
interface = "br0" # made by someone else

[groups]
web = []
db = []

[policy]
default = "deny"
rules = [
  { allow = "udp/7", from = "web", to = "db", name = "echo" },
]
"#;

/// The same on a NIC.
fn macvlan() -> String {
    BRIDGE.replace(
        "kind = \"bridge\"\ninterface = \"br0\" # made",
        "kind = \"macvlan\"\nuplinks = [\"up0\"] # made",
    )
}

fn apply(sandbox: &Sandbox, document: &str) -> Finished {
    std::fs::write("/run/host.toml", document).unwrap();
    sandbox.netctl(["apply", "/run/host.toml"])
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split_whitespace()
}

#[track_caller]
fn netctl(sandbox: &Sandbox, line: &str, code: i32) -> Finished {
    sandbox.netctl(words(line)).expect_code(code)
}

/// With clsact filters in place of tcx links.
#[track_caller]
fn netctl_clsact(sandbox: &Sandbox, line: &str) -> Finished {
    let mut command = Command::new(cli::binary().unwrap());
    command.args(words(line)).env("NETCTL_NO_TCX", "1");
    sandbox.finish(command).unwrap().expect_code(0)
}

#[track_caller]
fn run(sandbox: &Sandbox, line: &str) -> String {
    let mut words = words(line);
    let mut command = Command::new(words.next().unwrap());
    command.args(words);
    sandbox.finish(command).unwrap().expect_code(0).stdout
}

/// A bridge that `ip` made.
fn bridge(sandbox: &Sandbox, name: &str) {
    sandbox.ip(&format!("link add {name} type bridge stp_state 0"));
    sandbox.ip(&format!("link set {name} up"));
}

/// A tap as libvirt leaves it: on the bridge, up, with an address that is not the guest's.
fn tap(sandbox: &Sandbox, name: &str, bridge: &str, options: &str) {
    sandbox.ip(&format!("tuntap add dev {name} mode tap vnet_hdr {options}"));
    sandbox.ip(&format!("link set {name} address fe:54:00:00:aa:{:02x}", name.len()));
    sandbox.ip(&format!("link set {name} master {bridge} up"));
}

/// A guest on an interface that is there; `number` is the last byte of its MAC and part of its addresses.
fn guest(name: &str, number: u8) -> Guest {
    let tap = Tap::open(name).unwrap();
    let addresses = [format!("10.0.0.{number}/24"), format!("fd00::{number}/64")];
    Guest::start(tap, [0x52, 0x54, 0, 0, 0, number], &addresses.each_ref().map(String::as_str)).unwrap()
}

fn mac(number: u8) -> String {
    format!("52:54:00:00:00:{number:02x}")
}

/// All that can be seen of an interface and its bridge's table: settings, qdiscs, filters, programs.
#[track_caller]
fn look(sandbox: &Sandbox, name: &str) -> Vec<String> {
    let mut link: Value =
        serde_json::from_str(&run(sandbox, &format!("ip -d -j link show dev {name}"))).unwrap();
    forget_timers(&mut link);
    let seen = [
        link.to_string(),
        run(sandbox, &format!("ip -j addr show dev {name}")).replace(",\"tentative\":true", ""),
        run(sandbox, &format!("bridge fdb show dev {name}")),
        run(sandbox, &format!("tc qdisc show dev {name}")),
        run(sandbox, &format!("tc filter show dev {name} ingress")),
        run(sandbox, &format!("tc filter show dev {name} egress")),
        format!("{:?}", tcx_programs(name).unwrap()),
        std::fs::read_to_string(format!("/proc/sys/net/ipv6/conf/{name}/disable_ipv6")).unwrap(),
    ];
    seen.iter().flat_map(|text| text.split(['\n', ','])).map(str::to_owned).collect()
}

/// tcx links on its two hooks.
#[track_caller]
fn programs(name: &str) -> [usize; 2] {
    tcx_programs(name).unwrap().map(|ids| ids.len())
}

/// [`look`], of an interface that was released, is as `before`.
#[track_caller]
fn assert_given_back(sandbox: &Sandbox, name: &str, before: &[String]) {
    nothing_on(name);
    assert_same(&look(sandbox, name), before);
}

/// Names what differs.
#[track_caller]
fn assert_same(now: &[String], before: &[String]) {
    let gone: Vec<_> = before.iter().filter(|line| !now.contains(line)).collect();
    let new: Vec<_> = now.iter().filter(|line| !before.contains(line)).collect();
    assert!(gone.is_empty() && new.is_empty(), "gone: {gone:#?}\nnew: {new:#?}");
}

/// The kernel detaches a link that is unpinned a moment later (kernel/bpf/syscall.c, bpf_link_put()).
#[track_caller]
fn nothing_on(name: &str) {
    let deadline = Instant::now() + SOON;
    while programs(name) != [0, 0] {
        assert!(Instant::now() < deadline, "{name} has {:?}", programs(name));
        sleep(Duration::from_millis(1));
    }
}

fn forget_timers(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !name.ends_with("timer"));
            fields.values_mut().for_each(forget_timers);
        }
        Value::Array(values) => values.iter_mut().for_each(forget_timers),
        _ => {}
    }
}

/// A row of `netctl port list --json`.
#[track_caller]
fn port(sandbox: &Sandbox, name: &str) -> Value {
    let rows = netctl(sandbox, "port list --json", 0).json();
    rows.as_array().unwrap().iter().find(|row| row["name"] == name).cloned().unwrap_or(Value::Null)
}

/// STATE of `netctl port list`.
#[track_caller]
fn state_of(sandbox: &Sandbox, name: &str) -> String {
    port(sandbox, name)["state"].as_str().unwrap_or("no port").to_owned()
}

/// Frames that a port decided about, of a reason.
#[track_caller]
fn count(sandbox: &Sandbox, port: &str, direction: &str, reason: &str) -> u64 {
    let stats = netctl(sandbox, "stats --json", 0).json();
    let rows = stats["ports"].as_array().unwrap().iter();
    let wanted =
        rows.filter(|row| row["port"] == port && row["direction"] == direction && row["reason"] == reason);
    wanted.map(|row| row["packets"].as_u64().unwrap()).sum()
}
