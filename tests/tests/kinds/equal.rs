//! The table on each kind, with the same verdicts, reasons and receivers. What differs is told for all rows at once.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use netctl_tests::lab::{Counters, Lab};
use netctl_tests::tap::Tap;

use super::SOON;
use super::kind::{self, BRIDGE, DB1, Host, Kind, MACVLAN, PASSTHROUGH, VEPA, WEB1, WORLD};
use super::row::{Row, Step};
use super::table;

#[test]
fn the_table_holds_on_a_bridge() {
    holds(&BRIDGE);
}

#[test]
fn the_table_holds_on_a_macvlan() {
    holds(&MACVLAN);
}

#[test]
fn the_table_holds_on_passthrough() {
    holds(&PASSTHROUGH);
}

#[test]
fn the_table_holds_on_a_vepa_whose_switch_reflects() {
    holds(&VEPA);
}

/// Rows after which the counters are read; it takes a process to read them.
const BATCH: usize = 8;

/// Differences that are told; what does not arrive is waited for, each time.
const ENOUGH: usize = 8;

fn holds(kind: &Kind) {
    kind::without_guests(kind, table::RULES, |host| {
        let mut judge = Judge::new(host);
        for step in table::steps() {
            if judge.wrong.len() >= ENOUGH {
                break;
            }
            match step {
                Step::Frame(row) => judge.take(row),
                Step::Apply(rules) => {
                    judge.count();
                    host.lab.apply(&kind.document(rules)).unwrap();
                    judge.before = rows(&host.lab.counters().unwrap());
                }
            }
        }
        judge.count();
        let wrong = judge.wrong;
        assert!(wrong.is_empty(), "{} differs in {}:\n{}", kind.name, wrong.len(), wrong.join("\n"));
    });
}

/// Frames by `PORT DIRECTION REASON`.
type Counts = BTreeMap<String, u64>;

struct Judge<'h> {
    lab: &'h Lab<'h>,
    guests: [(&'static str, Tap); 2],
    world: &'h Tap,
    /// Sent since the counters were read.
    batch: Vec<Row>,
    before: Counts,
    wrong: Vec<String>,
}

impl<'h> Judge<'h> {
    fn new(host: &'h Host<'_>) -> Self {
        let guests = [WEB1, DB1].map(|guest| (guest.name, host.lab.tap(guest.name).unwrap()));
        let before = rows(&host.lab.counters().unwrap());
        Self { lab: &host.lab, guests, world: &host.world, batch: Vec::new(), before, wrong: Vec::new() }
    }

    fn tap(&self, station: &str) -> &Tap {
        let guest = self.guests.iter().find(|(name, _)| *name == station);
        guest.map_or(self.world, |(_, tap)| tap)
    }

    /// Sends a row's frame, and waits for it where it shall arrive.
    fn take(&mut self, row: Row) {
        self.tap(row.from).send(&row.frame).unwrap_or_else(|e| panic!("{}: not sent: {e}", row.name));
        for station in &row.seen_by {
            // The switch may flood to the world what a guest gets alone; a guest gets what is for it and nothing else.
            let wanted = |frame: &[u8]| *station != WORLD.name || frame == row.frame;
            let got = self.tap(station).recv_matching(SOON, wanted).unwrap();
            if got.as_ref() != Some(&row.frame) {
                self.wrong.push(format!("{}: {station} gets {}", row.name, text(got.as_deref())));
            }
        }
        self.batch.push(row);
        if self.batch.len() == BATCH {
            self.count();
        }
    }

    /// Compares what has been counted and received since the last call with what was to be.
    fn count(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        let mut wanted = Counts::new();
        for (port, direction, reason) in batch.iter().flat_map(|row| &row.counts) {
            *wanted.entry(key(port, direction.name(), reason.name())).or_default() += 1;
        }
        let counted = self.counted(&wanted);
        let names: Vec<_> = batch.iter().map(|row| row.name.as_str()).collect();
        if counted != wanted {
            self.wrong.push(format!("{names:?}:\n  counted {counted:?}\n  not     {wanted:?}"));
        }
        for (guest, tap) in &self.guests {
            // What is counted as denied is not on its way any more.
            while let Some((_, frame)) = tap.try_recv().unwrap() {
                self.wrong.push(format!("{names:?}: {guest} gets {}, too", text(Some(&frame))));
            }
        }
    }

    /// What has been counted since the last call, when it is as much as is wanted or does not become so.
    fn counted(&mut self, wanted: &Counts) -> Counts {
        let deadline = Instant::now() + SOON;
        loop {
            let now = rows(&self.lab.counters().unwrap());
            let news = since(&now, &self.before);
            if news.values().sum::<u64>() >= wanted.values().sum() || Instant::now() >= deadline {
                self.before = now;
                return news;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// The headers of a frame, in hexadecimal.
fn text(frame: Option<&[u8]>) -> String {
    let head = |frame: &[u8]| frame.iter().take(64).map(|byte| format!("{byte:02x}")).collect::<String>();
    frame.map_or_else(|| "nothing".to_owned(), head)
}

fn rows(counters: &Counters) -> Counts {
    let rows = counters.ports.iter().map(|row| (key(&row.port, &row.direction, &row.reason), row.packets));
    rows.collect()
}

fn since(now: &Counts, before: &Counts) -> Counts {
    let news = now.iter().map(|(key, packets)| (key, packets - before.get(key).unwrap_or(&0)));
    news.filter(|(_, packets)| *packets > 0).map(|(key, packets)| (key.clone(), packets)).collect()
}

fn key(port: &str, direction: &str, reason: &str) -> String {
    format!("{port} {direction} {reason}")
}
