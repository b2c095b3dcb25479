//! `netctl capture`.

mod sink;

use std::io::Write;
use std::path::Path;

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Duration, Instant, interval, sleep_until};

use self::sink::Sink;
use super::block_on;
use crate::capture::clock::Clock;
use crate::capture::file::End;
use crate::cli::CaptureArgs;
use crate::error::{Error, Outcome};
use crate::kernel::capture::{Capture, Frame, Left, Wanted};
use crate::kernel::running::monotonic_now;
use crate::state::State;

/// Bytes of the ring between the programs and netctl: 250 of the largest frames.
const RING: u32 = 16 << 20;
/// Bytes of a frame of which only a line is shown: all headers that are parsed.
const HEADERS: u32 = 512;
/// Frames after which signals and timers are looked at.
const TURN: u64 = 64;
/// How often what was captured is written at least.
const FLUSH: Duration = Duration::from_secs(1);

pub(super) fn run(bpffs: &Path, args: &CaptureArgs, out: &mut impl Write) -> Result<Outcome, Error> {
    let state = State::read(bpffs)?;
    let ports = state.ports_named(args.place.port.as_deref())?;
    let wanted = Wanted {
        port: args.place.port.as_ref().and_then(|_| ports.first()).map(|port| port.entry.id),
        actions: args.verdict.bits(),
        directions: args.direction.bits(),
        snap: if args.write.is_some() { args.snap } else { args.snap.min(HEADERS) },
        rate: args.rate,
        ring: RING,
    };
    block_on(async {
        // First: a file that is there already is not written over for nothing.
        let capture = state.kernel.capture(wanted)?;
        let sink = Sink::open(args, &state, out)?;
        let (clock, began) = (Clock::now(), monotonic_now());
        let session = Session { bpffs, args, state, capture, sink, clock, began, frames: 0 };
        session.run().await
    })?
}

/// Why it is over.
enum Over {
    /// As long as was asked for, or interrupted: what came until then belongs to it.
    Time,
    Count,
    Size,
}

/// One capture.
struct Session<'a, W> {
    bpffs: &'a Path,
    args: &'a CaptureArgs,
    state: State,
    capture: Capture,
    sink: Sink<'a, W>,
    clock: Clock,
    /// `CLOCK_MONOTONIC`, nanoseconds.
    began: u64,
    frames: u64,
}

impl<W: Write> Session<'_, W> {
    async fn run(mut self) -> Result<Outcome, Error> {
        let mut over = self.follow().await?;
        if matches!(over, Over::Time) {
            over = self.rest(monotonic_now())?;
        }
        let left = self.capture.left()?;
        let [began, ended] = [self.began, monotonic_now()].map(|time| self.clock.since_epoch(time));
        drop(self.capture);
        let size = self.sink.end(&End { began, ended, left })?;
        report(self.args, &over, (self.frames, size), left);
        Ok(Outcome::Yes)
    }

    /// Takes frames until it is over.
    async fn follow(&mut self) -> Result<Over, Error> {
        let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Runtime)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(Error::Runtime)?;
        let mut second = interval(FLUSH);
        let deadline = self.args.duration.and_then(|duration| Instant::now().checked_add(duration));
        loop {
            tokio::select! {
                biased;
                _ = interrupt.recv() => return Ok(Over::Time),
                _ = terminate.recv() => return Ok(Over::Time),
                () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                    return Ok(Over::Time);
                }
                _ = second.tick() => {
                    self.capture.check()?;
                    self.clock.follow();
                    self.sink.flush()?;
                }
                frame = self.capture.next() => {
                    let frame = frame.map_err(Error::Runtime)?;
                    if let Some(over) = self.turn(&frame).await? {
                        return Ok(over);
                    }
                }
            }
        }
    }

    /// A frame, and those that are there already; signals and timers are not looked at meanwhile.
    async fn turn(&mut self, frame: &Frame) -> Result<Option<Over>, Error> {
        let mut over = self.take(frame)?;
        for _ in 1..TURN {
            if over.is_some() {
                return Ok(over);
            }
            let Some(frame) = self.capture.ready() else {
                self.sink.flush_to_who_waits()?;
                return Ok(None);
            };
            over = self.take(&frame)?;
        }
        tokio::task::yield_now().await;
        Ok(over)
    }

    /// What came until a moment, and is still in the ring.
    fn rest(&mut self, until: u64) -> Result<Over, Error> {
        while let Some(frame) = self.capture.ready().filter(|frame| frame.facts.time <= until) {
            if let Some(over) = self.take(&frame)? {
                return Ok(over);
            }
        }
        Ok(Over::Time)
    }

    fn take(&mut self, frame: &Frame) -> Result<Option<Over>, Error> {
        // A newer generation has other rules; its names are read once it shows itself.
        if frame.facts.generation > self.state.root.generation {
            self.state = State::read(self.bpffs)?;
        }
        let time = self.clock.since_epoch(frame.facts.time);
        if !self.sink.take(frame, (self.frames + 1, time), &self.state)? {
            return Ok(Some(Over::Size));
        }
        self.frames += 1;
        Ok(self.args.count.is_some_and(|count| self.frames >= count).then_some(Over::Count))
    }
}

/// What is there and what is not, in words.
fn report(args: &CaptureArgs, over: &Over, (frames, size): (u64, Option<u64>), left: Left) {
    let size = size.map_or_else(String::new, |size| format!(" in {size} bytes"));
    eprintln!("netctl: {frames} frames captured{size}");
    if matches!(over, Over::Size) {
        eprintln!("netctl: ended because of --size {}; with another, there is more", args.size);
    }
    let Left { over_rate, ring_full, stopped } = left;
    if over_rate > 0 {
        eprintln!("netctl: {over_rate} frames are missing: over --rate {}, 0 would be no limit", args.rate);
    }
    if ring_full > 0 {
        eprintln!("netctl: {ring_full} frames are missing: they came faster than they were read from here");
    }
    if stopped > 0 {
        eprintln!("netctl: frames of {:.1} s are missing, while netctl was stopped", stopped as f64 / 1e9);
    }
}
