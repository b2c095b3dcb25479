//! What was seen, joined into rules.
//!
//! Rules are joined only where their product is what was seen: the same sources for several destinations, the same pairs
//! for several services. A group stands for its ports only if all of them were seen. `any` is never written; addresses of
//! nobody here become a set that holds them, and only many of them become `world` or `multicast`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use netctl_common::verdict::Action;
use serde::Serialize;

use super::evidence::Evidence;
use super::observe::{Learner, Opened};
use super::party::Party;
use crate::config::{self, Addresses, Config, Rule, Selector, Service};

/// Addresses of nobody here that one rule names one by one.
const MAX_ADDRESSES: usize = 8;
/// Services between the same ends that rules name one by one.
const MAX_SERVICES: usize = 64;

/// How ports are named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum GroupBy {
    /// By a group where all of its ports were seen.
    #[default]
    Group,
    /// Each by its name.
    Port,
}

/// A rule and what speaks for it.
#[derive(Clone, Debug, Serialize)]
pub struct Proposed {
    #[serde(serialize_with = "as_text")]
    pub rule: Rule,
    #[serde(flatten)]
    pub evidence: Evidence,
}

/// Everything that there is to say.
#[derive(Clone, Debug, Serialize)]
pub struct Proposal {
    pub rules: Vec<Proposed>,
    /// What was denied, and how many frames; not proposed.
    pub denied: BTreeMap<String, u64>,
    /// What was seen and is not proposed.
    pub left_out: BTreeMap<String, u64>,
}

fn as_text<S: serde::Serializer>(rule: &Rule, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&config::print_rule_text(rule))
}

type Named = BTreeMap<(Selector, Selector, Service), Evidence>;
type Sides = (BTreeSet<Selector>, BTreeSet<Selector>);

/// Rules that allow what was seen, where everything else is denied.
pub fn propose(learner: &Learner, config: &Config, group_by: GroupBy) -> Proposal {
    let named = named(&learner.opened, config);
    let mut left_out = learner.left_out.clone();
    let mut rules = Vec::new();
    for ((from, to), services) in joined(&named) {
        let words = |side: &BTreeSet<Selector>| match group_by {
            GroupBy::Group => grouped(side, config),
            GroupBy::Port => side.iter().cloned().collect(),
        };
        let mut evidence: Option<Evidence> = None;
        let product = from.iter().flat_map(|from| to.iter().map(move |to| (from, to)));
        for (from, to) in product {
            for service in &services {
                let Some(found) = named.get(&(from.clone(), to.clone(), service.clone())) else { continue };
                evidence.get_or_insert_with(|| Evidence { flows: 0, ..found.clone() }).add(found);
            }
        }
        let Some(evidence) = evidence else { continue };
        let rule = rule(words(&from), words(&to), services.into_iter().collect());
        if rule.services.len() > MAX_SERVICES {
            let count = rule.services.len();
            let text = config::print_rule_text(&Rule { services: vec![Service::Any], ..rule });
            let words = format!("{count} services, more than {MAX_SERVICES}; write a range: {text}");
            *left_out.entry(words).or_default() += evidence.flows;
        } else {
            rules.push(Proposed { rule, evidence });
        }
    }
    rules.sort_by_cached_key(|proposed| config::print_rule_text(&proposed.rule));
    Proposal { rules, denied: learner.denied.clone(), left_out }
}

fn rule(from: Vec<Selector>, to: Vec<Selector>, services: Vec<Service>) -> Rule {
    Rule {
        action: Action::Allow,
        from,
        to,
        services,
        source_ports: Vec::new(),
        name: None,
        log: None,
        audit: false,
        line: 0,
    }
}

/// Addresses as selectors.
fn named(opened: &BTreeMap<Opened, Evidence>, config: &Config) -> Named {
    let mut sources: BTreeMap<(&Party, &Service), BTreeSet<IpAddr>> = BTreeMap::new();
    let mut destinations = sources.clone();
    for (from, to, service) in opened.keys() {
        if let Party::Address(ip) = from {
            sources.entry((to, service)).or_default().insert(*ip);
        }
        if let Party::Address(ip) = to {
            destinations.entry((from, service)).or_default().insert(*ip);
        }
    }
    let mut named = Named::new();
    for ((from, to, service), evidence) in opened {
        let beside = |side: &BTreeMap<_, BTreeSet<IpAddr>>, other| side.get(&(other, service)).cloned();
        let key = (
            selector(from, beside(&sources, to).unwrap_or_default(), config),
            selector(to, beside(&destinations, from).unwrap_or_default(), config),
            service.clone(),
        );
        named.entry(key).and_modify(|known| known.add(evidence)).or_insert_with(|| evidence.clone());
    }
    named
}

