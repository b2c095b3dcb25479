//! What a policy answers, and which services two of them answer differently.

use hashbrown::HashMap;
use netctl_common::abi::{ChainEntry, NO_RULE, rule_flags};
use netctl_common::verdict::Action;

use super::service::Services;
use super::{Both, Family, Meter, TooMuch};
use crate::compile::Compiled;

/// Who decides about a flow in one policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Decider {
    Rule(u32),
    Default,
    /// No rule names the ethertype.
    Unasked,
    NoPort,
    Unfiltered,
}

/// What happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Answer {
    pub(super) decider: Decider,
    /// `None`: there is no such port, so that there is no such flow.
    pub(super) action: Option<Action>,
    /// Denied by the policy, and let be in audit mode.
    pub(super) is_audited: bool,
}

impl Answer {
    /// That nothing passes is told of a flow that cannot be only where it passes otherwise.
    fn differs(self, other: Self) -> bool {
        match (self.action, other.action) {
            (None, None) => false,
            (None, Some(action)) | (Some(action), None) => action == Action::Allow,
            (Some(action), Some(other)) => action != other,
        }
    }
}

/// Whether the rules are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Asked {
    /// There is no port for the flow to pass.
    NoPort,
    /// Only at ports that are not filtered.
    Unfiltered,
    Rules {
        is_audited: bool,
    },
}

/// The chains of the source, the destination and the pair.
pub(super) type Chains = [ChainEntry; 3];

/// A policy's chains, for the rules that are enforced.
pub(super) struct Policy<'c> {
    compiled: &'c Compiled,
    /// What is added to a class ([`netctl_common::abi::RuleEntry::enforced`]).
    pub(super) shift: u32,
    /// (service class, rule), by chain.
    entries: Vec<(u32, u32)>,
    /// Index: chain. Where its entries begin; one more than there are chains.
    starts: Vec<usize>,
    /// Of each source class: the destination classes with a chain of their own.
    pub(super) pairs: HashMap<u32, Vec<(u32, ChainEntry)>>,
}

impl<'c> Policy<'c> {
    pub(super) fn new(compiled: &'c Compiled) -> Self {
        let audited = compiled.rules.iter().find(|rule| rule.flags & rule_flags::AUDIT != 0);
        let shift = audited.map_or(0, |rule| rule.enforced);
        let mut starts = Vec::new();
        let mut entries = Vec::with_capacity(compiled.verdicts.len());
        for (key, rule) in &compiled.verdicts {
            starts.resize((key.chain as usize + 1).max(starts.len()), entries.len());
            entries.push((key.service, *rule));
        }
        starts.push(entries.len());
        let mut pairs: HashMap<u32, Vec<(u32, ChainEntry)>> = HashMap::new();
        for (key, entry) in &compiled.pair_chains {
            // Where rules are audited, the chains of all rules stand before those of the enforced.
            if let (Some(source), Some(destination)) =
                (key.source.checked_sub(shift), key.destination.checked_sub(shift))
            {
                pairs.entry(source).or_default().push((destination, *entry));
            }
        }
        Self { compiled, shift, entries, starts, pairs }
    }

    pub(super) fn source_chain(&self, class: u32) -> ChainEntry {
        chain(&self.compiled.source_chains, class + self.shift)
    }

    pub(super) fn destination_chain(&self, class: u32) -> ChainEntry {
        chain(&self.compiled.destination_chains, class + self.shift)
    }

    pub(super) fn pair_chain(&self, source: u32, destination: u32) -> ChainEntry {
        let row = self.pairs.get(&source).map_or(&[][..], Vec::as_slice);
        let at = row.binary_search_by_key(&destination, |(destination, _)| *destination);
        at.map_or(ChainEntry::EMPTY, |at| row[at].1)
    }

    fn entries(&self, chain: u32) -> &[(u32, u32)] {
        match self.starts.get(chain as usize..chain as usize + 2) {
            Some(&[start, end]) => &self.entries[start..end],
            _ => &[],
        }
    }

