//! Classes of services as the services in them, and chains as those whose rules they hold.

use std::collections::BTreeMap;
use std::os::fd::AsFd;

use netctl_common::abi::{ChainEntry, EMPTY_CHAIN, PairKey, Root};
use netctl_common::classify::SERVICE_ROW_LEN;

use super::super::running::{read_all, read_array};
use super::super::{Kernel, KernelError, sys};
use super::classes::{ClassNames, listed};

/// In the order of [`netctl_common::classify::ServiceRow`].
const ROWS: [&str; 10] =
    ["tcp", "udp", "sctp", "icmp", "icmp6", "ip", "ether", "tcp from", "udp from", "sctp from"];

/// Numbers of one row, from the first to the last, with one class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub row: &'static str,
    pub first: u16,
    pub last: u16,
    pub class: u16,
}

impl Run {
    /// As in a rule, where a rule can say it: `tcp/443`, `udp/1000-2000`, `icmp/8`, `icmp/3/4`, `ether/0x0806`.
    pub(super) fn words(&self) -> String {
        let Self { row, first, last, .. } = *self;
        let number = |number: u16| match row {
            "icmp" | "icmp6" => format!("{}/{}", number >> 8, number & 0xff),
            "ether" => format!("{number:#06x}"),
            _ => number.to_string(),
        };
        let whole_types = row.starts_with("icmp") && first & 0xff == 0 && last & 0xff == 0xff;
        let (first, last) = match whole_types {
            true => ((first >> 8).to_string(), (last >> 8).to_string()),
            false => (number(first), number(last)),
        };
        if first == last { format!("{row}/{first}") } else { format!("{row}/{first}-{last}") }
    }
}

/// Row, first and last number of what [`Run::words`] gives.
pub(super) fn range(words: &str) -> Option<(&str, u16, u16)> {
    let (row, numbers) = words.split_once('/')?;
    let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
    let of = |word: &str| -> Option<(u16, u16)> {
        let number = |word: &str| word.parse::<u16>().ok();
        match (row, word.split_once('/'), word.strip_prefix("0x")) {
            ("icmp" | "icmp6", Some((kind, code)), _) => {
                let at = u16::from_be_bytes([kind.parse().ok()?, code.parse().ok()?]);
                Some((at, at))
            }
            ("icmp" | "icmp6", None, _) => {
                let kind = word.parse().ok()?;
                Some((u16::from_be_bytes([kind, 0]), u16::from_be_bytes([kind, 0xff])))
            }
            (_, _, Some(hex)) => u16::from_str_radix(hex, 16).ok().map(|at| (at, at)),
            _ => number(word).map(|at| (at, at)),
        }
    };
    Some((row, of(first)?.0, of(last)?.1))
}

/// What classes of services, and chains, stand for.
#[derive(Debug, Default)]
pub(super) struct ServiceNames {
    /// By class of `services`: of destinations, of source ports.
    destinations: BTreeMap<u32, Vec<String>>,
    sources: BTreeMap<u32, Vec<String>>,
    /// By service class: pairs of classes; empty where no rule asks for source ports.
    pairs: BTreeMap<u32, Vec<(u32, u32)>>,
}

impl Kernel {
    pub(super) fn service_runs(&self, root: &Root) -> Result<Vec<Run>, KernelError> {
        let fail = |e| KernelError::map("services", "reading it", e);
        let table = self.inner("services", root.slot)?;
        let rows = sys::info(table.as_fd()).map_err(fail)?.max_entries;
        let mut runs = Vec::new();
        for (index, row) in (0..rows).zip(ROWS) {
            let mut classes = vec![0u16; SERVICE_ROW_LEN];
            sys::lookup(table.as_fd(), &index.to_ne_bytes(), bytemuck::cast_slice_mut(&mut classes))
                .map_err(fail)?;
            let mut first = 0;
            for run in classes.chunk_by(|a, b| a == b) {
                let last = first + run.len() - 1;
                runs.push(Run { row, first: first as u16, last: last as u16, class: run[0] });
                first = last + 1;
            }
        }
        Ok(runs)
    }

