//! Whole documents: good ones with what they mean, bad ones with everything that is said about them.

mod audit;
mod bad;
pub(in crate::config) mod docs;
mod good;
mod hostile;

use super::{Parsed, parse_with_users};
use crate::config::diagnostic::{Diagnostic, Diagnostics};

/// Reads on a host that has one user, `qemu`, 107.
pub(in crate::config) fn read(text: &str) -> Result<Parsed, Diagnostics> {
    parse_with_users("host.toml", text, &|name| (name == "qemu").then_some(107))
}

/// A finding in one line.
fn line(finding: &Diagnostic) -> String {
    let mut line = format!("{}:{} {} | {}", finding.line, finding.column, finding.message, finding.help);
    for related in &finding.related {
        line += &format!(" | {}:{} {}", related.line, related.column, related.message);
    }
    line
}

/// Everything that is said about a document, whether it is accepted or not.
fn findings(text: &str) -> Vec<String> {
    let found = read(text).map_or_else(|refused| refused, |parsed| parsed.warnings);
    found.iter().map(line).collect()
}