/// `beside`: the addresses that stand at the same place.
fn selector(party: &Party, beside: BTreeSet<IpAddr>, config: &Config) -> Selector {
    let ip = match party {
        Party::Port(name) => return Selector::Port(name.clone()),
        Party::Host => return Selector::Host,
        Party::Broadcast => return Selector::Broadcast,
        Party::Address(ip) => *ip,
    };
    if let Some(set) = set_of(ip, config) {
        return Selector::Set(set);
    }
    let alike =
        |other: &&IpAddr| other.is_multicast() == ip.is_multicast() && set_of(**other, config).is_none();
    match beside.iter().filter(alike).count() {
        0..=MAX_ADDRESSES => Selector::Prefix(IpNet::from(ip)),
        _ if ip.is_multicast() => Selector::Multicast,
        _ => Selector::World,
    }
}

/// A set that holds the address, and nobody of this host.
fn set_of(ip: IpAddr, config: &Config) -> Option<String> {
    let listed = config.ports.values().filter_map(|port| match &port.addresses {
        Addresses::Listed(listed) => Some(listed),
        Addresses::Any | Addresses::Learned => None,
    });
    let here: Vec<IpAddr> = listed
        .flatten()
        .copied()
        .chain(config.networks.values().flat_map(|network| network.addresses.iter().map(IpNet::addr)))
        .collect();
    let fits = |set: &&(&String, &Vec<IpNet>)| {
        let holds = |ip: &IpAddr| set.1.iter().any(|net| net.contains(ip));
        holds(&ip) && !set.1.iter().any(|net| net.prefix_len() == 0) && !here.iter().any(holds)
    };
    let widest = |nets: &[IpNet]| nets.iter().map(IpNet::prefix_len).min();
    let sets = config.sets.iter();
    let fitting: Vec<_> = sets.filter(|set| fits(&set)).collect();
    fitting.into_iter().max_by_key(|(_, nets)| widest(nets)).map(|(name, _)| name.clone())
}

/// Rules whose products are what is named, each once.
fn joined(named: &Named) -> BTreeMap<Sides, BTreeSet<Service>> {
    let mut sources: BTreeMap<(&Selector, &Service), BTreeSet<Selector>> = BTreeMap::new();
    for (from, to, service) in named.keys() {
        sources.entry((to, service)).or_default().insert(from.clone());
    }
    let mut destinations: BTreeMap<(BTreeSet<Selector>, &Service), BTreeSet<Selector>> = BTreeMap::new();
    for ((to, service), from) in sources {
        destinations.entry((from, service)).or_default().insert(to.clone());
    }
    let mut services: BTreeMap<Sides, BTreeSet<Service>> = BTreeMap::new();
    for ((from, service), to) in destinations {
        services.entry((from, to)).or_default().insert(service.clone());
    }
    services
}

/// Groups in place of their ports, the largest first; of two ports at least, and all of them there.
fn grouped(side: &BTreeSet<Selector>, config: &Config) -> Vec<Selector> {
    let mut left: BTreeSet<&String> = side
        .iter()
        .filter_map(|selector| match selector {
            Selector::Port(name) => Some(name),
            _ => None,
        })
        .collect();
    let all = left.clone();
    let mut words = BTreeSet::new();
    let whole = |(_, ports): &(&String, &BTreeSet<String>)| {
        ports.len() > 1 && ports.iter().all(|port| all.contains(port))
    };
    let mut groups: Vec<_> = config.groups.iter().filter(whole).collect();
    groups.sort_by_key(|(name, ports)| (std::cmp::Reverse(ports.len()), *name));
    for (name, ports) in groups {
        if ports.iter().any(|port| left.contains(port)) {
            left.retain(|port| !ports.contains(*port));
            words.insert(Selector::Group(name.clone()));
        }
    }
    words.extend(left.into_iter().map(|port| Selector::Port(port.clone())));
    words.extend(side.iter().filter(|selector| !matches!(selector, Selector::Port(_))).cloned());
    words.into_iter().collect()
}
