//! The shape, fill and memory of maps.

use std::fs;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use netctl_common::abi::{Root, maps};
use serde::Serialize;

use super::super::publish::possible_cpus;
use super::super::{Kernel, KernelError, bytes, sys};
use super::{KNOWN, Known, Scope};

/// One map, or all tables of one name that belong to ports. Of a map of maps, the tables in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MapFacts {
    pub name: &'static str,
    pub what: &'static str,
    pub scope: Scope,
    pub kind: &'static str,
    /// Bytes.
    pub key_size: u32,
    pub value_size: u32,
    /// Elements that are there, where a map can tell.
    pub entries: Option<u64>,
    /// Elements that there is room for.
    pub max_entries: u64,
    /// Bytes of kernel memory, as the kernel accounts for it.
    pub memory: u64,
}

impl Kernel {
    /// In the order of the data path.
    pub fn map_facts(&self, root: &Root) -> Result<Vec<MapFacts>, KernelError> {
        // An older build of this version may lack one.
        let there = |known: &&Known| self.pins.map(known.name).exists();
        KNOWN.iter().filter(there).map(|known| self.facts_of(known, root)).collect()
    }

    fn facts_of(&self, known: &Known, root: &Root) -> Result<MapFacts, KernelError> {
        let Known { name, scope, what } = *known;
        let tables = match scope {
            Scope::Host if name == maps::ROOT => vec![self.inner(name, 0)?],
            Scope::Host => vec![self.map(name)?],
            Scope::Generation => vec![self.inner(name, root.slot)?],
            Scope::Port => {
                self.ports()?.iter().map(|p| self.inner(name, p.entry.id)).collect::<Result<_, _>>()?
            }
        };
        facts((name, scope, what), &tables)
    }
}

/// Of all of these tables together.
pub(super) fn facts(
    (name, scope, what): (&'static str, Scope, &'static str),
    tables: &[OwnedFd],
) -> Result<MapFacts, KernelError> {
    let mut facts = MapFacts {
        name,
        what,
        scope,
        kind: "-",
        key_size: 0,
        value_size: 0,
        entries: None,
        max_entries: 0,
        memory: 0,
    };
    for table in tables {
        let info = sys::info(table.as_fd()).map_err(|e| KernelError::map(name, "asking about it", e))?;
        (facts.key_size, facts.value_size) = (info.key_size, info.value_size);
        let counted = |facts: &MapFacts| -> Result<Option<u64>, KernelError> {
            Ok(Some(facts.entries.unwrap_or(0) + count(table, name, &info)?))
        };
        (facts.kind, facts.entries) = match info.kind {
            1 => ("hash", counted(&facts)?),
            9 => ("lru-hash", counted(&facts)?),
            10 => ("lru-percpu-hash", counted(&facts)?),
            11 => ("lpm-trie", counted(&facts)?),
            6 => ("percpu-array", None),
            sys::ARRAY_OF_MAPS => ("array-of-maps", None),
            _ => ("array", None),
        };
        facts.max_entries += u64::from(info.max_entries);
        facts.memory += memory(table).unwrap_or(0);
    }
    Ok(facts)
}

fn count(table: &OwnedFd, name: &str, info: &sys::MapInfo) -> Result<u64, KernelError> {
    sys::count(table.as_fd(), info.key_size as usize, value_bytes(info))
        .map_err(|e| KernelError::map(name, "counting its elements", e))
}

/// Of an element, as the kernel copies it: of a map that is per CPU, the values of all CPUs.
pub(super) fn value_bytes(info: &sys::MapInfo) -> usize {
    let size = info.value_size as usize;
    if sys::is_per_cpu(info.kind) { possible_cpus() * bytes::per_cpu_size(size) } else { size }
}

/// `memlock` of proc's fdinfo (kernel/bpf/syscall.c, `bpf_map_show_fdinfo`).
pub(super) fn memory(table: &OwnedFd) -> Option<u64> {
    let facts = fs::read_to_string(format!("/proc/self/fdinfo/{}", table.as_raw_fd())).ok()?;
    facts.lines().find_map(|line| line.strip_prefix("memlock:"))?.trim().parse().ok()
}
