//! Rules that can never match, and why: nothing that stops a document, but surely not what is meant. And notes on what
//! may well be meant: rules that change nothing, and rules that allow very much.
//!
//! [`empty`] and [`wide`] look at each rule alone, [`reach`] at what earlier rules leave to it, [`redundant`] at what
//! later rules make of it.

mod cover;
mod empty;
mod reach;
mod redundant;
mod wide;

use self::empty::Alone;
use self::reach::{Finding, Reach};
use self::redundant::{Instead, Redundancy};
use super::budget::Budget;
use super::resolved::Resolved;
use crate::config::{Config, Rule};

/// Something in the document that is surely not meant; of notes, that may not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Of the rule, counted from 1.
    pub line: u32,
    /// Of the other rule that the message speaks of.
    pub other_line: Option<u32>,
    pub message: String,
    /// What to do.
    pub help: String,
}

/// All warnings, by rule. The work is bounded: rules that could not be decided within the bound are named in
/// one last warning. Of a policy over `budget` only those that each rule shows alone are found.
pub fn lint(config: &Config, budget: &Budget) -> Vec<Warning> {
    let rules = &config.policy.rules;
    let (empty, resolved) = (empty(config), Resolved::new(config, budget));
    let findings = match &resolved {
        Ok(resolved) => findings(resolved, &empty),
        Err(_) => vec![None; rules.len()],
    };
    let mut undecided =
        findings.iter().zip(rules).filter(|(finding, _)| **finding == Some(Finding::Undecided));
    let unfinished =
        undecided.next().map(|(_, rule)| cut_short("rules that never match", rule, undecided.count() + 1));
    let warn = |((rule, cause), finding): ((&Rule, Option<String>), Option<Finding>)| match (cause, finding) {
        (Some(cause), _) => Some(alone(rule, &cause)),
        (None, Some(finding)) => between(rules, rule, finding),
        (None, None) => None,
    };
    rules.iter().zip(empty).zip(findings).filter_map(warn).chain(unfinished).collect()
}

/// Notes on rules about which there are no warnings. A rule that is said to change nothing does so even without all
/// others of which that is said, and without those that never match. Bounded as [`lint`].
pub fn notes(config: &Config, budget: &Budget) -> Vec<Warning> {
    let rules = &config.policy.rules;
    let too_wide = |rule: &Rule| wide::cause(config, rule).map(|opens| wide_open(rule, &opens));
    let Ok(resolved) = Resolved::new(config, budget) else {
        return rules.iter().filter_map(too_wide).collect();
    };
    let empty = empty(config);
    let findings = findings(&resolved, &empty);
    let is_dead: Vec<bool> =
        empty.iter().zip(&findings).map(|(empty, found)| empty.is_some() || found.is_some()).collect();
    let mut redundancy = Redundancy::new(&resolved, &is_dead);
    let (mut notes, mut undecided) = (Vec::new(), Vec::new());
    for (rule, number) in rules.iter().zip(0..).filter(|(_, number)| !is_dead[*number as usize]) {
        notes.extend(too_wide(rule));
        match redundancy.instead(number) {
            Some(Instead::Undecided) => undecided.push(rule),
            Some(instead) => notes.push(changes_nothing(rules, rule, instead)),
            None => {}
        }
    }
    let unfinished =
        undecided.first().map(|first| cut_short("rules that change nothing", first, undecided.len()));
    notes.extend(unfinished);
    notes
}

/// By rule: why it matches nothing even alone.
fn empty(config: &Config) -> Vec<Option<String>> {
    let alone = Alone::new(config);
    config.policy.rules.iter().map(|rule| alone.cause(rule)).collect()
}

/// By rule, of those that are not empty.
fn findings(resolved: &Resolved<'_>, empty: &[Option<String>]) -> Vec<Option<Finding>> {
    let mut reach = Reach::new(resolved);
    let finding = |(empty, rule): (&Option<String>, u32)| match empty {
        Some(_) => None,
        None => reach.finding(rule),
    };
    empty.iter().zip(0..).map(finding).collect()
}

fn wide_open(rule: &Rule, opens: &str) -> Warning {
    Warning {
        line: rule.line,
        other_line: None,
        message: format!("this rule is wide: it allows {opens}"),
        help: "name only who and what is needed; if it is all of that, leave it".into(),
    }
}

fn changes_nothing(rules: &[Rule], rule: &Rule, instead: Instead) -> Warning {
    let other = match instead {
        Instead::Rule(other) => rules.get(other as usize),
        _ => None,
    };
    let who = other.map_or_else(
        || "the policy's default".to_owned(),
        |other| format!("the rule in line {}", other.line),
    );
    Warning {
        line: rule.line,
        other_line: other.map(|other| other.line),
        message: format!("this rule changes nothing: without it, {who} does the same"),
        help: "remove it, unless it is there to be read or counted".into(),
    }
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

fn cut_short(what: &str, first: &Rule, count: usize) -> Warning {
    Warning {
        line: first.line,
        other_line: None,
        message: format!(
            "the search for {what} was cut short: {count} not decided, the first in line {}",
            first.line
        ),
        help:
            "nothing needs to be done; use fewer selectors that overlap each other to have all rules checked"
                .into(),
    }
}
