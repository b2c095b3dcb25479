//! Every pair of parties of a layer, compared; what differs in the same way is one rectangle.
//!
//! A pair that no rule names on both sides is answered by the chains of its two ends alone, so that each
//! combination of chains is compared once. The pairs that rules name are compared one by one.

use std::ops::Range;

use hashbrown::{HashMap, HashSet};
use netctl_common::abi::{ChainEntry, Classes};

use super::answer::{Answer, Asked, Chains, Comparison, Interned, Part};
use super::party::{Judge, Layer, Owner, Party, Place, State};
use super::{Both, Family, Meter, TooMuch};

/// Flows from each of the sources to each of the destinations, about which the policies differ in one way.
#[derive(Debug)]
pub(super) struct Rectangle {
    pub(super) answers: Both<Answer>,
    /// In [`Comparison::sets`].
    pub(super) services: u32,
    /// Parties of the layer.
    pub(super) sources: Vec<u32>,
    pub(super) destinations: Vec<u32>,
}

/// Parties that are the same to both policies, as sources or as destinations.
struct Class {
    kind: Kind,
    /// The only owner of all of them, in each policy.
    owners: Both<Option<Owner>>,
    members: Vec<u32>,
    /// The class that has an address of the owner's, of one that has none.
    sibling: Option<u32>,
}

/// What the comparison sees of a party.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Kind {
    /// Class and judge; `None`: absent.
    ends: Both<Option<(u32, Judge)>>,
    is_group: bool,
    is_local: bool,
    has_no_address: bool,
    is_dhcp_only: bool,
}

/// Kinds that have the same chains: the number of a class is left out.
type Profile = (Both<ChainEntry>, Kind);

/// One side of a layer.
struct Side {
    classes: Vec<Class>,
    /// Index: class.
    profile_of: Vec<u32>,
    profiles: Vec<Profile>,
    /// By profile.
    members: Vec<Vec<u32>>,
    /// Of each class of each policy: the classes here.
    of_number: Both<HashMap<u32, Vec<u32>>>,
    of_port: Both<HashMap<u32, Vec<u32>>>,
}

/// Consecutive numbers.
type Runs = Vec<Range<u32>>;

/// The rectangles of a layer, by what answers: at most as many as there are to be rows, and how many more there are.
pub(super) fn rectangles(
    layer: &Layer,
    comparison: &mut Comparison<'_>,
    meter: &mut Meter,
) -> Result<(Vec<Rectangle>, usize), TooMuch> {
    let policies = comparison.policies;
    let sources = Side::new(
        layer,
        Party::sends,
        |classes| classes.source,
        |which, class| policies[which].source_chain(class),
    );
    let destinations = Side::new(
        layer,
        Party::receives,
        |classes| classes.destination,
        |which, class| policies[which].destination_chain(class),
    );
    let mut search = Search {
        sources: &sources,
        destinations: &destinations,
        comparison,
        meter,
        reached: Interned::new(),
        found: HashMap::new(),
    };
    (0..sources.profiles.len() as u32).try_for_each(|profile| search.profile(profile))?;
    let (found, reached) = (search.found, search.reached);
    let members = |side: &Side, runs: &Runs| {
        let classes = runs.iter().cloned().flatten();
        let mut parties: Vec<u32> =
            classes.flat_map(|class| side.classes[class as usize].members.iter().copied()).collect();
        parties.sort_unstable();
        parties
    };
    // Told apart before they are spelled out: most of very many are never shown.
    let mut found: Vec<(Part, &Runs, Runs)> =
        found.into_iter().map(|((part, to), from)| (part, &reached.all[to as usize], from)).collect();
    found.sort_unstable_by(|a, b| {
        let starts = |runs: &Runs| runs.iter().map(|run| (run.start, run.end)).collect::<Vec<_>>();
        a.0.cmp(&b.0).then_with(|| starts(a.1).cmp(&starts(b.1)))
    });
    let omitted = found.len().saturating_sub(meter.limits.rows);
    found.truncate(meter.limits.rows);
    let mut rectangles: Vec<Rectangle> = Vec::with_capacity(found.len());
    for ((answers, services), to, from) in found {
        let (from, to) = (members(&sources, &from), members(&destinations, to));
        meter.keep((from.len() + to.len()) as u64)?;
        rectangles.push(Rectangle { answers, services, sources: from, destinations: to });
    }
    Ok((rectangles, omitted))
}

