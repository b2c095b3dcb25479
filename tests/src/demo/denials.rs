//! Why frames were denied, from `netctl events --json`, folded to one line for each cause.

use std::collections::BTreeMap;
use std::net::IpAddr;

use netctl_common::verdict::Reason;

use super::matrix::Cell;
use crate::lab::{Event, Lab};

/// Denials between guests.
#[derive(Debug)]
pub struct Denials {
    events: Vec<Event>,
    names: BTreeMap<IpAddr, String>,
}

impl Denials {
    /// Keeps what one guest sent to another.
    pub fn gather(events: Vec<Event>, lab: &Lab<'_>) -> Self {
        let names: BTreeMap<IpAddr, String> = lab
            .guests()
            .flat_map(|(name, _)| {
                let addresses = lab.port(name).addresses.iter().filter_map(|text| text.parse().ok());
                addresses.map(move |address| (address, name.to_owned()))
            })
            .collect();
        let owned = |end: Option<IpAddr>| end.is_some_and(|address| names.contains_key(&address));
        let between =
            |event: &Event| owned(event.source) && owned(event.destination) && event.action != "allow";
        Self { events: events.into_iter().filter(between).collect(), names }
    }

    /// Whether a denied attempt has an event that names the rule which `explain` named; an allowed one needs none.
    pub fn explain(&self, cell: &Cell) -> bool {
        cell.seen
            || self.events.iter().any(|event| {
                event.source == Some(cell.source)
                    && event.destination == Some(cell.destination)
                    && event.service == cell.service.in_events(cell.family)
                    && event.rule == cell.rule
                    && event.reason == if cell.rule.is_some() { "rule" } else { "default" }
            })
    }

    /// One line for each pair, service and cause that the policy gave, and the texts of its rules; then one for each
    /// other reason.
    pub fn lines(&self) -> Vec<String> {
        let mut causes: BTreeMap<String, usize> = BTreeMap::new();
        let mut rules = BTreeMap::new();
        let mut others: BTreeMap<&str, usize> = BTreeMap::new();
        for event in &self.events {
            match &*event.reason {
                "rule" | "default" => *causes.entry(self.cause(event)).or_default() += 1,
                reason => *others.entry(reason).or_default() += 1,
            }
            if let Some(rule) = &event.rule {
                rules.insert(rule.line, &rule.text);
            }
        }
        let counted = causes.iter().map(|(cause, count)| format!("{count:>3} x  {cause}"));
        let texts = rules.iter().map(|(line, text)| format!("line {line}: {text}"));
        let others = others.iter().map(|(reason, count)| {
            let sentence = Reason::from_name(reason).map_or("", Reason::describe).trim();
            format!("{count:>3} x  {reason}: {sentence}")
        });
        counted.chain(texts).chain(others).collect()
    }

    fn cause(&self, event: &Event) -> String {
        let name = |end: Option<IpAddr>| end.and_then(|address| self.names.get(&address)).map_or("-", |n| n);
        let (from, to) = (name(event.source), name(event.destination));
        let rule = event.rule.as_ref().map(|rule| format!(" {} on line {}", rule.number, rule.line));
        format!(
            "{from:<4} > {to:<4}  {:<11}  at {:<4} {}: {}{}",
            event.service,
            event.port,
            event.direction,
            event.reason,
            rule.unwrap_or_default()
        )
    }
}
