//! Samples of a running netctl.

use std::path::{Path, PathBuf};

use netctl_common::verdict::{Action, Direction};

use super::sample::{FlowSample, PortSample, RuleSample, Sample, sum};
use crate::error::Error;
use crate::kernel::attach::{FLOWS_PER_PORT, OPENINGS_PER_PORT};
use crate::kernel::journal::Journal;
use crate::kernel::running::{RunningPort, monotonic_now};
use crate::state::State;
use crate::told::Told;

/// Denials of one sample that are kept.
const DENIALS: usize = 4096;

#[derive(Debug)]
pub struct Reader {
    bpffs: PathBuf,
    state: State,
    journal: Journal,
}

impl Reader {
    /// # Errors
    /// netctl does not run, or is of another build.
    pub fn open(bpffs: &Path) -> Result<Self, Error> {
        let state = State::read(bpffs)?;
        let mut journal = state.kernel.journal()?;
        journal.skip_to_end();
        Ok(Self { bpffs: bpffs.to_owned(), state, journal })
    }

    /// # Errors
    /// As [`Self::open`]; netctl was taken down.
    pub fn sample(&mut self) -> Result<Sample, Error> {
        if self.state.kernel.running()? != self.state.root {
            self.state = State::read(&self.bpffs)?;
        }
        let mut sample = Sample {
            time: monotonic_now(),
            generation: self.state.root.generation,
            denials: self.denials(),
            ..Sample::default()
        };
        for port in &self.state.ports {
            self.port(port, &mut sample)?;
        }
        for (index, (entry, counter)) in (0..).zip(self.state.kernel.rules(&self.state.root)?) {
            if let Some(rule) = self.state.names.rule(index) {
                let action = Action::decode(entry.action).name();
                sample.rules.push(RuleSample { rule: rule.clone(), action, counter });
            }
        }
        Ok(sample)
    }

    fn port(&self, port: &RunningPort, sample: &mut Sample) -> Result<(), Error> {
        let (kernel, name, id) = (&self.state.kernel, port.name(), port.entry.id);
        let default_denies = self.state.config.policy.default != Action::Allow;
        let mut counted = PortSample::counted(&kernel.port_counters(id)?, default_denies);
        let flows = kernel.flows(id)?;
        // After the tables, so that no entry was read that is not counted.
        let made = kernel.flows_made(id)?.packets;
        counted.untold = kernel.untold_events(id)?;
        counted.entries = flows.len() as u64;
        counted.size = u64::from(FLOWS_PER_PORT + OPENINGS_PER_PORT);
        // Nothing else takes entries away.
        counted.evicted = made.saturating_sub(counted.entries);
        for (key, entry) in flows.into_iter().filter(|(key, _)| !key.is_fragment()) {
            let counter = sum(entry.counters);
            let flow = FlowSample { opener: Direction::decode(entry.opener), counter };
            sample.flows.insert((name.clone(), key), flow);
        }
        sample.ports.insert(name, counted);
        Ok(())
    }

    /// Since this was last called; the latest ones, if there are very many.
    fn denials(&mut self) -> Vec<Told> {
        let mut denials = Vec::new();
        let end = self.journal.end();
        while let Some(event) = self.journal.ready() {
            let told = Told::of(&event, &self.state);
            if told.frame().is_some_and(|row| row.action != Action::Allow.name()) {
                denials.push(told);
            }
            if event.number >= end {
                break;
            }
        }
        denials.split_off(denials.len().saturating_sub(DENIALS))
    }
}
