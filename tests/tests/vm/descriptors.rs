//! What `netctl run` hands to QEMU: queues, the port's arguments, and who may have them.

use std::fs;

use netctl_tests::sandbox::Sandbox;
use serde_json::Value;

use crate::lab::{DATABASE, WEB, apply, boot, check};

/// Queues of a tap that QEMU holds: (used by the guest, switched off).
#[track_caller]
fn queues(sandbox: &Sandbox, interface: &str) -> (u64, u64) {
    let printed = sandbox.ip(&format!("-details -json link show {interface}"));
    let links: Value = serde_json::from_str(&printed).unwrap();
    let facts = &links[0]["linkinfo"]["info_data"];
    let number = |name: &str| facts[name].as_u64().unwrap_or(0);
    (number("numqueues"), number("numdisabled"))
}

/// `netctl run` on a port that has a guest.
#[track_caller]
fn refused(sandbox: &Sandbox, port: &str) {
    let placeholder = format!("{{{port}.fds}}");
    let second = sandbox.netctl(["run", port, "--", "true", &placeholder]).expect_code(2);
    let wanted = format!("port `{port}` is in use by another process; stop the guest that holds `{port}`");
    assert!(second.stderr.contains(&wanted), "{second}");
}

#[test]
fn a_port_of_two_queues_gives_both_to_the_guest_and_can_be_used_again_after_a_kill() {
    Sandbox::run(|sandbox| {
        apply(sandbox);
        let [mut first] = boot(sandbox, [DATABASE]);
        let line = fs::read(format!("/proc/{}/cmdline", first.pid())).unwrap();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        assert!(!line.contains("{db1}"), "the placeholder is still there: {line}");
        assert!(line.contains("mac=52:54:00:00:00:21,mq=on,vectors=6"), "{line}");
        assert_eq!(queues(sandbox, "db1"), (2, 0));
        assert_eq!(check(&mut first, "ping:10.0.0.1"), "fail timeout", "its policy is there");
        refused(sandbox, "db1");

        first.kill();
        assert_eq!(queues(sandbox, "db1"), (0, 0));
        let [mut second] = boot(sandbox, [DATABASE]);
        assert_eq!(queues(sandbox, "db1"), (2, 0));
        assert_eq!(check(&mut second, "listen:tcp/5432"), "ok");
    });
}

#[test]
fn a_port_of_one_queue_has_one_user_and_outlives_it() {
    Sandbox::run(|sandbox| {
        apply(sandbox);
        let [mut first] = boot(sandbox, [WEB]);
        refused(sandbox, "web1");
        assert_eq!(check(&mut first, "ping:10.0.0.1"), "ok", "the refused one did no harm");
        first.kill();
        let [mut second] = boot(sandbox, [WEB]);
        assert_eq!(check(&mut second, "ping:10.0.0.1"), "ok");
    });
}
