//! Captures that are killed, stopped, or too many.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use netctl_common::abi::{ABI_VERSION, CAPTURE_SLOTS};
use netctl_common::verdict::Reason;
use netctl_tests::sandbox::Sandbox;
use nix::sys::signal::Signal;

use crate::world::{SOON, datagram, end, ended, in_world, path};

/// A slot is kept for 5 s without its reader.
const FREE: Duration = Duration::from_secs(6);

/// Until when programs look for captures; 0 = nobody captures.
fn captures_until(sandbox: &Sandbox) -> u64 {
    let mut bpftool = Command::new("bpftool");
    let map = format!("/sys/fs/bpf/netctl/v{ABI_VERSION}/maps/captures_until");
    bpftool.args(["-j", "map", "lookup", "pinned", &map, "key", "0", "0", "0", "0"]);
    let done = sandbox.finish(bpftool).unwrap().expect_code(0);
    let json = done.json();
    let bytes = json["value"].as_array().unwrap_or_else(|| panic!("{done}"));
    let byte = |value: &serde_json::Value| {
        value.as_str().and_then(|hex| u8::from_str_radix(hex.trim_start_matches("0x"), 16).ok()).unwrap()
    };
    u64::from_ne_bytes(bytes.iter().map(byte).collect::<Vec<_>>().try_into().unwrap())
}

#[test]
fn a_killed_capture_leaves_a_file_that_can_be_read_and_costs_nothing_after_a_while() {
    in_world(|world| {
        let mut capture = world.capture("web1 --direction from-guest", "killed");
        world.send(&datagram(53, b"before"), Reason::Rule);
        // It is written every second.
        thread::sleep(Duration::from_millis(1500));
        capture.kill();
        assert_eq!(world.comments("killed").len(), 1);
        assert_ne!(captures_until(world.sandbox), 0);
        thread::sleep(FREE);
        world.send(&datagram(53, b"after"), Reason::Flow);
        assert_eq!(captures_until(world.sandbox), 0, "frames still look for captures");

        // Its slot is taken again, and all others.
        let all: Vec<_> = (0..CAPTURE_SLOTS)
            .map(|number| world.capture("web1 --direction from-guest", &number.to_string()))
            .collect();
        let more = world.sandbox.netctl(["capture", "web1", "-w", &path("more")]).expect_code(2);
        assert!(more.stderr.contains("8 captures go on already"), "{more}");
        assert!(fs::metadata(path("more")).is_err(), "a file of a capture that could not begin");
        world.send(&datagram(53, b"to all"), Reason::Flow);
        all.into_iter().for_each(|capture| drop(end(capture)));
        for number in 0..CAPTURE_SLOTS {
            assert_eq!(world.comments(&number.to_string()).len(), 1, "capture {number}");
        }
        drop(end(world.capture("web1", "again")));
    });
}

#[test]
fn a_capture_that_was_stopped_goes_on_and_says_what_is_missing() {
    in_world(|world| {
        let capture = world.capture("web1 --direction from-guest", "stopped");
        capture.signal(Signal::SIGSTOP);
        thread::sleep(FREE);
        world.send(&datagram(53, b"unseen"), Reason::Rule);
        capture.signal(Signal::SIGCONT);
        let deadline = Instant::now() + SOON;
        while captures_until(world.sandbox) == 0 {
            assert!(Instant::now() < deadline, "it does not come back");
            thread::sleep(Duration::from_millis(20));
        }
        world.send(&datagram(53, b"seen"), Reason::Flow);
        let said = end(capture);
        assert_eq!(world.comments("stopped").len(), 1);
        let missing = |line: &String| line.contains(" s are missing, while netctl was stopped");
        assert!(said.iter().any(missing), "{said:?}");
    });
}

#[test]
fn a_place_that_another_capture_took_is_not_taken_back() {
    in_world(|world| {
        let mut first = world.capture("web1 --direction from-guest", "first");
        first.signal(Signal::SIGSTOP);
        thread::sleep(FREE);
        let second = world.capture("db1 --direction to-guest", "second");
        first.signal(Signal::SIGCONT);
        let status = first.wait(SOON).unwrap();
        assert_eq!(status.code(), Some(2), "{:?}", first.said());
        let taken = first.wait_for_line(SOON, |line| line.contains("another capture took this one's place"));
        assert!(taken.is_some(), "{:?}", first.said());
        world.send(&datagram(53, b"for the second"), Reason::Rule);
        end(second);
        assert_eq!(world.comments("second").len(), 1);
        assert_eq!(world.comments("first").len(), 0);
    });
}

#[test]
fn a_capture_lives_through_changes_of_the_policy() {
    in_world(|world| {
        let mut capture = world.capture("web1 --direction from-guest --count 2", "changes");
        world.send(&datagram(99, b"denied"), Reason::Rule);
        let document = world.sandbox.netctl(["show"]).expect_code(0).stdout;
        world.lab.apply(&document.replace("{ deny = \"udp/99\"", "{ allow = \"udp/99\"")).unwrap();
        world.send(&datagram(99, b"allowed"), Reason::Rule);
        ended(&mut capture);
        let [before, after] = &world.comments("changes")[..] else { panic!("not two") };
        assert!(before.contains("verdict=deny") && before.contains("generation=1"), "{before}");
        assert!(after.contains("verdict=allow") && after.contains("generation=2"), "{after}");
        assert!(
            after.contains("text={ allow = \"udp/99\"") || after.contains("text={ allow = \\\"udp"),
            "{after}"
        );
    });
}
