//! The tables of one port, and its elements in maps that all ports share.

use netctl_common::abi::{Counter, FlowEntry, FlowKey, NO_RULE, maps};
use netctl_common::flow;
use netctl_common::verdict::{Action, Direction, REASONS, Reason};

use super::super::running::{RunningPort, now, read_all};
use super::super::{Kernel, KernelError};
use super::shared::element;
use super::{Context, Element};
use crate::names;

impl Kernel {
    pub(super) fn dump_of_port(
        &self,
        map: &str,
        context: &Context<'_>,
        port: &RunningPort,
    ) -> Result<Vec<Element>, KernelError> {
        let name = port.name();
        Ok(match map {
            maps::FLOWS | maps::OPENINGS => {
                let table = self.inner(map, port.entry.id)?;
                let now = now();
                let mut flows = read_all::<FlowKey, FlowEntry>(&table, map)?;
                flows.sort_unstable_by_key(|(key, _)| *key);
                flows.iter().map(|(key, entry)| flow(&name, (key, entry), context, now)).collect()
            }
            maps::PORT_COUNTERS => {
                let mut elements = counters(&name, &self.port_counters(port.entry.id)?);
                let made = self.flows_made(port.entry.id)?;
                let value = format!("{} made, {} in the place of an ended one", made.packets, made.bytes);
                elements.push(element(format!("{name} flows"), value));
                elements
            }
            maps::EVENT_BUDGET => {
                let untold = self.untold_events(port.entry.id)?;
                vec![element(name, format!("{untold} events over its rate, not told"))]
            }
            maps::REJECT_BUDGET => {
                let rejects = self.rejects(port.entry.id)?;
                let value = format!("{} answered, {} unanswered", rejects.answered, rejects.unanswered);
                vec![element(name, value)]
            }
            _ => self.dump_buckets(port)?,
        })
    }
}

pub(super) fn counters(port: &str, counters: &[Counter]) -> Vec<Element> {
    let named = counters.iter().enumerate().filter(|(_, counter)| counter.packets > 0);
    named
        .filter_map(|(index, counter)| {
            let direction = Direction::ALL.get(index / REASONS)?;
            let reason = Reason::ALL.get(index % REASONS)?;
            Some(element(
                format!("{port} {} {}", direction.name(), reason.name()),
                format!("{} packets {} bytes", counter.packets, counter.bytes),
            ))
        })
        .collect()
}

fn flow(port: &str, (key, entry): (&FlowKey, &FlowEntry), context: &Context<'_>, now: u32) -> Element {
    let opener = Direction::decode(entry.opener);
    let opening = key.opening(opener);
    let source = names::address(opening.source);
    let source = match opening.source_port {
        0 => source.to_string(),
        _ if key.is_fragment() => source.to_string(),
        number => format!("{source}:{number}"),
    };
    let ends = format!("{port} {source} > {}", names::address(opening.destination));
    let idle = flow::seconds(now.wrapping_sub(entry.last_seen));
    if key.is_fragment() {
        let id = u32::from(key.local_port) << 16 | u32::from(key.remote_port);
        return element(format!("{ends} fragments {id:#x}"), format!("first fragment, idle {idle:.1} s"));
    }
    let rule = match context.names.rule(entry.rule) {
        Some(rule) if entry.generation == context.root.generation => rule.to_string(),
        _ if entry.rule == NO_RULE => "no rule".to_owned(),
        // Its number means another one now.
        _ => format!("rule {} then", entry.rule + 1),
    };
    let [from_guest, to_guest] = entry.counters;
    let state = flow::state_name(key.protocol, entry.seen);
    let action = Action::decode(u32::from(entry.action)).name();
    element(
        format!("{ends} {}", names::service(key.protocol, opening.destination_port)),
        format!(
            "{action} {}, {state}, {rule}, generation {}, idle {idle:.1} s, from guest {}/{}, to guest {}/{}",
            opener.name(),
            entry.generation,
            from_guest.packets,
            from_guest.bytes,
            to_guest.packets,
            to_guest.bytes,
        ),
    )
}
