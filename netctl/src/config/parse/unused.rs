//! Groups and sets that no rule names.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::name::{Kind, Names};
use super::section::Section;
use super::{FIELDS, group, port, table};
use crate::config::diagnostic::Diagnostic;
use crate::config::escape::quoted;
use crate::config::model::{Config, Selector};
use crate::config::report::{Finding, Report};
use crate::config::source::{Source, Span};
use crate::config::tree;

/// A note on each group and set of a document that no rule of it names. `config` is what was read from `text`.
pub fn unused(name: &str, text: &str, config: &Config) -> Vec<Diagnostic> {
    let source = Arc::new(Source::new(name, text));
    let reading = tree::read(&source.text);
    // What is wrong with the document was told before.
    let mut told = Report::new(Arc::clone(&source));
    let section = Section::new(&reading.root, FIELDS, ("the document", Span::default()), &mut told);
    let [ports, groups, sets] = ["ports", "groups", "sets"].map(|name| table(&section, name, &mut told));
    let mut names = Names::default();
    ports.into_iter().for_each(|table| port::declare(table, &mut names, &mut told));
    groups.into_iter().for_each(|table| group::declare(table, Kind::Group, &mut names, &mut told));
    sets.into_iter().for_each(|table| group::declare(table, Kind::Set, &mut names, &mut told));

    let named: BTreeSet<&str> = config
        .policy
        .rules
        .iter()
        .flat_map(|rule| rule.from.iter().chain(&rule.to))
        .filter_map(name_of)
        .collect();
    let mut report = Report::new(Arc::clone(&source));
    for (name, kind, span) in names.declared() {
        let word = match kind {
            Kind::Port => continue,
            Kind::Group => "group",
            Kind::Set => "set",
        };
        if !named.contains(name) {
            let message = format!("no rule names the {word} {}", quoted(name));
            report.add(Finding::note(
                span,
                message,
                "remove it, or name it in a rule; tests and listings may use it",
            ));
        }
    }
    report.finish().iter().cloned().collect()
}

fn name_of(selector: &Selector) -> Option<&str> {
    match selector {
        Selector::Group(name) | Selector::Set(name) => Some(name),
        _ => None,
    }
}