impl Side {
    fn new(
        layer: &Layer,
        is_wanted: fn(&Party) -> bool,
        number: fn(&Classes) -> u32,
        chain: impl Fn(usize, u32) -> ChainEntry,
    ) -> Self {
        let mut this = Self {
            classes: Vec::new(),
            profile_of: Vec::new(),
            profiles: Vec::new(),
            members: Vec::new(),
            of_number: Both::default(),
            of_port: Both::default(),
        };
        let siblings = this.add_classes(layer, is_wanted, number);
        this.find_siblings(layer, &siblings);
        this.add_profiles(chain);
        this
    }

    /// Gives the class of each party.
    fn add_classes(
        &mut self,
        layer: &Layer,
        is_wanted: fn(&Party) -> bool,
        number: fn(&Classes) -> u32,
    ) -> HashMap<u32, u32> {
        let mut numbers: HashMap<(Kind, Option<Both<Owner>>), u32> = HashMap::new();
        let moved = moved(layer);
        let mut class_of = HashMap::new();
        for (index, party) in (0..).zip(&layer.parties).filter(|(_, party)| is_wanted(party)) {
            let has_no_address = party.place == Place::Unspecified;
            let kind = Kind {
                ends: party.states.map(|state| match state {
                    State::Absent => None,
                    State::Here(classes, judge) => Some((number(&classes), judge)),
                }),
                is_group: party.is_group,
                is_local: party.is_local(layer.family),
                has_no_address,
                is_dhcp_only: has_no_address
                    && party.owners.iter().any(|owner| matches!(owner, Owner::Port(_))),
            };
            // Whoever has no address is told apart by who it is: see `sibling`.
            // So is a port with an address that is another's in the other policy: what it sends itself is a flow there.
            let is_moved = party.owners.iter().any(|owner| moved.contains(owner));
            let owner = (has_no_address || is_moved).then_some(party.owners);
            let next = self.classes.len() as u32;
            let class = *numbers.entry((kind, owner)).or_insert(next);
            class_of.insert(index, class);
            let owners = party.owners.map(Some);
            if class == next {
                self.classes.push(Class { kind, owners, members: vec![index], sibling: None });
                continue;
            }
            let class = &mut self.classes[class as usize];
            class.members.push(index);
            for (known, owner) in class.owners.iter_mut().zip(owners) {
                *known = if *known == owner { owner } else { None };
            }
        }
        class_of
    }

    fn find_siblings(&mut self, layer: &Layer, class_of: &HashMap<u32, u32>) {
        let mut with_address: HashMap<Both<Owner>, u32> = HashMap::new();
        for (index, party) in (0..).zip(&layer.parties) {
            if let Some(class) = class_of.get(&index)
                && matches!(party.place, Place::Address(_) | Place::Region(_) | Place::Learned(_))
                && !party.is_group
            {
                with_address.entry(party.owners).or_insert(*class);
            }
        }
        for class in self.classes.iter_mut().filter(|class| class.kind.has_no_address) {
            let owners = class.members.first().map(|member| layer.parties[*member as usize].owners);
            class.sibling = owners.and_then(|owners| with_address.get(&owners)).copied();
        }
    }

