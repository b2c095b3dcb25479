//! Descriptors of `/dev/vhost-net` as QEMU holds them.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::lab::host;

/// Emulated QEMUs in an emulated kernel take their time.
const SOON: Duration = Duration::from_secs(240);

fn command_line(pid: u32) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&line).replace('\0', " ")
}

#[test]
#[ignore = "needs /dev/vhost-net; `cargo xtask lab` has it"]
fn qemu_holds_one_vhost_descriptor_for_each_queue() {
    host(|sandbox| {
        for port in ["db1", "mail1"] {
            let place = format!("{{{port}}}");
            let qemu = ["qemu-system-x86_64", "-machine", "q35,accel=tcg", "-m", "64M", "-nodefaults"];
            let rest = ["-display", "none", "-S", "-serial", "null", place.as_str()];
            let words: Vec<&str> = ["run", port, "--"].into_iter().chain(qemu).chain(rest).collect();
            let mut guest = sandbox.start_netctl(words);
            let target = format!("pid:{}", guest.pid());
            let deadline = Instant::now() + SOON;
            let of = |all: &Value, kind: &str| {
                let all = all.as_array().cloned().unwrap_or_default();
                all.into_iter().filter(|it| it["kind"] == kind && it["file"] != Value::Null).count()
            };
            let kind = if port == "db1" { "tap-queue" } else { "macvtap-queue" };
            loop {
                let shown = sandbox.netctl(["fd", "inspect", &target, "--json"]);
                let all = if shown.code == Some(0) { shown.json() } else { Value::Null };
                // It is netctl that holds them first.
                let is_qemu = command_line(guest.pid()).starts_with("qemu");
                if is_qemu && (of(&all, kind), of(&all, "vhost-net")) == (4, 4) {
                    let vhost = all.as_array().unwrap().iter().find(|it| it["kind"] == "vhost-net").unwrap();
                    assert_ne!(vhost["vhost_features"].as_u64().unwrap_or(0), 0, "{vhost}");
                    break;
                }
                let ended = guest.wait(Duration::ZERO);
                assert!(
                    ended.is_none() && Instant::now() < deadline,
                    "{ended:?} {:?}\n{shown}",
                    guest.said()
                );
                sleep(Duration::from_millis(50));
            }
            let line = command_line(guest.pid());
            let given =
                line.split("vhost=on,vhostfds=").nth(1).unwrap_or_else(|| panic!("no vhost in {line}"));
            assert_eq!(given.split_whitespace().next().unwrap().split(':').count(), 4, "{line}");
            guest.kill();
        }
    });
}
