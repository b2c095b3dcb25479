//! The benchmark: what a frame costs from one guest's port to another, over a plain bridge or bare macvtaps, over a bridge with nftables,
//! over a redirect that decides nothing, and over netctl; and what a change of rules costs.
//!
//! All ways are set up side by side, each in its own namespaces, and measured in turn, round after round, so that
//! a noisy machine hurts all of them alike. The order of reading: [`rules`] (the one set of rules that all ways
//! enforce), [`way`], [`plug`], [`traffic`], [`pump`] (one measurement), [`frames`] and [`changes`] (the rounds), [`report`].

pub mod changes;
pub mod cpu;
pub mod document;
pub mod frames;
pub mod machine;
pub mod nft;
pub mod plot;
pub mod plug;
pub mod pump;
pub mod raw_bpf;
pub mod report;
pub mod rules;
pub mod table;
pub mod targets;
pub mod traffic;
pub mod way;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};

use machine::Machine;
use report::Report;
use way::Kind;

/// What is measured, and how long.
#[derive(Clone, Debug)]
pub struct Plan {
    pub kinds: Vec<Kind>,
    /// Numbers of rules.
    pub sizes: Vec<u32>,
    pub rounds: u32,
    /// Of one measurement.
    pub duration: Duration,
    /// How often each change of rules is timed.
    pub change_rounds: u32,
    /// Where `bench.json`, `bench.md` and `bench.svg` go.
    pub out: PathBuf,
}

/// Measures, and writes the three files. Progress goes to standard error.
///
/// # Errors
/// If a way cannot be set up, or does not do what it is there for: deliver what the rules allow, drop the rest.
pub fn run(plan: &Plan) -> Result<Report> {
    let machine = Machine::look()?;
    let frames = frames::measure(plan)?;
    let changes = changes::measure(plan)?;
    let report = Report::new(machine, plan, frames, changes);
    fs::create_dir_all(&plan.out).with_context(|| format!("cannot make {}", plan.out.display()))?;
    let json = serde_json::to_string_pretty(&report)?;
    for (name, text) in
        [("bench.json", json), ("bench.md", table::markdown(&report)), ("bench.svg", plot::svg(&report))]
    {
        let path = plan.out.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(report)
}
