//! How far the rounds of all threads are, and what came of them.

use std::collections::BTreeMap;

/// Frames between two lines about it.
const OFTEN: u64 = 500_000;

/// How often each decided.
pub(crate) type Reasons = BTreeMap<&'static str, u64>;

/// Rounds have seeds one after another.
pub(crate) struct Progress {
    /// Seed of the next round.
    pub(crate) next: u64,
    pub(crate) compared: u64,
    pub(crate) reasons: Reasons,
    pub(crate) wrong: Option<String>,
    wanted: u64,
    running: u64,
    /// Frames in a round, at most.
    round: u64,
}

impl Progress {
    pub(crate) fn new(seed: u64, wanted: u64, round: u64) -> Self {
        let reasons = Reasons::new();
        Self { next: seed, compared: 0, reasons, wrong: None, wanted, running: 0, round }
    }

    /// The seed of the next round, unless those that run will be enough.
    pub(crate) fn take(&mut self) -> Option<u64> {
        let expected = self.compared + self.running * self.round;
        if self.wrong.is_some() || expected >= self.wanted {
            return None;
        }
        self.running += 1;
        self.next += 1;
        Some(self.next - 1)
    }

    pub(crate) fn add(&mut self, found: Result<Reasons, String>) {
        self.running -= 1;
        let reasons = match found {
            Ok(reasons) => reasons,
            Err(wrong) => return self.wrong = Some(wrong),
        };
        let before = self.compared;
        for (reason, count) in reasons {
            *self.reasons.entry(reason).or_default() += count;
            self.compared += count;
        }
        if before / OFTEN != self.compared / OFTEN {
            println!("{} frames, next seed {}", self.compared, self.next);
        }
    }
}
