//! Sets of services as rules name them.

use std::collections::BTreeMap;

use netctl_common::classify::ServiceRow;

use super::Family;
use super::answer::ServiceSet;
use super::service::{Run, Services, has_ports};
use crate::config::{IcmpMatch, PortRange, Service, print_service};

/// The words for services of a family: what is meant, and what is left out of it.
type Words = (Vec<String>, Vec<String>);

pub(super) struct ServiceWords<'s> {
    services: &'s Services,
    family: Family,
    known: BTreeMap<u32, Words>,
}

/// Neighboring positions of a row whose services are meant with the same source ports.
struct Stretch {
    row: ServiceRow,
    first: u16,
    last: u16,
    /// Whether the runs at its ends are the first and the last of the row.
    is_begin: bool,
    is_end: bool,
    /// Classes of source ports; empty: all.
    sources: Vec<u32>,
}

impl<'s> ServiceWords<'s> {
    pub(super) const fn new(services: &'s Services, family: Family) -> Self {
        Self { services, family, known: BTreeMap::new() }
    }

    /// `number`: of the set.
    pub(super) fn of(&mut self, number: u32, set: &ServiceSet) -> Words {
        if let Some(known) = self.known.get(&number) {
            return known.clone();
        }
        let all = if self.family.is_ip() { "any" } else { "any ethertype" };
        let mut is_meant = vec![matches!(set, ServiceSet::Except(_)); self.services.all.len()];
        let (ServiceSet::Only(named) | ServiceSet::Except(named)) = set;
        named.iter().for_each(|service| is_meant[*service as usize] ^= true);
        let meant = self.stretches(|service| is_meant[service as usize]);
        let other = self.stretches(|service| !is_meant[service as usize]);
        let words = match other.len() {
            0 => (vec![all.to_owned()], Vec::new()),
            others if others < meant.len() => (vec![all.to_owned()], self.words(&other)),
            _ => (self.words(&meant), Vec::new()),
        };
        self.known.insert(number, words.clone());
        words
    }

    fn stretches(&self, is_meant: impl Fn(u32) -> bool) -> Vec<Stretch> {
        let mut stretches: Vec<Stretch> = Vec::new();
        let runs = &self.services.runs;
        let mut last: Option<usize> = None;
        for (at, run) in runs.iter().enumerate().filter(|(_, run)| self.is_of_family(run)) {
            let begins = at == 0 || runs[at - 1].row != run.row;
            let ends = runs.get(at + 1).is_none_or(|next| next.row != run.row);
            let count = if has_ports(run.row) { self.services.source_classes } else { 1 };
            let mut sources: Vec<u32> =
                (0..count).filter(|source| is_meant(self.services.at(run, *source))).collect();
            if sources.is_empty() {
                continue;
            }
            if sources.len() == count as usize {
                sources.clear();
            }
            match stretches.last_mut() {
                Some(before) if !begins && at.checked_sub(1) == last && before.sources == sources => {
                    (before.last, before.is_end) = (run.last, ends);
                }
                _ => stretches.push(Stretch {
                    row: run.row,
                    first: run.first,
                    last: run.last,
                    is_begin: begins,
                    is_end: ends,
                    sources,
                }),
            }
            last = Some(at);
        }
        stretches
    }

    fn is_of_family(&self, run: &Run) -> bool {
        self.services.all[self.services.at(run, 0) as usize].is_of(self.family)
    }

    fn words(&self, stretches: &[Stretch]) -> Vec<String> {
        stretches.iter().flat_map(|stretch| self.stretch(stretch)).collect()
    }

    fn stretch(&self, stretch: &Stretch) -> Vec<String> {
        let (first, last) = (stretch.first, stretch.last);
        let is_all = stretch.is_begin && stretch.is_end;
        let range = PortRange { first, last };
        let message = |all: IcmpMatch, service: fn(IcmpMatch) -> Service| match is_all {
            true => vec![print_service(&service(all))],
            false => messages(first, last).into_iter().map(|what| print_service(&service(what))).collect(),
        };
        let ports = |service: Service| vec![format!("{}{}", print_service(&service), self.from(stretch))];
        match stretch.row {
            ServiceRow::Tcp => ports(Service::Tcp(range)),
            ServiceRow::Udp => ports(Service::Udp(range)),
            ServiceRow::Sctp => ports(Service::Sctp(range)),
            ServiceRow::Icmp => message(IcmpMatch::All, Service::Icmp),
            ServiceRow::Icmp6 => message(IcmpMatch::All, Service::Icmp6),
            ServiceRow::Protocol if first == last => vec![print_service(&Service::Protocol(first as u8))],
            ServiceRow::Protocol if is_all => vec!["other protocols".to_owned()],
            ServiceRow::Protocol => vec![format!("ip/{first}-{last}")],
            _ if first == last => vec![print_service(&Service::Ethertype(first))],
            _ => vec![format!("ether/{first:#06x}-{last:#06x}")],
        }
    }

    fn from(&self, stretch: &Stretch) -> String {
        if stretch.sources.is_empty() {
            return String::new();
        }
        let mut ranges: Vec<(u16, u16)> = Vec::new();
        for &(first, last, class) in &self.services.sources {
            match ranges.last_mut() {
                _ if !stretch.sources.contains(&class) => {}
                Some((_, end)) if end.checked_add(1) == Some(first) => *end = last,
                _ => ranges.push((first, last)),
            }
        }
        let ports: Vec<String> = ranges
            .into_iter()
            .map(|(first, last)| if first == last { first.to_string() } else { format!("{first}-{last}") })
            .collect();
        format!(" from port {}", ports.join(","))
    }
}

/// Types where all codes are meant, and codes.
fn messages(first: u16, last: u16) -> Vec<IcmpMatch> {
    let mut all = Vec::new();
    let mut at = u32::from(first);
    while at <= u32::from(last) {
        let [kind, code] = (at as u16).to_be_bytes();
        if code == 0 && at + 255 <= u32::from(last) {
            all.push(IcmpMatch::Type(kind));
            at += 256;
        } else {
            all.push(IcmpMatch::Code(kind, code));
            at += 1;
        }
    }
    all
}
