//! What a generation takes of the kernel's memory, estimated from the number of entries.
//!
//! The sizes are those of Linux 6.x on 64-bit machines: `struct htab_elem` has 48 bytes before the key
//! (kernel/bpf/hashtab.c), a node of an LPM trie 24 to 40 (kernel/bpf/lpm_trie.c), and all round up.

use netctl_common::abi::{
    AddressEntry, AddressKey, ChainEntry, Classes, Counter, LearnedKey, PairKey, PortEntry, RuleEntry,
    StationEntry, StationKey, VerdictKey,
};

const HASH_ELEMENT: u64 = 48;
/// A pointer and a lock for each bucket; there are as many buckets as elements, rounded up to a power of 2.
const HASH_BUCKET: u64 = 16;
/// A node with key and value, in its slab of kmalloc. Branches have nodes too: at most as many again.
const TRIE_PREFIX: u64 = 2 * 96;
/// Elements of an array are multiples of this.
const ARRAY_ELEMENT: u64 = 8;

/// How many entries the tables have.
pub(super) struct Counts {
    pub(super) ports: usize,
    pub(super) networks: usize,
    pub(super) addresses: usize,
    /// In all zones.
    pub(super) prefixes: usize,
    pub(super) learned: usize,
    /// Elements of all rows.
    pub(super) services: usize,
    pub(super) service_pairs: usize,
    /// Of both sides.
    pub(super) classes: usize,
    pub(super) pairs: usize,
    pub(super) verdicts: usize,
    pub(super) rules: usize,
}

impl Counts {
    /// Bytes. `cpus`: possible ones; the rules' counters are per CPU.
    pub(super) fn bytes(&self, cpus: u64) -> u64 {
        hash::<u32, PortEntry>(self.ports)
            + hash::<StationKey, StationEntry>(self.ports + self.networks)
            + hash::<AddressKey, AddressEntry>(self.addresses)
            + hash::<LearnedKey, Classes>(self.learned)
            + hash::<PairKey, ChainEntry>(self.pairs)
            + hash::<VerdictKey, u32>(self.verdicts)
            + self.prefixes as u64 * TRIE_PREFIX
            + (self.services + self.service_pairs + self.classes) as u64 * ARRAY_ELEMENT
            + self.rules as u64 * (size_of::<RuleEntry>() as u64 + cpus * size_of::<Counter>() as u64)
    }
}

fn hash<K, V>(entries: usize) -> u64 {
    let element =
        HASH_ELEMENT + size_of::<K>().next_multiple_of(8) as u64 + size_of::<V>().next_multiple_of(8) as u64;
    entries as u64 * element + (entries as u64).next_power_of_two() * HASH_BUCKET
}

const _: () = assert!(size_of::<ChainEntry>() == ARRAY_ELEMENT as usize);
