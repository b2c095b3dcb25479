//! Sets of small numbers, stored once each: two sets are equal exactly if their handles are.
//!
//! What tells addresses (and services) apart is the set of lists that hold them; two with equal sets are one
//! class. A set is a tree of 16-way nodes over 64-bit leaves, and equal nodes are shared, so that a set which
//! differs from another in one element costs one path, however large both are.

use std::hash::{BuildHasher, Hash};

use hashbrown::{DefaultHashBuilder, HashTable};

const LEAF_BITS: u32 = 6;
const NODE_BITS: u32 = 4;
const WAYS: usize = 1 << NODE_BITS;
/// Steps of [`super::Budget::work`] that a new node counts for: it also bounds their memory.
const NEW_NODE: u64 = 16;

/// A set in a [`Signatures`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Signature(u32);

impl Signature {
    pub(super) const EMPTY: Self = Self(0);
}

/// The store. Node 0 of every level is the empty set.
pub(super) struct Signatures {
    leaves: Arena<u64>,
    nodes: Arena<[u32; WAYS]>,
    /// Levels of nodes above the leaves.
    height: u32,
    work: u64,
}

#[derive(Clone, Copy)]
enum Operation {
    Union,
    Intersection,
}

impl Signatures {
    /// For sets of numbers below `universe`.
    pub(super) fn new(universe: usize) -> Self {
        let mut height = 0;
        while (1usize << (LEAF_BITS + NODE_BITS * height)) < universe {
            height += 1;
        }
        Self { leaves: Arena::new(0), nodes: Arena::new([0; WAYS]), height, work: 0 }
    }

    /// Steps since the last call, for [`super::budget::Meter`].
    pub(super) fn take_work(&mut self) -> u64 {
        std::mem::take(&mut self.work)
    }

    pub(super) fn with(&mut self, set: Signature, element: u32) -> Signature {
        Signature(self.update(self.height, set.0, element, |bits, bit| bits | bit))
    }

    pub(super) fn without(&mut self, set: Signature, element: u32) -> Signature {
        Signature(self.update(self.height, set.0, element, |bits, bit| bits & !bit))
    }

    pub(super) fn union(&mut self, a: Signature, b: Signature) -> Signature {
        Signature(self.combine(self.height, Operation::Union, (a.0, b.0)))
    }

    pub(super) fn intersection(&mut self, a: Signature, b: Signature) -> Signature {
        Signature(self.combine(self.height, Operation::Intersection, (a.0, b.0)))
    }

    pub(super) fn contains(&self, set: Signature, element: u32) -> bool {
        let mut node = set.0;
        for level in (1..=self.height).rev() {
            node = self.nodes.values[node as usize][way(level, element)];
        }
        self.leaves.values[node as usize] & leaf_bit(element) != 0
    }

    /// The elements, ascending, in place of what `out` held.
    pub(super) fn elements(&self, set: Signature, out: &mut Vec<u32>) {
        out.clear();
        self.collect(self.height, set.0, 0, out);
    }

    fn collect(&self, level: u32, node: u32, base: u32, out: &mut Vec<u32>) {
        if node == 0 {
            return;
        }
        if level == 0 {
            let mut bits = self.leaves.values[node as usize];
            while bits != 0 {
                out.push(base + bits.trailing_zeros());
                bits &= bits - 1;
            }
            return;
        }
        let span = 1u32 << (LEAF_BITS + NODE_BITS * (level - 1));
        for (child, base) in self.nodes.values[node as usize].iter().zip((base..).step_by(span as usize)) {
            self.collect(level - 1, *child, base, out);
        }
    }

    fn update(&mut self, level: u32, node: u32, element: u32, change: fn(u64, u64) -> u64) -> u32 {
        self.work += 1;
        if level == 0 {
            return self.leaf(change(self.leaves.values[node as usize], leaf_bit(element)));
        }
        let mut children = self.nodes.values[node as usize];
        let child = &mut children[way(level, element)];
        *child = self.update(level - 1, *child, element, change);
        self.node(children)
    }

