//! `netctl flows --summary`.

use serde::Serialize;

use crate::cli::PortArgs;
use crate::error::Error;
use crate::kernel::attach::FLOWS_PER_PORT;
use crate::output::Row;
use crate::state::State;

#[derive(Serialize)]
pub(super) struct SummaryRow {
    port: String,
    /// Entries that the table has room for.
    size: u32,
    /// Entries there are: connections, fragments that others may follow, and what is over.
    entries: u64,
    /// Connections that are not over.
    live: u64,
    /// Entries that were ever made.
    made: u64,
    /// Connections that began in the place of an earlier one with the same addresses and ports.
    reused: u64,
    /// Entries that gave way to new ones because the table was full. Above 0, the guest or its peers open more
    /// connections than a port remembers.
    evicted: u64,
}

impl Row for SummaryRow {
    const HEADS: &'static [&'static str] = &["PORT", "SIZE", "ENTRIES", "LIVE", "MADE", "REUSED", "EVICTED"];
    fn cells(&self) -> Vec<String> {
        let numbers = [u64::from(self.size), self.entries, self.live, self.made, self.reused, self.evicted];
        [self.port.clone()].into_iter().chain(numbers.map(|number| number.to_string())).collect()
    }
}

pub(super) fn rows(state: &State, args: &PortArgs) -> Result<Vec<SummaryRow>, Error> {
    let now = crate::kernel::running::now();
    let mut rows = Vec::new();
    for port in state.ports_named(args.port.as_deref())? {
        let flows = state.kernel.flows(port.entry.id)?;
        // After the table, so that no entry was read that is not counted.
        let made = state.kernel.flows_made(port.entry.id)?;
        let timeouts = &port.entry.root.timeouts;
        let live = flows
            .iter()
            .filter(|(key, entry)| !key.is_fragment() && entry.is_live(key.protocol, now, timeouts));
        let entries = flows.len() as u64;
        rows.push(SummaryRow {
            port: port.name(),
            size: FLOWS_PER_PORT,
            entries,
            live: live.count() as u64,
            made: made.packets,
            reused: made.bytes,
            // Nothing else takes entries away.
            evicted: made.packets.saturating_sub(entries),
        });
    }
    Ok(rows)
}
