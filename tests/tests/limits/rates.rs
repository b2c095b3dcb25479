//! Real ports that are offered more than their limit, by two threads at once: what passes in a time is the rate, within
//! 5 %, from 1 Mbit/s to what the machine gives. The burst is half a second's, so that a sender that waits for a CPU does
//! not show; and the time begins when the bucket is empty and something passes, and ends when something passes.

use std::time::{Duration, Instant};

use netctl_common::verdict::{Direction, Reason};
use netctl_tests::sandbox::Sandbox;

use crate::world::{Kind, Load, World, passed_and_limited, wait, while_sending};

const WITHIN: f64 = 0.05;
/// What a limit has to be offered, in its own terms, for a measurement to count; and how often that is tried.
const OFFERED: f64 = 1.5;
const ATTEMPTS: u32 = 6;
/// Frames, and time, over which a rate is taken.
const FRAMES: u64 = 40;
const LEAST: Duration = Duration::from_secs(2);
/// Of the fastest row: what most NICs have.
const LINE: u64 = 10_000_000_000;

/// What passed, and what was offered, per second.
#[derive(Debug)]
struct Measured {
    passed: f64,
    offered: f64,
}

fn measure(world: &World, port: &str, direction: Direction, reason: Reason) -> Measured {
    let now = || passed_and_limited(&world.counters(port, direction), reason);
    // Until the bucket is empty, and then until something passes.
    let before = now().1;
    wait(Duration::from_secs(30), "nothing is over the limit", || now().1 > before + 2);
    let next = |after: u64, what: &str| {
        let mut seen = (0, 0);
        let at = wait(Duration::from_secs(30), what, || {
            seen = now();
            seen.0 > after
        });
        (at, seen)
    };
    let (start, first) = next(now().0, "nothing passes");
    wait(Duration::from_secs(60), "too little passes", || {
        now().0 >= first.0 + FRAMES && start.elapsed() >= LEAST
    });
    let (end, last) = next(now().0, "nothing passes any more");
    let seconds = (end - start).as_secs_f64();
    let passed = (last.0 - first.0) as f64;
    Measured { passed: passed / seconds, offered: (passed + (last.1 - first.1) as f64) / seconds }
}

/// The keys of a port with one limit.
fn limited(direction: Direction, limit: &str, rate: u64, burst: u64) -> String {
    format!("limits = {{ {} = {{ {limit} = {{ rate = {rate}, burst = {burst} }} }} }}", direction.name())
}

struct Row {
    limit: &'static str,
    reason: Reason,
    rate: u64,
    load: Load,
    /// Of the limit's units in a frame.
    units: u64,
}

/// One row at both directions of a kind.
fn check(sandbox: &Sandbox, kind: Kind, row: &Row) {
    for (port, direction) in [("a", Direction::FromGuest), ("b", Direction::ToGuest)] {
        let burst = match row.limit {
            "bits" => (row.rate / 8 / 2).clamp(131_072, 4_000_000_000),
            _ => (row.rate / 2).max(64),
        };
        let keys = limited(direction, row.limit, row.rate, burst);
        let ports = if port == "a" { [keys.as_str(), ""] } else { ["", keys.as_str()] };
        let world = World::new(sandbox, &kind.document(ports));
        world.connect();
        // Three times the limit, by two senders that each wake up a thousand times a second.
        let (frames, pause) = match row.rate >= LINE || row.rate * 3 / row.units > 100_000 {
            true => (16, Duration::ZERO),
            false => ((row.rate * 3).div_ceil(row.units * 2 * 500) as usize, Duration::from_millis(1)),
        };
        let ratio = |per_second: f64| per_second * row.units as f64 / row.rate as f64;
        // A machine that had something else to do offered too little to show a limit.
        let mut measured = (0..ATTEMPTS).map(|_| {
            while_sending(&world.taps[0], &row.load, frames, pause, || {
                measure(&world, port, direction, row.reason)
            })
        });
        let measured = measured.find(|measured| ratio(measured.offered) >= OFFERED);
        let measured = measured.unwrap_or_else(|| panic!("{kind:?}: the machine offers too little"));
        let (rate, offered) = (measured.passed * row.units as f64, ratio(measured.offered));
        let off = ratio(measured.passed) - 1.0;
        println!(
            "{kind:?} {} {} {}: {rate:.0}/s, {:+.3} %, offered {offered:.1} x",
            direction.name(),
            row.limit,
            row.rate,
            100.0 * off
        );
        assert!(off.abs() <= WITHIN, "{kind:?} {} {} {}: {rate:.0}/s", direction.name(), row.limit, row.rate);
    }
}

/// Bits per second that two senders of segmented frames bring to a port without a limit, at the least.
fn line_rate(sandbox: &Sandbox, kind: Kind) -> u64 {
    let world = World::new(sandbox, &kind.document(["", ""]));
    world.connect();
    let load = Load::segments();
    let passed = || passed_and_limited(&world.counters("a", Direction::FromGuest), Reason::BitLimit).0;
    let rate = while_sending(&world.taps[0], &load, 16, Duration::ZERO, || {
        let (before, start) = (passed(), Instant::now());
        std::thread::sleep(Duration::from_secs(1));
        (passed() - before) as f64 / start.elapsed().as_secs_f64()
    });
    (rate * load.wire_bytes as f64 * 8.0) as u64
}

fn bits(rate: u64, load: Load) -> Row {
    let units = load.wire_bytes * 8;
    Row { limit: "bits", reason: Reason::BitLimit, rate, load, units }
}

fn rates(kind: Kind) {
    Sandbox::run(|sandbox| {
        kind.lay(sandbox);
        check(sandbox, kind, &bits(1_000_000, Load::datagram()));
        check(sandbox, kind, &bits(100_000_000, Load::datagram()));
        check(sandbox, kind, &bits(100_000_000, Load::segments()));
        check(sandbox, kind, &bits(1_000_000_000, Load::segments()));
        let line = line_rate(sandbox, kind);
        println!("{kind:?}: two senders bring {:.1} Gbit/s", line as f64 / 1e9);
        check(sandbox, kind, &bits((line / 4).clamp(2_000_000_000, LINE), Load::segments()));
        let (limit, reason) = ("packets", Reason::PacketLimit);
        let load = Load::segments();
        check(sandbox, kind, &Row { limit, reason, rate: 20_000, units: load.packets, load });
        let load = Load::datagram();
        check(sandbox, kind, &Row { limit, reason, rate: 5_000, units: load.packets, load });
    });
}

#[test]
fn a_tap_passes_its_limit_within_5_percent() {
    rates(Kind::Tap);
}

#[test]
fn a_macvtap_passes_its_limit_within_5_percent() {
    rates(Kind::Macvtap);
}
