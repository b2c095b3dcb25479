//! `netctl check`.

use std::io::{self, Write};

use serde::Serialize;

use crate::apply::ApplyError;
use crate::cli::FileArgs;
use crate::config::{Config, Diagnostics, Picked, Severity};
use crate::document::{self, Document};
use crate::error::{Error, Outcome};
use crate::output::write_json;
use crate::policy::verify;

/// What `--json` prints.
#[derive(Serialize)]
struct Checked {
    #[serde(flatten)]
    findings: Diagnostics,
    /// Networks that ports name by an interface.
    picked: Vec<Picked>,
}

pub(super) fn run(args: &FileArgs, color: bool, out: &mut impl Write) -> Result<Outcome, Error> {
    let (findings, picked, summary) = match document::read(&args.file)? {
        Ok(mut document) => {
            verify::findings(&document)?.into_iter().for_each(|found| document.findings.push(found));
            document.add_notes(&args.file);
            let summary = (!document.findings.has_errors()).then(|| summary(&document.config));
            (document.findings, document.picked, summary)
        }
        Err(findings) => (findings, Vec::new(), None),
    };
    let outcome = Outcome::yes_if(!findings.has_errors());
    if args.json {
        write_json(out, &Checked { findings, picked }).map_err(Error::Output)?;
    } else {
        report(&findings, color)?;
        tell(&picked)?;
        if let Some(summary) = &summary {
            writeln!(out, "{}: {summary}", args.file.display()).map_err(Error::Output)?;
        }
    }
    Ok(outcome)
}

fn summary(config: &Config) -> String {
    let (rules, ports, tests) = (config.policy.rules.len(), config.ports.len(), config.tests.len());
    let tests = match tests {
        0 => String::new(),
        1 => ", 1 test passes".to_owned(),
        n => format!(", {n} tests pass"),
    };
    format!("{rules} rules for {ports} ports are fine{tests}")
}

/// Whether the tests of a document hold; those that fail are reported. What does not compile has no tests to fail: that
/// is told by who compiles it.
pub(super) fn tests_hold(document: &Document, color: bool) -> Result<bool, Error> {
    let found = match verify::findings(document) {
        Ok(found) => found,
        Err(ApplyError::Compile(_)) => return Ok(true),
        Err(error) => return Err(error.into()),
    };
    let mut findings = document.findings.without_any();
    found.into_iter().for_each(|found| findings.push(found));
    report(&findings, color)?;
    Ok(!findings.has_errors())
}

/// What was picked where the document leaves it open, to standard error.
fn tell(picked: &[Picked]) -> Result<(), Error> {
    let mut err = io::stderr().lock();
    picked.iter().try_for_each(|picked| writeln!(err, "netctl: {picked}")).map_err(Error::Output)
}

/// Reads a document for a command that needs one without errors; `None` after its errors were printed.
pub(super) fn sound_document(file: &std::path::Path, color: bool) -> Result<Option<Document>, Error> {
    sound(document::read(file)?, color)
}

/// Without the compiler's findings, for a command that compiles it: `apply` tells of its errors itself.
pub(super) fn parsed_document(file: &std::path::Path, color: bool) -> Result<Option<Document>, Error> {
    sound(document::parse(file)?, color)
}

pub(super) fn sound(checked: Result<Document, Diagnostics>, color: bool) -> Result<Option<Document>, Error> {
    match checked {
        Ok(document) => {
            report(&document.findings, color)?;
            tell(&document.picked)?;
            Ok(Some(document))
        }
        Err(findings) => {
            report(&findings, color)?;
            Ok(None)
        }
    }
}

/// Findings with their source lines, to standard error.
pub(super) fn report(findings: &Diagnostics, color: bool) -> Result<(), Error> {
    let mut err = io::stderr().lock();
    findings.render(&mut err, color).map_err(Error::Output)?;
    let counted = |severity, one: &str| match findings.count(severity) {
        0 => None,
        1 => Some(format!("1 {one}")),
        n => Some(format!("{n} {one}s")),
    };
    let counts = [
        counted(Severity::Error, "error"),
        counted(Severity::Warning, "warning"),
        counted(Severity::Note, "note"),
    ];
    let words: Vec<String> = counts.into_iter().flatten().collect();
    if words.is_empty() {
        Ok(())
    } else {
        writeln!(err, "netctl: {}", words.join(", ")).map_err(Error::Output)
    }
}
