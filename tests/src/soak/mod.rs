//! A host that is changed at random for minutes, with frames between its guests after each change: every verdict is compared with
//! the same code in user space, and at the end nothing is left of it.

mod host;
mod leaks;
mod model;
mod verdicts;

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::policies::Random;
use crate::sandbox::Sandbox;
use host::Host;
use leaks::Leaks;
use model::{Change, Model};
use verdicts::Counts;

/// What was done, and what was found.
#[derive(Debug)]
pub struct Report {
    pub seed: u64,
    pub elapsed: Duration,
    pub changes: BTreeMap<&'static str, u64>,
    pub counts: Counts,
    /// Of the whole machine, as far as the kernel's objects go.
    pub before: Leaks,
    pub after: Leaks,
    /// What was not there before and belongs to no other process.
    pub left: Leaks,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { allowed, denied, answers } = self.counts;
        let changes: u64 = self.changes.values().sum();
        writeln!(
            f,
            "seed {}: {changes} changes in {:.0} s: {:?}",
            self.seed,
            self.elapsed.as_secs_f64(),
            self.changes
        )?;
        writeln!(
            f,
            "{allowed} frames allowed, {denied} denied, {answers} answers by flow: all as in user space"
        )?;
        writeln!(f, "before: {}", self.before)?;
        writeln!(f, "after:  {}", self.after)?;
        write!(f, "left:   {}", self.left)
    }
}

/// Changes a host at random for `duration`, in a world of its own. The same seed makes the same changes; how many of them
/// there is time for differs.
///
/// # Errors
/// With the seed and the number of the change, if a verdict is wrong, a command fails or something is left.
pub fn run(seed: u64, duration: Duration) -> Result<Report> {
    Sandbox::run(|sandbox| {
        // Everything is loaded and allocated once before it is counted.
        soak(sandbox, seed ^ 1, Duration::from_secs(1))?;
        let before = Leaks::now()?;
        let started = Instant::now();
        let (changes, counts) = soak(sandbox, seed, duration)?;
        let elapsed = started.elapsed();
        ensure!(counts.allowed > 0 && counts.denied > 0, "seed {seed}: hardly any frames: {counts:?}");
        let left = before.left_behind().with_context(|| format!("seed {seed}"))?;
        let after = Leaks::now()?;
        Ok(Report { seed, elapsed, changes, counts, before, after, left })
    })
}

fn soak(sandbox: &Sandbox, seed: u64, duration: Duration) -> Result<(BTreeMap<&'static str, u64>, Counts)> {
    let mut random = Random::new(seed);
    let mut model = Model::new();
    let mut host = Host::furnish(sandbox)?;
    let (mut changes, mut counts) = (BTreeMap::new(), Counts::default());
    let started = Instant::now();
    for number in 0.. {
        let change = if number == 0 { Change::Apply } else { model.random_change(&mut random) };
        let done = host
            .make(change, &mut model, &mut random)
            .and_then(|()| host.check(&model, &mut random, &mut counts));
        done.with_context(|| format!("seed {seed}, change {number}: {change:?}"))?;
        *changes.entry(change.name()).or_default() += 1;
        if started.elapsed() >= duration {
            break;
        }
    }
    host.leave()?;
    Ok((changes, counts))
}
