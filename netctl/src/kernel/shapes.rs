//! What every map of maps has in its slots, and the making of those maps.
//!
//! netctl makes them instead of aya: before Linux 6.2, a map with BTF and one without do not fit into one outer map
//! (kernel/bpf/map_in_map.c, `bpf_map_meta_equal` compares `timer_off`), and netctl's inner maps have none.

use std::io;
use std::os::fd::AsFd;

use bytemuck::{Pod, Zeroable};
use netctl_common::abi::{
    AddressEntry, AddressKey, CAPTURE_SLOTS, ChainEntry, Classes, Counter, DOCUMENT_CHUNK, FlowEntry,
    FlowKey, LearnedKey, LearnerEntry, LimitsEntry, MAX_PORTS, PORT_COUNTERS, PairKey, PortEntry, PrefixKey,
    RuleEntry, SLOTS, StationEntry, StationKey, VerdictKey, VlanSet, maps,
};
use netctl_common::classify::SERVICE_ROW_LEN;

use super::attach::{FLOWS_PER_PORT, OPENINGS_PER_PORT};
use super::pins::Pins;
use super::sys::{self, MapShape, MapType};
use super::{KernelError, bytes};

/// `BPF_F_NO_PREALLOC`.
const NO_PREALLOC: u32 = 1;
/// `BPF_F_INNER_MAP`: the array may have another size than the one that the outer map was made with.
const INNER_MAP: u32 = 0x1000;

/// A map of maps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outer {
    pub name: &'static str,
    pub slots: u32,
    /// What is in a slot; tables of a generation have as much room as they need.
    pub inner: MapShape,
}

/// Key of an LPM trie (`struct bpf_lpm_trie_key`).
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub(super) struct TrieKey {
    pub prefix_len: u32,
    pub data: PrefixKey,
}

pub(super) const ROOT: Outer =
    Outer { name: maps::ROOT, slots: 1, inner: shape::<u32, PortEntry>(MapType::Hash, NO_PREALLOC) };
pub(super) const STATIONS: Outer = hash::<StationKey, StationEntry>("stations");
pub(super) const TRUNKS: Outer = hash::<u32, VlanSet>("trunks");
pub(super) const ADDRESSES: Outer = hash::<AddressKey, AddressEntry>("addresses");
pub(super) const PREFIXES: Outer =
    generation("prefixes", shape::<TrieKey, AddressEntry>(MapType::LpmTrie, NO_PREALLOC));
pub(super) const LEARNERS: Outer = hash::<u32, LearnerEntry>(maps::LEARNERS);
pub(super) const LEARNED_CLASSES: Outer = hash::<LearnedKey, Classes>(maps::LEARNED_CLASSES);
pub(super) const SERVICES: Outer = array::<[u16; SERVICE_ROW_LEN]>("services");
pub(super) const SERVICE_PAIRS: Outer = array::<u32>("service_pairs");
pub(super) const SOURCE_CHAINS: Outer = array::<ChainEntry>("source_chains");
pub(super) const DESTINATION_CHAINS: Outer = array::<ChainEntry>("dest_chains");
pub(super) const PAIR_CHAINS: Outer = hash::<PairKey, ChainEntry>("pair_chains");
pub(super) const VERDICTS: Outer = hash::<VerdictKey, u32>("verdicts");
pub(super) const LIMITS: Outer = hash::<u32, LimitsEntry>(maps::LIMITS);
pub(super) const RULES: Outer = array::<RuleEntry>(maps::RULES);
pub(super) const RULE_COUNTERS: Outer = array::<Counter>(maps::RULE_COUNTERS);
pub(super) const DOCUMENT: Outer = array::<[u8; DOCUMENT_CHUNK]>(maps::DOCUMENT);
pub(super) const FLOWS: Outer = Outer {
    name: maps::FLOWS,
    slots: MAX_PORTS,
    inner: shape::<FlowKey, FlowEntry>(MapType::LruHash, 0).with_room(FLOWS_PER_PORT),
};
pub(super) const OPENINGS: Outer = Outer {
    name: maps::OPENINGS,
    slots: MAX_PORTS,
    inner: shape::<FlowKey, FlowEntry>(MapType::LruHash, 0).with_room(OPENINGS_PER_PORT),
};
pub(super) const PORT_COUNTER_TABLES: Outer = Outer {
    name: maps::PORT_COUNTERS,
    slots: MAX_PORTS,
    inner: MapShape {
        kind: MapType::PerCpuArray,
        key_size: 4,
        value_size: bytes::per_cpu_size(size_of::<Counter>()) as u32,
        max_entries: PORT_COUNTERS,
        flags: 0,
    },
};

/// A reader's ring, of at least 64 KiB.
pub(super) const RING: MapShape =
    MapShape { kind: MapType::RingBuf, key_size: 0, value_size: 0, max_entries: 1 << 16, flags: 0 };
pub(super) const CAPTURE_RINGS: Outer =
    Outer { name: maps::CAPTURE_RINGS, slots: CAPTURE_SLOTS, inner: RING };

/// Every map of maps.
pub(super) const OUTER: [Outer; 21] = [
    ROOT,
    STATIONS,
    TRUNKS,
    ADDRESSES,
    PREFIXES,
    LEARNERS,
    LEARNED_CLASSES,
    SERVICES,
    SERVICE_PAIRS,
    SOURCE_CHAINS,
    DESTINATION_CHAINS,
    PAIR_CHAINS,
    VERDICTS,
    LIMITS,
    RULES,
    RULE_COUNTERS,
    DOCUMENT,
    FLOWS,
    OPENINGS,
    PORT_COUNTER_TABLES,
    CAPTURE_RINGS,
];

const fn shape<K, V>(kind: MapType, flags: u32) -> MapShape {
    MapShape {
        kind,
        key_size: size_of::<K>() as u32,
        value_size: size_of::<V>() as u32,
        max_entries: 1,
        flags,
    }
}

const fn generation(name: &'static str, inner: MapShape) -> Outer {
    Outer { name, slots: SLOTS, inner }
}

const fn hash<K, V>(name: &'static str) -> Outer {
    generation(name, shape::<K, V>(MapType::Hash, NO_PREALLOC))
}

const fn array<V>(name: &'static str) -> Outer {
    generation(name, shape::<u32, V>(MapType::Array, INNER_MAP))
}

impl Outer {
    /// Makes and pins the map, if it is not pinned yet.
    pub(super) fn ensure(&self, pins: &Pins) -> Result<(), KernelError> {
        let fail = |operation| move |e| KernelError::map(self.name, operation, e);
        let path = pins.map(self.name);
        if path.exists() {
            return Ok(());
        }
        let template = sys::create(self.name, &self.inner).map_err(fail("making the table in its slots"))?;
        let outer = sys::create_outer(self.name, self.slots, template.as_fd()).map_err(fail("making it"))?;
        match sys::pin(outer.as_fd(), &path) {
            // Another netctl was faster.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            result => result.map_err(fail("pinning it")),
        }
    }

    pub(super) fn layout(&self) -> sys::MapInfo {
        sys::MapInfo {
            kind: sys::ARRAY_OF_MAPS,
            key_size: 4,
            value_size: 4,
            max_entries: self.slots,
            ..sys::MapInfo::default()
        }
    }
}
