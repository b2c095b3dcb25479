//! What is wrong with a document, or doubtful: where, why, and the next step.
//! Printing with source lines lives in `render`; the findings themselves come from the parser and the compiler.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::limits::MAX_DIAGNOSTICS;
use super::source::{Place, Source, Span};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The document is refused.
    Error,
    /// The document is taken.
    Warning,
    /// Nothing is wrong; `netctl check` alone tells it.
    Note,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    pub severity: Severity,
    /// Counted from 1.
    pub line: u32,
    /// In characters, counted from 1; 0 stands for the whole line until the finding is among [`Diagnostics`].
    pub column: u32,
    /// Characters, on this line.
    pub length: u32,
    /// What is wrong; lower case, one line.
    pub message: String,
    /// The next step; may be empty.
    pub help: String,
    /// Other places that belong to it.
    pub related: Vec<Related>,
}

/// Another place that belongs to a finding. Numbers as in [`Diagnostic`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Related {
    pub line: u32,
    pub column: u32,
    pub length: u32,
    pub message: String,
}

impl Diagnostic {
    /// A finding about a whole line, for those who know only the line.
    pub fn on_line(
        severity: Severity,
        line: u32,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        let (message, help) = (message.into(), help.into());
        Self { severity, line, column: 0, length: 0, message, help, related: Vec::new() }
    }

    /// Adds another line that belongs to the finding, such as the first of two duplicates.
    #[must_use]
    pub fn and_line(mut self, line: u32, message: impl Into<String>) -> Self {
        self.related.push(Related { line, column: 0, length: 0, message: message.into() });
        self
    }
}

/// The findings about one document, in the order of their places.
#[derive(Clone, Debug, Serialize)]
pub struct Diagnostics {
    #[serde(rename = "document", serialize_with = "name_of")]
    pub(super) source: Arc<Source>,
    #[serde(rename = "diagnostics")]
    pub(super) list: Vec<Diagnostic>,
    /// By severity, as the following: findings that were kept, and those that were not.
    #[serde(skip)]
    kept: [usize; 3],
    omitted_errors: usize,
    omitted_warnings: usize,
    omitted_notes: usize,
}

fn name_of<S: serde::Serializer>(source: &Arc<Source>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&source.name)
}

impl Diagnostics {
    pub(crate) fn new(source: Arc<Source>) -> Self {
        Self {
            source,
            list: Vec::new(),
            kept: [0; 3],
            omitted_errors: 0,
            omitted_warnings: 0,
            omitted_notes: 0,
        }
    }

    /// For further findings about the same document.
    #[must_use]
    pub fn without_any(&self) -> Self {
        Self::new(Arc::clone(&self.source))
    }

    /// Adds a finding at its place. Above [`MAX_DIAGNOSTICS`] of its severity it is only counted.
    pub fn push(&mut self, mut diagnostic: Diagnostic) {
        if self.is_full(diagnostic.severity) {
            *self.omitted_mut(diagnostic.severity) += 1;
            return;
        }
        if diagnostic.column == 0 {
            let place = self.source.whole_line(diagnostic.line);
            (diagnostic.column, diagnostic.length) = (place.column, place.length);
        }
        for related in diagnostic.related.iter_mut().filter(|related| related.column == 0) {
            let place = self.source.whole_line(related.line);
            (related.column, related.length) = (place.column, place.length);
        }
        self.kept[diagnostic.severity as usize] += 1;
        let key = (diagnostic.line, diagnostic.column);
        let at = self.list.partition_point(|other| (other.line, other.column) <= key);
        self.list.insert(at, diagnostic);
    }

    /// Whether a further finding of the severity is only counted: no need to think about its wording.
    pub fn is_full(&self, severity: Severity) -> bool {
        self.kept(severity) >= MAX_DIAGNOSTICS
    }

    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.list.iter()
    }

    /// How many there are, with those that were not kept.
    pub fn count(&self, severity: Severity) -> usize {
        self.kept(severity) + self.omitted(severity)
    }

    pub fn has_errors(&self) -> bool {
        self.count(Severity::Error) > 0
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many were not kept.
    pub fn omitted(&self, severity: Severity) -> usize {
        match severity {
            Severity::Error => self.omitted_errors,
            Severity::Warning => self.omitted_warnings,
            Severity::Note => self.omitted_notes,
        }
    }

    pub(crate) fn omit(&mut self, severity: Severity, count: usize) {
        *self.omitted_mut(severity) += count;
    }

    fn omitted_mut(&mut self, severity: Severity) -> &mut usize {
        match severity {
            Severity::Error => &mut self.omitted_errors,
            Severity::Warning => &mut self.omitted_warnings,
            Severity::Note => &mut self.omitted_notes,
        }
    }

    const fn kept(&self, severity: Severity) -> usize {
        self.kept[severity as usize]
    }

    pub(crate) fn place(&self, span: Span) -> Place {
        self.source.place(span)
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (errors, warnings) = (self.count(Severity::Error), self.count(Severity::Warning));
        let s = |n: usize| if n == 1 { "" } else { "s" };
        let name = super::escape::line(&self.source.name);
        match (errors, warnings) {
            (0, w) => write!(f, "{name}: {w} warning{}", s(w)),
            (e, 0) => write!(f, "{name}: {e} error{}", s(e)),
            (e, w) => write!(f, "{name}: {e} error{}, {w} warning{}", s(e), s(w)),
        }
    }
}

impl std::error::Error for Diagnostics {}

#[cfg(test)]
mod tests {
    use super::*;

    fn empty(text: &str) -> Diagnostics {
        Diagnostics::new(Arc::new(Source::new("host.toml", text)))
    }

    #[test]
    fn a_finding_about_a_line_takes_the_whole_line() {
        let mut all = empty("a = 1\n  b = 22\n");
        all.push(
            Diagnostic::on_line(Severity::Warning, 2, "never matches", "remove it").and_line(1, "this one"),
        );
        let json = serde_json::to_value(&all).unwrap();
        let expected = serde_json::json!({
            "document": "host.toml",
            "diagnostics": [{
                "severity": "warning", "line": 2, "column": 3, "length": 6,
                "message": "never matches", "help": "remove it",
                "related": [{ "line": 1, "column": 1, "length": 5, "message": "this one" }],
            }],
            "omitted_errors": 0, "omitted_warnings": 0, "omitted_notes": 0,
        });
        assert_eq!(json, expected);
        assert_eq!(all.to_string(), "host.toml: 1 warning");
    }

    #[test]
    fn findings_are_in_the_order_of_the_document_whatever_the_order_of_pushing() {
        let mut all = empty("a\nb\nc\n");
        for line in [3, 1, 2] {
            all.push(Diagnostic::on_line(Severity::Error, line, "m", "h"));
        }
        assert_eq!(all.iter().map(|d| d.line).collect::<Vec<_>>(), [1, 2, 3]);
    }

    #[test]
    fn more_errors_than_the_limit_are_counted_and_leave_room_for_warnings() {
        let mut all = empty("a\n");
        for _ in 0..MAX_DIAGNOSTICS + 7 {
            all.push(Diagnostic::on_line(Severity::Error, 1, "m", "h"));
        }
        all.push(Diagnostic::on_line(Severity::Warning, 1, "w", ""));
        assert_eq!((all.count(Severity::Error), all.omitted(Severity::Error)), (MAX_DIAGNOSTICS + 7, 7));
        assert_eq!((all.count(Severity::Warning), all.iter().count()), (1, MAX_DIAGNOSTICS + 1));
        assert_eq!(all.to_string(), "host.toml: 107 errors, 1 warning");
    }
}
