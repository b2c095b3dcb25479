//! The journal and what may be written into it, as their maps hold it; `netctl events` reads it in the document's words.

use netctl_common::abi::{Change, Event, JOURNAL_LEN, LogBudget, event_kind, maps};
use netctl_common::verdict::{Action, Direction, Reason};

use super::super::publish::possible_cpus;
use super::super::running::{each_element, read_array};
use super::super::{Kernel, KernelError};
use super::shared::element;
use super::{Context, Element};
use crate::names::{self, Names};

impl Kernel {
    /// By number. One that is being written meanwhile may be of two.
    pub(super) fn dump_journal(&self, names: &Names) -> Result<Vec<Element>, KernelError> {
        let table = self.map_of_this_build(maps::JOURNAL)?;
        let mut events = read_array::<Event>(&table, maps::JOURNAL, JOURNAL_LEN)?;
        events.retain(|event| event.number != 0);
        events.sort_unstable_by_key(|event| event.number);
        Ok(events
            .iter()
            .map(|event| element(format!("event {}", event.number), told(event, names)))
            .collect())
    }

    pub(super) fn dump_journal_end(&self) -> Result<Vec<Element>, KernelError> {
        let table = self.map_of_this_build(maps::JOURNAL_END)?;
        let ends = read_array::<u64>(&table, maps::JOURNAL_END, 1)?;
        Ok(ends.iter().map(|end| element("events", end)).collect())
    }

    /// By rule; of each CPU, what is left.
    pub(super) fn dump_log_budgets(&self, context: &Context<'_>) -> Result<Vec<Element>, KernelError> {
        let table = self.map_of_this_build(maps::LOG_BUDGETS)?;
        let rules = self.rules(context.root)?;
        let value_size = possible_cpus() * size_of::<LogBudget>();
        let mut elements = Vec::new();
        each_element(&table, (size_of::<u64>(), value_size), |key, values| {
            let identity: u64 = bytemuck::pod_read_unaligned(key);
            let index = (0..).zip(&rules).find(|(_, (rule, _))| rule.identity == identity);
            let name = index.and_then(|(index, _): (u32, _)| context.names.rule(index));
            let each = values.chunks_exact(size_of::<LogBudget>());
            let tokens =
                each.map(|budget| bytemuck::pod_read_unaligned::<LogBudget>(budget).tokens.to_string());
            let tokens = tokens.collect::<Vec<_>>().join(" ");
            let key = name.map_or_else(|| format!("a former rule {identity:#x}"), ToString::to_string);
            elements.push(element(key, format!("{tokens} left, by CPU")));
        })
        .map_err(|e| KernelError::map(maps::LOG_BUDGETS, "reading it", e))?;
        Ok(elements)
    }
}

fn told(event: &Event, names: &Names) -> String {
    let seconds = event.time as f64 / 1e9;
    if event.kind == event_kind::CHANGE {
        let change = Change::decode(event.action).map_or("unknown", Change::name);
        return format!(
            "{seconds:.6} s, {change} generation {} by process {}",
            event.generation, event.length
        );
    }
    let kind = if event.kind == event_kind::END { "end of flow, " } else { "" };
    let reason = Reason::decode(event.reason).map_or("unknown", Reason::name);
    format!(
        "{seconds:.6} s, {kind}{} {} {} {reason}, {} > {} {}, generation {}",
        names.port(event.port),
        Direction::decode(event.direction).name(),
        Action::decode(u32::from(event.action)).name(),
        names::address(event.source),
        names::address(event.destination),
        names::service(event.protocol, event.destination_port),
        event.generation,
    )
}
