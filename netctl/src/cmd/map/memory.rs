//! `netctl map memory`.

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use crate::cli::JsonArgs;
use crate::error::{Error, Outcome};
use crate::kernel::map::{MapMemory, Memory};
use crate::output::{Format, Row, write_json, write_rows};
use crate::state::State;

#[derive(Serialize)]
struct MapRow<'a> {
    #[serde(flatten)]
    map: &'a MapMemory,
}

impl Row for MapRow<'_> {
    const HEADS: &'static [&'static str] = &["MAP", "PER", "ENTRIES", "MAX", "FILL", "MEMORY", "IDLE"];
    fn cells(&self) -> Vec<String> {
        let MapMemory { facts, idle, outer } = self.map;
        let fill = |entries: u64| format!("{}%", 100 * entries / facts.max_entries.max(1));
        vec![
            facts.name.to_owned(),
            facts.scope.name().to_owned(),
            facts.entries.map_or_else(|| "-".to_owned(), |entries| entries.to_string()),
            facts.max_entries.to_string(),
            facts.entries.map_or_else(|| "-".to_owned(), fill),
            (facts.memory + outer).to_string(),
            idle.to_string(),
        ]
    }
}

/// A sum, and what it is the sum of.
#[derive(Serialize)]
struct SumRow {
    what: String,
    bytes: u64,
}

impl Row for SumRow {
    const HEADS: &'static [&'static str] = &["OF", "BYTES"];
    fn cells(&self) -> Vec<String> {
        vec![self.what.clone(), self.bytes.to_string()]
    }
}

pub(super) fn run(bpffs: &Path, args: &JsonArgs, out: &mut impl Write) -> Result<Outcome, Error> {
    let state = State::read(bpffs)?;
    let memory = state.kernel.memory(&state.root)?;
    let written = if args.json { write_json(out, &memory) } else { tables(&memory, out) };
    written.map_err(Error::Output)?;
    Ok(Outcome::Yes)
}

fn tables(memory: &Memory, out: &mut impl Write) -> io::Result<()> {
    let maps: Vec<MapRow<'_>> = memory.maps.iter().map(|map| MapRow { map }).collect();
    write_rows(out, &maps, Format::Table)?;
    writeln!(out)?;
    write_rows(out, &sums(memory), Format::Table)
}

fn sums(Memory { sums, ports, rules, .. }: &Memory) -> Vec<SumRow> {
    let row = |what: String, bytes: u64| SumRow { what, bytes };
    vec![
        row("the host".to_owned(), sums.host),
        row("the generation that runs".to_owned(), sums.generation),
        row("the generation before".to_owned(), sums.idle_generation),
        row(format!("{ports} ports"), sums.ports),
        row("all".to_owned(), sums.total),
        row("one port".to_owned(), sums.one_port),
        row(format!("one rule, of {rules}"), sums.one_rule),
    ]
}
