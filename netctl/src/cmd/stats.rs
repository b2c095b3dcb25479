//! `netctl stats`.

use std::io::{self, Write};
use std::path::Path;

use netctl_common::abi::{Counter, RuleEntry};
use netctl_common::verdict::{Action, Direction, REASONS, Reason};
use serde::Serialize;

use crate::cli::PortArgs;
use crate::error::{Error, Outcome};
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
    packets: u64,
    bytes: u64,
}

impl Row for RuleRow {
    const HEADS: &'static [&'static str] = &["RULE", "LINE", "ACTION", "PACKETS", "BYTES", "TEXT"];
    fn cells(&self) -> Vec<String> {
        let [packets, bytes] = [self.packets, self.bytes].map(|n| n.to_string());
        let (number, line) = (self.rule.number.to_string(), self.rule.line.to_string());
        vec![number, line, self.action.to_owned(), packets, bytes, self.rule.text.clone()]
    }
}

#[derive(Serialize)]
struct LostRow {
    port: String,
    suppressed: u64,
    overflowed: u64,
}

#[derive(Serialize)]
struct Stats {
    generation: u32,
    ports: Vec<ReasonRow>,
    rules: Vec<RuleRow>,
    lost_events: Vec<LostRow>,
}

pub(super) fn run(bpffs: &Path, args: &PortArgs, out: &mut impl Write) -> Result<Outcome, Error> {
    let state = State::read(bpffs)?;
    let stats = gather(&state, args.port.as_deref())?;
    let written = if args.json { write_json(out, &stats) } else { write_tables(&stats, out) };
    written.map_err(Error::Output)?;
    Ok(Outcome::Yes)
}

fn gather(state: &State, port: Option<&str>) -> Result<Stats, Error> {
    let mut ports = Vec::new();
    let mut lost_events = Vec::new();
    for port in state.ports_named(port)? {
        ports.extend(reasons(&port.name(), &state.kernel.port_counters(port.entry.id)?));
        let lost = state.kernel.lost_events(port.entry.id)?;
        if lost.suppressed + lost.overflowed > 0 {
            let (suppressed, overflowed) = (lost.suppressed, lost.overflowed);
            lost_events.push(LostRow { port: port.name(), suppressed, overflowed });
        }
    }
    if port.is_none() {
        ports.extend(reasons("-", &state.kernel.stray_counters()?));
    }
    let rules = (0..).zip(state.kernel.rules(&state.root)?);
    let rules = rules.filter_map(|(index, counted)| rule_row(state, index, counted)).collect();
    Ok(Stats { generation: state.root.generation, ports, rules, lost_events })
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
    Some(RuleRow { rule, action, packets: counter.packets, bytes: counter.bytes })
}

fn write_tables(stats: &Stats, out: &mut impl Write) -> io::Result<()> {
    write_rows(out, &stats.ports, Format::Table)?;
    writeln!(out)?;
    write_rows(out, &stats.rules, Format::Table)?;
    for lost in &stats.lost_events {
        writeln!(
            out,
            "\n{}: {} events over its rate, {} with the ring full",
            lost.port, lost.suppressed, lost.overflowed
        )?;
    }
    Ok(())
}
