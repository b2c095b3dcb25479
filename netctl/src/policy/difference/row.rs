//! Rectangles as rows for people.

use std::collections::BTreeMap;

use netctl_common::verdict::Action;
use serde::Serialize;

use super::answer::{Answer, Decider, ServiceSet};
use super::cells::Rectangle;
use super::party::{Layer, Names};
use super::service::Services;
use super::service_words::ServiceWords;
use super::space::Space;
use super::words::{End, Vocabulary};
use super::{Both, Family, Side};
use crate::names::RuleName;

/// What one policy does with flows, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Verdict {
    /// `allow`, `deny` or `reject`; `none` where there is no such port.
    pub verdict: &'static str,
    /// `rule`, `default`, `unknown-ethertype`, `no-port` or `not-filtered`.
    pub reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleName>,
    /// Denied by the policy, and let be by audit mode.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub audit: bool,
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let by = match (&self.rule, self.reason) {
            (Some(rule), _) => rule.to_string(),
            (None, "no-port") => return f.write_str("no such port"),
            (None, "not-filtered") => "not filtered".to_owned(),
            (None, "unknown-ethertype") => "no rule for the ethertype".to_owned(),
            (None, reason) => reason.to_owned(),
        };
        let audit = if self.audit { " in audit mode" } else { "" };
        write!(f, "{}{audit}, {by}", self.verdict)
    }
}

/// Flows from each of `from` to each of `to` by each of the services: one verdict before, another one after.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Row {
    pub before: Verdict,
    pub after: Verdict,
    pub from: Vec<End>,
    pub to: Vec<End>,
    /// As in rules.
    pub services: Vec<String>,
    /// Left out of `services`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<String>,
    pub family: Family,
    /// Where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Of frames without IP, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
}

/// Rows, while they are collected.
pub(super) struct Rows {
    rules: Both<Vec<RuleName>>,
    limit: usize,
    found: BTreeMap<Row, ()>,
    omitted: usize,
}

impl Rows {
    pub(super) fn new(sides: Both<&Side>, limit: usize) -> Self {
        let rules = sides.map(|side| crate::names::rules(&side.config, &side.text));
        Self { rules, limit, found: BTreeMap::new(), omitted: 0 }
    }

    pub(super) fn add(
        &mut self,
        layer: &Layer,
        (names, space, services): (&Names<'_>, &Space, &Services),
        sets: &[ServiceSet],
        (rectangles, omitted): (&[Rectangle], usize),
    ) {
        self.omitted += omitted;
        if rectangles.is_empty() {
            return;
        }
        let mut from = Vocabulary::new(layer, (names, space), true);
        let mut to = Vocabulary::new(layer, (names, space), false);
        let mut words = ServiceWords::new(services, layer.family);
        for rectangle in rectangles {
            if self.found.len() >= self.limit {
                self.omitted += 1;
                continue;
            }
            let (services, except) = words.of(rectangle.services, &sets[rectangle.services as usize]);
            let [before, after] = rectangle.answers;
            let row = Row {
                before: self.verdict(0, before),
                after: self.verdict(1, after),
                from: from.ends(&rectangle.sources),
                to: to.ends(&rectangle.destinations),
                services,
                except,
                family: layer.family,
                zone: layer.zone.clone(),
                network: layer.network.clone(),
            };
            self.insert(row);
        }
    }

    /// What is the same for IPv4 and IPv6 is one row.
    fn insert(&mut self, mut row: Row) {
        if row.family == Family::Ipv6 {
            row.family = Family::Ipv4;
            if self.found.remove(&row).is_some() {
                row.family = Family::Ip;
            } else {
                row.family = Family::Ipv6;
            }
        }
        self.found.insert(row, ());
    }

    fn verdict(&self, which: usize, answer: Answer) -> Verdict {
        let rule = match answer.decider {
            Decider::Rule(rule) => self.rules[which].get(rule as usize).cloned(),
            _ => None,
        };
        Verdict {
            verdict: answer.action.map_or("none", Action::name),
            reason: match answer.decider {
                Decider::Rule(_) => "rule",
                Decider::Default => "default",
                Decider::Unasked => "unknown-ethertype",
                Decider::NoPort => "no-port",
                Decider::Unfiltered => "not-filtered",
            },
            rule,
            audit: answer.is_audited,
        }
    }

    /// And how many were left out.
    pub(super) fn finish(self) -> (Vec<Row>, usize) {
        (self.found.into_keys().collect(), self.omitted)
    }
}
