//! What each chain answers for each class of services: the map `verdicts`.

use netctl_common::abi::VerdictKey;

use super::store::{RuleServices, Steps};
use crate::compile::budget::Meter;
use crate::compile::error::{CompileError, Resource};
use crate::compile::service::{Services, Taken};
use crate::config::Rule;

/// The first rule for each (chain, service class) that has one before the chain's `otherwise`.
pub(in crate::compile) struct Verdicts {
    /// Sorted.
    pub(in crate::compile) entries: Vec<(VerdictKey, u32)>,
}

impl Verdicts {
    pub(in crate::compile) fn of(&self, chain: u32, service: u32) -> Option<u32> {
        let key = VerdictKey { chain, service };
        let at = self.entries.binary_search_by_key(&key, |(key, _)| *key).ok()?;
        Some(self.entries[at].1)
    }

    pub(in crate::compile) fn new(
        steps: &Steps,
        rules: &[Rule],
        services: RuleServices<'_>,
        meter: &mut Meter<'_>,
    ) -> Result<Self, CompileError> {
        let mut entries: Vec<(VerdictKey, u32)> = Vec::new();
        let mut painter = Painter::new(services.services);
        for chain in 0..steps.chains() {
            let first = entries.len();
            painter.next_chain(chain);
            for step in steps.of(chain) {
                let taken = services.taken(step.rule);
                let visited = painter.paint(taken, step.only_frames, |service| {
                    entries.push((VerdictKey { chain, service }, step.rule));
                });
                let widest = || most_frequent(&entries, rules);
                meter.spend_for(visited, widest)?;
                meter.budget.check_so_far(Resource::Verdicts, entries.len() as u64, widest)?;
            }
            entries[first..].sort_unstable_by_key(|(key, _)| key.service);
        }
        Ok(Self { entries })
    }
}

fn most_frequent(entries: &[(VerdictKey, u32)], rules: &[Rule]) -> Option<u32> {
    let mut counts = vec![0u64; rules.len()];
    entries.iter().for_each(|(_, rule)| counts[*rule as usize] += 1);
    let most = counts.iter().zip(rules).max_by_key(|(count, _)| **count);
    most.map(|(_, rule)| rule.line)
}

/// Gives each class of a chain to the rule that comes first, and passes over pieces that are taken whole.
struct Painter<'a> {
    services: &'a Services,
    chain: u32,
    /// Index: piece. The first piece from there on that is not taken; only where `piece_of` is the chain.
    next: Vec<u32>,
    piece_of: Vec<u32>,
    /// Index: class. The chain that last had a rule for it.
    class_of: Vec<u32>,
}

impl<'a> Painter<'a> {
    fn new(services: &'a Services) -> Self {
        let (pieces, classes) = (services.pieces(), services.frames.len());
        Self {
            services,
            chain: 0,
            // One more than there are pieces, for "none".
            next: vec![0; pieces + 1],
            piece_of: vec![u32::MAX; pieces + 1],
            class_of: vec![u32::MAX; classes],
        }
    }

    fn next_chain(&mut self, chain: u32) {
        self.chain = chain;
    }

    /// `take` gets the classes that no earlier rule took. Gives the number of pieces and classes looked at.
    fn paint(&mut self, taken: &Taken, only_frames: bool, mut take: impl FnMut(u32)) -> u64 {
        let mut visited = 1;
        let ip: &[(u32, u32)] = if only_frames { &[] } else { &taken.ip };
        for &(first, last) in ip.iter().chain(&taken.frames) {
            let mut piece = self.free_from(first);
            while piece <= last {
                visited += 1;
                let (classes, chain) = (&mut self.class_of, self.chain);
                let whole = self.services.visit(piece, taken, |class| {
                    visited += 1;
                    let seen = std::mem::replace(&mut classes[class as usize], chain);
                    if seen != chain {
                        take(class);
                    }
                });
                if whole {
                    self.next[piece as usize] = piece + 1;
                    self.piece_of[piece as usize] = chain;
                }
                piece = self.free_from(piece + 1);
            }
        }
        visited
    }

    /// The first piece from `piece` on that is not taken whole.
    fn free_from(&mut self, piece: u32) -> u32 {
        let mut end = piece;
        while self.piece_of[end as usize] == self.chain {
            end = self.next[end as usize];
        }
        let mut at = piece;
        while at != end {
            at = std::mem::replace(&mut self.next[at as usize], end);
        }
        end
    }
}
