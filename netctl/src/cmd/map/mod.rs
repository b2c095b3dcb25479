//! `netctl map`.

mod memory;

use std::io::Write;
use std::path::Path;

use serde::Serialize;

use crate::cli::{JsonArgs, MapCommand, MapDumpArgs, MapGetArgs};
use crate::error::{Error, Outcome, nearest};
use crate::kernel::map::{Context, Element, MapFacts, find, known_maps};
use crate::output::{Format, Row, write_rows};
use crate::state::State;

#[derive(Serialize)]
struct MapRow {
    #[serde(flatten)]
    facts: MapFacts,
}

impl Row for MapRow {
    const HEADS: &'static [&'static str] =
        &["MAP", "PER", "TYPE", "KEY", "VALUE", "ENTRIES", "MAX", "MEMORY", "WHAT IT HOLDS"];
    fn cells(&self) -> Vec<String> {
        let facts = &self.facts;
        vec![
            facts.name.to_owned(),
            facts.scope.name().to_owned(),
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
struct ElementRow<'a> {
    #[serde(flatten)]
    element: &'a Element,
}

impl Row for ElementRow<'_> {
    const HEADS: &'static [&'static str] = &["KEY", "VALUE"];
    fn cells(&self) -> Vec<String> {
        vec![self.element.key.clone(), self.element.value.clone()]
    }
}

pub(super) fn run(bpffs: &Path, command: &MapCommand, out: &mut impl Write) -> Result<Outcome, Error> {
    match command {
        MapCommand::List(args) => list(bpffs, args, out),
        MapCommand::Dump(args) => dump(bpffs, args, out),
        MapCommand::Get(args) => get(bpffs, args, out),
        MapCommand::Memory(args) => memory::run(bpffs, args, out),
    }
}

fn list(bpffs: &Path, args: &JsonArgs, out: &mut impl Write) -> Result<Outcome, Error> {
    let state = State::read(bpffs)?;
    let rows: Vec<MapRow> =
        state.kernel.map_facts(&state.root)?.into_iter().map(|facts| MapRow { facts }).collect();
    write_rows(out, &rows, Format::json_if(args.json)).map_err(Error::Output)?;
    Ok(Outcome::Yes)
}

fn dump(bpffs: &Path, args: &MapDumpArgs, out: &mut impl Write) -> Result<Outcome, Error> {
    let state = State::read(bpffs)?;
    let elements = if args.raw {
        known(&args.map)?;
        let only = state.ports_named(args.port.as_deref())?;
        state.kernel.dump_raw(&args.map, &state.root, &only)?
    } else {
        elements(&state, &args.map, args.port.as_deref())?
    };
    write(&elements.iter().collect::<Vec<_>>(), args.json, out)
}

fn get(bpffs: &Path, args: &MapGetArgs, out: &mut impl Write) -> Result<Outcome, Error> {
    let state = State::read(bpffs)?;
    let elements = elements(&state, &args.map, args.port.as_deref())?;
    let found = find(&args.map, &elements, &args.key);
    if found.is_empty() {
        let near = nearest(&args.key, elements.iter().map(|element| &*element.key));
        let hint = near.map_or_else(
            || format!("; `netctl map dump {}` shows them", args.map),
            |near| format!("; did you mean `{near}`?"),
        );
        return Err(Error::NoElement { map: args.map.clone(), key: args.key.clone(), hint });
    }
    write(&found, args.json, out)
}

fn elements(state: &State, map: &str, port: Option<&str>) -> Result<Vec<Element>, Error> {
    known(map)?;
    let State { root, ports, names, config, .. } = state;
    let context = Context { root, ports, names, config };
    Ok(state.kernel.dump(map, &context, &state.ports_named(port)?)?)
}

fn known(map: &str) -> Result<(), Error> {
    if known_maps().any(|known| known == map) {
        return Ok(());
    }
    let hint = nearest(map, known_maps()).map_or_else(
        || "; `netctl map list` shows them".to_owned(),
        |nearest| format!("; did you mean `{nearest}`?"),
    );
    Err(Error::NoMap { name: map.to_owned(), hint })
}

fn write(elements: &[&Element], json: bool, out: &mut impl Write) -> Result<Outcome, Error> {
    let rows: Vec<ElementRow<'_>> = elements.iter().map(|element| ElementRow { element }).collect();
    write_rows(out, &rows, Format::json_if(json)).map_err(Error::Output)?;
    Ok(Outcome::Yes)
}
