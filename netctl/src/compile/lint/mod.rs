//! Rules that can never match, and why: nothing that stops a document, but surely not what is meant.
//!
//! [`empty`] looks at each rule alone, [`reach`] at what earlier rules leave to it.

mod cover;
mod empty;
mod reach;

use self::empty::Alone;
use self::reach::{Finding, Reach};
use super::budget::Budget;
use super::resolved::Resolved;
use crate::config::{Config, Rule};

/// Something in the document that is surely not meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Of the rule, counted from 1.
    pub line: u32,
    /// Of the earlier rule that the message speaks of.
    pub other_line: Option<u32>,
    pub message: String,
    /// What to do.
    pub help: String,
}

/// All warnings, by rule. The work is bounded: rules that could not be decided within the bound are named in
/// one last warning. Of a policy over `budget` only those that each rule shows alone are found.
pub fn lint(config: &Config, budget: &Budget) -> Vec<Warning> {
    let rules = &config.policy.rules;
    let alone_of = Alone::new(config);
    let empty: Vec<Option<String>> = rules.iter().map(|rule| alone_of.cause(rule)).collect();
    let mut findings: Vec<Option<Finding>> = vec![None; rules.len()];
    if let Ok(resolved) = Resolved::new(config, budget) {
        let mut reach = Reach::new(&resolved);
        for (rule, finding) in (0..).zip(&mut findings) {
            if empty[rule as usize].is_none() {
                *finding = reach.finding(rule);
            }
        }
    }
    let mut undecided =
        findings.iter().zip(rules).filter(|(finding, _)| **finding == Some(Finding::Undecided));
    let unfinished = undecided.next().map(|(_, rule)| cut_short(rule, undecided.count() + 1));
    let warn = |((rule, cause), finding): ((&Rule, Option<String>), Option<Finding>)| match (cause, finding) {
        (Some(cause), _) => Some(alone(rule, &cause)),
        (None, Some(finding)) => between(rules, rule, finding),
        (None, None) => None,
    };
    rules.iter().zip(empty).zip(findings).filter_map(warn).chain(unfinished).collect()
}

fn alone(rule: &Rule, cause: &str) -> Warning {
    Warning {
        line: rule.line,
        other_line: None,
        message: format!("this rule never matches: {cause}"),
        help: "correct it or remove it".into(),
    }
}

fn between(rules: &[Rule], rule: &Rule, finding: Finding) -> Option<Warning> {
    let (other, message, help) = match finding {
        Finding::Repeats(other) => {
            let other = rules.get(other as usize)?;
            let (same, help) = if other.action == rule.action {
                ("it repeats", "remove it".to_string())
            } else {
                ("with another action, it asks the same as", "remove one of the two".to_string())
            };
            (other, format!("this rule never matches: {same} the rule in line {}", other.line), help)
        }
        Finding::CoveredBy(other) => {
            let other = rules.get(other as usize)?;
            let message = format!(
                "this rule never matches: the rule in line {} takes all that it asks for",
                other.line
            );
            (other, message, format!("move it before line {}, or remove it", other.line))
        }
        Finding::CoveredTogether(other) => {
            let other = rules.get(other as usize)?;
            let message = format!(
                "this rule never matches: earlier rules together take all that it asks for, among them that in line {}",
                other.line
            );
            (other, message, format!("move it before line {}, or remove it", other.line))
        }
        Finding::Undecided => return None,
    };
    Some(Warning { line: rule.line, other_line: Some(other.line), message, help })
}

fn cut_short(first: &Rule, count: usize) -> Warning {
    Warning {
        line: first.line,
        other_line: None,
        message: format!(
            "the search for rules that never match was cut short: {count} not decided, the first in line {}",
            first.line
        ),
        help:
            "nothing needs to be done; use fewer selectors that overlap each other to have all rules checked"
                .into(),
    }
}
