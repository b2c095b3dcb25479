//! What a class of addresses stands for: the ports, groups, prefixes and words of the document in it.

use std::collections::{BTreeMap, BTreeSet};

use netctl_common::abi::{
    AddressEntry, AddressKey, Classes, LearnedKey, NO_NETWORK, NO_PORT, PortEntry, StationEntry, StationKey,
    maps, port_flags,
};

use super::super::running::read_all;
use super::super::shapes::TrieKey;
use super::super::{Kernel, KernelError};
use super::Context;
use super::generation::prefix_net;
use crate::config::Config;

/// Names that are written before "and N more".
const SHOWN: usize = 4;

/// Who is in one class.
#[derive(Debug, Default, PartialEq, Eq)]
struct Members {
    ports: BTreeSet<String>,
    /// `host`, `world`, `multicast`, `broadcast` and prefixes.
    others: BTreeSet<String>,
}

/// The classes of one generation.
#[derive(Debug, Default)]
pub(super) struct ClassNames {
    sources: BTreeMap<u32, Members>,
    destinations: BTreeMap<u32, Members>,
    groups: BTreeMap<String, BTreeSet<String>>,
    /// What is added to a class to find the chains of the rules that are enforced; 0 without audited rules.
    enforced: u32,
}

impl Kernel {
    pub(super) fn class_names(&self, context: &Context<'_>) -> Result<ClassNames, KernelError> {
        let (root, slot) = (context.root, context.root.slot);
        let mut names = ClassNames::new(context.config);
        let rules = self.rules(root)?;
        names.enforced = rules.iter().map(|(rule, _)| rule.enforced).max().unwrap_or(0);
        for port in context.ports {
            names.add_port(&port.entry.classes, port.name());
        }
        let addresses = self.inner("addresses", slot)?;
        for (_, entry) in read_all::<AddressKey, AddressEntry>(&addresses, "addresses")? {
            match entry.port {
                NO_PORT if entry.network == NO_NETWORK => names.add_other(&entry.classes, "world"),
                NO_PORT => names.add_other(&entry.classes, "host"),
                id => names.add_port(&entry.classes, context.names.port(id)),
            }
        }
        let stations = self.inner("stations", slot)?;
        for (_, entry) in read_all::<StationKey, StationEntry>(&stations, "stations")? {
            if entry.port == NO_PORT {
                names.add_other(&entry.classes, "host");
            }
        }
        let learned = self.inner(maps::LEARNED_CLASSES, slot)?;
        for (key, classes) in read_all::<LearnedKey, Classes>(&learned, maps::LEARNED_CLASSES)? {
            let is_of =
                |entry: &PortEntry| entry.flags & port_flags::LEARN != 0 && entry.identity == key.identity;
            let learns = context.ports.iter().filter(|port| is_of(&port.entry));
            learns.for_each(|port| names.add_port(&classes, port.name()));
        }
        let prefixes = self.inner("prefixes", slot)?;
        for (key, entry) in read_all::<TrieKey, AddressEntry>(&prefixes, "prefixes")? {
            let net = prefix_net(&key).map_or_else(String::new, |net| net.to_string());
            // What every document has, as it calls it.
            let word = match &*net {
                "0.0.0.0/0" | "::/0" => "world",
                "224.0.0.0/4" | "ff00::/8" => "multicast",
                "255.255.255.255/32" => "broadcast",
                net => net,
            };
            names.add_other(&entry.classes, word);
        }
        names.add_other(&root.world, "world");
        names.add_other(&root.multicast, "multicast");
        names.add_other(&root.broadcast, "broadcast");
        Ok(names)
    }
}

impl ClassNames {
    fn new(config: &Config) -> Self {
        Self { groups: config.groups.clone(), ..Self::default() }
    }

    fn add_port(&mut self, classes: &Classes, name: String) {
        self.sources.entry(classes.source).or_default().ports.insert(name.clone());
        self.destinations.entry(classes.destination).or_default().ports.insert(name);
    }

    fn add_other(&mut self, classes: &Classes, name: &str) {
        self.sources.entry(classes.source).or_default().others.insert(name.to_owned());
        self.destinations.entry(classes.destination).or_default().others.insert(name.to_owned());
    }

