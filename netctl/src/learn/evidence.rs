//! What speaks for a rule.

use std::collections::BTreeSet;

use serde::Serialize;

/// How often and where something was seen.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evidence {
    /// Connections, or frames where none are tracked. A connection between two ports is seen at both.
    pub flows: u64,
    /// Ports that judged it.
    pub ports: BTreeSet<String>,
    /// Seconds since it was first and last seen.
    pub first: f64,
    pub last: f64,
    /// Some were taken up in their middle: who opened them follows from the lower port.
    pub guessed: bool,
}

impl Evidence {
    /// One flow.
    pub fn at(port: &str, first: f64, last: f64) -> Self {
        Self { flows: 1, ports: BTreeSet::from([port.to_owned()]), first, last, guessed: false }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.flows += other.flows;
        self.ports.extend(other.ports.iter().cloned());
        self.first = self.first.max(other.first);
        self.last = self.last.min(other.last);
        self.guessed |= other.guessed;
    }
}
