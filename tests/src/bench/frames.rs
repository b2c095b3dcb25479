//! The rounds: every way and traffic once, in turn, again and again.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;

use super::Plan;
use super::pump::{Sample, pump};
use super::report::{Spread, median};
use super::traffic::{HEADER_LEN, Stream, Traffic, announcement, answer, denied, handshake};
use super::way::{Lane, Way};

/// Long enough for a frame to arrive that does arrive.
const ARRIVAL: Duration = Duration::from_secs(1);
/// Long enough to call a frame dropped.
const SILENCE: Duration = Duration::from_millis(50);

/// One row: a way and a traffic.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    pub way: Way,
    pub traffic: Traffic,
    /// Per delivered frame.
    pub nanos: Spread,
    /// Of `nanos` to those of [`super::way::Kind::bare`] in the same round; `None` where that was not measured.
    pub to_bare: Option<Spread>,
    /// In write(2) alone, which is the whole path to the other tap's queue.
    pub path_nanos: Spread,
    pub frames_delivered: u64,
    pub frames_lost: u64,
    /// Far below 1, the reader is the bottleneck, not the path.
    pub empty_reads_per_frame: f64,
}

struct Cell {
    lane: usize,
    traffic: Traffic,
    stream: Stream,
    samples: Vec<Sample>,
}

/// Sets up all ways of the plan, checks that each does its work, and measures.
///
/// # Errors
/// Like [`super::run`].
pub fn measure(plan: &Plan) -> Result<Vec<Row>> {
    let ways = Way::all(&plan.kinds, &plan.sizes);
    let mut lanes = Vec::new();
    for way in &ways {
        eprintln!("set up: {way}");
        let lane = way.set_up()?;
        prove(&lane).with_context(|| way.to_string())?;
        lanes.push(lane);
    }
    let mut cells = cells(&lanes);
    let start = Instant::now();
    for round in 0..plan.rounds {
        // Each round begins elsewhere, so that no way always comes after the same one.
        let begin = (round as usize * 7) % cells.len().max(1);
        for step in 0..cells.len() {
            let index = (begin + step) % cells.len();
            let cell = &mut cells[index];
            let lane = &lanes[cell.lane];
            let sample = measure_cell(lane, cell, plan.duration)
                .with_context(|| format!("{}, {}", lane.way, cell.traffic))?;
            cell.samples.push(sample);
        }
        eprintln!("round {} of {}: {:.0} s", round + 1, plan.rounds, start.elapsed().as_secs_f64());
    }
    Ok(cells.iter().map(|cell| row(cell, &lanes, &cells)).collect())
}

fn cells(lanes: &[Lane]) -> Vec<Cell> {
    let cell = |traffic: Traffic, (lane, at): (usize, &Lane)| Cell {
        lane,
        traffic,
        stream: Stream::new(traffic, &at.way.measured_rule()),
        samples: Vec::new(),
    };
    Traffic::ALL.into_iter().flat_map(|t| lanes.iter().enumerate().map(move |lane| cell(t, lane))).collect()
}

/// The kernel lets real-time threads have 95 % of a CPU; they give up more than the rest by themselves, so that it
/// does not take it from them in the middle of a measurement.
const BREATH: Duration = Duration::from_millis(20);

fn measure_cell(lane: &Lane, cell: &mut Cell, duration: Duration) -> Result<Sample> {
    // The bridge must not forget where B is, nor a stateful filter the established flow.
    lane.to.send(&answer(&lane.way.measured_rule()))?;
    lane.from.drain()?;
    thread::sleep(BREATH);
    pump([&lane.from, &lane.to], &mut cell.stream, cell.traffic.window(), duration)
}

fn row(cell: &Cell, lanes: &[Lane], all: &[Cell]) -> Row {
    let nanos = |cell: &Cell| cell.samples.iter().map(Sample::nanos_per_frame).collect::<Vec<_>>();
    let bare = lanes[cell.lane].way.kind.bare();
    let is_bare = |c: &&Cell| c.traffic == cell.traffic && lanes[c.lane].way.kind == bare;
    let ratios = all
        .iter()
        .find(is_bare)
        .map(|bare| nanos(cell).iter().zip(nanos(bare)).map(|(mine, bare)| mine / bare).collect::<Vec<_>>());
    let sum = |count: fn(&Sample) -> u64| cell.samples.iter().map(count).sum::<u64>();
    let idle = cell.samples.iter().map(|s| s.empty_reads as f64 / s.delivered as f64).collect::<Vec<_>>();
    Row {
        way: lanes[cell.lane].way,
        traffic: cell.traffic,
        nanos: Spread::of(&nanos(cell)),
        to_bare: ratios.map(|ratios| Spread::of(&ratios)),
        path_nanos: Spread::of(&cell.samples.iter().map(Sample::path_nanos).collect::<Vec<_>>()),
        frames_delivered: sum(|s| s.delivered),
        frames_lost: sum(|s| s.lost),
        empty_reads_per_frame: median(&idle),
    }
}

/// Opens the established flow, and shows that the way delivers each traffic unchanged and, if it filters, drops what
/// no rule allows: a filter that filters nothing would be fast.
fn prove(lane: &Lane) -> Result<()> {
    let rule = lane.way.measured_rule();
    let [syn, syn_ack, ack] = handshake(&rule);
    // So that a bridge knows where B is; it learns even from a frame that nftables drops.
    lane.to.send(&announcement(&rule))?;
    settle(lane, &syn)?;
    lane.to.send(&syn_ack)?;
    expect(lane, &ack, true)?;
    for traffic in Traffic::ALL {
        let mut stream = Stream::new(traffic, &rule);
        let bytes = stream.advance().to_vec();
        lane.from.send_raw(&bytes)?;
        let got = lane.to.recv_matching(ARRIVAL, |frame| *frame == bytes[HEADER_LEN..])?;
        ensure!(got.is_some(), "{traffic}: the frame does not arrive, or not as it was sent");
    }
    expect(lane, &denied(&rule), !lane.way.kind.filters())?;
    lane.from.drain()?;
    Ok(())
}

/// A tap takes frames a moment after its queue is opened: its queueing discipline waits for the carrier.
fn settle(lane: &Lane, syn: &[u8]) -> Result<()> {
    let deadline = Instant::now() + ARRIVAL;
    while Instant::now() < deadline {
        lane.from.send(syn)?;
        if lane.to.recv_matching(SILENCE, |frame| *frame == *syn)?.is_some() {
            return Ok(());
        }
    }
    bail!("a frame that the rules allow does not arrive")
}

fn expect(lane: &Lane, frame: &[u8], arrives: bool) -> Result<()> {
    lane.from.send(frame)?;
    let limit = if arrives { ARRIVAL } else { SILENCE };
    let got = lane.to.recv_matching(limit, |other| *other == *frame)?.is_some();
    ensure!(got || !arrives, "a frame that the rules allow does not arrive");
    ensure!(!got || arrives, "a frame that no rule allows arrives");
    Ok(())
}
