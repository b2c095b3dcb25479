//! `netctl flows`.

mod summary;

use std::io::Write;
use std::path::Path;

use netctl_common::abi::{FlowEntry, FlowKey};
use netctl_common::flow;
use netctl_common::verdict::{Action, Direction};
use serde::Serialize;
pub(super) use summary::SummaryRow;

use crate::cli::FlowsArgs;
use crate::error::{Error, Outcome};
use crate::names::{self, RuleName};
use crate::output::{Format, Row, write_rows};
use crate::state::State;
use crate::would::Would;

#[derive(Serialize)]
struct FlowRow {
    port: String,
    /// The side that opened it.
    source: String,
    destination: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_port: Option<u16>,
    service: String,
    /// Of the opener, at this port.
    direction: &'static str,
    state: &'static str,
    action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<RuleName>,
    /// What would have been decided but for audit mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    would: Option<Would>,
    generation: u32,
    /// Seconds since the last frame.
    idle: f64,
    from_guest_packets: u64,
    from_guest_bytes: u64,
    to_guest_packets: u64,
    to_guest_bytes: u64,
}

impl Row for FlowRow {
    const HEADS: &'static [&'static str] =
        &["PORT", "FROM", "TO", "SERVICE", "STATE", "VERDICT", "RULE", "IDLE", "FROM-GUEST", "TO-GUEST"];
    fn cells(&self) -> Vec<String> {
        let source = match self.source_port {
            Some(port) => format!("{}:{port}", self.source),
            None => self.source.clone(),
        };
        vec![
            self.port.clone(),
            source,
            self.destination.clone(),
            self.service.clone(),
            self.state.to_owned(),
            self.would.as_ref().map_or_else(
                || self.action.to_owned(),
                |would| format!("{}, would {}", self.action, would.action),
            ),
            self.rule.as_ref().map_or_else(|| "-".to_owned(), |rule| rule.number.to_string()),
            format!("{:.1}s", self.idle),
            format!("{}/{}", self.from_guest_packets, self.from_guest_bytes),
            format!("{}/{}", self.to_guest_packets, self.to_guest_bytes),
        ]
    }
}

pub(super) fn run(bpffs: &Path, args: &FlowsArgs, out: &mut impl Write) -> Result<Outcome, Error> {
    let state = State::read(bpffs)?;
    if args.summary {
        let rows = summary::rows(&state, &args.ports)?;
        write_rows(out, &rows, Format::json_if(args.ports.json)).map_err(Error::Output)?;
        return Ok(Outcome::Yes);
    }
    let args = &args.ports;
    let now = crate::kernel::running::now();
    let mut rows = Vec::new();
    for port in state.ports_named(args.port.as_deref())? {
        let mut flows = state.kernel.flows(port.entry.id)?;
        flows.sort_by_key(|(key, _)| *key);
        let live = flows.iter().filter(|(key, entry)| {
            !key.is_fragment() && entry.is_live(key.protocol, now, &port.entry.root.timeouts)
        });
        rows.extend(live.map(|(key, entry)| row(&port.name(), key, entry, (&state, now))));
    }
    write_rows(out, &rows, Format::json_if(args.json)).map_err(Error::Output)?;
    Ok(Outcome::Yes)
}

fn row(port: &str, key: &FlowKey, entry: &FlowEntry, (state, now): (&State, u32)) -> FlowRow {
    let opener = Direction::decode(entry.opener);
    let opening = key.opening(opener);
    let [from_guest, to_guest] = entry.counters;
    // A flow of an older generation was decided by a rule whose number means another one now.
    let is_current = entry.generation == state.root.generation;
    let rule = state.names.rule(entry.rule).filter(|_| is_current);
    let would = Would::of(entry.audited, &state.config, &state.names).filter(|_| is_current);
    FlowRow {
        port: port.to_owned(),
        source: names::address(opening.source).to_string(),
        destination: names::address(opening.destination).to_string(),
        source_port: (opening.source_port != 0).then_some(opening.source_port),
        service: names::service(key.protocol, opening.destination_port),
        direction: opener.name(),
        state: flow::state_name(key.protocol, entry.seen),
        action: Action::decode(u32::from(entry.action)).name(),
        rule: rule.cloned(),
        would,
        generation: entry.generation,
        idle: flow::seconds(now.wrapping_sub(entry.last_seen)),
        from_guest_packets: from_guest.packets,
        from_guest_bytes: from_guest.bytes,
        to_guest_packets: to_guest.packets,
        to_guest_bytes: to_guest.bytes,
    }
}
