//! The flows that there are now: read port by port and written as they come, or the largest ones.

use std::collections::HashMap;
use std::io::Write;
use std::thread::sleep;
use std::time::Instant;

use netctl_common::abi::{FlowEntry, FlowKey};

use super::filter::Filter;
use super::row::{FlowRow, RatedRow, Rates};
use crate::cli::{FlowSort, FlowsArgs};
use crate::error::Error;
use crate::kernel::running::{RunningPort, now};
use crate::output::{Format, RowStream};
use crate::state::State;

/// A flow, and the place of its port among those that are asked.
pub(super) type Found = (usize, FlowKey, FlowEntry);

/// Flows of an earlier look.
type Before = HashMap<(u32, FlowKey), FlowEntry>;

pub(super) fn run(
    state: &State,
    filter: &Filter,
    args: &FlowsArgs,
    out: &mut impl Write,
) -> Result<(), Error> {
    let ports = filter.ports(state)?;
    let names: Vec<String> = ports.iter().map(|port| port.name()).collect();
    let format = Format::json_if(args.json);
    if !args.rates {
        return write(
            state,
            (filter, &ports),
            args,
            |found, clock, stream| {
                let (place, key, entry) = found;
                stream.push(&FlowRow::new(&names[*place], (key, entry), (state, clock)))
            },
            RowStream::new::<FlowRow<'_>>(out, format),
        );
    }
    let (before, looked) = (earlier(state, filter, &ports)?, Instant::now());
    sleep(args.interval);
    let seconds = looked.elapsed().as_secs_f64();
    write(
        state,
        (filter, &ports),
        args,
        |found, clock, stream| {
            let (place, key, entry) = found;
            let was = before.get(&(ports[*place].entry.id, *key)).filter(|was| was.created == entry.created);
            let mut row = FlowRow::new(&names[*place], (key, entry), (state, clock));
            row.rates = Some(Rates::new(was, entry, seconds));
            stream.push(&RatedRow(row))
        },
        RowStream::new::<RatedRow<'_>>(out, format),
    )
}

fn earlier(state: &State, filter: &Filter, ports: &[&RunningPort]) -> Result<Before, Error> {
    let mut before = Before::new();
    each(state, filter, ports, |(place, key, entry)| {
        before.insert((ports[place].entry.id, key), entry);
        Ok(true)
    })?;
    Ok(before)
}

fn write<W: Write>(
    state: &State,
    (filter, ports): (&Filter, &[&RunningPort]),
    args: &FlowsArgs,
    show: impl Fn(&Found, u32, &mut RowStream<W>) -> std::io::Result<()>,
    mut stream: RowStream<W>,
) -> Result<(), Error> {
    let limit = args.limit.unwrap_or(usize::MAX);
    if let Some(sort) = args.sort {
        let found = largest(state, (filter, ports), sort, limit)?;
        let clock = now();
        found.iter().try_for_each(|found| show(found, clock, &mut stream)).map_err(Error::Output)?;
    } else if limit > 0 {
        let mut left = limit;
        each(state, filter, ports, |found| {
            left -= 1;
            show(&found, now(), &mut stream).map_err(Error::Output)?;
            Ok(left > 0)
        })?;
    }
    stream.finish().map_err(Error::Output)
}

/// The first `limit` by `sort`, in order. Holds no more than twice as many.
fn largest(
    state: &State,
    (filter, ports): (&Filter, &[&RunningPort]),
    sort: FlowSort,
    limit: usize,
) -> Result<Vec<Found>, Error> {
    let clock = now();
    // Equal ones in the order of ports and keys.
    let rank = |(place, key, entry): &Found| (std::cmp::Reverse(measure(sort, entry, clock)), *place, *key);
    let mut found: Vec<Found> = Vec::new();
    each(state, filter, ports, |flow| {
        found.push(flow);
        if limit > 0 && found.len() >= limit.saturating_mul(2) {
            found.select_nth_unstable_by_key(limit - 1, rank);
            found.truncate(limit);
        }
        Ok(limit > 0)
    })?;
    found.sort_unstable_by_key(rank);
    found.truncate(limit);
    Ok(found)
}

fn measure(sort: FlowSort, entry: &FlowEntry, clock: u32) -> u64 {
    let [from_guest, to_guest] = entry.counters;
    match sort {
        FlowSort::Bytes => from_guest.bytes.wrapping_add(to_guest.bytes),
        FlowSort::Packets => from_guest.packets.wrapping_add(to_guest.packets),
        FlowSort::Age => u64::from(clock.wrapping_sub(entry.created)),
        FlowSort::Idle => u64::from(clock.wrapping_sub(entry.last_seen)),
    }
}

/// Every live flow that the filter takes, port by port, until `see` says that it has seen enough.
pub(super) fn each(
    state: &State,
    filter: &Filter,
    ports: &[&RunningPort],
    mut see: impl FnMut(Found) -> Result<bool, Error>,
) -> Result<(), Error> {
    for (place, port) in ports.iter().enumerate() {
        let flows = state.kernel.flows(port.entry.id)?;
        let clock = now();
        for (key, entry) in flows {
            let is_live = !key.is_fragment() && entry.is_live(key.protocol, clock, &port.entry.root.timeouts);
            if is_live && filter.takes(port, &key, &entry) && !see((place, key, entry))? {
                return Ok(());
            }
        }
    }
    Ok(())
}
