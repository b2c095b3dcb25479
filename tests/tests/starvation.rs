//! One guest floods as fast as the machine lets it: new flows, broadcast, frames with others' addresses, connections that
//! are denied. Two others keep their connections, open new ones, and get their share of the CPU.
//!
//! The share is measured against a competitor that only computes: the guests' own frames run in one thread, and beside it, on
//! the same CPU and with the same priority, runs either the flood or a loop that touches nothing. By turns, many times.
#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "starvation/flood.rs"]
mod flood;
#[path = "starvation/server.rs"]
mod server;
#[path = "starvation/victims.rs"]
mod victims;

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use netctl_common::verdict::{Direction, Reason};
use netctl_tests::sandbox::Sandbox;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

use flood::Flood;
use victims::{Kind, LIMITS, World};

/// Of the share beside a competitor that only computes.
const SHARE: f64 = 0.9;
const ROUNDS: usize = 15;
const ROUND: Duration = Duration::from_millis(300);

/// What runs beside the guests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beside {
    Computing,
    Flooding,
}

fn bind_to_first_cpu() {
    let mut cpus = CpuSet::new();
    cpus.set(0).unwrap();
    sched_setaffinity(Pid::from_raw(0), &cpus).unwrap();
}

/// Frames that the guests exchanged in one round, per second.
fn round(world: &World, flood: &Flood, beside: Beside) -> f64 {
    let (stop, start) = (AtomicBool::new(false), Barrier::new(2));
    thread::scope(|scope| {
        scope.spawn(|| {
            bind_to_first_cpu();
            start.wait();
            let mut flood = flood.clone();
            while !stop.load(Ordering::Relaxed) {
                match beside {
                    Beside::Flooding => flood.send(&world.flooder),
                    Beside::Computing => (0..1000).for_each(|_| std::hint::spin_loop()),
                }
            }
        });
        let guests = scope.spawn(|| {
            bind_to_first_cpu();
            start.wait();
            let (begin, mut frames) = (Instant::now(), 0);
            while begin.elapsed() < ROUND {
                frames += world.exchange();
            }
            f64::from(frames) / begin.elapsed().as_secs_f64()
        });
        let rate = guests.join();
        stop.store(true, Ordering::Relaxed);
        rate.unwrap()
    })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Medians of what the guests got beside the flood, and of its ratio to what they got beside a computation.
fn share(world: &World, flood: &Flood) -> (f64, f64) {
    let (mut rates, mut ratios) = (Vec::new(), Vec::new());
    for number in 0..ROUNDS {
        let order = [Beside::Computing, Beside::Flooding];
        let mut found = [0.0; 2];
        for turn in 0..2 {
            let which = (number + turn) % 2;
            found[which] = round(world, flood, order[which]);
            world.drain();
        }
        rates.push(found[1]);
        ratios.push(found[1] / found[0]);
    }
    (median(rates), median(ratios))
}

/// The flood on one CPU, and `work` meanwhile.
fn while_flooding<T>(world: &World, flood: &Flood, work: impl FnOnce() -> T) -> (T, u64) {
    let (stop, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut flood = flood.clone();
            while !stop.load(Ordering::Relaxed) {
                flood.send(&world.flooder);
                sent.fetch_add(1, Ordering::Relaxed);
            }
        });
        let end = End(&stop);
        let result = work();
        drop(end);
        (result, sent.load(Ordering::Relaxed))
    })
}

/// Also if `work` panics, or the flood would go on for ever.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// New connections of the others: with those that they have, fewer than what one guest may settle at a server
/// (netctl-common/src/flow/quota.rs), or the silent ones would give way to their own.
const MOST_OPENED: u16 = 1000;

fn connections(kind: Kind) {
    Sandbox::run(|sandbox| {
        let world = World::new(sandbox, kind, LIMITS);
        let flood = Flood::new();
        world.open_connections();
        let before = world.denied_to_victims();
        let flooded = |reason| world.count("flooder", Direction::FromGuest, reason);
        let ((), rounds) = while_flooding(&world, &flood, || {
            let begin = Instant::now();
            let mut opened = 0;
            while begin.elapsed() < Duration::from_secs(4) {
                world.use_connections();
                if opened < MOST_OPENED {
                    world.open_another(opened);
                    opened += 1;
                }
            }
            println!("{kind:?}: {opened} connections opened in the flood");
            assert!(opened > 20, "{kind:?}: {opened} connections in 4 seconds");
        });
        for reason in [
            Reason::Rule,
            Reason::FlowLimit,
            Reason::BroadcastLimit,
            Reason::SpoofedMac,
            Reason::SpoofedIpv4,
            Reason::SpoofedArp,
        ] {
            println!("{kind:?}: {} {}", flooded(reason), reason.name());
            assert!(
                flooded(reason) > 500,
                "{kind:?}: only {} {} in {rounds}",
                flooded(reason),
                reason.name()
            );
        }
        assert_eq!(world.denied_to_victims(), before, "{kind:?}: frames of the others were denied");
        world.assert_connections_are_there();
        world.use_idle_connections();
    });
}

#[test]
fn connections_of_others_outlive_a_flood_at_taps() {
    connections(Kind::Tap);
}

#[test]
fn connections_of_others_outlive_a_flood_at_macvtaps() {
    connections(Kind::Macvtap);
}

fn shares(kind: Kind) {
    Sandbox::run(|sandbox| {
        let flood = Flood::new();
        for (name, limits) in [
            ("without limits", ""),
            ("with a limit on broadcast", "from-guest = { broadcast = 50 }"),
            ("with limits", LIMITS),
        ] {
            let world = World::new(sandbox, kind, limits);
            world.open_connections();
            let (rate, ratio) = share(&world, &flood);
            println!("{kind:?} {name}: {:.0} frames/s beside the flood, {ratio:.3} of the share", rate);
            assert!(limits != LIMITS || ratio >= SHARE, "{kind:?}: {ratio:.3} of the share");
        }
    });
}

#[test]
fn others_keep_their_share_of_the_cpu_at_taps() {
    shares(Kind::Tap);
}

#[test]
fn others_keep_their_share_of_the_cpu_at_macvtaps() {
    shares(Kind::Macvtap);
}
