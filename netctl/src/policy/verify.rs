//! The tests of a document: each is put to the compiled policy as `netctl explain --document` would put it.

mod findings;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde::Serialize;

pub use self::findings::{findings, passive};
use crate::config::{Config, PolicyTest, print_service};
use crate::error::Error;
use crate::explain::Asking;
use crate::explain::answer::{Answer, Step};
use crate::explain::question::{Question, SOURCE_PORT};

/// What became of all tests.
#[derive(Clone, Debug, Serialize)]
pub struct Verified {
    pub passed: usize,
    pub failed: usize,
    /// In the order in which they stand in their files.
    pub tests: Vec<Tested>,
    /// Index: rule. Tests that the rule decided, at one port or more.
    #[serde(skip)]
    pub touched: Vec<usize>,
}

/// What became of one test.
#[derive(Clone, Debug, Serialize)]
pub struct Tested {
    /// Of the file of tests; `None`: of the document itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    pub line: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub from: String,
    pub to: String,
    pub service: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_port: Option<u16>,
    pub expect: &'static str,
    pub result: Passed,
    /// What becomes of the connection: `allow`, `deny` or `reject`. `None` where it cannot be asked about.
    pub came: Option<&'static str>,
    /// About the first pair of addresses that fails, else about the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
    /// Why it cannot be asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Whether a test holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Passed {
    Pass,
    /// It would hold, but audit mode lets the connection be.
    NotEnforced,
    Fail,
    /// The question has no answer, such as one between addresses of two families.
    NotAsked,
}

impl Passed {
    pub const fn holds(self) -> bool {
        matches!(self, Self::Pass | Self::NotEnforced)
    }
}

/// Runs tests; the second of each pair is the file that it stands in, if that is not the document.
pub fn verify<'t>(
    asking: &mut Asking<'_>,
    config: &Config,
    tests: impl IntoIterator<Item = (&'t PolicyTest, Option<&'t str>)>,
) -> Verified {
    let mut touched = vec![0; config.policy.rules.len()];
    let mut run = |(test, file): (&PolicyTest, Option<&str>)| {
        let (tested, rules) = one(asking, config, test);
        for rule in rules {
            touched[rule as usize - 1] += 1;
        }
        Tested { file: file.map(str::to_owned), ..tested }
    };
    let tests: Vec<Tested> = tests.into_iter().map(&mut run).collect();
    let passed = tests.iter().filter(|test| test.result.holds()).count();
    Verified { passed, failed: tests.len() - passed, tests, touched }
}

/// The test, and the numbers of the rules that decided it.
fn one(asking: &mut Asking<'_>, config: &Config, test: &PolicyTest) -> (Tested, BTreeSet<u32>) {
    let (from, to) = (test.from.to_string(), test.to.to_string());
    let source_port = test.source_port.unwrap_or(SOURCE_PORT);
    let questions = Question::all(config, (&from, &to), &test.service, source_port);
    let tested = Tested {
        file: None,
        line: test.line,
        name: test.name.clone(),
        from,
        to,
        service: print_service(&test.service),
        source_port: test.source_port,
        expect: test.expect.name(),
        result: Passed::NotAsked,
        came: None,
        answer: None,
        error: None,
    };
    let answers = questions.and_then(|questions| {
        questions.iter().map(|question| asking.answer(question)).collect::<Result<Vec<Answer>, Error>>()
    });
    match answers {
        Ok(answers) => {
            let rules = answers.iter().flat_map(|answer| answer.steps.iter().flat_map(rules_of)).collect();
            (judged(tested, answers), rules)
        }
        Err(Error::Question(error)) => (Tested { error: Some(error), ..tested }, BTreeSet::new()),
        Err(error) => (Tested { error: Some(crate::error::chain(&error)), ..tested }, BTreeSet::new()),
    }
}

/// By the worst of the answers.
fn judged(tested: Tested, answers: Vec<Answer>) -> Tested {
    let judge = |answer: &Answer| match () {
        () if came(answer) == tested.expect => Passed::Pass,
        () if would_come(answer) == tested.expect => Passed::NotEnforced,
        () => Passed::Fail,
    };
    let mut judged = answers.into_iter().map(|answer| (judge(&answer), answer)).collect::<Vec<_>>();
    let worst = [Passed::Fail, Passed::NotEnforced, Passed::Pass]
        .into_iter()
        .find_map(|passed| judged.iter().position(|(judged, _)| *judged == passed));
    let Some((result, answer)) = worst.map(|at| judged.swap_remove(at)) else { return tested };
    Tested { result, came: Some(came(&answer)), answer: Some(answer), ..tested }
}

/// The last port that was asked decides: the way of a frame ends where it is denied.
fn came(answer: &Answer) -> &'static str {
    answer.steps.last().map_or("allow", |step| step.action)
}

/// The same without audit mode. Behind a denial nobody was asked, so that it stays one.
fn would_come(answer: &Answer) -> &'static str {
    let would = |step: &Step| step.audit.as_ref().map_or(step.action, |would| would.action);
    let denied = answer.steps.iter().map(would).find(|action| *action != "allow");
    denied.unwrap_or_else(|| came(answer))
}

fn rules_of(step: &Step) -> impl Iterator<Item = u32> + '_ {
    let audited = step.audit.as_ref().and_then(|would| would.rule.as_ref());
    step.rule.iter().chain(audited).map(|rule| rule.number)
}
