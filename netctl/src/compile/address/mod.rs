//! Addresses to classes: what the maps `addresses` and `prefixes` hold, and the classes of those who have no
//! address. Which rules a class makes match is [`super::chain`]'s matter.

mod learned;
mod owner;
mod prefix;
mod selector;

use std::collections::BTreeMap;

use hashbrown::HashMap;
use netctl_common::abi::{AddressKey, Classes};

pub(super) use self::learned::Learned;
pub(super) use self::owner::{Owner, network_of};
pub(super) use self::prefix::Prefix;
use self::prefix::PrefixTree;
pub(super) use self::selector::Side;
use super::budget::Meter;
use super::error::{CompileError, Resource};
use super::signature::{Signature, Signatures};
use crate::config::{Config, Selector};

/// Something for either side of a rule: `from` and `to`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Both<T> {
    pub(super) source: T,
    pub(super) destination: T,
}

impl<T> Both<T> {
    fn map<'a, U>(&'a self, mut f: impl FnMut(&'a T) -> U) -> Both<U> {
        Both { source: f(&self.source), destination: f(&self.destination) }
    }
}

impl Both<Signature> {
    fn union(self, other: Self, signatures: &mut Signatures) -> Self {
        Self {
            source: signatures.union(self.source, other.source),
            destination: signatures.union(self.destination, other.destination),
        }
    }
}

/// Every address and identity, with its classes.
pub(super) struct Addresses {
    pub(super) world: Classes,
    pub(super) multicast: Classes,
    pub(super) broadcast: Classes,
    pub(super) host: Classes,
    /// In the order of [`Config::ports`].
    pub(super) ports: Vec<Classes>,
    pub(super) owned: Vec<(AddressKey, Owner, Classes)>,
    /// Each of them is in every zone.
    pub(super) prefixes: Vec<(Prefix, Classes)>,
    pub(super) learned: Learned,
    /// Index: class. The lists that hold it.
    pub(super) signatures: Both<Vec<Signature>>,
}

impl Addresses {
    pub(super) fn new(
        config: &Config,
        zones: &BTreeMap<&str, u32>,
        sides: &Both<Side<'_>>,
        (signatures, meter): (&mut Signatures, &mut Meter<'_>),
    ) -> Result<Self, CompileError> {
        let owned = owner::owned(config, zones)?;
        meter.budget.check(Resource::Addresses, owned.len() as u64, || None)?;
        let (tree, own) = named_prefixes(config, sides, signatures);
        let prefixes = (tree.prefixes().len() * zones.len()) as u64;
        meter.budget.check(Resource::Prefixes, prefixes, || longest_rule(config))?;

        let ports = port_signatures(config, sides, (signatures, meter))?;
        let inside = prefix_signatures(&tree, &own, (signatures, meter))?;
        let mut classes =
            ClassNumbers { signatures, meter, numbers: Both::default(), sides: Both::default() };
        Ok(Self {
            world: classes.of(sides.map(|s| s.world))?,
            multicast: classes.of(sides.map(|s| s.multicast))?,
            broadcast: classes.of(sides.map(|s| s.broadcast))?,
            host: classes.of(sides.map(|s| s.host))?,
            ports: ports.iter().map(|signature| classes.of(*signature)).collect::<Result<_, _>>()?,
            owned: classes.of_owned(&owned, (&tree, &inside), |owner| match owner {
                Owner::Port(number) => ports[number],
                Owner::Host(_) => sides.map(|s| s.host),
            })?,
            prefixes: classes.of_prefixes((&tree, &inside), sides.map(|s| s.world))?,
            learned: learned::learned(config, (&tree, &inside), &ports, &mut classes)?,
            signatures: classes.sides,
        })
    }
}

/// The prefixes that any rule names, by themselves or in a set, and the lists that name exactly them.
fn named_prefixes(
    config: &Config,
    sides: &Both<Side<'_>>,
    signatures: &mut Signatures,
) -> (PrefixTree, Vec<Both<Signature>>) {
    let mut named: Vec<(Prefix, Both<Signature>)> = Vec::new();
    for prefix in Prefix::ALWAYS {
        let lists = sides.map(|side| match prefix {
            _ if prefix.is_multicast() => side.multicast,
            _ if prefix.is_broadcast() => side.broadcast,
            _ => Signature::EMPTY,
        });
        named.push((prefix, lists));
    }
    let empty = Signature::EMPTY;
    let source = named_by(config, &sides.source).map(|(p, s)| (p, Both { source: s, destination: empty }));
    let destination =
        named_by(config, &sides.destination).map(|(p, s)| (p, Both { source: empty, destination: s }));
    named.extend(source.chain(destination));
    named.sort_unstable_by_key(|(prefix, _)| *prefix);

    let mut prefixes: Vec<Prefix> = Vec::with_capacity(named.len());
    let mut own: Vec<Both<Signature>> = Vec::with_capacity(named.len());
    for (prefix, lists) in named {
        match own.last_mut() {
            Some(last) if prefixes.last() == Some(&prefix) => *last = last.union(lists, signatures),
            _ => {
                prefixes.push(prefix);
                own.push(lists);
            }
        }
    }
    (PrefixTree::new(prefixes), own)
}

fn named_by<'a>(config: &'a Config, side: &'a Side<'_>) -> impl Iterator<Item = (Prefix, Signature)> + 'a {
    let alone = side.prefixes.iter().map(|(net, lists)| (*net, *lists));
    let in_sets = side
        .sets
        .iter()
        .flat_map(|(name, lists)| config.sets.get(*name).into_iter().flatten().map(|net| (*net, *lists)));
    alone.chain(in_sets).filter_map(|(net, lists)| Some((Prefix::new(net)?, lists)))
}

