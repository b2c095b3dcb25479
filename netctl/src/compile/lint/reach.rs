//! What earlier rules leave to a rule: it is reached if some source, destination and service have it first.
//!
//! The chains know where a rule is first among those of its family; what is looked for here is a place where the
//! other two families have nothing earlier. Nearly always the first place is one; where none is found, every
//! place has been seen, or the bound on the work was met.

use std::ops::ControlFlow;

use hashbrown::HashMap;
use netctl_common::abi::{ChainEntry, NO_RULE, PairKey};

use super::cover::covers;
use crate::compile::address::Both;
use crate::compile::chain::Entries;
use crate::compile::grouped::Grouped;
use crate::compile::resolved::Resolved;

/// Places and services looked at, of some 50 ns: for each rule on average, and for a document of few rules.
const STEPS_PER_RULE: u64 = 50;
const STEPS: u64 = 500_000;
/// No rule may use up what the others need.
const STEPS_OF_ONE: u64 = 20_000;
/// Different earlier rules that are tried for covering one rule.
const BLOCKERS: usize = 16;

/// What is wrong with a rule; the other rules are by index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// Same selectors and services.
    Repeats(u32),
    CoveredBy(u32),
    /// The first of several that were found in the way.
    CoveredTogether(u32),
    /// Too much work.
    Undecided,
}

/// All rules of a policy, to be asked in order.
pub(super) struct Reach<'r> {
    resolved: &'r Resolved<'r>,
    /// The entries of the verdicts by rule, which are then by chain.
    first_at: Grouped,
    /// Classes, those in few lists first: they have fewer rules that could be in the way.
    order: Both<Vec<u32>>,
    /// Index: list. The first of its classes by that order.
    best: Both<Vec<Option<u32>>>,
    /// By whether audited rules count, which they do before an audited rule only.
    seen: HashMap<(bool, Option<u32>, Option<u32>, u32), u32>,
    steps: u64,
}

/// Which family holds a rule.
#[derive(Clone, Copy, PartialEq)]
enum Family {
    Source,
    Destination,
    Pair,
}

/// Where a rule is first in one chain.
#[derive(Clone, Copy)]
struct Role<'a> {
    otherwise: bool,
    /// Numbers of entries of the verdicts.
    entries: &'a [u32],
}

/// Why the search for a place ends: the answer.
type Search = ControlFlow<Option<Finding>>;

impl<'r> Reach<'r> {
    pub(super) fn new(resolved: &'r Resolved<'r>) -> Self {
        let rules = resolved.config.policy.rules.len();
        let by_rule: Vec<(u32, u32)> =
            resolved.verdicts.entries.iter().map(|(_, rule)| *rule).zip(0..).collect();
        let classes = &resolved.addresses.signatures;
        let sizes = Both {
            source: sizes(classes.source.len(), &resolved.members.source),
            destination: sizes(classes.destination.len(), &resolved.members.destination),
        };
        Self {
            resolved,
            first_at: Grouped::new(rules, &by_rule),
            order: Both { source: by_size(&sizes.source), destination: by_size(&sizes.destination) },
            best: Both {
                source: best(&resolved.members.source, &sizes.source),
                destination: best(&resolved.members.destination, &sizes.destination),
            },
            seen: HashMap::with_capacity(rules),
            steps: STEPS + STEPS_PER_RULE * rules as u64,
        }
    }

    /// What is wrong with a rule, which matches something if it is alone.
    pub(super) fn finding(&mut self, rule: u32) -> Option<Finding> {
        let sides = &self.resolved.sides;
        let (from, to) = (sides.source.list_of[rule as usize], sides.destination.list_of[rule as usize]);
        let services = self.resolved.service_lists.list_of[rule as usize];
        let is_audited = self.resolved.config.policy.rules[rule as usize].audit;
        let mut seen = |audited| *self.seen.entry((audited, from, to, services)).or_insert(rule);
        let (among_all, among_enforced) = (seen(true), if is_audited { rule } else { seen(false) });
        let first = if is_audited { among_all } else { among_enforced };
        if first != rule {
            return Some(Finding::Repeats(first));
        }
        let given = self.steps.min(STEPS_OF_ONE);
        let chains = self.resolved.chains.before(is_audited);
        let mut asked = Asked { reach: self, chains, rule, blockers: Vec::new(), steps: given };
        let finding = asked.search(from, to);
        let left = asked.steps;
        self.steps -= given - left;
        finding
    }
}