    fn add_profiles(&mut self, chain: impl Fn(usize, u32) -> ChainEntry) {
        let mut numbers: HashMap<Profile, u32> = HashMap::new();
        for (number, class) in (0..).zip(&self.classes) {
            let chain_of = |which: usize| {
                class.kind.ends[which].map_or(ChainEntry::EMPTY, |(class, _)| chain(which, class))
            };
            let kind =
                Kind { ends: class.kind.ends.map(|end| end.map(|(_, judge)| (0, judge))), ..class.kind };
            let profile = ([chain_of(0), chain_of(1)], kind);
            let next = self.profiles.len() as u32;
            let at = *numbers.entry(profile).or_insert(next);
            if at == next {
                self.profiles.push(profile);
                self.members.push(Vec::new());
            }
            self.members[at as usize].push(number);
            self.profile_of.push(at);
            for which in [0, 1] {
                if let Some((class, _)) = class.kind.ends[which] {
                    self.of_number[which].entry(class).or_default().push(number);
                }
                if let Some(Owner::Port(port)) = class.owners[which] {
                    self.of_port[which].entry(port).or_default().push(number);
                }
            }
        }
    }
}

/// Ports with an address that is not theirs in the other policy.
fn moved(layer: &Layer) -> HashSet<Owner> {
    let owners = layer.parties.iter().map(|party| party.owners);
    let changed = owners.filter(|[before, after]| before != after).flatten();
    changed.filter(|owner| matches!(owner, Owner::Port(_))).collect()
}

/// What differs from one source: the parts, each with the classes of destinations.
type Differences = Vec<(Part, u32)>;

/// What the sources of a profile have in common where no rule names both ends.
struct Common {
    /// Destinations with their outcome, ascending.
    outcomes: Vec<(u32, u32)>,
    differences: Differences,
    /// Places in `differences`.
    places: HashMap<Part, usize>,
    /// By place: the sources that differ otherwise.
    others: Vec<Vec<u32>>,
}

struct Search<'s, 'c> {
    sources: &'s Side,
    destinations: &'s Side,
    comparison: &'s mut Comparison<'c>,
    meter: &'s mut Meter,
    reached: Interned<Runs>,
    /// The sources, in no order.
    found: HashMap<(Part, u32), Runs>,
}

impl Search<'_, '_> {
    fn profile(&mut self, profile: u32) -> Result<(), TooMuch> {
        let sides = self.sources;
        let members = &sides.members[profile as usize];
        let mut common = self.common(profile)?;
        for source in members {
            let special = self.special(*source)?;
            if sides.classes[*source as usize].sibling.is_some() {
                let own = self.own_outcomes(*source, &common.outcomes, &special)?;
                for difference in self.differences(&own, Some(*source))? {
                    self.note(*source, difference)?;
                }
                common.others.iter_mut().for_each(|others| others.push(*source));
            } else if !special.is_empty() {
                self.apart(*source, &special, &mut common)?;
            }
        }
        for (difference, others) in common.differences.into_iter().zip(common.others) {
            self.meter.spend(members.len() as u64)?;
            for source in members.iter().filter(|source| others.binary_search(source).is_err()) {
                self.note(*source, difference)?;
            }
        }
        Ok(())
    }

    /// What differs otherwise than it does from the others of the profile.
    fn apart(&mut self, source: u32, special: &[u32], common: &mut Common) -> Result<(), TooMuch> {
        let mut parts: HashMap<Part, Both<Vec<u32>>> = HashMap::new();
        for to in special {
            let at = common.outcomes.binary_search_by_key(to, |(to, _)| *to);
            let usual = at.map_or(0, |at| common.outcomes[at].1);
            for (which, outcome) in [usual, self.outcome(source, *to)?].into_iter().enumerate() {
                let all = &self.comparison.outcomes.all[outcome as usize];
                self.meter.spend(all.len() as u64)?;
                all.iter().for_each(|part| parts.entry(*part).or_default()[which].push(*to));
            }
        }
        for (part, [usual, own]) in parts {
            if usual == own {
                continue;
            }
            let place = common.places.get(&part).copied();
            let runs = place.map(|place| self.reached.all[common.differences[place].1 as usize].clone());
            let others = runs.into_iter().flatten().flatten().filter(|to| usual.binary_search(to).is_err());
            let mut reached: Vec<u32> = others.chain(own).collect();
            self.meter.spend(reached.len() as u64)?;
            reached.sort_unstable();
            if let Some(place) = place {
                common.others[place].push(source);
            }
            if !reached.is_empty() {
                let number = self.reached(in_runs(&reached))?;
                self.note(source, (part, number))?;
            }
        }
        Ok(())
    }

