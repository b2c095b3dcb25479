//! A document from a file to a checked [`Config`]: read within bounds, parsed, compiled once for its budgets, linted.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::compile::{self, Budget, CompileError, Compiled, PortIds, Warning};
use crate::config::{
    self, Config, Diagnostic, Diagnostics, Lookups, MAX_DOCUMENT_BYTES, Parsed, Picked, Severity,
};
use crate::error::Error;

/// A document without errors.
#[derive(Debug)]
pub struct Document {
    pub text: String,
    pub config: Config,
    /// Warnings, and notes where they were asked for.
    pub findings: Diagnostics,
    /// Networks that the text had no tables for; now it has.
    pub picked: Vec<Picked>,
}

/// What only this host knows.
const HOST: Lookups<'static> =
    Lookups { users: &config::uid_of, user_groups: &config::gid_of, interfaces: &crate::fd::interface::kind };

/// Reads and parses, for who compiles it anyway; the inner error holds all errors of the document.
pub fn parse(path: &Path) -> Result<Result<Document, Diagnostics>, Error> {
    let bytes = read_bytes(path)?;
    let parsed = config::parse_bytes(&path.display().to_string(), &bytes, HOST);
    Ok(parsed.map(|parsed| document(bytes, parsed)))
}

/// Parses a text that is no file.
pub fn parse_text(name: &str, text: String) -> Result<Document, Diagnostics> {
    config::parse_with(name, &text, HOST).map(|parsed| document(text.into_bytes(), parsed))
}

fn document(bytes: Vec<u8>, parsed: Parsed) -> Document {
    let Parsed { config, warnings: findings, picked, explicit } = parsed;
    // The parser has just taken them as text.
    let as_text = |bytes| {
        String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
    };
    Document { text: explicit.unwrap_or_else(|| as_text(bytes)), config, findings, picked }
}

/// Reads and checks; the inner error holds all errors of the document.
pub fn read(path: &Path) -> Result<Result<Document, Diagnostics>, Error> {
    Ok(check(&path.display().to_string(), read_bytes(path)?))
}

/// Checks the bytes of a document.
pub fn check(name: &str, bytes: Vec<u8>) -> Result<Document, Diagnostics> {
    let mut document = config::parse_bytes(name, &bytes, HOST).map(|parsed| document(bytes, parsed))?;
    if let Err(error) = compile_new(&document.config) {
        document.findings.push(compile_diagnostic(&error));
        return Err(document.findings);
    }
    for warning in compile::lint(&document.config, &Budget::default()) {
        document.findings.push(finding(Severity::Warning, warning, "this one comes first"));
    }
    Ok(document)
}

impl Document {
    /// Adds what may well be meant: rules that change nothing or allow very much, and names that no rule has.
    pub fn add_notes(&mut self, path: &Path) {
        for note in compile::notes(&self.config, &Budget::default()) {
            self.findings.push(finding(Severity::Note, note, "this one does the same"));
        }
        let unused = config::unused(&path.display().to_string(), &self.text, &self.config);
        unused.into_iter().for_each(|note| self.findings.push(note));
    }
}

/// `label`: what the other line is.
fn finding(severity: Severity, warning: Warning, label: &str) -> Diagnostic {
    let found = Diagnostic::on_line(severity, warning.line, warning.message, warning.help);
    match warning.other_line {
        Some(line) => found.and_line(line, label),
        None => found,
    }
}

/// As if nothing ran yet.
fn compile_new(config: &Config) -> Result<Compiled, CompileError> {
    compile::compile(config, &PortIds::assign(&BTreeMap::new(), config)?, &Budget::default())
}

fn compile_diagnostic(error: &CompileError) -> Diagnostic {
    Diagnostic::on_line(Severity::Error, error.line().unwrap_or(1), error.to_string(), "")
}

/// The bytes of a file, or of standard input for `-`; no more than a document may have.
pub(crate) fn read_bytes(path: &Path) -> Result<Vec<u8>, Error> {
    let fail = |source| Error::Read { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    // One byte more than may be tells a file that is too large from one that just fits.
    let limit = MAX_DOCUMENT_BYTES as u64;
    if path == Path::new("-") {
        io::stdin().lock().take(limit + 1).read_to_end(&mut bytes).map_err(fail)?;
    } else {
        File::open(path).map_err(fail)?.take(limit + 1).read_to_end(&mut bytes).map_err(fail)?;
    }
    if bytes.len() as u64 > limit {
        let size = std::fs::metadata(path).map_or(limit + 1, |facts| facts.len());
        return Err(Error::TooLarge { path: path.to_owned(), bytes: size, limit });
    }
    Ok(bytes)
}
