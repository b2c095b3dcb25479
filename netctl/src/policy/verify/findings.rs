//! Tests that fail, as findings about the document.

use super::{Passed, Tested, verify};
use crate::apply::ApplyError;
use crate::config::{Diagnostic, Severity};
use crate::document::Document;
use crate::explain::Rehearsal;
use crate::explain::answer::Answer;

/// An error for each test of the document that fails, and a warning for each that holds only without audit mode.
///
/// # Errors
/// What the compiler says against the document.
pub fn findings(document: &Document) -> Result<Vec<Diagnostic>, ApplyError> {
    let config = &document.config;
    if config.tests.is_empty() {
        return Ok(Vec::new());
    }
    let rehearsal = Rehearsal::new(config, &document.text)?;
    let verified = verify(&mut rehearsal.asking(), config, config.tests.iter().map(|test| (test, None)));
    Ok(verified.tests.iter().filter_map(finding).collect())
}

fn finding(test: &Tested) -> Option<Diagnostic> {
    let severity = match test.result {
        Passed::Pass => return None,
        Passed::NotEnforced => Severity::Warning,
        Passed::Fail | Passed::NotAsked => Severity::Error,
    };
    let found = |message, help: String| Diagnostic::on_line(severity, test.line, message, help);
    let (Some(came), Some(answer)) = (test.came, &test.answer) else {
        let error = test.error.as_deref().unwrap_or("nobody judges it");
        return Some(found(format!("{} cannot be asked: {error}", test.title()), String::new()));
    };
    let verb = if test.result == Passed::Fail { "fails" } else { "is not enforced" };
    let message = format!(
        "{} {verb}: {} > {} {} is {}, not {}",
        test.title(),
        test.from,
        test.to,
        test.service,
        passive(came),
        passive(test.expect)
    );
    let found = found(message, why(answer));
    let rule = answer.steps.iter().rev().find_map(|step| step.rule.as_ref());
    Some(match rule {
        Some(rule) => found.and_line(rule.line, format!("rule {} decides", rule.number)),
        None => found,
    })
}

impl Tested {
    /// `the test "app to database"`, or `the test`.
    pub fn title(&self) -> String {
        self.name.as_ref().map_or_else(|| "the test".to_owned(), |name| format!("the test {name:?}"))
    }
}

/// What a connection is after an action.
pub fn passive(action: &str) -> &'static str {
    match action {
        "allow" => "allowed",
        "reject" => "rejected",
        _ => "denied",
    }
}

/// Who decided, about which addresses.
fn why(answer: &Answer) -> String {
    let flow = format!("{} > {}", answer.source, answer.destination);
    let Some(step) = answer.steps.last() else { return format!("nobody judges {flow}") };
    let audit = answer.steps.iter().find_map(|step| step.audit.as_ref());
    let audit = audit.map_or_else(String::new, |would| format!("; but for audit mode, {would}"));
    format!("{flow}, {} {}: {}{audit}", step.port, step.direction, step.because.trim_end_matches('.'))
}
