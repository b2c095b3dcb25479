//! What a change costs: the time of one command, from its start to its end.

use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;

use super::Plan;
use super::document::Document;
use super::nft::{Form, one_changed, ruleset};
use super::report::Spread;
use super::way::{Kind, apply, load_nft};
use crate::process::Finished;
use crate::sandbox::Sandbox;

/// What changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// From one rule to all of them.
    AllRules,
    /// One rule of all.
    OneRule,
    /// One port more; the rules stay.
    OnePort,
}

impl Change {
    pub const ALL: [Self; 3] = [Self::AllRules, Self::OneRule, Self::OnePort];

    pub fn title(self) -> &'static str {
        match self {
            Self::AllRules => "all rules",
            Self::OneRule => "one rule of all",
            Self::OnePort => "one port more",
        }
    }
}

/// One row.
#[derive(Clone, Debug, Serialize)]
pub struct ChangeRow {
    pub change: Change,
    pub kind: Kind,
    pub rules: u32,
    pub millis: Spread,
}

/// Times the changes of the plan: netctl's, and those of nftables' interval set, in turn.
///
/// # Errors
/// If a command fails.
pub fn measure(plan: &Plan) -> Result<Vec<ChangeRow>> {
    let mut rows = Vec::new();
    for rules in plan.sizes.iter().copied() {
        let mut subjects = Vec::new();
        for kind in [Kind::NftInterval, Kind::Netctl].into_iter().filter(|kind| plan.kinds.contains(kind)) {
            subjects.push(Subject { kind, rules, sandbox: Sandbox::new()? });
        }
        eprintln!("changes of {rules} rules");
        for change in Change::ALL {
            let mut millis = vec![Vec::new(); subjects.len()];
            for _ in 0..plan.change_rounds {
                for (subject, millis) in subjects.iter().zip(&mut millis) {
                    let time = subject.sandbox.enter(|| subject.time(change));
                    millis.extend(time.with_context(|| change.title())?.map(|t| t.as_secs_f64() * 1e3));
                }
            }
            let timed = subjects.iter().zip(&millis).filter(|(_, millis)| !millis.is_empty());
            rows.extend(timed.map(|(subject, millis)| ChangeRow {
                change,
                kind: subject.kind,
                rules,
                millis: Spread::of(millis),
            }));
        }
    }
    Ok(rows)
}

struct Subject {
    kind: Kind,
    rules: u32,
    sandbox: Sandbox,
}

impl Subject {
    /// Goes to the state before, then times the step; `None` where there is no such step.
    fn time(&self, change: Change) -> Result<Option<Duration>> {
        let step = match self.kind {
            Kind::Netctl => Some(self.time_netctl(change)?),
            _ => self.time_nft(change)?,
        };
        Ok(step.map(|done| done.elapsed))
    }

    fn time_netctl(&self, change: Change) -> Result<Finished> {
        let all = Document::new(self.rules);
        let (before, after) = match change {
            // The ports' addresses follow from the number of rules, so they stay those of all.
            Change::AllRules => (Document { only_first: true, ..all }, all),
            Change::OneRule => (all, Document { changed: true, ..all }),
            Change::OnePort => (all, Document { third_port: true, ..all }),
        };
        apply(&self.sandbox, before)?;
        apply(&self.sandbox, after)
    }

    fn time_nft(&self, change: Change) -> Result<Option<Finished>> {
        match change {
            Change::AllRules => {
                load_nft(&self.sandbox, &ruleset(Form::Interval, 1))?;
                load_nft(&self.sandbox, &ruleset(Form::Interval, self.rules)).map(Some)
            }
            Change::OneRule => {
                load_nft(&self.sandbox, &ruleset(Form::Interval, self.rules))?;
                load_nft(&self.sandbox, &one_changed()).map(Some)
            }
            // nftables knows no ports.
            Change::OnePort => Ok(None),
        }
    }
}
