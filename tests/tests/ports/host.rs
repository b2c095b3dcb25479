//! What iproute2 sees and does: the view of the host that does not come from netctl's own code.

use std::fmt;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Runs a shell command that has to succeed; gives its output.
#[track_caller]
pub(crate) fn sh(command: &str) -> String {
    let output = Command::new("sh").args(["-ec", command]).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "`{command}`: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Waits until what this process closed is closed.
///
/// A child that another test's thread starts has copies of all descriptors until it executes its program:
/// for so long what is closed here is still open there.
#[track_caller]
pub(crate) fn closed(what: &str, is_closed: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !is_closed() {
        assert!(Instant::now() < end, "{what} is still open");
        sleep(Duration::from_millis(5));
    }
}

/// Waits until no queue of a tap is open any more, see [`closed`].
#[track_caller]
pub(crate) fn queues_closed(name: &str) {
    closed(name, || {
        let facts = &link(name)["linkinfo"]["info_data"];
        // A tap with one queue has no count; without that queue it has no carrier.
        let count = |key: &str| facts[key].as_u64();
        match (count("numqueues"), count("numdisabled")) {
            (None, None) => !sh(&format!("cat /sys/class/net/{name}/carrier")).starts_with('1'),
            (attached, detached) => attached.unwrap_or(0) + detached.unwrap_or(0) == 0,
        }
    });
}

/// Everything about interfaces, addresses and forwarding tables that does not change by itself.
#[derive(PartialEq)]
pub(crate) struct Snapshot(Vec<String>);

impl fmt::Debug for Snapshot {
    /// A line for each fact, so that two snapshots can be compared by eye.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl Snapshot {
    /// Lines that only one of them has.
    pub(crate) fn difference(&self, other: &Self) -> Vec<String> {
        let missing = self.0.iter().filter(|line| !other.0.contains(line)).map(|line| format!("- {line}"));
        let added = other.0.iter().filter(|line| !self.0.contains(line)).map(|line| format!("+ {line}"));
        missing.chain(added).collect()
    }
}

/// Fails with the lines that differ.
#[track_caller]
pub(crate) fn assert_same(before: &Snapshot, when: &str) {
    assert_eq!(before.difference(&snapshot()), [""; 0], "{when}");
}

/// Interface numbers are left out: what is made twice has another one.
pub(crate) fn snapshot() -> Snapshot {
    let mut lines: Vec<_> = addresses().into_iter().map(|line| format!("address {line}")).collect();
    lines.extend(fdb().into_iter().map(|line| format!("fdb {line}")));
    for mut link in list("ip -d -j link show") {
        forget_volatile(&mut link);
        lines.push(format!("link {}: {link}", link["ifname"]));
    }
    Snapshot(lines)
}

fn forget_volatile(link: &mut Value) {
    const VOLATILE: [&str; 19] = [
        "ifindex",
        // A bridge takes it from its ports and does not go back.
        "tso_max_size",
        "link_index",
        "operstate",
        "flags",
        "hello_timer",
        "tcn_timer",
        "gc_timer",
        "topology_change_timer",
        "message_age_timer",
        "forward_delay_timer",
        "hold_timer",
        "id",
        "no",
        "designated_port",
        "state",
        "topology_change",
        "root_port",
        "qdisc",
    ];
    match link {
        Value::Object(fields) => {
            if let Some(Value::Array(flags)) = fields.get("flags") {
                let up = flags.iter().any(|flag| flag == "UP");
                fields.insert("up".into(), up.into());
            }
            for name in VOLATILE {
                fields.remove(name);
            }
            fields.values_mut().for_each(forget_volatile);
        }
        Value::Array(values) => values.iter_mut().for_each(forget_volatile),
        _ => {}
    }
}

/// `DEV ADDRESS/PREFIX`, sorted. Without link-local addresses: the kernel makes those when it sees carrier.
pub(crate) fn addresses() -> Vec<String> {
    let mut lines = Vec::new();
    for link in list("ip -j addr show") {
        for address in link["addr_info"].as_array().into_iter().flatten() {
            if text(address, "scope") == "link" {
                continue;
            }
            lines.push(format!(
                "{} {}/{}",
                text(&link, "ifname"),
                text(address, "local"),
                address["prefixlen"]
            ));
        }
    }
    lines.sort();
    lines
}

/// `DEV MAC STATE`, sorted, of entries that bridges hold for their ports. Without learned ones.
pub(crate) fn fdb() -> Vec<String> {
    let entries = list("bridge -j fdb show")
        .into_iter()
        .filter(|entry| entry["master"].is_string() && !text(entry, "state").is_empty());
    let mut lines: Vec<_> = entries
        .map(|entry| format!("{} {} {}", text(&entry, "ifname"), text(&entry, "mac"), text(&entry, "state")))
        .collect();
    lines.sort();
    lines
}

/// One interface as `ip -d` shows it.
#[track_caller]
pub(crate) fn link(name: &str) -> Value {
    list(&format!("ip -d -j link show dev {name}")).remove(0)
}

/// Names of all interfaces, but lo.
pub(crate) fn names() -> Vec<String> {
    let mut names: Vec<_> = list("ip -j link show").iter().map(|l| text(l, "ifname").to_owned()).collect();
    names.retain(|name| name != "lo");
    names.sort();
    names
}

pub(crate) fn is_up(link: &Value) -> bool {
    link["flags"].as_array().unwrap().iter().any(|flag| flag == "UP")
}

fn list(command: &str) -> Vec<Value> {
    serde_json::from_str(&sh(command)).unwrap()
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}