    /// `service`: `None` for those that no chain has an entry for.
    fn rule(&self, chains: &Chains, service: Option<u32>, is_ip: bool) -> u32 {
        let of_chain = |entry: &ChainEntry| {
            let otherwise = if is_ip { entry.otherwise } else { NO_RULE };
            let Some(service) = service else { return otherwise };
            let entries = self.entries(entry.chain);
            let at = entries.binary_search_by_key(&service, |(service, _)| *service);
            at.map_or(otherwise, |at| entries[at].1.min(otherwise))
        };
        chains.iter().map(of_chain).min().unwrap_or(NO_RULE)
    }

    fn answer(&self, asked: Asked, chains: &Chains, service: Option<u32>, is_ip: bool) -> Answer {
        let fixed = |decider, action| Answer { decider, action, is_audited: false };
        let is_audited = match asked {
            Asked::NoPort => return fixed(Decider::NoPort, None),
            Asked::Unfiltered => return fixed(Decider::Unfiltered, Some(Action::Allow)),
            Asked::Rules { is_audited } => is_audited,
        };
        let rule = self.rule(chains, service, is_ip);
        let (decider, action) = match self.compiled.rules.get(rule as usize) {
            Some(entry) => (Decider::Rule(rule), Action::decode(entry.action)),
            None if is_ip => (Decider::Default, self.compiled.default),
            None => return fixed(Decider::Unasked, Some(Action::Deny)),
        };
        let is_let_be = is_audited && action != Action::Allow;
        let action = if is_let_be { Action::Allow } else { action };
        Answer { decider, action: Some(action), is_audited: is_let_be }
    }
}

fn chain(chains: &[ChainEntry], class: u32) -> ChainEntry {
    chains.get(class as usize).copied().unwrap_or(ChainEntry::EMPTY)
}

/// Classes of services of a family.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum ServiceSet {
    Only(Box<[u32]>),
    /// All but these.
    Except(Box<[u32]>),
}

impl ServiceSet {
    pub(super) fn contains(&self, service: u32) -> bool {
        match self {
            Self::Only(these) => these.binary_search(&service).is_ok(),
            Self::Except(these) => these.binary_search(&service).is_err(),
        }
    }
}

/// Services about which the policies differ in the same way: both answers, and the number of the set of services.
pub(super) type Part = (Both<Answer>, u32);

/// Compares chains, for one family of addresses.
pub(super) struct Comparison<'a> {
    pub(super) policies: Both<&'a Policy<'a>>,
    services: &'a Services,
    pub(super) family: Family,
    count: usize,
    dhcp_requests: Vec<u32>,
    pub(super) sets: Interned<ServiceSet>,
    /// Outcome 0: no difference.
    pub(super) outcomes: Interned<Vec<Part>>,
    touched: Vec<u32>,
}

/// Values by number.
pub(super) struct Interned<T> {
    pub(super) all: Vec<T>,
    numbers: HashMap<T, u32>,
}

impl<T: Clone + Eq + std::hash::Hash> Interned<T> {
    pub(super) fn new() -> Self {
        Self { all: Vec::new(), numbers: HashMap::new() }
    }

    /// And whether it is new.
    pub(super) fn number(&mut self, value: T) -> (u32, bool) {
        let next = self.all.len() as u32;
        let number = *self.numbers.entry_ref(&value).or_insert(next);
        if number == next {
            self.all.push(value);
        }
        (number, number == next)
    }
}

impl<'a> Comparison<'a> {
    pub(super) fn new(policies: Both<&'a Policy<'a>>, services: &'a Services, family: Family) -> Self {
        let all = services.of_family(family);
        let count = all.len();
        let is_request = |service: &u32| services.all[*service as usize].is_dhcp_request;
        let dhcp_requests = all.into_iter().filter(is_request).collect();
        let mut outcomes = Interned::new();
        outcomes.number(Vec::new());
        let (sets, touched) = (Interned::new(), Vec::new());
        Self { policies, services, family, count, dhcp_requests, sets, outcomes, touched }
    }

