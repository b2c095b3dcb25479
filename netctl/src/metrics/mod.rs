//! What runs, as metrics: for Prometheus, and for whoever else reads OpenMetrics. docs/metrics.md lists them.
//!
//! [`Gatherer`] reads the running generation and makes [`family`] values of it, [`text`] writes them, [`serve`] hands them to
//! scrapers. Names follow Prometheus' conventions: base units, `_total` behind counters, `_info` behind facts in words.

pub mod family;
mod policy;
mod ports;
mod rules;
pub mod serve;
mod tables;
pub mod text;

use std::path::Path;
use std::time::Instant;

use self::family::{Family, Kind, Value};
use self::policy::LastChange;
pub use self::tables::FlowTable;
use crate::error::Error;
use crate::state::State;

/// Rules that have series of their own unless it is told otherwise.
pub const RULES: usize = 1000;

/// Reads the metrics, again and again.
#[derive(Debug)]
pub struct Gatherer {
    /// Rules, from the first, that have series of their own; the others are summed up.
    rules: usize,
    last_change: LastChange,
}

impl Gatherer {
    pub fn new(rules: usize) -> Self {
        Self { rules, last_change: LastChange::default() }
    }

    /// All families, each also where it has no samples.
    ///
    /// # Errors
    /// Nothing runs, or it cannot be read.
    pub fn gather(&mut self, bpffs: &Path) -> Result<Vec<Family>, Error> {
        let begun = Instant::now();
        let state = State::read(bpffs)?;
        let mut families = policy::families(&state, &mut self.last_change)?;
        families.extend(ports::families(&state)?);
        families.extend(rules::families(&state, self.rules)?);
        families.extend(tables::families(&state)?);
        let took = Family::new(
            Kind::Gauge,
            "netctl_gather_duration_seconds",
            "Time that reading these metrics from the kernel took.",
        );
        families.push(took.with_unit("seconds").with(vec![], Value::Real(begun.elapsed().as_secs_f64())));
        Ok(families)
    }
}
