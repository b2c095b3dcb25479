//! What the text of a document does wrong as TOML, in words, with the next step.

use toml_parser::{ErrorSink, Expected, ParseError};

use super::Table;
use super::section::Taken;
use crate::config::escape::quoted;
use crate::config::limits::{MAX_DEPTH, MAX_DIAGNOSTICS, MAX_KEY_PARTS, MAX_TABLES, MAX_TOKENS};
use crate::config::report::{Finding, Report};
use crate::config::source::Span;

/// What was read.
#[derive(Debug)]
pub(in crate::config) struct Reading<'t> {
    pub(in crate::config) root: Table<'t>,
    pub(in crate::config) syntax: Syntax,
}

/// Mistakes. The tree is complete but for single values, unless [`Self::is_broken`].
#[derive(Debug, Default)]
pub(in crate::config) struct Syntax {
    /// The text falls into other pieces than meant.
    pub(super) structure: Mistakes<ParseError>,
    /// A single value or key cannot be read.
    pub(super) values: Mistakes<ParseError>,
    pub(super) taken: Mistakes<Taken>,
    /// Where the limits are passed.
    pub(super) too_long: Option<Span>,
    pub(super) too_many_tables: Option<Span>,
    pub(super) too_many_parts: Option<Span>,
}

/// A file of nothing but mistakes must not fill the memory.
#[derive(Debug)]
pub(super) struct Mistakes<T> {
    list: Vec<T>,
    more: usize,
}

impl<T> Default for Mistakes<T> {
    fn default() -> Self {
        Self { list: Vec::new(), more: 0 }
    }
}

impl<T> Mistakes<T> {
    pub(super) fn push(&mut self, mistake: T) {
        if self.list.len() < MAX_DIAGNOSTICS { self.list.push(mistake) } else { self.more += 1 }
    }

    pub(super) fn count(&self) -> usize {
        self.list.len() + self.more
    }
}

impl ErrorSink for Mistakes<ParseError> {
    fn report_error(&mut self, error: ParseError) {
        self.push(error);
    }
}

impl Syntax {
    /// Whether the tree is not what the text means, so that nothing can be said about its content.
    pub(in crate::config) fn is_broken(&self) -> bool {
        self.structure.count() > 0 || self.passed_limits().next().is_some()
    }

    /// Whether there is no mistake at all.
    #[cfg(test)]
    pub(super) fn is_clean(&self) -> bool {
        !self.is_broken() && self.values.count() + self.taken.count() == 0
    }

    pub(in crate::config) fn tell(&self, report: &mut Report) {
        let limits = self.passed_limits().map(|(span, message, help)| Finding::error(span, message, help));
        let errors = self.structure.list.iter().chain(&self.values.list).map(parse_error);
        report.add_syntax(limits.chain(errors).chain(self.taken.list.iter().map(taken)).collect());
        report.omit_errors(self.structure.more + self.values.more + self.taken.more);
    }

    fn passed_limits(&self) -> impl Iterator<Item = (Span, String, &'static str)> {
        let smaller = "put addresses into sets, and services into lists of one rule";
        let length = format!("the document goes on beyond {MAX_TOKENS} words and signs");
        let tables = format!("the document has more than {MAX_TABLES} tables and rules");
        let parts = format!("a key has more than {MAX_KEY_PARTS} parts");
        let limits = [
            (self.too_long, length, smaller),
            (self.too_many_tables, tables, smaller),
            (self.too_many_parts, parts, "the longest key of a document has three"),
        ];
        limits.into_iter().filter_map(|(span, message, help)| Some((span?, message, help)))
    }
}

fn taken(taken: &Taken) -> Finding {
    let name = quoted(&taken.name);
    let (message, help) = if taken.closed {
        (
            format!("{name} is complete already and cannot be extended here"),
            "write all of its keys in one place",
        )
    } else {
        (format!("{name} is defined a second time"), "keep one of the two")
    };
    Finding::error(taken.again, message, help).relate(taken.first, "first defined here")
}

fn parse_error(error: &ParseError) -> Finding {
    let span = error.unexpected().or(error.context()).unwrap_or_default();
    let description = error.description();
    let (message, help) = if description.starts_with("cannot recurse") {
        let message = format!("brackets are nested more than {MAX_DEPTH} deep");
        (message, "a list of rules with lists of services is as deep as a document goes".to_owned())
    } else {
        (description.to_owned(), next_step(description, error.expected().unwrap_or_default()))
    };
    let finding = Finding::error(Span::new(span.start(), span.end()), message, help);
    match error.context() {
        Some(opened) if description.starts_with("unclosed") && opened.start() < span.start() => {
            finding.relate(Span::new(opened.start(), opened.start() + 1), "opened here")
        }
        _ => finding,
    }
}

fn next_step(description: &str, expected: &[Expected]) -> String {
    if description == "string values must be quoted" {
        return "write it in double quotes, like \"web1\"".to_owned();
    }
    let expected: Vec<String> = expected.iter().filter_map(sign).collect();
    match expected.split_last() {
        None => "correct the TOML here; docs/document.md shows every table".to_owned(),
        Some((only, [])) => format!("TOML wants {only} here"),
        Some((last, others)) => format!("TOML wants {} or {last} here", others.join(", ")),
    }
}

fn sign(expected: &Expected) -> Option<String> {
    match expected {
        Expected::Literal("\n") => Some("the end of the line".to_owned()),
        Expected::Literal(text) => Some(quoted(text)),
        Expected::Description(text) => Some((*text).to_owned()),
        _ => None,
    }
}
