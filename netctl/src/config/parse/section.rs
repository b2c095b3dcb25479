//! A table of the document with the keys it may have: unknown keys, missing keys and values of the
//! wrong kind are reported here, so that the readers of networks, ports and rules see only sound values.

use std::ops::RangeInclusive;

use super::nearest::nearest;
use crate::config::escape::quoted;
use crate::config::limits::MAX_LIST;
use crate::config::report::{Finding, Report};
use crate::config::source::Span;
use crate::config::tree::{Entry, Node, Table, Value};

/// A key that a table may have.
#[derive(Debug)]
pub(in crate::config) struct Field {
    pub(in crate::config) name: &'static str,
    /// How it is written.
    pub(in crate::config) example: &'static str,
}

/// A string of the document.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text<'d> {
    pub(super) text: &'d str,
    pub(super) span: Span,
}

/// A table whose keys are known ones.
#[derive(Clone, Copy, Debug)]
pub(super) struct Section<'d, 't> {
    table: &'d Table<'t>,
    fields: &'static [Field],
    /// Where the table is named: what is missing in it is reported there.
    pub(super) span: Span,
}

impl<'d, 't> Section<'d, 't> {
    /// `what` names the table in messages: "a port".
    pub(super) fn new(
        table: &'d Table<'t>,
        fields: &'static [Field],
        (what, span): (&str, Span),
        report: &mut Report,
    ) -> Self {
        for (key, entry) in &table.entries {
            if !fields.iter().any(|field| field.name == key) {
                unknown_key(key, entry.key, fields, what, report);
            }
        }
        Self { table, fields, span }
    }

    /// The table under a key, or `None` and an error if something else is there.
    pub(super) fn of(
        entry: &'d Entry<'t>,
        fields: &'static [Field],
        what: &str,
        report: &mut Report,
    ) -> Option<Self> {
        match &entry.node.value {
            Value::Table(table) => Some(Self::new(table, fields, (what, entry.key), report)),
            Value::Invalid => None,
            other => {
                let message = format!("{what} is a table, not {}", other.kind());
                report.error(entry.node.span, message, "docs/document.md shows every table");
                None
            }
        }
    }

    pub(super) fn entry(&self, name: &str) -> Option<&'d Entry<'t>> {
        self.table.get(name)
    }

    pub(super) fn node(&self, name: &str) -> Option<&'d Node<'t>> {
        self.entry(name).map(|entry| &entry.node)
    }

    pub(super) fn text(&self, name: &str, report: &mut Report) -> Option<Text<'d>> {
        let node = self.node(name)?;
        match &node.value {
            Value::String(text) => Some(Text { text, span: node.span }),
            _ => self.wrong(name, "a string", node, report),
        }
    }

    pub(super) fn boolean(&self, name: &str, report: &mut Report) -> Option<bool> {
        let node = self.node(name)?;
        match &node.value {
            Value::Boolean(value) => Some(*value),
            _ => self.wrong(name, "true or false", node, report),
        }
    }

    pub(super) fn integer(&self, name: &str, range: RangeInclusive<u16>, report: &mut Report) -> Option<u16> {
        let node = self.node(name)?;
        let Value::Integer(value) = &node.value else { return self.wrong(name, "an integer", node, report) };
        let fits = u16::try_from(*value).ok().filter(|value| range.contains(value));
        if fits.is_none() {
            let message = format!("`{name}` is {value}, outside {} to {}", range.start(), range.end());
            let help = format!("write a number from {} to {}", range.start(), range.end());
            report.error(node.span, message, help);
        }
        fits
    }

    /// One of some words. `words` must not be empty.
    pub(super) fn word<T: Copy>(&self, name: &str, words: &[(&str, T)], report: &mut Report) -> Option<T> {
        let Text { text, span } = self.text(name, report)?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let known: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
            let help = match nearest(text, words.iter().map(|(word, _)| *word)) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("write one of {}", known.join(", ")),
            };
            report.error(span, format!("`{name}` cannot be {}", quoted(text)), help);
        }
        found
    }

    /// A list of strings; entries of another kind are reported and left out.
    pub(super) fn texts(&self, name: &str, report: &mut Report) -> Option<Vec<Text<'d>>> {
        strings(name, self.node(name)?, self.example(name), report)
    }

    /// A string, or a list of strings that is not empty.
    pub(super) fn text_or_texts(&self, name: &str, report: &mut Report) -> Option<Vec<Text<'d>>> {
        let node = self.node(name)?;
        match &node.value {
            Value::String(text) => Some(vec![Text { text, span: node.span }]),
            Value::Array(items) if items.is_empty() => {
                let help = format!("name at least one, like `{}`", self.example(name));
                report.error(node.span, format!("`{name}` is empty, so that nothing would match"), help);
                None
            }
            Value::Array(_) => self.texts(name, report),
            _ => self.wrong(name, "a string or a list of strings", node, report),
        }
    }

    /// Reports a value of the wrong kind, unless it is reported already.
    pub(super) fn wrong<T>(&self, name: &str, want: &str, node: &Node<'_>, report: &mut Report) -> Option<T> {
        wrong((name, want), node, self.example(name), report);
        None
    }

    /// Reports that a key without which the table means nothing is not there.
    pub(super) fn missing(&self, name: &str, what: &str, report: &mut Report) {
        let help = format!("add `{}`", self.example(name));
        report.add(Finding::error(self.span, format!("{what} has no `{name}`"), help));
    }

    fn example(&self, name: &str) -> &'static str {
        self.fields.iter().find(|field| field.name == name).map_or("", |field| field.example)
    }
}

/// The strings of a list; entries of another kind are reported and left out.
pub(super) fn strings<'d>(
    name: &str,
    list: &'d Node<'_>,
    example: &str,
    report: &mut Report,
) -> Option<Vec<Text<'d>>> {
    let Value::Array(items) = &list.value else {
        wrong((name, "a list of strings"), list, example, report);
        return None;
    };
    if !list_fits(name, items.len(), list.span, report) {
        return None;
    }
    let mut texts = Vec::with_capacity(items.len());
    for item in items {
        match &item.value {
            Value::String(text) => texts.push(Text { text, span: item.span }),
            _ => wrong((name, "a list of strings"), item, example, report),
        }
    }
    Some(texts)
}

fn wrong((name, want): (&str, &str), node: &Node<'_>, example: &str, report: &mut Report) {
    if !matches!(node.value, Value::Invalid) {
        let message = format!("{} takes {want}, not {}", quoted(name), node.value.kind());
        report.error(node.span, message, format!("write it like `{example}`"));
    }
}

/// Whether a list is short enough; else it is reported.
pub(super) fn list_fits(name: &str, len: usize, span: Span, report: &mut Report) -> bool {
    if len > MAX_LIST {
        let message = format!("{} has {len} entries, more than {MAX_LIST}", quoted(name));
        report.error(span, message, "join neighbouring prefixes, or split the list into several");
    }
    len <= MAX_LIST
}

fn unknown_key(key: &str, span: Span, fields: &[Field], what: &str, report: &mut Report) {
    let names: Vec<&str> = fields.iter().map(|field| field.name).collect();
    let help = match nearest(key, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the keys of {what} are {}", names.join(", ")),
    };
    report.error(span, format!("{what} has no key {}", quoted(key)), help);
}
