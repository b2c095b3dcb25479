//! `netctl map list` and `netctl map dump`.

use std::io::Write;
use std::path::Path;

use serde::Serialize;

use crate::cli::{JsonArgs, MapDumpArgs};
use crate::error::{Error, Outcome, nearest};
use crate::kernel::map::{Element, MapFacts, known_maps};
use crate::output::{Format, Row, write_rows};
use crate::state::State;

#[derive(Serialize)]
struct MapRow {
    #[serde(flatten)]
    facts: MapFacts,
}

impl Row for MapRow {
    const HEADS: &'static [&'static str] =
        &["MAP", "TYPE", "KEY", "VALUE", "ENTRIES", "MAX", "MEMORY", "WHAT IT HOLDS"];
    fn cells(&self) -> Vec<String> {
        let facts = &self.facts;
        vec![
            facts.name.to_owned(),
            facts.kind.to_owned(),
            facts.key_size.to_string(),
            facts.value_size.to_string(),
            facts.entries.map_or_else(|| "-".to_owned(), |n| n.to_string()),
            facts.max_entries.to_string(),
            facts.memory.to_string(),
            facts.what.to_owned(),
        ]
    }
}

#[derive(Serialize)]
struct ElementRow {
    #[serde(flatten)]
    element: Element,
}

impl Row for ElementRow {
    const HEADS: &'static [&'static str] = &["KEY", "VALUE"];
    fn cells(&self) -> Vec<String> {
        vec![self.element.key.clone(), self.element.value.clone()]
    }
}

pub(super) fn list(bpffs: &Path, args: &JsonArgs, out: &mut impl Write) -> Result<Outcome, Error> {
    let state = State::read(bpffs)?;
    let rows: Vec<MapRow> =
        state.kernel.map_facts(&state.root)?.into_iter().map(|facts| MapRow { facts }).collect();
    write_rows(out, &rows, Format::json_if(args.json)).map_err(Error::Output)?;
    Ok(Outcome::Yes)
}

pub(super) fn dump(bpffs: &Path, args: &MapDumpArgs, out: &mut impl Write) -> Result<Outcome, Error> {
    let state = State::read(bpffs)?;
    if !known_maps().any(|map| map == args.map) {
        let hint = nearest(&args.map, known_maps());
        let hint = hint.map_or_else(
            || "; `netctl map list` shows them".to_owned(),
            |nearest| format!("; did you mean `{nearest}`?"),
        );
        return Err(Error::NoMap { name: args.map.clone(), hint });
    }
    let mut rows = Vec::new();
    for port in state.ports_named(args.port.as_deref())? {
        let elements = state.kernel.dump(&args.map, &state.root, port, &state.names)?;
        let per_port = elements.per_port;
        rows.extend(elements.elements.into_iter().map(|element| ElementRow { element }));
        if !per_port {
            break;
        }
    }
    write_rows(out, &rows, Format::json_if(args.json)).map_err(Error::Output)?;
    Ok(Outcome::Yes)
}
