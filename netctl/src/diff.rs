//! What changes between two policies and between their ports, as lines for people. Pure.

mod audit;

use std::collections::HashMap;
use std::fmt;

use netctl_common::flow::DEFAULT_TIMEOUTS;
use serde::Serialize;

use crate::config::{self, Addresses, Config, Policy, Port, Rule};

/// One line of a difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleChange {
    pub sign: Sign,
    /// `rule`, `default`, `audit`, `timeout`, `port`, `group` or `set`.
    pub what: &'static str,
    /// Line in the document that is to be applied; in the running one for what goes.
    pub line: u32,
    /// As the document would say it.
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Sign {
    Add,
    Remove,
    /// The same rule at another place among those that stay.
    Move,
    Change,
}

impl fmt::Display for RuleChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.sign {
            Sign::Add => '+',
            Sign::Remove => '-',
            Sign::Move => '>',
            Sign::Change => '~',
        };
        write!(f, "{sign} {}", self.what)?;
        if self.line != 0 {
            write!(f, " (line {})", self.line)?;
        }
        write!(f, ": {}", self.text)
    }
}

/// From what runs (`None`: nothing) to what is wanted.
pub fn policies(running: Option<&Config>, wanted: &Config) -> Vec<RuleChange> {
    let none = Config::empty();
    let running = running.unwrap_or(&none);
    let mut changes = ports(running, wanted);
    changes.extend(named("group", &running.groups, &wanted.groups));
    changes.extend(named("set", &running.sets, &wanted.sets));
    if running.policy.default != wanted.policy.default {
        let (before, after) = (running.policy.default.name(), wanted.policy.default.name());
        let text = format!("{before} becomes {after}");
        changes.push(RuleChange { sign: Sign::Change, what: "default", line: 0, text });
    }
    changes.extend(timeouts(&running.policy, &wanted.policy));
    changes.extend(audit::changes(running, wanted));
    changes.extend(rules(&running.policy.rules, &wanted.policy.rules));
    changes
}

fn timeouts<'a>(running: &'a Policy, wanted: &'a Policy) -> impl Iterator<Item = RuleChange> + use<'a> {
    let both = running.timeouts.iter().zip(&wanted.timeouts).zip(DEFAULT_TIMEOUTS);
    both.filter(|((before, after), _)| before != after).map(|((before, after), (name, _))| {
        let text =
            format!("{name}: {} becomes {}", config::print_seconds(*before), config::print_seconds(*after));
        RuleChange { sign: Sign::Change, what: "timeout", line: 0, text }
    })
}

/// Addresses, MAC address, VLANs and guards: the part of a port that the policy's tables hold.
fn ports(running: &Config, wanted: &Config) -> Vec<RuleChange> {
    let names =
        running.ports.keys().chain(wanted.ports.keys().filter(|name| !running.ports.contains_key(*name)));
    let change = |name: &String| {
        let (before, after) = (running.ports.get(name), wanted.ports.get(name));
        let line = after.or(before)?.line;
        let (sign, text) = match (before.map(identity), after.map(identity)) {
            (Some(before), Some(after)) if before == after => return None,
            (Some(before), Some(after)) => (Sign::Change, format!("{name}: {before} becomes {after}")),
            (None, Some(after)) => (Sign::Add, format!("{name}: {after}")),
            (Some(before), None) => (Sign::Remove, format!("{name}: {before}")),
            (None, None) => return None,
        };
        Some(RuleChange { sign, what: "port", line, text })
    };
    names.filter_map(change).collect()
}

fn identity(port: &Port) -> String {
    let addresses = match &port.addresses {
        Addresses::Any => "any address".to_owned(),
        Addresses::Learned => "learned addresses".to_owned(),
        Addresses::Listed(addresses) => {
            addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        }
    };
    let guarding = config::print_guarding(port);
    let separator = if guarding.is_empty() { "" } else { ", " };
    format!("{} {} [{addresses}]{separator}{guarding}", port.network, port.mac)
}

fn named<T: PartialEq + fmt::Debug>(
    what: &'static str,
    running: &std::collections::BTreeMap<String, T>,
    wanted: &std::collections::BTreeMap<String, T>,
) -> Vec<RuleChange> {
    let mut changes = Vec::new();
    for (name, after) in wanted {
        match running.get(name) {
            Some(before) if before == after => {}
            Some(_) => changes.push(RuleChange { sign: Sign::Change, what, line: 0, text: name.clone() }),
            None => changes.push(RuleChange { sign: Sign::Add, what, line: 0, text: name.clone() }),
        }
    }
    let gone = running.keys().filter(|name| !wanted.contains_key(*name));
    changes.extend(gone.map(|name| RuleChange { sign: Sign::Remove, what, line: 0, text: name.clone() }));
    changes
}

/// By meaning: a rule that only changed its line is no change; one that changed its place among the others is.
fn rules(running: &[Rule], wanted: &[Rule]) -> Vec<RuleChange> {
    let mut places: HashMap<_, Vec<usize>> = HashMap::new();
    for (place, rule) in running.iter().enumerate().rev() {
        places.entry(rule.meaning()).or_default().push(place);
    }
    let mut changes = Vec::new();
    let mut kept = vec![false; running.len()];
    let mut last = None;
    for rule in wanted {
        let line =
            |sign| RuleChange { sign, what: "rule", line: rule.line, text: config::print_rule_text(rule) };
        match places.get_mut(&rule.meaning()).and_then(Vec::pop) {
            None => changes.push(line(Sign::Add)),
            Some(place) => {
                kept[place] = true;
                if last.is_some_and(|last| place < last) {
                    changes.push(line(Sign::Move));
                } else {
                    last = Some(place);
                }
            }
        }
    }
    let gone = running.iter().zip(kept).filter(|(_, kept)| !kept).map(|(rule, _)| rule);
    changes.extend(gone.map(|rule| RuleChange {
        sign: Sign::Remove,
        what: "rule",
        line: rule.line,
        text: config::print_rule_text(rule),
    }));
    changes
}