    fn combine(&mut self, level: u32, operation: Operation, (a, b): (u32, u32)) -> u32 {
        match operation {
            _ if a == b => return a,
            Operation::Union if a == 0 || b == 0 => return a | b,
            Operation::Intersection if a == 0 || b == 0 => return 0,
            _ => self.work += 1,
        }
        if level == 0 {
            let (a, b) = (self.leaves.values[a as usize], self.leaves.values[b as usize]);
            return self.leaf(match operation {
                Operation::Union => a | b,
                Operation::Intersection => a & b,
            });
        }
        let mut children = self.nodes.values[a as usize];
        let others = self.nodes.values[b as usize];
        for (child, other) in children.iter_mut().zip(others) {
            *child = self.combine(level - 1, operation, (*child, other));
        }
        self.node(children)
    }

    fn leaf(&mut self, bits: u64) -> u32 {
        self.leaves.intern(bits, &mut self.work)
    }

    fn node(&mut self, children: [u32; WAYS]) -> u32 {
        self.nodes.intern(children, &mut self.work)
    }
}

fn way(level: u32, element: u32) -> usize {
    (element >> (LEAF_BITS + NODE_BITS * (level - 1))) as usize % WAYS
}

fn leaf_bit(element: u32) -> u64 {
    1 << (element % (1 << LEAF_BITS))
}

/// Values that are stored once each.
struct Arena<T> {
    values: Vec<T>,
    index: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl<T: Copy + Eq + Hash> Arena<T> {
    /// `empty` gets number 0.
    fn new(empty: T) -> Self {
        let mut arena =
            Self { values: Vec::new(), index: HashTable::new(), hasher: DefaultHashBuilder::default() };
        arena.intern(empty, &mut 0);
        arena
    }

    fn intern(&mut self, value: T, work: &mut u64) -> u32 {
        let Self { values, index, hasher } = self;
        let hash = hasher.hash_one(value);
        if let Some(found) = index.find(hash, |at| values[*at as usize] == value) {
            return *found;
        }
        *work += NEW_NODE;
        let number = values.len() as u32;
        values.push(value);
        index.insert_unique(hash, number, |at| hasher.hash_one(values[*at as usize]));
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(store: &mut Signatures, elements: &[u32]) -> Signature {
        elements.iter().fold(Signature::EMPTY, |set, e| store.with(set, *e))
    }

    fn read(store: &Signatures, set: Signature) -> Vec<u32> {
        let mut out = vec![7];
        store.elements(set, &mut out);
        out
    }

    #[test]
    fn equal_sets_have_equal_handles_however_they_were_made() {
        for universe in [1, 64, 65, 1024, 1025, 131_072] {
            let top = universe as u32 - 1;
            let mut store = Signatures::new(universe);
            let forward = build(&mut store, &[0, top / 3, top / 2, top]);
            let backward = build(&mut store, &[top, top / 2, top / 3, 0, top]);
            assert_eq!(forward, backward, "universe {universe}");
            let without = store.without(forward, top);
            assert_ne!(forward, without);
            assert_eq!(store.with(without, top), forward);
        }
    }

    #[test]
    fn union_and_intersection_are_those_of_the_elements() {
        let mut store = Signatures::new(5000);
        let (a, b) = (build(&mut store, &[1, 63, 64, 2000, 4999]), build(&mut store, &[0, 64, 1999, 2000]));
        let (union, intersection) = (store.union(a, b), store.intersection(a, b));
        assert_eq!(read(&store, union), [0, 1, 63, 64, 1999, 2000, 4999]);
        assert_eq!(read(&store, intersection), [64, 2000]);
        assert!(store.contains(union, 1999) && !store.contains(intersection, 1999));
    }

    #[test]
    fn taking_the_last_element_gives_the_empty_set() {
        let mut store = Signatures::new(131_072);
        let one = store.with(Signature::EMPTY, 131_071);
        assert_eq!(store.without(one, 131_071), Signature::EMPTY);
        let other = store.with(Signature::EMPTY, 5);
        assert_eq!(store.intersection(one, other), Signature::EMPTY);
    }
}
