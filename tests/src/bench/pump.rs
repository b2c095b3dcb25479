//! One measurement: a writer on CPU 0 puts frames into a tap, a reader on CPU 1 takes them out of another, and
//! time is divided by the frames that came out.
//!
//! tun runs the whole path to the other tap's queue inside the writer's write(2). A writer that never waited would
//! fill that queue and have the rest dropped, and the number would be the reader's. So the writer keeps a window:
//! it waits where too many frames are under way. Then no frame is lost, and the number is that of the slower of the
//! two threads. The time in write(2) is taken as well: it is the path's own cost, even where the reader is slower.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};

use super::cpu::claim;
use super::document::MACS;
use super::traffic::{HEADER_LEN, Stream};
use crate::tap::{MAX_FRAME, Tap};

/// No frame for so long means that those under way are lost.
const STALL: Duration = Duration::from_millis(5);

/// What one measurement saw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    pub delivered: u64,
    pub lost: u64,
    /// From the first write to the last frame's arrival.
    pub elapsed: Duration,
    /// The writer's time in write(2), without its waits.
    pub writing: Duration,
    /// Reads that found nothing. Far below one per frame, the reader is the slower one.
    pub empty_reads: u64,
}

impl Sample {
    /// Nanoseconds per delivered frame.
    pub fn nanos_per_frame(&self) -> f64 {
        self.elapsed.as_nanos() as f64 / self.delivered.max(1) as f64
    }

    /// Nanoseconds in write(2) per frame sent.
    pub fn path_nanos(&self) -> f64 {
        self.writing.as_nanos() as f64 / (self.delivered + self.lost).max(1) as f64
    }
}

/// What the writer did.
struct Written {
    sent: u64,
    elapsed: Duration,
    writing: Duration,
}

/// What writer and reader tell each other; each field on a cache line of its own.
#[derive(Default)]
struct Shared {
    delivered: Padded<AtomicU64>,
    stop: Padded<AtomicBool>,
}

#[derive(Default)]
#[repr(align(128))]
struct Padded<T>(T);

/// Sends frames of `stream` from `from` to `to` for `duration`, at most `window` under way.
///
/// # Errors
/// If a tap is gone, there is one CPU only, or nothing arrives.
pub fn pump([from, to]: [&Tap; 2], stream: &mut Stream, window: u64, duration: Duration) -> Result<Sample> {
    to.drain().context("cannot read from the second tap")?;
    let (shared, start) = (Shared::default(), Barrier::new(2));
    let (written, empty_reads) = thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let claimed = claim(1);
            start.wait();
            claimed.and_then(|()| read_until_stopped(to, &shared))
        });
        let writer = scope.spawn(|| {
            let claimed = claim(0);
            start.wait();
            let written = claimed.and_then(|()| Writer::new(from, &shared, window).run(stream, duration));
            shared.stop.0.store(true, Ordering::Relaxed);
            written
        });
        (writer.join(), reader.join())
    });
    let Written { sent, elapsed, writing } = written.map_err(|_| anyhow!("the writer panicked"))??;
    let empty_reads = empty_reads.map_err(|_| anyhow!("the reader panicked"))??;
    let delivered = shared.delivered.0.load(Ordering::Relaxed);
    ensure!(delivered > 0, "none of {sent} frames arrived");
    Ok(Sample { delivered, lost: sent.saturating_sub(delivered), elapsed, writing, empty_reads })
}

/// Counts the benchmark's frames; what the kernel itself sends (neighbor discovery) does not count.
fn read_until_stopped(to: &Tap, shared: &Shared) -> Result<u64> {
    let mut buffer = vec![0; MAX_FRAME];
    let (mut delivered, mut empty) = (0, 0);
    let source = HEADER_LEN + 6..HEADER_LEN + 12;
    while !shared.stop.0.load(Ordering::Relaxed) {
        match to.recv_raw(&mut buffer).context("cannot read from the second tap")? {
            Some(len) if len > source.end && buffer[source.clone()] == MACS[0] => {
                delivered += 1;
                shared.delivered.0.store(delivered, Ordering::Relaxed);
            }
            Some(_) => {}
            None => {
                empty += 1;
                std::hint::spin_loop();
            }
        }
    }
    Ok(empty)
}

struct Writer<'a> {
    from: &'a Tap,
    shared: &'a Shared,
    window: u64,
    sent: u64,
    given_up: u64,
}

impl<'a> Writer<'a> {
    fn new(from: &'a Tap, shared: &'a Shared, window: u64) -> Self {
        Self { from, shared, window, sent: 0, given_up: 0 }
    }

    fn run(mut self, stream: &mut Stream, duration: Duration) -> Result<Written> {
        // Asking the clock and the reader's count costs some ten nanoseconds: once per batch.
        let batch = (self.window / 4).min(16);
        let start = Instant::now();
        let (mut now, mut last_progress, mut writing) = (start, start, Duration::ZERO);
        while now - start < duration {
            let before = Instant::now();
            for _ in 0..batch {
                self.from.send_raw(stream.advance()).context("cannot write to the first tap")?;
            }
            now = Instant::now();
            writing += now - before;
            self.sent += batch;
            last_progress = self.wait_for_room(self.window - batch);
        }
        if self.under_way() > 0 {
            last_progress = self.wait_for_room(0);
        }
        Ok(Written { sent: self.sent, elapsed: last_progress - start, writing })
    }

    fn under_way(&self) -> u64 {
        self.sent.saturating_sub(self.given_up + self.shared.delivered.0.load(Ordering::Relaxed))
    }

    /// Waits until at most `room` frames are under way; when that was, or, where frames are lost, when the last
    /// one arrived.
    fn wait_for_room(&mut self, room: u64) -> Instant {
        let mut under_way = self.under_way();
        let mut last_progress = Instant::now();
        while under_way > room {
            std::hint::spin_loop();
            let now_under_way = self.under_way();
            if now_under_way < under_way {
                (under_way, last_progress) = (now_under_way, Instant::now());
            } else if last_progress.elapsed() > STALL {
                self.given_up += under_way;
                break;
            }
        }
        last_progress
    }
}
