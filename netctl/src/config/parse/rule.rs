//! One rule: `{ allow = SERVICES, from = SELECTORS, to = SELECTORS, ... }`.

use std::ops::RangeInclusive;

use netctl_common::verdict::Action;

use super::log::log;
use super::name::Names;
use super::section::{Field, Section, Text, list_fits};
use super::selector::{Side, selector};
use super::service;
use crate::config::escape::{is_plain, quoted};
use crate::config::model::{Rule, Selector, Service};
use crate::config::report::{Complaint, Finding, Report};
use crate::config::source::Span;
use crate::config::tree::{Node, Table, Value};

/// Longest name of a rule, in bytes.
pub(in crate::config) const MAX_RULE_NAME: usize = 128;

pub(in crate::config) const FIELDS: &[Field] = &[
    Field { name: "allow", example: "allow = \"tcp/443\"" },
    Field { name: "deny", example: "deny = \"any\"" },
    Field { name: "reject", example: "reject = \"tcp\"" },
    Field { name: "from", example: "from = \"any\"" },
    Field { name: "to", example: "to = \"any\"" },
    Field { name: "source-ports", example: "source-ports = [1024, \"32768-60999\"]" },
    Field { name: "name", example: "name = \"app to database\"" },
    Field { name: "log", example: "log = true" },
    Field { name: "audit", example: "audit = true" },
];

/// The keys that say what happens; a rule has one of them.
pub(super) const ACTIONS: [(&str, Action); 3] =
    [("allow", Action::Allow), ("deny", Action::Deny), ("reject", Action::Reject)];

/// Reads a rule; `None` if there is an error in it, which is reported.
pub(super) fn rule(table: &Table<'_>, span: Span, names: &Names<'_>, report: &mut Report) -> Option<Rule> {
    let section = Section::new(table, FIELDS, ("a rule", span), report);
    let action = action(&section, report);
    let from = selectors(&section, "from", Side::From, names, report);
    let to = selectors(&section, "to", Side::To, names, report);
    let source_ports = source_ports(&section, report);
    let name = section
        .text("name", report)
        .and_then(|text| report.take(text.span, checked_name(text.text, "a rule")));
    let log = log(&section, report);
    let audit = section.boolean("audit", report).unwrap_or(false);
    let (key, action) = action?;
    let services = services(&section, key, !source_ports.is_empty(), report)?;
    Some(Rule {
        action,
        from: from?,
        to: to?,
        services,
        source_ports,
        name,
        log,
        audit,
        line: report.line_of(span),
    })
}

fn action(section: &Section<'_, '_>, report: &mut Report) -> Option<(&'static str, Action)> {
    let mut found = ACTIONS.iter().filter_map(|(key, action)| Some((*key, *action, section.entry(key)?)));
    let Some((key, action, entry)) = found.next() else {
        if !ACTIONS.iter().any(|(key, _)| section.is_misspelt(key)) {
            let help = "add one of `allow`, `deny` and `reject`, like `allow = \"tcp/443\"`";
            report.error(section.span, "a rule has no `allow`, `deny` or `reject`", help);
        }
        return None;
    };
    for (other, _, second) in found {
        let message = format!("a rule has both `{key}` and `{other}`");
        let (later, earlier) = if entry.key.start > second.key.start {
            (entry.key, second.key)
        } else {
            (second.key, entry.key)
        };
        let finding = Finding::error(later, message, "make it two rules; the first that matches decides");
        report.add(finding.relate(earlier, "also here"));
    }
    Some((key, action))
}

fn selectors(
    section: &Section<'_, '_>,
    key: &str,
    side: Side,
    names: &Names<'_>,
    report: &mut Report,
) -> Option<Vec<Selector>> {
    if section.entry(key).is_none() {
        section.missing(key, "a rule", report);
        return None;
    }
    let texts = section.text_or_texts(key, report)?;
    let read = |text: Text<'_>| {
        let result = selector(text.text, side, names, !report.is_full());
        report.take(text.span, result)
    };
    Some(texts.filter_map(read).collect())
}

fn services(
    section: &Section<'_, '_>,
    key: &str,
    has_ports: bool,
    report: &mut Report,
) -> Option<Vec<Service>> {
    let texts = section.text_or_texts(key, report)?;
    let mut services = Vec::new();
    for text in texts {
        let Some(service) = report.take(text.span, service::service(text.text)) else { continue };
        if has_ports && !matches!(service, Service::Tcp(_) | Service::Udp(_) | Service::Sctp(_)) {
            source_ports_without_ports(section, text, report);
        }
        services.push(service);
    }
    Some(services)
}

fn source_ports_without_ports(section: &Section<'_, '_>, text: Text<'_>, report: &mut Report) {
    let message = format!("{} has no source ports", quoted(text.text));
    let help = "write \"tcp\", \"udp\" or \"sctp\", or make it a rule without `source-ports`";
    let mut finding = Finding::error(text.span, message, help);
    if let Some(entry) = section.entry("source-ports") {
        finding = finding.relate(entry.key, "asked for here");
    }
    report.add(finding);
}

fn source_ports(section: &Section<'_, '_>, report: &mut Report) -> Vec<RangeInclusive<u16>> {
    let Some(node) = section.node("source-ports") else { return Vec::new() };
    match &node.value {
        Value::Array(items) if items.is_empty() => {
            report.error(node.span, "`source-ports` is empty", "leave it out: then any port matches");
            Vec::new()
        }
        Value::Array(items) if !list_fits("source-ports", items.len(), node.span, report) => Vec::new(),
        Value::Array(items) => items.iter().filter_map(|item| source_port(section, item, report)).collect(),
        _ => source_port(section, node, report).into_iter().collect(),
    }
}

fn source_port(
    section: &Section<'_, '_>,
    node: &Node<'_>,
    report: &mut Report,
) -> Option<RangeInclusive<u16>> {
    match &node.value {
        Value::String(text) => report.take(node.span, service::source_ports(text)),
        Value::Integer(port) => match u16::try_from(*port) {
            Ok(port) => Some(port..=port),
            Err(_) => {
                report.error(node.span, format!("{port} is no port"), "write a number from 0 to 65535");
                None
            }
        },
        _ => section.wrong("source-ports", "ports, ranges or a list of them", node, report),
    }
}

/// The free text by which people know a rule or a test; `what` it names, with its article.
pub(super) fn checked_name(name: &str, what: &str) -> Result<String, Complaint> {
    let reason = if name.is_empty() {
        "it is empty".to_owned()
    } else if name.len() > MAX_RULE_NAME {
        format!("it has {} bytes, more than {MAX_RULE_NAME}", name.len())
    } else if !name.chars().all(is_plain) {
        "it has control characters".to_owned()
    } else {
        return Ok(name.to_owned());
    };
    let help = format!("use 1 to {MAX_RULE_NAME} bytes of printable text");
    Err(Complaint::new(format!("{} cannot name {what}: {reason}", quoted(name)), help))
}
