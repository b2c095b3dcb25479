//! `netctl stats`.

mod rows;
mod tables;

use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;

use self::rows::{Rated, ReasonRow, RuleRow, rate, reasons};
use self::tables::TableRow;
use super::block_on;
use super::flows::SummaryRow;
use super::limits::{self, LimitRow};
use crate::cli::StatsArgs;
use crate::error::{Error, Outcome};
use crate::kernel::Kernel;
use crate::kernel::running::Rejects;
use crate::output::{Format, write_json, write_rows};
use crate::state::State;

/// Between two looks of `--watch`.
const WATCHED: Duration = Duration::from_secs(2);

#[derive(Serialize)]
struct LostRow {
    port: String,
    suppressed: u64,
}

#[derive(Serialize)]
struct RejectRow {
    port: String,
    answered: u64,
    unanswered: u64,
}

#[derive(Serialize)]
struct Stats {
    generation: u32,
    ports: Vec<ReasonRow>,
    limits: Vec<LimitRow>,
    rules: Vec<RuleRow>,
    /// How full the tables of each port are.
    tables: Vec<TableRow>,
    lost_events: Vec<LostRow>,
    /// Flow tables whose entries gave way to new ones.
    full_tables: Vec<SummaryRow>,
    /// Ports that rejected frames whose senders are to be told.
    rejects: Vec<RejectRow>,
    /// Seconds that the rates are of.
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
}

pub(super) fn run(bpffs: &Path, args: &StatsArgs, out: &mut impl Write) -> Result<Outcome, Error> {
    let state = State::read(bpffs)?;
    if args.zero {
        let mut unused = rules(&state)?;
        unused.retain(RuleRow::is_unused);
        write_rows(out, &unused, Format::json_if(args.json)).map_err(Error::Output)?;
        return Ok(Outcome::Yes);
    }
    if args.watch || args.interval.is_some() {
        block_on(watch(state, args, out))??;
        return Ok(Outcome::Yes);
    }
    let stats = gather(&state, args.port.as_deref())?;
    let written = if args.json { write_json(out, &stats) } else { write_tables(&stats, out) };
    written.map_err(Error::Output)?;
    Ok(Outcome::Yes)
}

/// Once, or until ^C.
async fn watch(state: State, args: &StatsArgs, out: &mut impl Write) -> Result<(), Error> {
    let interval = args.interval.unwrap_or(WATCHED);
    let stop = tokio::signal::ctrl_c();
    tokio::pin!(stop);
    let (mut before, mut looked) = (gather(&state, args.port.as_deref())?, Instant::now());
    let mut kernel: Kernel = state.kernel;
    loop {
        tokio::select! {
            () = tokio::time::sleep(interval) => {}
            _ = &mut stop => return Ok(()),
        }
        let state = State::read_with(kernel)?;
        let (mut stats, now) = (gather(&state, args.port.as_deref())?, Instant::now());
        let seconds = now.duration_since(looked).as_secs_f64();
        rate(&mut stats.ports, &before.ports, seconds);
        rate(&mut stats.rules, &before.rules, seconds);
        stats.seconds = Some(seconds);
        write_look(&stats, args, out).map_err(Error::Output)?;
        if !args.watch {
            return Ok(());
        }
        (before, looked, kernel) = (stats, now, state.kernel);
    }
}

fn write_look(stats: &Stats, args: &StatsArgs, out: &mut impl Write) -> io::Result<()> {
    if !args.json {
        write_tables(stats, out)?;
    } else if args.watch {
        serde_json::to_writer(&mut *out, stats)?;
    } else {
        return write_json(out, stats);
    }
    if args.watch {
        writeln!(out)?;
    }
    out.flush()
}

fn gather(state: &State, port: Option<&str>) -> Result<Stats, Error> {
    let mut stats = Stats {
        generation: state.root.generation,
        ports: Vec::new(),
        limits: Vec::new(),
        rules: rules(state)?,
        tables: Vec::new(),
        lost_events: Vec::new(),
        full_tables: Vec::new(),
        rejects: Vec::new(),
        seconds: None,
    };
    for port in state.ports_named(port)? {
        let (name, counters) = (port.name(), state.kernel.port_counters(port.entry.id)?);
        stats.ports.extend(reasons(&name, &counters));
        if let Some(port) = state.config.ports.get(&name) {
            stats.limits.extend(limits::rows(&name, &port.limits, &counters));
        }
        let summary = SummaryRow::of(state, port)?;
        stats.tables.push(TableRow::new(state, port, &summary));
        stats.full_tables.extend(Some(summary).filter(|table| table.pressure().is_some()));
        let suppressed = state.kernel.untold_events(port.entry.id)?;
        if suppressed > 0 {
            stats.lost_events.push(LostRow { port: port.name(), suppressed });
        }
        let Rejects { answered, unanswered } = state.kernel.rejects(port.entry.id)?;
        if answered + unanswered > 0 {
            stats.rejects.push(RejectRow { port: name, answered, unanswered });
        }
    }
    if port.is_none() {
        stats.ports.extend(reasons("-", &state.kernel.stray_counters()?));
    }
    Ok(stats)
}

fn rules(state: &State) -> Result<Vec<RuleRow>, Error> {
    let rules = state.kernel.rules(&state.root)?;
    Ok((0..).zip(&rules).filter_map(|(index, counted)| RuleRow::new(state, index, counted)).collect())
}

fn write_tables(stats: &Stats, out: &mut impl Write) -> io::Result<()> {
    write_counted(stats, out)?;
    writeln!(out)?;
    write_rows(out, &stats.tables, Format::Table)?;
    for lost in &stats.lost_events {
        writeln!(out, "\n{}: {} events over its rate, not told", lost.port, lost.suppressed)?;
    }
    for pressure in stats.full_tables.iter().filter_map(SummaryRow::pressure) {
        writeln!(out, "\n{pressure}")?;
    }
    for RejectRow { port, answered, unanswered } in &stats.rejects {
        writeln!(out, "\n{port}: {answered} rejected frames answered, {unanswered} over its rate")?;
    }
    Ok(())
}

/// Ports, limits and rules; with rates, if there are any.
fn write_counted(stats: &Stats, out: &mut impl Write) -> io::Result<()> {
    let rated = stats.seconds.is_some();
    if rated {
        let ports: Vec<Rated<'_, ReasonRow>> = stats.ports.iter().map(Rated).collect();
        write_rows(out, &ports, Format::Table)?;
    } else {
        write_rows(out, &stats.ports, Format::Table)?;
    }
    writeln!(out)?;
    if !stats.limits.is_empty() {
        write_rows(out, &stats.limits, Format::Table)?;
        writeln!(out)?;
    }
    if rated {
        let rules: Vec<Rated<'_, RuleRow>> = stats.rules.iter().map(Rated).collect();
        return write_rows(out, &rules, Format::Table);
    }
    write_rows(out, &stats.rules, Format::Table)
}
