//! Findings as the parser meets them, by bytes; kept as [`Diagnostics`], by lines and columns.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::diagnostic::{Diagnostic, Diagnostics, Related, Severity};
use super::source::{Source, Span};

/// One finding in the making.
#[derive(Debug)]
pub(crate) struct Finding {
    severity: Severity,
    span: Span,
    message: String,
    help: String,
    related: Vec<(Span, String)>,
}

impl Finding {
    pub(crate) fn error(span: Span, message: impl Into<String>, help: impl Into<String>) -> Self {
        let (severity, related) = (Severity::Error, Vec::new());
        Self { severity, span, message: message.into(), help: help.into(), related }
    }

    pub(crate) fn warning(span: Span, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(span, message, help) }
    }

    pub(crate) fn note(span: Span, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { severity: Severity::Note, ..Self::error(span, message, help) }
    }

    /// Adds another place that belongs to it, with what it is.
    #[must_use]
    pub(crate) fn relate(mut self, span: Span, label: impl Into<String>) -> Self {
        self.related.push((span, label.into()));
        self
    }
}

/// Why a piece of text is not taken, and the next step; whoever knows its place makes it a [`Finding`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Complaint {
    pub(crate) message: String,
    pub(crate) help: String,
}

impl Complaint {
    pub(crate) fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into() }
    }
}

/// Everything found so far.
#[derive(Debug)]
pub(crate) struct Report {
    found: Diagnostics,
    /// Lines with a mistake of syntax: what else is wrong there follows from it.
    unreadable: BTreeSet<u32>,
}

impl Report {
    pub(crate) fn new(source: Arc<Source>) -> Self {
        Self { found: Diagnostics::new(source), unreadable: BTreeSet::new() }
    }

    pub(crate) fn finish(self) -> Diagnostics {
        self.found
    }

    pub(crate) fn add(&mut self, finding: Finding) {
        if self.found.is_full(finding.severity) {
            return self.found.omit(finding.severity, 1);
        }
        let place = self.found.place(finding.span);
        if self.unreadable.contains(&place.line) {
            return;
        }
        let relate = |(span, message)| {
            let place = self.found.place(span);
            Related { line: place.line, column: place.column, length: place.length, message }
        };
        self.found.push(Diagnostic {
            severity: finding.severity,
            line: place.line,
            column: place.column,
            length: place.length,
            message: finding.message,
            help: finding.help,
            related: finding.related.into_iter().map(relate).collect(),
        });
    }

    /// Adds mistakes of syntax, which hide whatever else is found on their lines afterwards.
    pub(crate) fn add_syntax(&mut self, findings: Vec<Finding>) {
        let lines: Vec<u32> = findings.iter().map(|f| self.found.place(f.span).line).collect();
        findings.into_iter().for_each(|finding| self.add(finding));
        self.unreadable.extend(lines);
    }

    pub(crate) fn error(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.add(Finding::error(span, message, help));
    }

    pub(crate) fn complain(&mut self, span: Span, complaint: Complaint) {
        self.error(span, complaint.message, complaint.help);
    }

    /// The value, or `None` and an error at the place.
    pub(crate) fn take<T>(&mut self, span: Span, result: Result<T, Complaint>) -> Option<T> {
        result.map_err(|complaint| self.complain(span, complaint)).ok()
    }

    pub(crate) fn omit_errors(&mut self, count: usize) {
        self.found.omit(Severity::Error, count);
    }

    /// Whether further errors are only counted, so that their wording is not worth any effort.
    pub(crate) fn is_full(&self) -> bool {
        self.found.is_full(Severity::Error)
    }

    pub(crate) fn line_of(&self, span: Span) -> u32 {
        self.found.source.line_of(span.start)
    }
}