    /// The number of the outcome. `is_dhcp_only`: nothing but requests for an address are asked about.
    pub(super) fn compare(
        &mut self,
        asked: Both<Asked>,
        chains: &Both<Chains>,
        is_dhcp_only: bool,
        meter: &mut Meter,
    ) -> Result<u32, TooMuch> {
        if asked == [Asked::NoPort; 2] {
            return Ok(0);
        }
        let is_ip = self.family != Family::Frames;
        self.touch(asked, chains);
        meter.spend(self.touched.len() as u64)?;
        let answers = |service: Option<Both<u32>>| {
            let of = |which: usize| {
                let service = service.map(|service| service[which]);
                self.policies[which].answer(asked[which], &chains[which], service, is_ip)
            };
            [of(0), of(1)]
        };
        let mut parts: Vec<(Both<Answer>, Vec<u32>)> = Vec::new();
        for joint in &self.touched {
            let answers = answers(Some(self.services.all[*joint as usize].classes));
            if answers[0].differs(answers[1]) {
                match parts.iter_mut().find(|(known, _)| *known == answers) {
                    Some((_, services)) => services.push(*joint),
                    None => parts.push((answers, vec![*joint])),
                }
            }
        }
        let rest = answers(None);
        let has_rest = self.touched.len() < self.count && rest[0].differs(rest[1]);
        if parts.is_empty() && !has_rest {
            return Ok(0);
        }
        self.intern(parts, has_rest.then_some(rest), is_dhcp_only, meter)
    }

    /// The services that a chain has an entry for.
    fn touch(&mut self, asked: Both<Asked>, chains: &Both<Chains>) {
        self.touched.clear();
        for which in [0, 1] {
            if !matches!(asked[which], Asked::Rules { .. }) {
                continue;
            }
            let entries = chains[which].iter().flat_map(|entry| self.policies[which].entries(entry.chain));
            let of_class = &self.services.of_class[which];
            let joints = entries.filter_map(|(service, _)| of_class.get(service)).flatten().copied();
            let family = self.family;
            self.touched.extend(joints.filter(|joint| self.services.all[*joint as usize].is_of(family)));
        }
        self.touched.sort_unstable();
        self.touched.dedup();
    }

    fn intern(
        &mut self,
        parts: Vec<(Both<Answer>, Vec<u32>)>,
        rest: Option<Both<Answer>>,
        is_dhcp_only: bool,
        meter: &mut Meter,
    ) -> Result<u32, TooMuch> {
        let mut found: Vec<Part> = Vec::new();
        let mut sets = Vec::new();
        if let Some(rest) = rest {
            let same = parts.iter().find(|(answers, _)| *answers == rest).map_or(&[][..], |(_, same)| same);
            let except = self.touched.iter().filter(|joint| same.binary_search(joint).is_err()).copied();
            sets.push((rest, ServiceSet::Except(except.collect())));
        }
        let others = parts.into_iter().filter(|(answers, _)| Some(*answers) != rest);
        sets.extend(others.map(|(answers, services)| (answers, ServiceSet::Only(services.into()))));
        for (answers, set) in sets {
            if is_dhcp_only && !self.has_dhcp_request(&set) {
                continue;
            }
            let size = match &set {
                ServiceSet::Only(these) | ServiceSet::Except(these) => these.len() as u64,
            };
            let (number, is_new) = self.sets.number(set);
            if is_new {
                meter.keep(size + 16)?;
            }
            found.push((answers, number));
        }
        found.sort_unstable();
        let size = found.len() as u64 * 8;
        let (number, is_new) = self.outcomes.number(found);
        if is_new {
            meter.keep(size)?;
        }
        Ok(number)
    }

    pub(super) fn has_dhcp_request(&self, set: &ServiceSet) -> bool {
        self.dhcp_requests.iter().any(|service| set.contains(*service))
    }
}
