//! `netctl events`.

use std::io::Write;
use std::path::Path;

use netctl_common::abi::{BY_DEFAULT, Event, NO_RULE, event_flags};
use netctl_common::verdict::{Action, Direction, Reason};
use serde::Serialize;

use super::block_on;
use crate::cli::EventsArgs;
use crate::error::{Error, Outcome, nearest};
use crate::kernel::KernelError;
use crate::names::{self, RuleName};
use crate::state::State;
use crate::would::Would;

#[derive(Serialize)]
struct EventRow {
    /// Seconds since boot.
    time: f64,
    port: String,
    direction: &'static str,
    action: &'static str,
    reason: &'static str,
    /// But for audit mode, by the rule, or by the default without one: `allow`, `deny` or `reject`.
    #[serde(skip_serializing_if = "Option::is_none")]
    would: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<RuleName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    destination: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_port: Option<u16>,
    service: String,
    /// On the network; absent without a tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    vlan: Option<u16>,
    source_mac: String,
    destination_mac: String,
    length: u32,
    ifindex: u32,
    generation: u32,
}

impl EventRow {
    fn new(event: &Event, State { names, config, .. }: &State) -> Self {
        let audited = match event.rule {
            _ if event.flags & event_flags::AUDIT == 0 => NO_RULE,
            NO_RULE => BY_DEFAULT,
            rule => rule,
        };
        let has_addresses = event.flags & event_flags::ADDRESSES != 0;
        let address = |bytes| has_addresses.then(|| names::address(bytes).to_string());
        Self {
            time: event.time as f64 / 1e9,
            port: names.port(event.port),
            direction: Direction::decode(event.direction).name(),
            action: Action::decode(u32::from(event.action)).name(),
            reason: Reason::decode(event.reason).map_or("unknown", Reason::name),
            would: Would::of(audited, config, names).map(|would| would.action),
            rule: names.rule(event.rule).cloned(),
            source: address(event.source),
            destination: address(event.destination),
            source_port: (event.source_port != 0).then_some(event.source_port),
            service: service(event),
            vlan: (event.vlan != 0).then_some(event.vlan),
            source_mac: names::mac(event.source_mac),
            destination_mac: names::mac(event.destination_mac),
            length: event.length,
            ifindex: event.ifindex,
            generation: event.generation,
        }
    }

    fn line(&self) -> String {
        let end = |address: &Option<String>, mac: &String| address.clone().unwrap_or_else(|| mac.clone());
        let vlan = self.vlan.map_or_else(String::new, |vlan| format!("  vlan {vlan}"));
        let rule = self.rule.as_ref().map_or_else(String::new, |rule| format!("  {rule}: {}", rule.text));
        let would = self.would.map_or_else(String::new, |action| format!(", would {action}"));
        format!(
            "{:>12.6}  {:<6} {:<10} {:<12} {} > {}  {}{vlan}  {}{would}{rule}",
            self.time,
            self.action,
            self.direction,
            self.port,
            end(&self.source, &self.source_mac),
            end(&self.destination, &self.destination_mac),
            self.service,
            self.reason,
        )
    }
}

fn service(event: &Event) -> String {
    match event.ethertype {
        0x0800 | 0x86dd => names::service(event.protocol, event.destination_port),
        0x0806 => "arp".to_owned(),
        other => format!("ether/{other:#06x}"),
    }
}

pub(super) fn run(bpffs: &Path, args: &EventsArgs, out: &mut impl Write) -> Result<Outcome, Error> {
    let state = State::read(bpffs)?;
    state.ports_named(args.port.as_deref())?;
    if let Some(reason) = &args.reason {
        known_reason(reason)?;
    }
    block_on(follow(state, args, out))??;
    Ok(Outcome::Yes)
}

fn known_reason(reason: &str) -> Result<(), Error> {
    if Reason::from_name(reason).is_some() {
        return Ok(());
    }
    let names = || Reason::ALL.iter().map(|reason| reason.name());
    let hint = nearest(reason, names()).map_or_else(
        || format!("; there are {}", names().collect::<Vec<_>>().join(", ")),
        |nearest| format!("; did you mean `{nearest}`?"),
    );
    Err(Error::Question(format!("no reason `{reason}`{hint}")))
}

async fn follow(mut state: State, args: &EventsArgs, out: &mut impl Write) -> Result<(), Error> {
    let mut events = state.kernel.events()?;
    loop {
        let event = match events.ready() {
            Some(event) => event,
            None if !args.follow => return report_lost(&state),
            None => tokio::select! {
                event = events.next() => event.map_err(|source| {
                    KernelError::Map { map: "events".to_owned(), operation: "waiting for events", source }
                })?,
                _ = tokio::signal::ctrl_c() => return report_lost(&state),
            },
        };
        // A newer generation has other rules; its names are read once it shows itself.
        if event.generation > state.root.generation {
            state = State::read_with(state.kernel)?;
        }
        write(&event, &state, args, out)?;
    }
}

fn write(event: &Event, state: &State, args: &EventsArgs, out: &mut impl Write) -> Result<(), Error> {
    let row = EventRow::new(event, state);
    let wanted = args.port.as_ref().is_none_or(|port| *port == row.port)
        && args.reason.as_ref().is_none_or(|reason| reason == row.reason);
    if !wanted {
        return Ok(());
    }
    let line = if args.json {
        serde_json::to_string(&row).map_err(|e| Error::Output(e.into()))?
    } else {
        row.line()
    };
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(Error::Output)
}

/// What the stream did not show, in words.
fn report_lost(state: &State) -> Result<(), Error> {
    for port in &state.ports {
        let lost = state.kernel.lost_events(port.entry.id)?;
        if lost.suppressed + lost.overflowed > 0 {
            eprintln!(
                "netctl: port `{}` could not send {} events: {} over its rate, {} with the ring full",
                port.name(),
                lost.suppressed + lost.overflowed,
                lost.suppressed,
                lost.overflowed,
            );
        }
    }
    Ok(())
}
