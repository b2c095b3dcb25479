//! What was measured, as values: the rows that `bench.json` holds and that the table and the plot are made of.

use serde::Serialize;

use super::Plan;
use super::changes::{Change, ChangeRow};
use super::frames::Row;
use super::machine::Machine;
use super::targets::{Target, targets};
use super::traffic::Traffic;
use super::way::Kind;

/// Everything.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub machine: Machine,
    pub rounds: u32,
    pub round_millis: u64,
    pub frames: Vec<Row>,
    pub changes: Vec<ChangeRow>,
    pub targets: Vec<Target>,
}

impl Report {
    pub fn new(machine: Machine, plan: &Plan, frames: Vec<Row>, changes: Vec<ChangeRow>) -> Self {
        let round_millis = plan.duration.as_millis() as u64;
        let mut report =
            Self { machine, rounds: plan.rounds, round_millis, frames, changes, targets: Vec::new() };
        report.targets = targets(&report);
        report
    }

    pub fn row(&self, kind: Kind, rules: u32, traffic: Traffic) -> Option<&Row> {
        let is = |row: &&Row| row.way.kind == kind && row.way.rules == rules && row.traffic == traffic;
        self.frames.iter().find(is)
    }

    pub fn change(&self, kind: Kind, rules: u32, change: Change) -> Option<&ChangeRow> {
        self.changes.iter().find(|row| row.kind == kind && row.rules == rules && row.change == change)
    }
}

/// Of some measurements of the same thing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

impl Spread {
    /// All zero for none.
    pub fn of(values: &[f64]) -> Self {
        let min = values.iter().copied().reduce(f64::min).unwrap_or(0.0);
        let max = values.iter().copied().reduce(f64::max).unwrap_or(0.0);
        Self { median: median(values), min, max }
    }
}

/// The middle one, or between the two middle ones; 0 for none.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        n if n % 2 == 1 => sorted[n / 2],
        n => (sorted[n / 2 - 1] + sorted[n / 2]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_median_least_and_greatest() {
        assert_eq!(Spread::of(&[3.0, 1.0, 8.0]), Spread { median: 3.0, min: 1.0, max: 8.0 });
        assert_eq!(Spread::of(&[3.0, 1.0]), Spread { median: 2.0, min: 1.0, max: 3.0 });
        assert_eq!(Spread::of(&[]), Spread { median: 0.0, min: 0.0, max: 0.0 });
    }
}
