//! A table of the document with the keys it may have: unknown keys, missing keys and values of the
//! wrong kind are reported here, so that the readers of networks, ports and rules see only sound values.

use std::ops::RangeInclusive;

use super::nearest::nearest;
use crate::config::escape::quoted;
use crate::config::limits::MAX_LIST;
use crate::config::report::Report;
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
        for entry in table.entries() {
            if !fields.iter().any(|field| field.name == entry.name) {
                unknown_key(entry, fields, what, report);
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
                None => format!("write {}", known.join(" or ")),
            };
            report.error(span, format!("`{name}` cannot be {}", quoted(text)), help);
        }
        found
    }

    /// The strings of a list; entries of another kind are reported and left out.
    pub(super) fn texts(
        &self,
        name: &str,
        report: &mut Report,
    ) -> impl Iterator<Item = Text<'d>> + use<'d, 't> {
        let strings = |node| strings(name, node, self.example(name), report);
        texts_of(self.node(name).map(strings).unwrap_or_default())
    }

    /// A string as a list of one, or the strings of a list that is not empty.
    pub(super) fn text_or_texts(
        &self,
        name: &str,
        report: &mut Report,
    ) -> Option<impl Iterator<Item = Text<'d>> + use<'d, 't>> {
        let node = self.node(name)?;
        match &node.value {
            Value::String(_) => Some(texts_of(std::slice::from_ref(node))),
            Value::Array(items) if items.is_empty() => {
                let help = format!("name at least one, like `{}`", self.example(name));
                report.error(node.span, format!("`{name}` is empty, so that nothing would match"), help);
                None
            }
            Value::Array(_) => Some(texts_of(strings(name, node, self.example(name), report))),
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
        if !self.is_misspelt(name) {
            let help = format!("add `{}`", self.example(name));
            report.error(self.span, format!("{what} has no `{name}`"), help);
        }
    }

    /// Whether a key that was reported as unknown was probably meant to be this one.
    pub(super) fn is_misspelt(&self, name: &str) -> bool {
        let unknown = |entry: &&Entry<'_>| !self.fields.iter().any(|field| field.name == entry.name);
        let mut unknown = self.table.entries().iter().filter(unknown);
        unknown.any(|entry| nearest(&entry.name, self.fields.iter().map(|field| field.name)) == Some(name))
    }

    fn example(&self, name: &str) -> &'static str {
        self.fields.iter().find(|field| field.name == name).map_or("", |field| field.example)
    }
}

/// A list whose strings are wanted; entries of another kind are reported.
pub(super) fn strings<'d, 't>(
    name: &str,
    list: &'d Node<'t>,
    example: &str,
    report: &mut Report,
) -> &'d [Node<'t>] {
    let mut strings: &[Node<'t>] = &[];
    match &list.value {
        Value::Array(items) if list_fits(name, items.len(), list.span, report) => {
            let others = items.iter().filter(|item| !matches!(item.value, Value::String(_)));
            others.for_each(|item| wrong((name, "a list of strings"), item, example, report));
            strings = items;
        }
        Value::Array(_) => {}
        _ => wrong((name, "a list of strings"), list, example, report),
    }
    strings
}

/// The entries that are strings.
pub(super) fn texts_of<'d, 't>(nodes: &'d [Node<'t>]) -> impl Iterator<Item = Text<'d>> + use<'d, 't> {
    nodes.iter().filter_map(|node| match &node.value {
        Value::String(text) => Some(Text { text, span: node.span }),
        _ => None,
    })
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

fn unknown_key(entry: &Entry<'_>, fields: &[Field], what: &str, report: &mut Report) {
    if report.is_full() {
        return report.omit_errors(1);
    }
    let names: Vec<&str> = fields.iter().map(|field| field.name).collect();
    let help = match nearest(&entry.name, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the keys of {what} are {}", names.join(", ")),
    };
    report.error(entry.key, format!("{what} has no key {}", quoted(&entry.name)), help);
}
