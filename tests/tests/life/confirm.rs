//! `apply --confirm`: what happens when someone says that it is good, when nobody does, and when nobody can.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use netctl_tests::process::Running;
use netctl_tests::sandbox::Sandbox;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::SOON;
use super::traffic::{RULE, is_whole};
use super::world::{KINDS, World, port, write};

/// One document runs, and another that has another port is at hand.
fn with_two(test: impl Fn(&World<'_>, &[String; 2]) + Send + Sync) {
    Sandbox::run(|sandbox| {
        let world = World::new(sandbox, KINDS[0]);
        let one = world.document(&port("old", "web", 0x31), &[RULE]);
        let other = world.document(&port("new", "web", 0x32), &[RULE]);
        world.apply(&one);
        test(&world, &[one, other]);
    });
}

/// Returns when the document runs and waits for its confirmation.
fn pending(world: &World<'_>, document: &str, limit: &str) -> Running {
    let pending = world.start(&format!("apply {} --confirm {limit}", write(document)));
    let said = pending.wait_for_line(SOON, |line| line.contains("comes back in"));
    assert!(said.is_some(), "{:?}", pending.said());
    pending
}

fn runs(world: &World<'_>) -> String {
    world.netctl("show").expect_code(0).stdout
}

/// The process that waits, below the one that was typed.
fn waiter(typed: &Running) -> Pid {
    let pid = typed.pid();
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    Pid::from_raw(children.trim().parse().unwrap())
}

#[track_caller]
fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + SOON;
    while !is_so() {
        assert!(Instant::now() < deadline, "not within {SOON:?}: {what}");
        sleep(Duration::from_millis(50));
    }
}

#[test]
fn what_nobody_confirms_goes_again_and_what_was_removed_is_back() {
    with_two(|world, [one, other]| {
        let before = world.traces();
        let (web1, db1) = (world.tap("web1"), world.tap("db1"));
        let mut typed = pending(world, other, "4s");
        assert_eq!(runs(world), *other);
        assert!(!fs::exists("/sys/class/net/old").unwrap() && fs::exists("/sys/class/net/new").unwrap());
        for line in ["show", "port list"] {
            let said = world.netctl(line).expect_code(0).stderr;
            assert!(said.contains("this is not confirmed") && said.contains("netctl confirm"), "{said}");
        }
        for line in [&*format!("apply {}", write(one)), "port remove new", "upgrade"] {
            let refused = world.netctl(line).expect_code(2);
            assert!(refused.stderr.contains("netctl confirm"), "{refused}");
        }
        let status = typed.wait(SOON).unwrap();
        assert_eq!(status.code(), Some(1), "{:?}", typed.said());
        assert_eq!(runs(world), *one);
        is_whole(&web1, &db1, SOON).unwrap();
        drop((web1, db1));
        assert_eq!(world.traces(), before);
        assert!(!world.netctl("show").stderr.contains("confirm"));
        world.netctl("confirm").expect_code(1);
    });
}

#[test]
fn what_is_confirmed_stays() {
    with_two(|world, [one, other]| {
        let mut typed = pending(world, other, "60s");
        world.netctl("confirm").expect_code(0);
        assert_eq!(typed.wait(SOON).unwrap().code(), Some(0), "{:?}", typed.said());
        assert_eq!(runs(world), *other);
        world.apply(one);
    });
}

#[test]
fn it_is_reverted_also_when_the_connection_and_the_command_are_gone() {
    for signal in [Signal::SIGHUP, Signal::SIGTERM, Signal::SIGKILL] {
        with_two(|world, [one, other]| {
            let mut typed = pending(world, other, "3s");
            typed.signal(signal);
            assert!(typed.wait(SOON).is_some_and(|status| !status.success()));
            assert_eq!(runs(world), *other, "{signal}");
            wait_until("reverted", || runs(world) == *one);
        });
    }
}

#[test]
fn the_process_that_waits_ignores_a_hangup_and_reverts_at_once_when_it_is_told_to_end() {
    with_two(|world, [one, other]| {
        let mut typed = pending(world, other, "600s");
        let waiter = waiter(&typed);
        kill(waiter, Signal::SIGHUP).unwrap();
        assert_eq!(typed.wait(Duration::from_millis(500)), None);
        assert_eq!(runs(world), *other);
        kill(waiter, Signal::SIGTERM).unwrap();
        assert_eq!(typed.wait(SOON).unwrap().code(), Some(1));
        assert_eq!(runs(world), *one);
    });
}

#[test]
fn if_the_process_that_waits_is_killed_what_runs_stays_whole() {
    with_two(|world, [one, other]| {
        let mut typed = pending(world, other, "2s");
        kill(waiter(&typed), Signal::SIGKILL).unwrap();
        assert_eq!(typed.wait(SOON).unwrap().code(), Some(2), "{:?}", typed.said());
        sleep(Duration::from_millis(2500));
        let shown = world.netctl("show").expect_code(0);
        assert_eq!(shown.stdout, *other);
        assert!(shown.stderr.contains("was killed"), "{shown}");
        let (web1, db1) = (world.tap("web1"), world.tap("db1"));
        is_whole(&web1, &db1, SOON).unwrap();
        let next = world.apply(one);
        assert!(next.stderr.contains("was killed"), "{next}");
        assert!(!world.netctl("show").stderr.contains("killed"));
    });
}

#[test]
fn where_nothing_ran_nothing_is_left() {
    Sandbox::run(|sandbox| {
        let world = World::new(sandbox, KINDS[0]);
        let before = world.traces();
        let mut typed = pending(&world, &world.document("", &[RULE]), "1s");
        assert_eq!(typed.wait(SOON).unwrap().code(), Some(1), "{:?}", typed.said());
        assert_eq!(world.traces(), before);
    });
}

#[test]
fn down_ends_it_and_a_document_that_cannot_be_applied_waits_for_nothing() {
    with_two(|world, [one, other]| {
        let mut typed = pending(world, other, "60s");
        world.netctl("down").expect_code(0);
        assert_eq!(typed.wait(SOON).unwrap().code(), Some(0), "{:?}", typed.said());
        world.apply(one);
        let bad = one
            .replace("kind = \"bridge\"", "kind = \"macvlan\"\nuplinks = [\"none0\"]")
            .replace("mtu = 1500\n", "");
        world.netctl(&format!("apply {} --confirm 60s", write(&bad))).expect_code(2);
        assert_eq!(runs(world), *one);
        let dry = world.netctl(&format!("apply {} --confirm 60s --dry-run", write(other))).expect_code(0);
        assert!(dry.stdout.contains("+ tap new"), "{dry}");
        for wrong in ["0s", "x", "25h", ""] {
            world.netctl(&format!("apply {} --confirm={wrong}", write(other))).expect_code(2);
        }
        assert_eq!(runs(world), *one);
    });
}
