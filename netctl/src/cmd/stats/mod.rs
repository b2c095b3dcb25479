//! `netctl stats`.

use std::io::{self, Write};
use std::path::Path;

use netctl_common::abi::{Counter, RuleEntry, rule_flags};
use netctl_common::verdict::{Action, Direction, REASONS, Reason};
use serde::Serialize;

use super::flows::SummaryRow;
use super::limits::{self, LimitRow};
use crate::cli::PortArgs;
use crate::error::{Error, Outcome};
use crate::kernel::running::Rejects;
use crate::names::RuleName;
use crate::output::{Format, Row, write_json, write_rows};
use crate::state::State;

#[derive(Serialize)]
struct ReasonRow {
    /// `-`: interfaces that are no ports of the running policy.
    port: String,
    direction: &'static str,
    reason: &'static str,
    packets: u64,
    bytes: u64,
}

impl Row for ReasonRow {
    const HEADS: &'static [&'static str] = &["PORT", "DIRECTION", "REASON", "PACKETS", "BYTES"];
    fn cells(&self) -> Vec<String> {
        let [packets, bytes] = [self.packets, self.bytes].map(|n| n.to_string());
        vec![self.port.clone(), self.direction.to_owned(), self.reason.to_owned(), packets, bytes]
    }
}

#[derive(Serialize)]
struct RuleRow {
    #[serde(flatten)]
    rule: RuleName,
    action: &'static str,
    /// Counts what the rule would have decided.
    audited: bool,
    packets: u64,
    bytes: u64,
}

impl Row for RuleRow {
    const HEADS: &'static [&'static str] = &["RULE", "LINE", "ACTION", "PACKETS", "BYTES", "TEXT"];
    fn cells(&self) -> Vec<String> {
        let [packets, bytes] = [self.packets, self.bytes].map(|n| n.to_string());
        let (number, line) = (self.rule.number.to_string(), self.rule.line.to_string());
        let would = if self.audited { "would " } else { "" };
        vec![number, line, format!("{would}{}", self.action), packets, bytes, self.rule.text.clone()]
    }
}

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
    lost_events: Vec<LostRow>,
    /// Flow tables whose entries gave way to new ones.
    full_tables: Vec<SummaryRow>,
    /// Ports that rejected frames whose senders are to be told.
    rejects: Vec<RejectRow>,
}

pub(super) fn run(bpffs: &Path, args: &PortArgs, out: &mut impl Write) -> Result<Outcome, Error> {
    let state = State::read(bpffs)?;
    let stats = gather(&state, args.port.as_deref())?;
    let written = if args.json { write_json(out, &stats) } else { write_tables(&stats, out) };
    written.map_err(Error::Output)?;
    Ok(Outcome::Yes)
}

fn gather(state: &State, port: Option<&str>) -> Result<Stats, Error> {
    let (mut ports, mut limits) = (Vec::new(), Vec::new());
    let (mut lost_events, mut full_tables, mut rejects) = (Vec::new(), Vec::new(), Vec::new());
    for port in state.ports_named(port)? {
        let (name, counters) = (port.name(), state.kernel.port_counters(port.entry.id)?);
        ports.extend(reasons(&name, &counters));
        if let Some(port) = state.config.ports.get(&name) {
            limits.extend(limits::rows(&name, &port.limits, &counters));
        }
        let suppressed = state.kernel.untold_events(port.entry.id)?;
        if suppressed > 0 {
            lost_events.push(LostRow { port: port.name(), suppressed });
        }
        full_tables.extend(Some(SummaryRow::of(state, port)?).filter(|table| table.pressure().is_some()));
        let Rejects { answered, unanswered } = state.kernel.rejects(port.entry.id)?;
        if answered + unanswered > 0 {
            rejects.push(RejectRow { port: port.name(), answered, unanswered });
        }
    }
    if port.is_none() {
        ports.extend(reasons("-", &state.kernel.stray_counters()?));
    }
    let rules = (0..).zip(state.kernel.rules(&state.root)?);
    let rules = rules.filter_map(|(index, counted)| rule_row(state, index, counted)).collect();
    Ok(Stats { generation: state.root.generation, ports, limits, rules, lost_events, full_tables, rejects })
}

/// Only what was counted at all.
fn reasons(port: &str, counters: &[Counter]) -> Vec<ReasonRow> {
    let each = |direction: Direction| Reason::ALL.iter().map(move |reason| (direction, *reason));
    Direction::ALL
        .into_iter()
        .flat_map(each)
        .filter_map(|(direction, reason)| {
            let counter = counters.get(direction as usize * REASONS + reason as usize)?;
            (counter.packets > 0).then(|| ReasonRow {
                port: port.to_owned(),
                direction: direction.name(),
                reason: reason.name(),
                packets: counter.packets,
                bytes: counter.bytes,
            })
        })
        .collect()
}

fn rule_row(state: &State, index: u32, (entry, counter): (RuleEntry, Counter)) -> Option<RuleRow> {
    let rule = state.names.rule(index)?.clone();
    let action = Action::decode(entry.action).name();
    let audited = entry.flags & rule_flags::AUDIT != 0;
    Some(RuleRow { rule, action, audited, packets: counter.packets, bytes: counter.bytes })
}

fn write_tables(stats: &Stats, out: &mut impl Write) -> io::Result<()> {
    write_rows(out, &stats.ports, Format::Table)?;
    writeln!(out)?;
    if !stats.limits.is_empty() {
        write_rows(out, &stats.limits, Format::Table)?;
        writeln!(out)?;
    }
    write_rows(out, &stats.rules, Format::Table)?;
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
