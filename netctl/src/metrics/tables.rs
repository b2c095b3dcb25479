//! How full tables are: flows by port, maps by name, the journal.

use netctl_common::abi::JOURNAL_LEN;
use serde::Serialize;

use super::family::{Family, Kind, Labels};
use crate::error::Error;
use crate::kernel::attach::{FLOWS_PER_PORT, OPENINGS_PER_PORT};
use crate::kernel::running::{RunningPort, now};
use crate::state::State;

pub(super) fn families(state: &State) -> Result<Vec<Family>, Error> {
    let mut families = flows(state)?;
    families.extend(maps(state)?);
    let (end, room) = match state.kernel.journal() {
        Ok(journal) => (Some(journal.end()), u64::from(JOURNAL_LEN)),
        Err(_) => (None, 0),
    };
    let mut events = Family::new(
        Kind::Counter,
        "netctl_journal_events",
        "Events that were ever written into the journal, which keeps the last ones.",
    );
    if let Some(end) = end {
        events.add(vec![], end);
    }
    families.push(events);
    let kept = Family::new(Kind::Gauge, "netctl_journal_capacity_events", "Events that the journal keeps.");
    families.push(kept.with(vec![], room));
    Ok(families)
}

fn flows(state: &State) -> Result<Vec<Family>, Error> {
    use Kind::{Counter, Gauge};
    let mut live = Family::new(Gauge, "netctl_port_flows", "Connections of the port that are not over.");
    let mut entries = Family::new(
        Gauge,
        "netctl_port_flow_table_entries",
        "Entries of the port's flow tables, also of what is over until its place is needed.",
    );
    let mut room =
        Family::new(Gauge, "netctl_port_flow_table_capacity", "Entries that the tables have room for.");
    let mut opened = Family::new(
        Counter,
        "netctl_port_flows_opened",
        "Entries ever made; those that are not in the tables gave way to new ones.",
    );
    let mut again = Family::new(
        Counter,
        "netctl_port_flows_reopened",
        "Connections that took the place of an ended one with the same addresses and ports.",
    );
    for port in &state.ports {
        let name = port.name();
        let FlowTable { live: alive, settled, opening, .. } = FlowTable::of(state, port)?;
        // After the tables, so that no entry was read that is not counted.
        let made = state.kernel.flows_made(port.entry.id)?;
        live.add(of(&name), alive);
        for (table, count, size) in
            [("settled", settled, FLOWS_PER_PORT), ("opening", opening, OPENINGS_PER_PORT)]
        {
            let labels = || vec![("port", name.clone()), ("table", table.to_owned())];
            entries.add(labels(), count);
            room.add(labels(), u64::from(size));
        }
        opened.add(of(&name), made.packets);
        again.add(of(&name), made.bytes);
    }
    Ok(vec![live, entries, room, opened, again])
}

/// What is in the flow tables of one port.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct FlowTable {
    /// Connections that are not over.
    pub live: u64,
    /// Entries of connections that have settled, and all others.
    pub settled: u64,
    pub opening: u64,
    /// Entries that there is room for.
    pub size: u64,
}

impl FlowTable {
    /// # Errors
    /// The tables cannot be read.
    pub fn of(state: &State, port: &RunningPort) -> Result<Self, Error> {
        let (now, timeouts) = (now(), &port.entry.root.timeouts);
        let size = u64::from(FLOWS_PER_PORT + OPENINGS_PER_PORT);
        let mut counted = Self { live: 0, settled: 0, opening: 0, size };
        for (key, entry) in state.kernel.flows(port.entry.id)? {
            *if entry.settled != 0 { &mut counted.settled } else { &mut counted.opening } += 1;
            counted.live += u64::from(!key.is_fragment() && entry.is_live(key.protocol, now, timeouts));
        }
        Ok(counted)
    }
}

fn maps(state: &State) -> Result<Vec<Family>, Error> {
    let gauge = |name, help| Family::new(Kind::Gauge, name, help);
    let mut entries = gauge("netctl_map_entries", "Elements of a map, where it can tell.");
    let mut room = gauge("netctl_map_capacity_entries", "Elements that a map has room for.");
    let mut memory =
        gauge("netctl_map_memory_bytes", "Kernel memory of a map, as the kernel accounts for it.")
            .with_unit("bytes");
    for facts in state.kernel.map_facts(&state.root)? {
        let labels = || vec![("map", facts.name.to_owned())];
        if let Some(count) = facts.entries {
            entries.add(labels(), count);
        }
        room.add(labels(), facts.max_entries);
        memory.add(labels(), facts.memory);
    }
    Ok(vec![entries, room, memory])
}

fn of(port: &str) -> Labels {
    vec![("port", port.to_owned())]
}
