//! `[policy]`: the default and the list of rules.

use netctl_common::verdict::Action;

use super::audit;
use super::name::Names;
use super::rule::{self, ACTIONS};
use super::section::{Field, Section};
use crate::config::limits::MAX_RULES;
use crate::config::model::{Policy, Rule};
use crate::config::report::Report;
use crate::config::tree::{Entry, Node, Value};

pub(in crate::config) const FIELDS: &[Field] = &[
    Field { name: "default", example: "default = \"deny\"" },
    Field { name: "audit", example: "audit = true" },
    Field { name: "rules", example: "rules = [{ allow = \"tcp/443\", from = \"any\", to = \"any\" }]" },
];

/// Reads the policy; without one, everything is denied.
pub(super) fn policy(entry: Option<&Entry<'_>>, names: &Names<'_>, report: &mut Report) -> Policy {
    let section = entry.and_then(|entry| Section::of(entry, FIELDS, "the policy", report));
    let Some(section) = section else { return Policy::default() };
    let default = section.word("default", &ACTIONS, report).unwrap_or(Action::Deny);
    let audit = audit::policy(&section, report);
    Policy { default, audit, rules: rules(&section, names, report), ..Policy::default() }
}

fn rules(section: &Section<'_, '_>, names: &Names<'_>, report: &mut Report) -> Vec<Rule> {
    let Some(node) = section.node("rules") else { return Vec::new() };
    let (Value::Array(items) | Value::Tables(items)) = &node.value else {
        return section.wrong("rules", "a list of rules", node, report).unwrap_or_default();
    };
    if let Some(beyond) = items.get(MAX_RULES) {
        let message = format!("the policy has {} rules, more than {MAX_RULES}", items.len());
        report.error(beyond.span, message, "put addresses into sets, and services into lists of one rule");
        return Vec::new();
    }
    let read = |item: &Node<'_>| match &item.value {
        Value::Table(table) => rule::rule(table, item.span, names, report),
        _ => section.wrong("rules", "a list of rules in braces", item, report),
    };
    items.iter().filter_map(read).collect()
}