/// The lists that hold all of each prefix.
fn prefix_signatures(
    tree: &PrefixTree,
    own: &[Both<Signature>],
    (signatures, meter): (&mut Signatures, &mut Meter<'_>),
) -> Result<Vec<Both<Signature>>, CompileError> {
    let mut inside: Vec<Both<Signature>> = Vec::with_capacity(own.len());
    for (number, lists) in own.iter().enumerate() {
        let around = tree.parent(number).map(|parent| inside[parent]).unwrap_or_default();
        inside.push(lists.union(around, signatures));
        meter.spend(signatures.take_work())?;
    }
    Ok(inside)
}

/// The lists that name each port, by itself or by a group.
fn port_signatures(
    config: &Config,
    sides: &Both<Side<'_>>,
    (signatures, meter): (&mut Signatures, &mut Meter<'_>),
) -> Result<Vec<Both<Signature>>, CompileError> {
    let named = |name: &str| sides.map(|side| side.ports.get(name).copied().unwrap_or_default());
    let mut ports: Vec<Both<Signature>> = config.ports.keys().map(|name| named(name)).collect();
    let numbers: HashMap<&str, usize> = config.ports.keys().map(String::as_str).zip(0..).collect();
    for (group, members) in &config.groups {
        let lists = sides.map(|side| side.groups.get(group.as_str()).copied().unwrap_or_default());
        for number in members.iter().filter_map(|member| numbers.get(member.as_str())) {
            ports[*number] = ports[*number].union(lists, signatures);
            meter.spend(signatures.take_work())?;
        }
    }
    Ok(ports)
}

/// Line of the rule that names most prefixes.
fn longest_rule(config: &Config) -> Option<u32> {
    let prefixes = |selector: &Selector| match selector {
        Selector::Set(name) => config.sets.get(name).map_or(0, Vec::len),
        Selector::Prefix(_) => 1,
        _ => 0,
    };
    let rules = config.policy.rules.iter();
    let longest = rules.max_by_key(|rule| rule.from.iter().chain(&rule.to).map(prefixes).sum::<usize>());
    longest.map(|rule| rule.line)
}

/// Numbers signatures in the order in which they come.
struct ClassNumbers<'a, 'b> {
    signatures: &'a mut Signatures,
    meter: &'a mut Meter<'b>,
    numbers: Both<HashMap<Signature, u32>>,
    sides: Both<Vec<Signature>>,
}

impl ClassNumbers<'_, '_> {
    fn of(&mut self, signature: Both<Signature>) -> Result<Classes, CompileError> {
        self.meter.spend(self.signatures.take_work() + 1)?;
        let source = number(&mut self.numbers.source, &mut self.sides.source, signature.source);
        let destination =
            number(&mut self.numbers.destination, &mut self.sides.destination, signature.destination);
        let budget = self.meter.budget;
        budget.check_so_far(Resource::SourceClasses, self.sides.source.len() as u64, || None)?;
        budget.check_so_far(Resource::DestinationClasses, self.sides.destination.len() as u64, || None)?;
        Ok(Classes { source, destination })
    }

    fn of_owned(
        &mut self,
        owned: &BTreeMap<owner::ZonedAddress, Owner>,
        (tree, inside): (&PrefixTree, &[Both<Signature>]),
        identity: impl Fn(Owner) -> Both<Signature>,
    ) -> Result<Vec<(AddressKey, Owner, Classes)>, CompileError> {
        let mut entries = Vec::with_capacity(owned.len());
        for (&(zone, address), &owner) in owned {
            let around = tree.longest(address).map(|number| inside[number]).unwrap_or_default();
            let signature = identity(owner).union(around, self.signatures);
            entries.push((
                AddressKey { zone, address: address.to_be_bytes().into() },
                owner,
                self.of(signature)?,
            ));
        }
        Ok(entries)
    }

    fn of_prefixes(
        &mut self,
        (tree, inside): (&PrefixTree, &[Both<Signature>]),
        world: Both<Signature>,
    ) -> Result<Vec<(Prefix, Classes)>, CompileError> {
        let mut entries = Vec::with_capacity(inside.len());
        for (&prefix, &lists) in tree.prefixes().iter().zip(inside) {
            let unicast = !prefix.is_multicast() && !prefix.is_broadcast();
            let signature = if unicast { lists.union(world, self.signatures) } else { lists };
            entries.push((prefix, self.of(signature)?));
        }
        Ok(entries)
    }
}

fn number(numbers: &mut HashMap<Signature, u32>, all: &mut Vec<Signature>, signature: Signature) -> u32 {
    *numbers.entry(signature).or_insert_with(|| {
        all.push(signature);
        all.len() as u32 - 1
    })
}
