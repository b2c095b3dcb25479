//! Rules that change nothing: without them, a later rule or the default does the same.
//!
//! What is claimed is so, also of all claims together with the rules that never match. That several later rules share
//! out what a rule takes is not looked for.

use hashbrown::HashMap;

use super::cover::{covers, meet};
use super::reach::{best, sizes};
use crate::compile::address::Both;
use crate::compile::grouped::Grouped;
use crate::compile::resolved::Resolved;
use netctl_common::verdict::Action;

/// Rules and classes looked at, of some 10 ns: for each rule on average, and for a document of few rules.
const STEPS_PER_RULE: u64 = 500;
const STEPS: u64 = 500_000;
/// No rule may use up what the others need.
const STEPS_OF_ONE: u64 = 50_000;

/// What decides in place of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Instead {
    /// By index.
    Rule(u32),
    Default,
    /// Too much work.
    Undecided,
}

/// The lists of both sides; `None`: any.
type Lists = (Option<u32>, Option<u32>);

/// All rules of a policy, to be asked in order.
pub(super) struct Redundancy<'r> {
    resolved: &'r Resolved<'r>,
    /// Rules that never match.
    is_dead: &'r [bool],
    by_lists: HashMap<Lists, Vec<u32>>,
    /// A class of each list that is in few others, and of all.
    rarest: Both<Rarest>,
    /// By action: the rules that do something else, ascending.
    others: Vec<(Action, Vec<u32>)>,
    steps: u64,
}

struct Rarest {
    of_list: Vec<Option<u32>>,
    of_all: Option<u32>,
}

impl Rarest {
    fn new(classes: usize, members: &Grouped) -> Self {
        let sizes = sizes(classes, members);
        let of_all = (0..classes as u32).min_by_key(|class| sizes[*class as usize]);
        Self { of_list: best(members, &sizes), of_all }
    }

    fn of(&self, list: Option<u32>) -> Option<u32> {
        list.map_or(self.of_all, |list| self.of_list[list as usize])
    }
}

impl<'r> Redundancy<'r> {
    pub(super) fn new(resolved: &'r Resolved<'r>, is_dead: &'r [bool]) -> Self {
        let rules = &resolved.config.policy.rules;
        let mut by_lists: HashMap<Lists, Vec<u32>> = HashMap::new();
        let sides = &resolved.sides;
        for (rule, lists) in (0..).zip(sides.source.list_of.iter().zip(&sides.destination.list_of)) {
            by_lists.entry((*lists.0, *lists.1)).or_default().push(rule);
        }
        let (classes, members) = (&resolved.addresses.signatures, &resolved.members);
        let others = [Action::Allow, Action::Deny, Action::Reject].map(|action| {
            let does_else = |rule: &u32| !does(resolved, *rule, action);
            (action, (0..rules.len() as u32).filter(does_else).collect())
        });
        Self {
            resolved,
            is_dead,
            by_lists,
            rarest: Both {
                source: Rarest::new(classes.source.len(), &members.source),
                destination: Rarest::new(classes.destination.len(), &members.destination),
            },
            others: others.into(),
            steps: STEPS + STEPS_PER_RULE * rules.len() as u64,
        }
    }

    /// Who decides in place of a rule that changes nothing.
    pub(super) fn instead(&mut self, rule: u32) -> Option<Instead> {
        let own = &self.resolved.config.policy.rules[rule as usize];
        // An audited rule, or one that logs, is there for what it tells.
        if self.is_dead[rule as usize] || !does(self.resolved, rule, own.action) {
            return None;
        }
        let given = self.steps.min(STEPS_OF_ONE);
        let mut left = given;
        let found = self.search(rule, own.action, &mut left);
        self.steps -= given - left;
        found.unwrap_or(Some(Instead::Undecided))
    }

    /// `None`: the steps do not suffice.
    fn search(&self, rule: u32, action: Action, steps: &mut u64) -> Option<Option<Instead>> {
        let mut instead = self.does_default_the_same(rule, action).then_some(Instead::Default);
        // Whoever takes all that the rule takes has also this one place of it.
        for later in self.at_a_place_of(rule, steps)? {
            *steps = steps.checked_sub(1)?;
            if !does(self.resolved, later, action) {
                if meet(self.resolved, later, rule, steps)? {
                    return Some(None);
                }
            } else if !self.is_dead[later as usize] && covers(self.resolved, later, rule, steps)? {
                instead = Some(Instead::Rule(later));
                break;
            }
        }
        let end = match instead {
            None => return Some(None),
            Some(Instead::Rule(later)) => later,
            Some(_) => u32::MAX,
        };
        let others = self.others.iter().find(|(of, _)| *of == action).map_or(&[][..], |(_, others)| others);
        let begin = others.partition_point(|other| *other <= rule);
        for other in others[begin..].iter().take_while(|other| **other < end) {
            *steps = steps.checked_sub(1)?;
            if meet(self.resolved, *other, rule, steps)? {
                return Some(None);
            }
        }
        Some(instead)
    }

    /// Frames without IP that no rule names are denied, whatever the default is.
    fn does_default_the_same(&self, rule: u32, action: Action) -> bool {
        let list = self.resolved.service_lists.list_of[rule as usize];
        let taken = &self.resolved.services.lists[list as usize];
        let (has_ip, has_frames) = (taken.any || !taken.ip.is_empty(), !taken.frames.is_empty());
        (!has_ip || action == self.resolved.config.policy.default) && (!has_frames || action == Action::Deny)
    }

    /// Later rules that match one of its sources and one of its destinations, ascending.
    fn at_a_place_of(&self, rule: u32, steps: &mut u64) -> Option<Vec<u32>> {
        let (sides, classes) = (&self.resolved.sides, &self.resolved.addresses.signatures);
        let lists_at = |class: Option<u32>, classes: &[_]| {
            let mut lists = Vec::new();
            if let Some(class) = class {
                self.resolved.signatures.elements(classes[class as usize], &mut lists);
            }
            std::iter::once(None).chain(lists.into_iter().map(Some)).collect::<Vec<Option<u32>>>()
        };
        let from = self.rarest.source.of(sides.source.list_of[rule as usize]);
        let to = self.rarest.destination.of(sides.destination.list_of[rule as usize]);
        let (from, to) = (lists_at(from, &classes.source), lists_at(to, &classes.destination));
        *steps = steps.checked_sub((from.len() * to.len()) as u64)?;
        let mut found = Vec::new();
        for from in &from {
            for rules in to.iter().filter_map(|to| self.by_lists.get(&(*from, *to))) {
                let later = &rules[rules.partition_point(|other| *other <= rule)..];
                *steps = steps.checked_sub(later.len() as u64)?;
                found.extend_from_slice(later);
            }
        }
        found.sort_unstable();
        Some(found)
    }
}

/// Whether a rule does that and nothing else.
fn does(resolved: &Resolved<'_>, rule: u32, action: Action) -> bool {
    let rule = &resolved.config.policy.rules[rule as usize];
    rule.action == action && !rule.audit && rule.log.is_none()
}
