//! `netctl policy test`.

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use crate::cli::PolicyTestArgs;
use crate::cmd::check::{report, sound_document};
use crate::config::{self, PolicyTest, Rule};
use crate::document::{self, Document};
use crate::error::{Error, Outcome};
use crate::explain::Rehearsal;
use crate::output::{Format, Row, printable, write_json, write_rows};
use crate::policy::verify::{Passed, Tested, Verified, passive, verify};

pub(super) fn run(args: &PolicyTestArgs, color: bool, out: &mut impl Write) -> Result<Outcome, Error> {
    let Some(document) = sound_document(&args.file, color)? else { return Ok(Outcome::No) };
    let Some(more) = more_tests(&args.tests, &document, color)? else { return Ok(Outcome::No) };
    let rehearsal = Rehearsal::new(&document.config, &document.text)?;
    let own = document.config.tests.iter().map(|test| (test, None));
    let more = more.iter().flat_map(|(file, tests)| tests.iter().map(|test| (test, Some(file.as_str()))));
    let verified = verify(&mut rehearsal.asking(), &document.config, own.chain(more));
    let coverage = args.coverage.then(|| coverage(&verified, &document));
    let outcome = Outcome::yes_if(verified.failed == 0);
    let written = if args.json {
        write_json(out, &Report { verified, coverage })
    } else {
        write_tests(&verified, &args.file, out).and_then(|()| match coverage {
            Some(coverage) => write_coverage(&coverage, out),
            None => Ok(()),
        })
    };
    written.map_err(Error::Output)?;
    Ok(outcome)
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    verified: Verified,
    #[serde(skip_serializing_if = "Option::is_none")]
    coverage: Option<Vec<Covered>>,
}

type FileTests = (String, Vec<PolicyTest>);

/// The tests of further files; `None` after their errors were printed, those of all files.
fn more_tests(
    files: &[std::path::PathBuf],
    document: &Document,
    color: bool,
) -> Result<Option<Vec<FileTests>>, Error> {
    let mut all = Some(Vec::new());
    for file in files {
        let name = file.display().to_string();
        match config::parse_tests(&name, &document::read_bytes(file)?, &document.config) {
            Ok(tests) => all.iter_mut().for_each(|all| all.push((name.clone(), tests.clone()))),
            Err(findings) => {
                report(&findings, color)?;
                all = None;
            }
        }
    }
    Ok(all)
}

/// A rule, and how many tests it decided.
#[derive(Serialize)]
struct Covered {
    /// Counted from 1.
    rule: usize,
    line: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// As a document says it.
    text: String,
    tests: usize,
}

impl Row for Covered {
    const HEADS: &'static [&'static str] = &["RULE", "LINE", "TESTS", "TEXT"];

    fn cells(&self) -> Vec<String> {
        vec![self.rule.to_string(), self.line.to_string(), self.tests.to_string(), self.text.clone()]
    }
}

fn coverage(verified: &Verified, document: &Document) -> Vec<Covered> {
    let rules = document.config.policy.rules.iter().zip(&verified.touched).zip(1..);
    let covered = |((rule, tests), number): ((&Rule, &usize), usize)| Covered {
        rule: number,
        line: rule.line,
        name: rule.name.clone(),
        text: config::print_rule_text(rule),
        tests: *tests,
    };
    rules.map(covered).collect()
}

fn write_coverage(coverage: &[Covered], out: &mut impl Write) -> io::Result<()> {
    writeln!(out)?;
    write_rows(out, coverage, Format::Table)?;
    let untouched = coverage.iter().filter(|rule| rule.tests == 0).count();
    writeln!(out, "{}, {untouched} touched by no test", counted(coverage.len(), "rule"))
}

/// What does not hold, and how many do.
fn write_tests(verified: &Verified, file: &Path, out: &mut impl Write) -> io::Result<()> {
    for test in verified.tests.iter().filter(|test| test.result != Passed::Pass) {
        write_test(test, file, out)?;
    }
    let (count, not_enforced) = (
        verified.tests.len(),
        verified.tests.iter().filter(|test| test.result == Passed::NotEnforced).count(),
    );
    write!(out, "{}: {} passed, {} failed", counted(count, "test"), verified.passed, verified.failed)?;
    if not_enforced > 0 {
        write!(out, " ({not_enforced} passed only without audit mode)")?;
    }
    writeln!(out)
}

fn write_test(test: &Tested, file: &Path, out: &mut impl Write) -> io::Result<()> {
    let verdict = if test.result.holds() { "not enforced" } else { "FAILED" };
    let place = test.file.as_ref().map_or_else(String::new, |file| format!("{} ", printable(file)));
    let name = test.name.as_ref().map_or_else(String::new, |name| format!(" {:?}", printable(name)));
    writeln!(out, "{verdict}: {place}line {}{name}", test.line)?;
    let (from, to, service) = (&test.from, &test.to, &test.service);
    let (Some(came), Some(answer)) = (test.came, &test.answer) else {
        let error = test.error.as_deref().unwrap_or_default();
        return writeln!(out, "  {from} > {to} {service}: {}", printable(error));
    };
    let (expected, came) = (passive(test.expect), passive(came));
    let flow = format!("{from} ({}) > {to} ({})", answer.source, answer.destination);
    writeln!(out, "  {flow} {service}: expected to be {expected}, is {came}")?;
    for step in &answer.steps {
        writeln!(
            out,
            "  {} {}: {}, {}: {}",
            step.port, step.direction, step.action, step.reason, step.because
        )?;
        if let Some(rule) = &step.rule {
            writeln!(out, "    {rule}: {}", printable(&rule.text))?;
        }
        if let Some(would) = &step.audit {
            writeln!(out, "    but for audit mode, {would}")?;
        }
    }
    if let Some(note) = &answer.note {
        writeln!(out, "  but {note}")?;
    }
    let port = test.source_port.map_or_else(String::new, |port| format!(" --source-port {port}"));
    let file = printable(&file.display().to_string());
    writeln!(out, "  ask: netctl explain {from} {to} {service}{port} --document {file}")
}

fn counted(count: usize, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}
