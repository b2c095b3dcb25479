//! The checked-in files as cases.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use netctl_common::verdict::{Action, Direction, Reason};
use serde::Deserialize;

use super::pcap;

/// What an attacker tries, frame by frame. Cases share flow tables and follow each other.
#[derive(Clone, Debug)]
pub struct Case {
    pub name: String,
    /// A row of the table in docs/security.md; `none` for what is no attack.
    pub attack: String,
    /// Kinds of networks on which the host can know what the verdict needs; empty: on all.
    pub kinds: Vec<String>,
    pub steps: Vec<Step>,
}

impl Case {
    /// Whether ports of this kind of network can come to this verdict.
    pub fn is_for(&self, kind: &str) -> bool {
        self.kinds.is_empty() || self.kinds.iter().any(|known| known == kind)
    }
}

#[derive(Clone, Debug)]
pub enum Step {
    Frame {
        /// In the pcap file, from 1.
        number: usize,
        direction: Direction,
        bytes: Vec<u8>,
        expected: Verdict,
    },
    /// Another policy runs from now on.
    Apply(String),
}

/// Without the rule, which has no name in the corpus.
pub type Verdict = (Action, Reason);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    case: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    attack: String,
    #[serde(default)]
    kinds: Vec<String>,
    steps: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Entry {
    Frame { frame: usize, direction: String, action: String, reason: String },
    Apply { apply: String },
}

/// All cases, in order.
///
/// # Errors
/// If the files are not there, or do not fit each other.
pub fn cases() -> Result<Vec<Case>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("evasion");
    let read = |name: &str| std::fs::read(folder.join(name)).with_context(|| format!("cannot read {name}"));
    let frames = pcap::frames(&read("hostile.pcap")?)?;
    let table: Table = toml::from_str(&String::from_utf8(read("expected.toml")?)?)?;
    let mut used = 0;
    let mut case = |row: Row| -> Result<Case> {
        let Row { name, attack, kinds, steps } = row;
        let steps = steps.into_iter().map(|entry| step(entry, &frames, &mut used));
        let steps = steps.collect::<Result<_>>().with_context(|| format!("case {name:?}"))?;
        Ok(Case { name, attack, kinds, steps })
    };
    let cases = table.case.into_iter().map(&mut case).collect::<Result<_>>()?;
    ensure!(used == frames.len(), "{} frames, {used} of them with a verdict", frames.len());
    Ok(cases)
}

fn step(entry: Entry, frames: &[Vec<u8>], used: &mut usize) -> Result<Step> {
    let (number, direction, action, reason) = match entry {
        Entry::Frame { frame, direction, action, reason } => (frame, direction, action, reason),
        Entry::Apply { apply } => return Ok(Step::Apply(apply)),
    };
    *used += 1;
    ensure!(number == *used, "frame {number} where {used} is next");
    let bytes = frames.get(number - 1).with_context(|| format!("there is no frame {number}"))?.clone();
    let direction =
        Direction::ALL.into_iter().find(|known| known.name() == direction).context("direction")?;
    let actions = [Action::Allow, Action::Deny, Action::Reject];
    let action = actions.into_iter().find(|known| known.name() == action).context("action")?;
    let reason = Reason::from_name(&reason).with_context(|| format!("no reason {reason}"))?;
    Ok(Step::Frame { number, direction, bytes, expected: (action, reason) })
}