    pub(super) fn service_names(&self, root: &Root) -> Result<ServiceNames, KernelError> {
        let mut names = ServiceNames::default();
        for run in self.service_runs(root)? {
            let is_source = run.row.ends_with(" from");
            let classes = if is_source { &mut names.sources } else { &mut names.destinations };
            classes.entry(run.class.into()).or_default().push(run.words());
        }
        if root.source_services > 1 {
            let table = self.inner("service_pairs", root.slot)?;
            let len = sys::info(table.as_fd())
                .map_err(|e| KernelError::map("service_pairs", "asking about it", e))?
                .max_entries;
            for (index, class) in (0..).zip(read_array::<u32>(&table, "service_pairs", len)?) {
                let pair = (index / root.source_services, index % root.source_services);
                names.pairs.entry(class).or_default().push(pair);
            }
        }
        Ok(names)
    }

    /// Whose rules each chain holds, in words.
    pub(super) fn chain_names(
        &self,
        root: &Root,
        classes: &ClassNames,
    ) -> Result<BTreeMap<u32, Vec<String>>, KernelError> {
        let mut chains: BTreeMap<u32, Vec<String>> = BTreeMap::new();
        for map in ["source_chains", "dest_chains"] {
            let table = self.inner(map, root.slot)?;
            let len = sys::info(table.as_fd())
                .map_err(|e| KernelError::map(map, "asking about it", e))?
                .max_entries;
            for (class, entry) in (0..).zip(read_array::<ChainEntry>(&table, map, len)?) {
                let whose = match map {
                    "source_chains" => format!("{} > any", classes.source(class)),
                    _ => format!("any > {}", classes.destination(class)),
                };
                chains.entry(entry.chain).or_default().push(whose);
            }
        }
        let table = self.inner("pair_chains", root.slot)?;
        for (key, entry) in read_all::<PairKey, ChainEntry>(&table, "pair_chains")? {
            let whose = format!("{} > {}", classes.source(key.source), classes.destination(key.destination));
            chains.entry(entry.chain).or_default().push(whose);
        }
        chains.remove(&EMPTY_CHAIN);
        Ok(chains)
    }
}

impl ServiceNames {
    /// Of a class of destinations, of source ports.
    pub(super) fn pair(&self, (destination, source): (u32, u32)) -> String {
        let of = |classes: &BTreeMap<u32, Vec<String>>, class: u32| {
            classes.get(&class).map_or_else(|| "nothing".to_owned(), listed)
        };
        let sources = of(&self.sources, source).replace(" from/", " source-port/");
        format!("{}, {sources}", of(&self.destinations, destination))
    }

    /// `class 3 (tcp/443)`.
    pub(super) fn class(&self, class: u32) -> String {
        if self.pairs.is_empty() {
            let runs = self.destinations.get(&class).map_or_else(|| "nothing".to_owned(), listed);
            return format!("class {class} ({runs})");
        }
        let pairs = self.pairs.get(&class).map(Vec::as_slice).unwrap_or_default();
        let mut seen: Vec<String> = Vec::new();
        for (destination, _) in pairs {
            let runs = self.destinations.get(destination).cloned().unwrap_or_default();
            seen.extend(runs.into_iter().filter(|run| !seen.contains(run)).collect::<Vec<_>>());
        }
        let mut sources: Vec<String> = Vec::new();
        let all = pairs.iter().map(|(_, source)| source).collect::<std::collections::BTreeSet<_>>();
        if all.len() < self.sources.len() {
            sources.extend(all.iter().filter_map(|class| self.sources.get(class)).flatten().cloned());
        }
        let from = if sources.is_empty() { String::new() } else { format!("; {}", listed(&sources)) };
        format!("class {class} ({}{from})", listed(&seen))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_told_as_in_a_rule_and_read_back() {
        for (row, first, last, words) in [
            ("tcp", 443, 443, "tcp/443"),
            ("udp", 0, 98, "udp/0-98"),
            ("tcp from", 1, 99, "tcp from/1-99"),
            ("icmp", 0x0800, 0x08ff, "icmp/8"),
            ("icmp6", 0, 0xffff, "icmp6/0-255"),
            ("icmp", 0x0304, 0x0304, "icmp/3/4"),
            ("icmp", 0x0305, 0xffff, "icmp/3/5-255/255"),
            ("ether", 0x0806, 0x0806, "ether/0x0806"),
            ("ether", 0, 0xffff, "ether/0x0000-0xffff"),
        ] {
            assert_eq!(Run { row, first, last, class: 0 }.words(), words);
            assert_eq!(range(words), Some((row, first, last)), "{words}");
        }
        assert_eq!([range("tcp"), range("tcp/x"), range("tcp/70000")], [None; 3]);
    }
}
