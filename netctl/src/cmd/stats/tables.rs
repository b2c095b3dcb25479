//! How full the tables of a port are, in `netctl stats`.

use netctl_common::lease::MAX_ADDRESSES;
use serde::Serialize;

use crate::cmd::flows::SummaryRow;
use crate::config::Addresses;
use crate::kernel::attach::{FLOWS_PER_PORT, OPENINGS_PER_PORT};
use crate::kernel::running::RunningPort;
use crate::output::Row;
use crate::state::State;

#[derive(Serialize)]
pub(super) struct TableRow {
    port: String,
    /// Entries of connections that have settled, and room for them.
    flows: u64,
    flows_size: u32,
    /// Of the room.
    flows_percent: u64,
    /// Entries of other connections and of fragments, and room for them.
    openings: u64,
    openings_size: u32,
    openings_percent: u64,
    /// Entries that gave way to new ones.
    evicted: u64,
    /// Addresses that the port has learned, and may at most; absent where it learns none.
    #[serde(skip_serializing_if = "Option::is_none")]
    learned: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    learned_size: Option<usize>,
}

impl TableRow {
    pub(super) fn new(state: &State, port: &RunningPort, summary: &SummaryRow) -> Self {
        let percent = |entries: u64, size: u32| 100 * entries / u64::from(size);
        let name = port.name();
        let learns = state.config.ports.get(&name).is_some_and(|port| port.addresses == Addresses::Learned);
        let (flows, openings) = (summary.settled, summary.entries.saturating_sub(summary.settled));
        Self {
            flows,
            flows_size: FLOWS_PER_PORT,
            flows_percent: percent(flows, FLOWS_PER_PORT),
            openings,
            openings_size: OPENINGS_PER_PORT,
            openings_percent: percent(openings, OPENINGS_PER_PORT),
            evicted: summary.evicted,
            learned: learns.then(|| state.leases_of(&name).count()),
            learned_size: learns.then_some(MAX_ADDRESSES),
            port: name,
        }
    }
}

impl Row for TableRow {
    const HEADS: &'static [&'static str] =
        &["PORT", "FLOWS", "FILL", "OPENINGS", "FILL", "EVICTED", "LEARNED"];
    fn cells(&self) -> Vec<String> {
        let of = |entries: u64, size: u32| format!("{entries}/{size}");
        let learned = self.learned.zip(self.learned_size);
        vec![
            self.port.clone(),
            of(self.flows, self.flows_size),
            format!("{}%", self.flows_percent),
            of(self.openings, self.openings_size),
            format!("{}%", self.openings_percent),
            self.evicted.to_string(),
            learned.map_or_else(|| "-".to_owned(), |(learned, size)| format!("{learned}/{size}")),
        ]
    }
}
