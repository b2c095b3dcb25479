//! What ends a capture, and what it leaves out: all of it is counted.

use std::fs;
use std::time::{Duration, Instant};

use netctl_common::verdict::Direction::FromGuest;
use netctl_common::verdict::Reason;

use crate::world::{World, datagram, end, ended, in_world, path};

#[test]
fn it_ends_by_count_time_and_size() {
    in_world(|world| {
        let mut counted = world.capture("web1 --direction from-guest --count 2", "count");
        let mut small = world.capture("web1 --direction from-guest --size 4K", "size");
        let begun = Instant::now();
        let mut timed = world.capture("web1 --direction from-guest --duration 2s", "time");
        world.send(&datagram(53, &[0; 1000]), Reason::Rule);
        for _ in 0..3 {
            world.send(&datagram(53, &[0; 1000]), Reason::Flow);
        }
        ended(&mut counted);
        let said = ended(&mut small);
        ended(&mut timed);
        assert!(begun.elapsed() >= Duration::from_secs(2));
        assert!(said.iter().any(|line| line.contains("ended because of --size 4000")), "{said:?}");
        assert!(fs::metadata(path("size")).unwrap().len() <= 4000);
        let lengths = ["count", "size", "time"].map(|file| world.comments(file).len());
        assert_eq!(lengths, [2, 2, 4]);
    });
}

#[test]
fn what_is_over_the_rate_is_left_out_and_counted() {
    in_world(|world| {
        let capture = world.capture("web1 --direction from-guest --rate 1", "rate");
        flood(world, 200);
        let said = end(capture);
        let captured = world.comments("rate").len() as u64;
        assert!((1..200).contains(&captured), "{captured} of 200");
        assert_eq!(missing(&said, "over --rate 1"), 200 - captured, "{said:?}");
        assert_eq!(statistics(world, "rate"), Some(200 - captured));
    });
}

#[test]
fn what_a_full_ring_leaves_out_is_counted() {
    in_world(|world| {
        let capture = world.capture("web1 --direction from-guest --rate 0", "full");
        // Its ring has 16 MiB, and each frame takes a record of 9 KiB.
        capture.signal(nix::sys::signal::Signal::SIGSTOP);
        flood(world, 2500);
        capture.signal(nix::sys::signal::Signal::SIGCONT);
        let said = end(capture);
        let captured = world.comments("full").len() as u64;
        assert!((1000..2400).contains(&captured), "{captured} of 2500: {said:?}");
        assert_eq!(missing(&said, "they came faster"), 2500 - captured, "{said:?}");
        assert_eq!(statistics(world, "full"), Some(2500 - captured));
    });
}

/// Frames of 2000 bytes from `web1`, which all are seen when this returns.
fn flood(world: &World<'_>, count: u64) {
    let frame = datagram(99, &[0; 2000]);
    for _ in 0..count {
        world.web1.send(&frame).unwrap();
    }
    world.lab.wait_stats(("web1", FromGuest, Reason::Rule), count).unwrap();
}

fn missing(said: &[String], why: &str) -> u64 {
    let line = said.iter().find(|line| line.contains("frames are missing") && line.contains(why));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
}

/// The frames that the file itself says are missing.
fn statistics(world: &World<'_>, file: &str) -> Option<u64> {
    let mut capinfos = std::process::Command::new("capinfos");
    capinfos.args(["-I", &path(file)]);
    drop(world.sandbox.finish(capinfos).unwrap().expect_code(0));
    // isb_osdrop (7), of 8 bytes, in the last block.
    let bytes = fs::read(path(file)).unwrap();
    let tail = bytes.get(bytes.len().checked_sub(200)?..)?;
    let at = tail.windows(4).position(|window| window == [7, 0, 8, 0])?;
    Some(u64::from_le_bytes(tail.get(at + 4..at + 12)?.try_into().ok()?))
}
