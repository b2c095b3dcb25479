//! What two samples make of each other: everything a second.

use std::collections::BTreeMap;

use netctl_common::abi::{Counter, FlowKey};
use netctl_common::verdict::Direction;
use serde::Serialize;

use super::sample::{FlowSample, PortSample, Sample};
use crate::names::{self, RuleName};

/// Connections that are shown at most.
const TALKERS: usize = 100;

#[derive(Clone, Debug, Default, Serialize)]
pub struct Rates {
    pub generation: u32,
    /// Between the samples.
    pub seconds: f64,
    /// By name.
    pub ports: Vec<PortRates>,
    /// Of those that decided something, most packets first.
    pub rules: Vec<RuleRates>,
    /// Most bits first.
    pub talkers: Vec<Talker>,
}

/// Packets and bits a second. A packet is a frame as the host has it: TSO makes several of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Rate {
    pub packets: f64,
    pub bits: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PortRates {
    pub port: String,
    /// With what was denied.
    pub from_guest: Rate,
    pub to_guest: Rate,
    /// Frames a second that were denied or rejected.
    pub denied: f64,
    /// Entries in the flow tables, and how many there is room for.
    pub entries: u64,
    pub size: u64,
    /// Flows a second that gave way to new ones.
    pub evicted: f64,
    /// Denials a second that were over the rate of events.
    pub untold: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RuleRates {
    #[serde(flatten)]
    pub rule: RuleName,
    pub action: &'static str,
    #[serde(flatten)]
    pub rate: Rate,
}

/// A connection, as the port sees it that saw most of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Talker {
    /// That see it: two, between local ports.
    pub ports: Vec<String>,
    /// Of who opened it.
    pub source: String,
    pub destination: String,
    pub service: String,
    #[serde(flatten)]
    pub rate: Rate,
}

impl PortRates {
    pub fn bits(&self) -> f64 {
        self.from_guest.bits + self.to_guest.bits
    }

    pub fn packets(&self) -> f64 {
        self.from_guest.packets + self.to_guest.packets
    }

    /// Why its tables are too small, or its events too many.
    pub fn is_pressed(&self) -> bool {
        self.evicted > 0.0 || self.untold > 0.0 || self.entries * 10 > self.size * 9
    }
}

impl Rates {
    pub fn between(before: &Sample, after: &Sample) -> Self {
        let seconds = after.time.saturating_sub(before.time) as f64 / 1e9;
        let per = Per { seconds: seconds.max(1e-3) };
        let ports = after.ports.iter().map(|(name, now)| {
            let told = told_denials(after, name);
            // What was counted before a port began to exist for us is not of this time.
            per.port(name, before.ports.get(name).unwrap_or(now), now, told)
        });
        Self {
            generation: after.generation,
            seconds,
            ports: ports.collect(),
            rules: rules(per, before, after),
            talkers: talkers(per, before, after),
        }
    }
}

/// Denials by rules at a port that the journal told of.
fn told_denials(after: &Sample, port: &str) -> u64 {
    let rows = after.denials.iter().filter_map(|told| told.frame());
    rows.filter(|row| row.port == port && row.reason == "rule" && row.action != "allow").count() as u64
}

#[derive(Clone, Copy)]
struct Per {
    seconds: f64,
}

impl Per {
    fn second(self, count: u64) -> f64 {
        count as f64 / self.seconds
    }

    fn rate(self, counter: Counter) -> Rate {
        Rate { packets: self.second(counter.packets), bits: self.second(counter.bytes) * 8.0 }
    }

    fn port(self, name: &str, before: &PortSample, now: &PortSample, told: u64) -> PortRates {
        let of = |direction: Direction| {
            let at = direction as usize;
            self.rate(since(before.came[at], now.came[at]))
        };
        let untold = now.untold.saturating_sub(before.untold);
        // Rules count by themselves, not by port: which of a port's frames they denied, events tell.
        let by_rules = now.ruled.saturating_sub(before.ruled).min(told + untold);
        PortRates {
            port: name.to_owned(),
            from_guest: of(Direction::FromGuest),
            to_guest: of(Direction::ToGuest),
            denied: self.second(now.denied.saturating_sub(before.denied) + by_rules),
            entries: now.entries,
            size: now.size,
            evicted: self.second(now.evicted.saturating_sub(before.evicted)),
            untold: self.second(untold),
        }
    }
}

fn since(before: Counter, now: Counter) -> Counter {
    Counter {
        packets: now.packets.saturating_sub(before.packets),
        bytes: now.bytes.saturating_sub(before.bytes),
    }
}

fn rules(per: Per, before: &Sample, after: &Sample) -> Vec<RuleRates> {
    let earlier: BTreeMap<(&str, u32), Counter> =
        before.rules.iter().map(|rule| ((rule.rule.text.as_str(), rule.rule.number), rule.counter)).collect();
    let mut rules: Vec<RuleRates> = after
        .rules
        .iter()
        .map(|now| {
            let key = (now.rule.text.as_str(), now.rule.number);
            let counter = since(earlier.get(&key).copied().unwrap_or(now.counter), now.counter);
            RuleRates { rule: now.rule.clone(), action: now.action, rate: per.rate(counter) }
        })
        .filter(|rule| rule.rate.packets > 0.0)
        .collect();
    rules.sort_by(|a, b| b.rate.packets.total_cmp(&a.rate.packets));
    rules
}

/// Two local ports see the same connection: it is shown once.
fn talkers(per: Per, before: &Sample, after: &Sample) -> Vec<Talker> {
    let mut found: BTreeMap<(String, String, String), Talker> = BTreeMap::new();
    for ((port, key), now) in &after.flows {
        let earlier = before.flows.get(&(port.clone(), *key)).map_or(Counter::default(), |flow| flow.counter);
        // An entry that another connection took over counts from 0 again.
        let earlier = if earlier.bytes > now.counter.bytes { Counter::default() } else { earlier };
        let talker = talker(port, key, now, per.rate(since(earlier, now.counter)));
        if talker.rate.packets == 0.0 {
            continue;
        }
        let name = (talker.source.clone(), talker.destination.clone(), talker.service.clone());
        match found.get_mut(&name) {
            Some(other) => {
                other.ports.extend(talker.ports);
                if talker.rate.bits > other.rate.bits {
                    other.rate = talker.rate;
                }
            }
            None => drop(found.insert(name, talker)),
        }
    }
    let mut talkers: Vec<Talker> = found.into_values().collect();
    talkers.sort_by(|a, b| b.rate.bits.total_cmp(&a.rate.bits));
    talkers.truncate(TALKERS);
    talkers
}

fn talker(port: &str, key: &FlowKey, flow: &FlowSample, rate: Rate) -> Talker {
    let opening = key.opening(flow.opener);
    let source = names::address(opening.source).to_string();
    Talker {
        ports: vec![port.to_owned()],
        source: match opening.source_port {
            0 => source,
            port if source.contains(':') => format!("[{source}]:{port}"),
            port => format!("{source}:{port}"),
        },
        destination: names::address(opening.destination).to_string(),
        service: names::service(key.protocol, opening.destination_port),
        rate,
    }
}

#[cfg(test)]
#[path = "rates_tests.rs"]
mod tests;
