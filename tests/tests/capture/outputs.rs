//! Pipes, terminals and lines of text.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::world::{SOON, World, datagram, end, in_world, path};

fn shell(world: &World<'_>, line: &str) -> Command {
    let mut command = Command::new("bash");
    let netctl = netctl_tests::cli::binary().unwrap();
    command.args(["-c", &line.replace("netctl", &netctl.display().to_string())]).env("HOME", "/run");
    world.sandbox.assert_inside();
    command
}

#[test]
fn a_pipe_shows_frames_as_they_come() {
    in_world(|world| {
        let line =
            "netctl capture web1 --direction from-guest -w - | tshark -n -l -r - -T fields -e udp.dstport";
        let running = world.sandbox.start(shell(world, line)).unwrap();
        let deadline = Instant::now() + SOON;
        while !running.said().iter().any(|line| line == "53") {
            assert!(Instant::now() < deadline, "{:?}", running.said());
            world.web1.send(&datagram(53, b"again")).unwrap();
            thread::sleep(Duration::from_millis(50));
        }
    });
}

#[test]
fn it_ends_quietly_when_nobody_reads() {
    in_world(|world| {
        // Without a frame that could not be written.
        let line = "netctl capture db1 --direction from-guest --verdict reject -w - | head -c 4 > /dev/null; echo ${PIPESTATUS[0]}";
        let done = world.sandbox.finish(shell(world, line)).unwrap().expect_code(0);
        assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("0\n", ""), "{done}");
        let lines = "netctl capture web1 --duration 20s | head -n 1";
        let running = world.sandbox.start(shell(world, lines)).unwrap();
        let deadline = Instant::now() + SOON;
        while running.said().is_empty() {
            assert!(Instant::now() < deadline);
            world.web1.send(&datagram(53, b"again")).unwrap();
            thread::sleep(Duration::from_millis(50));
        }
    });
}

#[test]
fn lines_and_json_say_the_same_as_events() {
    in_world(|world| {
        let capture = |words: &[&str]| {
            let all = ["capture", "web1", "--direction", "from-guest", "--count", "2"];
            world.sandbox.start_netctl(all.iter().chain(words))
        };
        let (text, json) = (capture(&[]), capture(&["--json"]));
        let deadline = Instant::now() + SOON;
        while text.said().len() < 3 || json.said().len() < 3 {
            assert!(Instant::now() < deadline, "{:?} {:?}", text.said(), json.said());
            world.web1.send(&datagram(99, b"?")).unwrap();
            thread::sleep(Duration::from_millis(50));
        }
        let line = &text.said()[0];
        let event: Value = serde_json::from_str(&json.said()[0]).unwrap();
        let told: Value = serde_json::from_str(
            world.sandbox.netctl(["events", "--json", "--last", "1"]).expect_code(0).stdout.trim(),
        )
        .unwrap();
        for key in ["kind", "port", "direction", "action", "reason", "rule", "source", "service", "length"] {
            assert_eq!(event[key], told[key], "{key}");
        }
        let rest = "  deny   from-guest web1         10.0.0.11 > 10.0.0.21  udp/99  rule  rule 2 (line 14): { deny = \"udp/99\", from = \"web1\", to = \"db1\" },";
        assert!(line.ends_with(rest), "{line}");
        assert!(text.said().contains(&"netctl: 2 frames captured".to_owned()), "{:?}", text.said());
    });
}

#[test]
fn what_cannot_be_captured_changes_nothing() {
    in_world(|world| {
        let say = |line: &str| world.sandbox.finish(shell(world, line)).unwrap().expect_code(2).stderr;
        fs::write(path("kept"), "mine").unwrap();
        let nearest = say(&format!("netctl capture web2 -w {}", path("kept")));
        assert!(nearest.contains("did you mean `web1`?"), "{nearest}");
        assert_eq!(fs::read_to_string(path("kept")).unwrap(), "mine");
        let folder = say("netctl capture web1 -w /run/capture/nowhere/file");
        assert!(folder.contains("cannot write /run/capture/nowhere/file"), "{folder}");
        let full = say("netctl capture web1 -w /dev/full");
        assert!(full.contains("cannot write /dev/full: No space left"), "{full}");
        let terminal = "script -qec 'netctl capture web1 -w -' /dev/null; exit 2";
        let said = world.sandbox.finish(shell(world, terminal)).unwrap();
        assert!(said.stdout.contains("standard output is a terminal"), "{said}");
        for (words, hint) in
            [("", "<PORT|--all>"), ("web1 --size 1x", "100M"), ("web1 --verdict denied", "deny")]
        {
            let said = say(&format!("netctl capture {words}"));
            assert!(said.contains(hint), "{said}");
        }
    });
}

#[test]
fn only_the_owner_can_read_the_file() {
    in_world(|world| {
        end(world.capture("web1", "private"));
        assert_eq!(fs::metadata(path("private")).unwrap().permissions().mode() & 0o777, 0o600);
    });
}