    fn reached(&mut self, runs: Runs) -> Result<u32, TooMuch> {
        let size = runs.len() as u64;
        let (number, is_new) = self.reached.number(runs);
        if is_new {
            self.meter.keep(size * 2)?;
        }
        Ok(number)
    }

    fn note(&mut self, source: u32, difference: (Part, u32)) -> Result<(), TooMuch> {
        let runs = self.found.entry(difference).or_default();
        match runs.last_mut() {
            Some(last) if last.end == source => last.end += 1,
            _ => {
                runs.push(source..source + 1);
                self.meter.keep(2)?;
            }
        }
        Ok(())
    }

    /// For the sources of a profile.
    fn common(&mut self, profile: u32) -> Result<Common, TooMuch> {
        let (chains, kind) = self.sources.profiles[profile as usize];
        let mut outcomes = Vec::new();
        self.meter.spend(self.destinations.profiles.len() as u64)?;
        for (number, (to, to_kind)) in self.destinations.profiles.iter().enumerate() {
            let asked = [0, 1].map(|which| asked(which, &kind, to_kind));
            let all = [0, 1].map(|which: usize| [chains[which], to[which], ChainEntry::EMPTY]);
            let outcome = self.comparison.compare(asked, &all, kind.is_dhcp_only, self.meter)?;
            if outcome != 0 {
                outcomes.extend(self.destinations.members[number].iter().map(|class| (*class, outcome)));
            }
        }
        outcomes.sort_unstable();
        self.meter.keep(outcomes.len() as u64)?;
        let differences = self.differences(&outcomes, None)?;
        let places = differences.iter().map(|(part, _)| *part).zip(0..).collect();
        let others = vec![Vec::new(); differences.len()];
        Ok(Common { outcomes, differences, places, others })
    }

    /// The destinations that the source has to be compared with by itself: rules name both, or it is the same port.
    fn special(&mut self, source: u32) -> Result<Vec<u32>, TooMuch> {
        let class = &self.sources.classes[source as usize];
        let mut special = Vec::new();
        for which in [0, 1] {
            if let Some((number, _)) = class.kind.ends[which] {
                let row = self.comparison.policies[which].pairs.get(&number).map_or(&[][..], Vec::as_slice);
                self.meter.spend(row.len() as u64)?;
                let to = row.iter().filter_map(|(to, _)| self.destinations.of_number[which].get(to));
                special.extend(to.flatten().copied());
            }
            if let Some(Owner::Port(port)) = class.owners[which] {
                special.extend(self.destinations.of_port[which].get(&port).into_iter().flatten().copied());
            }
        }
        self.meter.spend(special.len() as u64)?;
        special.sort_unstable();
        special.dedup();
        Ok(special)
    }

    /// Merges what is common with what is special; both are ascending.
    fn own_outcomes(
        &mut self,
        source: u32,
        common: &[(u32, u32)],
        special: &[u32],
    ) -> Result<Vec<(u32, u32)>, TooMuch> {
        self.meter.spend((common.len() + special.len()) as u64)?;
        let mut own: Vec<(u32, u32)> =
            common.iter().filter(|(to, _)| special.binary_search(to).is_err()).copied().collect();
        for to in special {
            let outcome = self.outcome(source, *to)?;
            if outcome != 0 {
                own.push((*to, outcome));
            }
        }
        own.sort_unstable();
        Ok(own)
    }