/// In how many lists each class is.
pub(super) fn sizes(classes: usize, members: &Grouped) -> Vec<u32> {
    let mut sizes = vec![0; classes];
    members.items().iter().for_each(|class| sizes[*class as usize] += 1);
    sizes
}

fn by_size(sizes: &[u32]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..sizes.len() as u32).collect();
    order.sort_by_key(|class| sizes[*class as usize]);
    order
}

/// Of each list: the class that is in the fewest.
pub(super) fn best(members: &Grouped, sizes: &[u32]) -> Vec<Option<u32>> {
    let smallest = |list| members.of(list).iter().copied().min_by_key(|class| sizes[*class as usize]);
    (0..members.groups()).map(smallest).collect()
}

/// One rule.
struct Asked<'a, 'r> {
    reach: &'a Reach<'r>,
    chains: &'a Entries,
    rule: u32,
    /// Different rules that were in the way.
    blockers: Vec<u32>,
    steps: u64,
}

impl<'a> Asked<'a, '_> {
    fn search(&mut self, from: Option<u32>, to: Option<u32>) -> Option<Finding> {
        let (members, reach) = (&self.reach.resolved.members, self.reach);
        let sources = places(from, &members.source, &reach.order.source, &reach.best.source);
        let destinations =
            places(to, &members.destination, &reach.order.destination, &reach.best.destination);
        let family = match (from, to) {
            (Some(_), Some(_)) => Family::Pair,
            (Some(_), None) => Family::Source,
            (None, Some(_)) => Family::Destination,
            (None, None) if reach.resolved.chains.everywhere_by_source => Family::Source,
            (None, None) => Family::Destination,
        };
        let searched = match family {
            Family::Destination => destinations.into_iter().try_for_each(|destination| {
                let own = self.chains.sides.destination[destination as usize];
                self.search_one(own, family, sources.clone().into_iter().map(|source| (source, destination)))
            }),
            Family::Source => sources.into_iter().try_for_each(|source| {
                let own = self.chains.sides.source[source as usize];
                self.search_one(
                    own,
                    family,
                    destinations.clone().into_iter().map(|destination| (source, destination)),
                )
            }),
            Family::Pair => sources.into_iter().try_for_each(|source| {
                destinations.clone().into_iter().try_for_each(|destination| {
                    let own = self.pair(source, destination);
                    self.search_one(own, family, std::iter::once((source, destination)))
                })
            }),
        };
        match searched {
            ControlFlow::Break(answer) => answer,
            ControlFlow::Continue(()) => {
                self.blockers.iter().min().map(|first| Finding::CoveredTogether(*first))
            }
        }
    }

    /// `places` that have the same chain of the rule's own family.
    fn search_one(
        &mut self,
        own: ChainEntry,
        family: Family,
        places: impl Iterator<Item = (u32, u32)>,
    ) -> Search {
        self.spend(1)?;
        let role = self.role(own);
        if !role.otherwise && role.entries.is_empty() {
            return self.note(self.first_in_own(own));
        }
        for (source, destination) in places {
            let chains = &self.chains.sides;
            let others = match family {
                Family::Source => [chains.destination[destination as usize], self.pair(source, destination)],
                Family::Destination => [chains.source[source as usize], self.pair(source, destination)],
                Family::Pair => [chains.source[source as usize], chains.destination[destination as usize]],
            };
            self.search_services(role, others)?;
        }
        ControlFlow::Continue(())
    }

    fn search_services(&mut self, role: Role<'_>, others: [ChainEntry; 2]) -> Search {
        self.spend(2)?;
        if role.otherwise {
            // Services that no rule speaks of are class 0 and have no verdicts.
            let [a, b] = others;
            self.note(a.otherwise.min(b.otherwise))?;
        }
        for &entry in role.entries {
            self.spend(2)?;
            let service = self.reach.resolved.verdicts.entries[entry as usize].0.service;
            let [a, b] = others.map(|other| self.answer(other, service));
            self.note(a.min(b))?;
        }
        ControlFlow::Continue(())
    }

    /// `first`: the rule that comes first where this one could match, or one that comes later.
    fn note(&mut self, first: u32) -> Search {
        if first > self.rule {
            return ControlFlow::Break(None);
        }
        if self.blockers.contains(&first) {
            return ControlFlow::Continue(());
        }
        if self.blockers.len() >= BLOCKERS {
            // The first of them is wanted.
            if let Some(last) = self.blockers.iter_mut().max().filter(|last| **last > first) {
                *last = first;
            }
            return ControlFlow::Continue(());
        }
        self.blockers.push(first);
        match covers(self.reach.resolved, first, self.rule, &mut self.steps) {
            Some(true) => ControlFlow::Break(Some(Finding::CoveredBy(first))),
            Some(false) => ControlFlow::Continue(()),
            None => ControlFlow::Break(Some(Finding::Undecided)),
        }
    }

    fn spend(&mut self, steps: u64) -> Search {
        match self.steps.checked_sub(steps) {
            Some(left) => {
                self.steps = left;
                ControlFlow::Continue(())
            }
            None => ControlFlow::Break(Some(Finding::Undecided)),
        }
    }

    fn role(&self, own: ChainEntry) -> Role<'a> {
        let entries = self.reach.first_at.of(self.rule);
        let verdicts = &self.reach.resolved.verdicts.entries;
        let begin = entries.partition_point(|entry| verdicts[*entry as usize].0.chain < own.chain);
        let end = entries.partition_point(|entry| verdicts[*entry as usize].0.chain <= own.chain);
        Role { otherwise: own.otherwise == self.rule, entries: &entries[begin..end] }
    }

    /// The rule of the own chain that takes one of the services of this rule, which is not first for any.
    fn first_in_own(&self, own: ChainEntry) -> u32 {
        let resolved = self.reach.resolved;
        let list = resolved.service_lists.list_of[self.rule as usize];
        match resolved.services.any_class(list) {
            Some(service) => self.answer(own, service),
            None => own.otherwise,
        }
    }

    /// As the data path does it.
    fn answer(&self, entry: ChainEntry, service: u32) -> u32 {
        let resolved = self.reach.resolved;
        match resolved.verdicts.of(entry.chain, service) {
            Some(rule) => rule,
            None if resolved.services.frames[service as usize] => NO_RULE,
            None => entry.otherwise,
        }
    }

    fn pair(&self, source: u32, destination: u32) -> ChainEntry {
        let pairs = &self.chains.pairs;
        let key = PairKey { source, destination };
        pairs.binary_search_by_key(&key, |(key, _)| *key).map_or(ChainEntry::EMPTY, |at| pairs[at].1)
    }
}

/// The classes of a list, or all; one of those in the fewest lists comes first.
#[derive(Clone)]
struct Places<'a> {
    best: Option<u32>,
    all: &'a [u32],
}

fn places<'a>(list: Option<u32>, members: &'a Grouped, order: &'a [u32], best: &[Option<u32>]) -> Places<'a> {
    match list {
        Some(list) => Places { best: best[list as usize], all: members.of(list) },
        None => Places { best: None, all: order },
    }
}

impl<'a> IntoIterator for Places<'a> {
    type Item = u32;
    type IntoIter =
        std::iter::Chain<std::option::IntoIter<u32>, std::iter::Copied<std::slice::Iter<'a, u32>>>;

    fn into_iter(self) -> Self::IntoIter {
        self.best.into_iter().chain(self.all.iter().copied())
    }
}