    pub(super) fn both(&self, classes: &Classes) -> String {
        format!(
            "source {}, destination {}",
            self.source(classes.source),
            self.destination(classes.destination)
        )
    }

    /// `class 7 (groups web+lab)`.
    pub(super) fn source(&self, class: u32) -> String {
        self.words(&self.sources, class)
    }

    pub(super) fn destination(&self, class: u32) -> String {
        self.words(&self.destinations, class)
    }

    fn words(&self, classes: &BTreeMap<u32, Members>, class: u32) -> String {
        let (number, shift) = match self.enforced {
            0 => (class, ""),
            enforced if class < enforced => (class, ""),
            enforced => (class - enforced, ", enforced rules"),
        };
        match classes.get(&number) {
            Some(members) => format!("class {class} ({}{shift})", self.members(members)),
            None => format!("class {class} (nobody{shift})"),
        }
    }

    fn members(&self, members: &Members) -> String {
        let groups = self.groups_of(&members.ports);
        let ports = match members.ports.len() {
            0 => None,
            1 => Some(format!("port {}", listed(&members.ports))),
            count if !groups.is_empty() => {
                let word = if groups.len() == 1 { "group" } else { "groups" };
                Some(format!("{word} {}, {count} ports", groups.join("+")))
            }
            _ => Some(format!("ports {}", listed(&members.ports))),
        };
        let others = (!members.others.is_empty()).then(|| listed(&members.others));
        ports.into_iter().chain(others).collect::<Vec<_>>().join(", ")
    }

    /// Groups that all of the ports are in, if nobody else is in all of them.
    fn groups_of(&self, ports: &BTreeSet<String>) -> Vec<&str> {
        let common = || self.groups.iter().filter(|(_, members)| ports.is_subset(members));
        let mut all = common().map(|(_, members)| members.clone());
        let together = all.next().map(|first| all.fold(first, |rest, members| &rest & &members));
        if together.as_ref() == Some(ports) {
            common().map(|(name, _)| &**name).collect()
        } else {
            Vec::new()
        }
    }
}

/// The first few, and how many more there are.
pub(super) fn listed<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> String {
    let names: Vec<T> = names.into_iter().collect();
    let mut text = names.iter().take(SHOWN).map(AsRef::as_ref).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        text += &format!(" and {} more", names.len() - SHOWN);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(class: u32) -> Classes {
        Classes { source: class, destination: class + 10 }
    }

    fn example() -> ClassNames {
        let groups =
            [("web", &["a", "b", "c"][..]), ("lab", &["b", "c", "d"]), ("all", &["a", "b", "c", "d"])];
        let groups =
            groups.map(|(name, ports)| (name.to_owned(), ports.iter().map(|p| (*p).to_owned()).collect()));
        let mut names = ClassNames { groups: groups.into(), ..ClassNames::default() };
        for (class, port) in [(1, "b"), (1, "c"), (2, "a"), (3, "a"), (3, "d"), (4, "d")] {
            names.add_port(&classes(class), port.to_owned());
        }
        names.add_other(&classes(4), "10.0.0.0/8");
        (0..6).for_each(|net| names.add_other(&classes(5), &format!("10.{net}.0.0/16")));
        names
    }

    #[test]
    fn a_class_is_told_by_the_groups_that_only_its_ports_are_all_in() {
        let names = example();
        assert_eq!(names.source(1), "class 1 (groups all+lab+web, 2 ports)");
        assert_eq!(names.source(2), "class 2 (port a)");
        assert_eq!(names.source(3), "class 3 (ports a, d)", "the group of both has others as well");
        assert_eq!(names.destination(14), "class 14 (port d, 10.0.0.0/8)");
        let many = "10.0.0.0/16, 10.1.0.0/16, 10.2.0.0/16, 10.3.0.0/16 and 2 more";
        assert_eq!(names.source(5), format!("class 5 ({many})"));
        assert_eq!(names.source(9), "class 9 (nobody)");
    }

    #[test]
    fn classes_of_the_rules_that_are_enforced_stand_behind_the_others() {
        let names = ClassNames { enforced: 6, ..example() };
        assert_eq!(names.source(8), "class 8 (port a, enforced rules)");
        assert_eq!(names.source(2), "class 2 (port a)");
    }
}