    fn outcome(&mut self, source: u32, destination: u32) -> Result<u32, TooMuch> {
        let (from, to) =
            (&self.sources.classes[source as usize], &self.destinations.classes[destination as usize]);
        let policies = self.comparison.policies;
        let asked = [0, 1].map(|which: usize| {
            let owner = from.owners[which].filter(|owner| matches!(owner, Owner::Port(_)));
            // A port sends nothing to itself.
            if owner.is_some() && owner == to.owners[which] {
                Asked::NoPort
            } else {
                asked(which, &from.kind, &to.kind)
            }
        });
        let chains: Both<Chains> = [0, 1].map(|which: usize| {
            let (Some((from, _)), Some((to, _))) = (from.kind.ends[which], to.kind.ends[which]) else {
                return [ChainEntry::EMPTY; 3];
            };
            let policy = policies[which];
            [policy.source_chain(from), policy.destination_chain(to), policy.pair_chain(from, to)]
        });
        self.comparison.compare(asked, &chains, from.kind.is_dhcp_only, self.meter)
    }

    /// Turns outcomes by destination around. `source`: leaves out what its sibling has, too.
    fn differences(&mut self, outcomes: &[(u32, u32)], source: Option<u32>) -> Result<Differences, TooMuch> {
        let sibling = source.and_then(|source| self.sources.classes[source as usize].sibling);
        let mut reached: HashMap<Part, Runs> = HashMap::new();
        for &(to, outcome) in outcomes {
            for at in 0..self.comparison.outcomes.all[outcome as usize].len() {
                self.meter.spend(1)?;
                let part = self.comparison.outcomes.all[outcome as usize][at];
                if let (Some(source), Some(sibling)) = (source, sibling)
                    && self.is_told_by(sibling, (source, to), part)?
                {
                    continue;
                }
                let runs = reached.entry(part).or_default();
                match runs.last_mut() {
                    Some(last) if last.end == to => last.end += 1,
                    _ => runs.push(to..to + 1),
                }
            }
        }
        let mut differences = Vec::with_capacity(reached.len());
        for (part, runs) in reached {
            differences.push((part, self.reached(runs)?));
        }
        Ok(differences)
    }

    /// Whether the same is told of the owner where it has an address.
    fn is_told_by(
        &mut self,
        sibling: u32,
        (source, to): (u32, u32),
        (answers, services): Part,
    ) -> Result<bool, TooMuch> {
        let is_dhcp_only = self.sources.classes[source as usize].kind.is_dhcp_only;
        let outcome = self.outcome(sibling, to)?;
        let same = |set: u32| match is_dhcp_only {
            true => self.comparison.has_dhcp_request(&self.comparison.sets.all[set as usize]),
            false => set == services,
        };
        let mut parts = self.comparison.outcomes.all[outcome as usize].iter();
        Ok(parts.any(|(other, set)| *other == answers && same(*set)))
    }
}

/// Of ascending numbers.
fn in_runs(numbers: &[u32]) -> Runs {
    let runs = numbers.chunk_by(|a, b| a + 1 == *b);
    runs.filter_map(|run| Some(*run.first()?..run.last()? + 1)).collect()
}

/// Who is asked about a flow between two ends.
fn asked(which: usize, from: &Kind, to: &Kind) -> Asked {
    let (Some((_, sender)), Some((_, receiver))) = (from.ends[which], to.ends[which]) else {
        return Asked::NoPort;
    };
    if (from.has_no_address && !to.is_group) || (from.is_local && to.is_local) {
        return Asked::NoPort;
    }
    let judges = match (from.is_local, to.is_local) {
        (true, _) => [sender; 2],
        (_, true) => [receiver; 2],
        // What leaves a port for a group is judged there first.
        _ if to.is_group && sender != Judge::Nobody => [sender; 2],
        _ => [sender, receiver],
    };
    match judges.into_iter().max() {
        Some(Judge::Enforced) => Asked::Rules { is_audited: false },
        Some(Judge::Audited) => Asked::Rules { is_audited: true },
        Some(Judge::Unfiltered) => Asked::Unfiltered,
        _ => Asked::NoPort,
    }
}

impl Family {
    /// Whether flows of it are between addresses.
    pub(super) const fn is_ip(self) -> bool {
        !matches!(self, Self::Frames)
    }
}
