//! libvirt: what `netctl libvirt-hook` makes of each operation, on real taps and macvtaps, and real guests of a real
//! libvirtd. As root; each test has its own world, with its own /etc/libvirt.

#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "libvirt/daemon.rs"]
mod daemon;
#[path = "libvirt/document.rs"]
mod document;
#[path = "libvirt/domains.rs"]
mod domains;
#[path = "libvirt/ends.rs"]
mod ends;
#[path = "libvirt/ethernet.rs"]
mod ethernet;
#[path = "libvirt/kept.rs"]
mod kept;
#[path = "libvirt/networks.rs"]
mod networks;
#[path = "libvirt/refused.rs"]
mod refused;
#[path = "libvirt/scripts.rs"]
mod scripts;
#[path = "libvirt/starts.rs"]
mod starts;

use std::process::Command;

use netctl_tests::bench::raw_bpf::tcx_programs;
use netctl_tests::cli;
use netctl_tests::process::Finished;
use netctl_tests::sandbox::Sandbox;
use serde_json::Value;

const UUID: &str = "cd3b3c8b-4a42-4c4b-81f1-ea71164e5e09";
const OTHER_UUID: &str = "11111111-2222-4333-8444-555555555555";
const MAC: &str = "52:54:00:00:00:11";

/// A network on a bridge of someone else's, as libvirt's guests find it.
const BRIDGE: &str = r#"# rack 7
[networks.lab]
kind = "bridge"
interface = "br0"

[groups]
web = []

[policy]
default = "deny"
rules = [
  { allow = "udp/7", from = "web", to = "any", name = "echo" },
]
"#;

/// The same on a NIC.
fn macvlan() -> String {
    BRIDGE.replace("kind = \"bridge\"\ninterface = \"br0\"", "kind = \"macvlan\"\nuplinks = [\"up0\"]")
}

#[track_caller]
fn apply(sandbox: &Sandbox, document: &str) {
    std::fs::write("/run/host.toml", document).unwrap();
    sandbox.netctl(["apply", "/run/host.toml"]).expect_code(0);
}

#[track_caller]
fn show(sandbox: &Sandbox) -> String {
    sandbox.netctl(["show"]).expect_code(0).stdout
}

/// A bridge that `ip` made.
fn bridge(sandbox: &Sandbox, name: &str) {
    sandbox.ip(&format!("link add {name} type bridge stp_state 0"));
    sandbox.ip(&format!("link set {name} up"));
}

/// A tap as libvirt leaves it.
fn tap(sandbox: &Sandbox, name: &str, bridge: &str) {
    sandbox.ip(&format!("tuntap add dev {name} mode tap vnet_hdr"));
    sandbox.ip(&format!("link set {name} address fe:54:00:00:00:11 master {bridge} up"));
}

/// What the hook reads: a domain with interfaces, and ports in its metadata.
fn domain(uuid: &str, ports: &str, interfaces: &str) -> String {
    let metadata = match ports {
        "" => String::new(),
        ports => format!(
            "<metadata><netctl:domain xmlns:netctl=\"https://netctl.dev/libvirt/1\">{ports}</netctl:domain></metadata>"
        ),
    };
    format!(
        "<domain type='qemu' id='1'><name>g1</name><uuid>{uuid}</uuid>{metadata}<devices>{interfaces}</devices></domain>"
    )
}

fn port(mac: &str, name: &str, more: &str) -> String {
    format!("<netctl:port mac=\"{mac}\" name=\"{name}\" {more}/>")
}

const ADDRESSES: &str = "addresses=\"10.0.0.11 fd00::11\" groups=\"web\"";

/// Without a target, libvirt has not made it yet.
fn nic(kind: &str, mac: &str, target: &str) -> String {
    let target = if target.is_empty() { String::new() } else { format!("<target dev='{target}'/>") };
    format!("<interface type='{kind}'><mac address='{mac}'/>{target}<alias name='net0'/></interface>")
}

/// As libvirt calls it for its QEMU driver.
#[track_caller]
fn hook(sandbox: &Sandbox, operation: &str, xml: &str) -> Finished {
    call(sandbox, "qemu", ["g1", operation], xml)
}

#[track_caller]
fn call(sandbox: &Sandbox, driver: &str, [object, operation]: [&str; 2], xml: &str) -> Finished {
    std::fs::write("/run/hook.xml", xml).unwrap();
    let mut command = Command::new("sh");
    let line = "exec \"$0\" libvirt-hook --driver \"$1\" -- \"$2\" \"$3\" begin - < /run/hook.xml";
    command.args(["-c", line]).arg(cli::binary().unwrap()).args([driver, object, operation]);
    let done = sandbox.finish(command).unwrap();
    assert_eq!(done.stdout, "", "libvirt takes it for XML: {done}");
    done
}

/// Refused with `wanted` among the words.
#[track_caller]
fn refused(done: Finished, wanted: &str) {
    let done = done.expect_code(1);
    assert!(done.stderr.contains(wanted), "no `{wanted}` in: {done}");
}

/// tcx links on its two hooks.
#[track_caller]
fn programs(name: &str) -> [usize; 2] {
    tcx_programs(name).unwrap().map(|ids| ids.len())
}

/// A row of `netctl port list --json`.
#[track_caller]
fn row(sandbox: &Sandbox, name: &str) -> Value {
    let rows = sandbox.netctl(["port", "list", "--json"]).expect_code(0).json();
    rows.as_array().unwrap().iter().find(|row| row["name"] == name).cloned().unwrap_or(Value::Null)
}

/// Counts of a port from its guest, by reason.
#[track_caller]
fn count(sandbox: &Sandbox, port: &str, reason: &str) -> u64 {
    let stats = sandbox.netctl(["stats", "--json"]).expect_code(0).json();
    let rows = stats["ports"].as_array().unwrap().iter();
    let wanted =
        rows.filter(|row| row["port"] == port && row["direction"] == "from-guest" && row["reason"] == reason);
    wanted.map(|row| row["packets"].as_u64().unwrap()).sum()
}
