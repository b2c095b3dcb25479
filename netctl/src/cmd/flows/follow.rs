//! `netctl flows --follow`: flows as they begin and end, by looking again and again.

use std::collections::HashMap;
use std::io::Write;

use netctl_common::abi::{FlowEntry, FlowKey};
use serde::Serialize;

use super::filter::Filter;
use super::list;
use super::row::FlowRow;
use crate::cli::FlowsArgs;
use crate::error::Error;
use crate::kernel::running::now;
use crate::state::State;

/// The flows of one look, by the port's id.
type Look = HashMap<(u32, FlowKey), FlowEntry>;

#[derive(Serialize)]
struct Change<'a> {
    /// `new` or `ended`.
    event: &'static str,
    #[serde(flatten)]
    flow: FlowRow<'a>,
}

/// Until ^C. What began and ended between two looks is not seen.
pub(super) async fn run(
    mut state: State,
    mut filter: Filter,
    args: &FlowsArgs,
    out: &mut impl Write,
) -> Result<(), Error> {
    let mut before = look(&state, &filter)?;
    let stop = tokio::signal::ctrl_c();
    tokio::pin!(stop);
    eprintln!("netctl: there are {} flows; those that begin and end from now on, until ^C:", before.len());
    loop {
        tokio::select! {
            () = tokio::time::sleep(args.interval) => {}
            _ = &mut stop => return Ok(()),
        }
        // A newer generation has other ports and rules.
        if state.kernel.running()?.generation != state.root.generation {
            state = State::read_with(state.kernel)?;
            filter = filter.renewed(&state)?;
        }
        let after = look(&state, &filter)?;
        for (event, id, key, entry) in changes(&state, &before, &after)? {
            write(&state, (event, id, key, entry), args.json, out)?;
        }
        out.flush().map_err(Error::Output)?;
        before = after;
    }
}

fn look(state: &State, filter: &Filter) -> Result<Look, Error> {
    let ports = filter.ports(state)?;
    let mut found = Look::new();
    list::each(state, filter, &ports, |(place, key, entry)| {
        found.insert((ports[place].entry.id, key), entry);
        Ok(true)
    })?;
    Ok(found)
}

/// Ended ones first. One that began anew in the place of an ended one is both.
fn changes<'a>(
    state: &State,
    before: &'a Look,
    after: &'a Look,
) -> Result<Vec<(&'static str, u32, &'a FlowKey, &'a FlowEntry)>, Error> {
    let same = |entry: &FlowEntry, other: Option<&FlowEntry>| {
        other.is_some_and(|other| other.created == entry.created)
    };
    let mut changes = Vec::new();
    for (at @ (id, key), entry) in before {
        let gone = !same(entry, after.get(at));
        // It may live on, and only not be what is asked for any more.
        if gone && !same(entry, state.kernel.live_flow(*id, key, &state.root)?.as_ref()) {
            changes.push(("ended", *id, key, entry));
        }
    }
    let new = after.iter().filter(|(at, entry)| !same(entry, before.get(at)));
    changes.extend(new.map(|((id, key), entry)| ("new", *id, key, entry)));
    changes.sort_by_key(|(event, id, key, _)| (*event, *id, **key));
    Ok(changes)
}

fn write(
    state: &State,
    (event, id, key, entry): (&'static str, u32, &FlowKey, &FlowEntry),
    json: bool,
    out: &mut impl Write,
) -> Result<(), Error> {
    let port = state.names.port(id);
    let flow = FlowRow::new(&port, (key, entry), (state, now()));
    let line = if json {
        serde_json::to_string(&Change { event, flow }).map_err(|e| Error::Output(e.into()))?
    } else {
        crate::output::printable(&flow.line(event))
    };
    writeln!(out, "{line}").map_err(Error::Output)
}
