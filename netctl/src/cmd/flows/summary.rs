//! `netctl flows --summary`: how full the table of a port is; in `netctl stats`, where it was too small.

use serde::Serialize;

use crate::error::Error;
use crate::kernel::attach::{FLOWS_PER_PORT, OPENINGS_PER_PORT};
use crate::kernel::running::RunningPort;
use crate::output::Row;
use crate::state::State;

#[derive(Serialize)]
pub(in crate::cmd) struct SummaryRow {
    port: String,
    /// Entries that there is room for: of settled connections, and of others.
    size: u32,
    /// Entries there are: connections, fragments that others may follow, and what is over.
    pub(in crate::cmd) entries: u64,
    /// Entries of connections that have settled: new ones push out others first.
    pub(in crate::cmd) settled: u64,
    /// Connections that are not over.
    live: u64,
    /// Entries that were ever made.
    made: u64,
    /// Connections that began in the place of an earlier one with the same addresses and ports.
    reused: u64,
    /// Entries that gave way to new ones because the table was full. Above 0, the guest or its peers open more
    /// connections than a port remembers.
    pub(in crate::cmd) evicted: u64,
}

impl Row for SummaryRow {
    const HEADS: &'static [&'static str] =
        &["PORT", "SIZE", "ENTRIES", "SETTLED", "LIVE", "MADE", "REUSED", "EVICTED"];
    fn cells(&self) -> Vec<String> {
        let numbers = [
            u64::from(self.size),
            self.entries,
            self.settled,
            self.live,
            self.made,
            self.reused,
            self.evicted,
        ];
        [self.port.clone()].into_iter().chain(numbers.map(|number| number.to_string())).collect()
    }
}

impl SummaryRow {
    /// Reads the port's table.
    pub(in crate::cmd) fn of(state: &State, port: &RunningPort) -> Result<Self, Error> {
        let now = crate::kernel::running::now();
        let flows = state.kernel.flows(port.entry.id)?;
        // After the table, so that no entry was read that is not counted.
        let made = state.kernel.flows_made(port.entry.id)?;
        let timeouts = &port.entry.root.timeouts;
        let live = flows
            .iter()
            .filter(|(key, entry)| !key.is_fragment() && entry.is_live(key.protocol, now, timeouts));
        let entries = flows.len() as u64;
        Ok(Self {
            port: port.name(),
            size: FLOWS_PER_PORT + OPENINGS_PER_PORT,
            entries,
            settled: flows.iter().filter(|(_, entry)| entry.settled != 0).count() as u64,
            live: live.count() as u64,
            made: made.packets,
            reused: made.bytes,
            // Nothing else takes entries away.
            evicted: made.packets.saturating_sub(entries),
        })
    }

    /// What is to be told of a table that was too small.
    pub(in crate::cmd) fn pressure(&self) -> Option<String> {
        let Self { port, size, live, evicted, .. } = self;
        (*evicted > 0).then(|| {
            format!("{port}: {evicted} flows gave way to new ones in its tables of {size}, of which {live} are live")
        })
    }
}

pub(super) fn rows(state: &State, port: Option<&str>) -> Result<Vec<SummaryRow>, Error> {
    state.ports_named(port)?.into_iter().map(|port| SummaryRow::of(state, port)).collect()
}
