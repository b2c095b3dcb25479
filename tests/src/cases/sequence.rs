//! Frames in order at ports of one host: what came before decides with them.

use super::case::{At, Expected};

/// A row of many frames.
#[derive(Clone, Debug)]
pub struct Sequence {
    /// A sentence.
    pub name: String,
    pub document: String,
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub enum Step {
    Frame {
        at: At,
        frame: Vec<u8>,
        expected: Expected,
    },
    /// Seconds pass. The kernel's clock runs by itself, so that only a short time can pass there.
    Wait(u64),
    /// Another document is applied.
    Apply(String),
    /// An operator ends all flows.
    Kill,
}

impl Sequence {
    pub(super) fn new(name: impl Into<String>, document: &str) -> Self {
        Self { name: name.into(), document: document.to_owned(), steps: Vec::new() }
    }

    pub(super) fn then(mut self, at: At, frame: Vec<u8>, expected: Expected) -> Self {
        self.steps.push(Step::Frame { at, frame, expected });
        self
    }

    pub(super) fn wait(mut self, seconds: u64) -> Self {
        self.steps.push(Step::Wait(seconds));
        self
    }

    pub(super) fn apply(mut self, document: &str) -> Self {
        self.steps.push(Step::Apply(document.to_owned()));
        self
    }

    pub(super) fn kill(mut self) -> Self {
        self.steps.push(Step::Kill);
        self
    }

    /// Whether more time must pass in it than a test in the kernel has.
    pub fn waits(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Wait(seconds) if *seconds > 1))
    }

    pub fn frames(&self) -> impl Iterator<Item = &[u8]> {
        self.steps.iter().filter_map(|step| match step {
            Step::Frame { frame, .. } => Some(&frame[..]),
            Step::Wait(_) | Step::Apply(_) | Step::Kill => None,
        })
    }
}
