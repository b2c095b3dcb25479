//! Pairs of classes that a rule names on both sides, and their chains.

use hashbrown::HashMap;
use netctl_common::abi::{ChainEntry, PairKey};

use super::Parts;
use super::family::{Block, Families};
use super::store::ChainStore;
use crate::compile::budget::Meter;
use crate::compile::error::{CompileError, Resource};
use crate::compile::grouped::Grouped;
use crate::compile::signature::{Signature, Signatures};

/// The classes of each list of a side, ascending.
pub(in crate::compile) fn members(
    lists: usize,
    classes: &[Signature],
    (signatures, meter): (&Signatures, &mut Meter<'_>),
) -> Result<Grouped, CompileError> {
    let mut pairs = Vec::with_capacity(classes.len());
    let mut elements = Vec::new();
    for (class, signature) in (0..).zip(classes) {
        signatures.elements(*signature, &mut elements);
        meter.spend(elements.len() as u64)?;
        pairs.extend(elements.iter().map(|list| (*list, class)));
    }
    Ok(Grouped::new(lists, &pairs))
}

/// All pairs, sorted.
pub(super) fn pairs(
    parts: Parts<'_>,
    families: &Families,
    store: &mut ChainStore,
    (signatures, meter): (&Signatures, &mut Meter<'_>),
) -> Result<Vec<(PairKey, ChainEntry)>, CompileError> {
    let widest = count(parts, families, meter)?;
    let mut joined = Joined {
        parts,
        families,
        single: vec![None; families.blocks.len()],
        several: HashMap::new(),
        rules: Vec::new(),
    };
    let mut pairs = Vec::new();
    let mut row = Row::new(parts.signatures.destination.len());
    let mut lists = Vec::new();
    for (source, signature) in (0..).zip(&parts.signatures.source) {
        signatures.elements(*signature, &mut lists);
        for block in lists.iter().flat_map(|list| families.blocks_of.of(*list)) {
            let to = families.blocks[*block as usize].to;
            row.add(*block, parts.members.destination.of(to));
        }
        meter.budget.check_so_far(Resource::Pairs, (pairs.len() + row.touched.len()) as u64, || widest)?;
        row.touched.sort_unstable();
        for destination in row.touched.drain(..) {
            let blocks = &mut row.blocks[destination as usize];
            let entry = joined.chain(blocks, store, meter)?;
            pairs.push((PairKey { source, destination }, entry));
            blocks.clear();
        }
    }
    Ok(pairs)
}

/// Charges for finding the pairs before they are looked for, and for each pair once for each block that names
/// it. Gives the line of the rule that names most pairs.
fn count(parts: Parts<'_>, families: &Families, meter: &mut Meter<'_>) -> Result<Option<u32>, CompileError> {
    let area = |block: &Block| {
        let (sources, destinations) = (&parts.members.source, &parts.members.destination);
        sources.of(block.from).len() as u64 * destinations.of(block.to).len() as u64
    };
    let widest = families.blocks.iter().max_by_key(|block| area(block));
    let line = widest.map(|block| parts.rules[block.first_rule as usize].line);
    // One block alone has as many pairs as its area.
    meter.budget.check_so_far(Resource::Pairs, widest.map_or(0, area), || line)?;
    let total = families.blocks.iter().map(area).fold(0, u64::saturating_add);
    meter.spend_for(total, || line)?;
    Ok(line)
}

/// The blocks of one source class, by destination class.
struct Row {
    /// Index: destination class.
    blocks: Vec<Vec<u32>>,
    /// The destination classes that have blocks.
    touched: Vec<u32>,
}

impl Row {
    fn new(classes: usize) -> Self {
        Self { blocks: vec![Vec::new(); classes], touched: Vec::new() }
    }

    fn add(&mut self, block: u32, destinations: &[u32]) {
        for destination in destinations {
            let blocks = &mut self.blocks[*destination as usize];
            if blocks.is_empty() {
                self.touched.push(*destination);
            }
            blocks.push(block);
        }
    }
}

/// Chains of blocks that were joined before.
struct Joined<'a> {
    parts: Parts<'a>,
    families: &'a Families,
    /// Index: block. The chain of the block alone.
    single: Vec<Option<ChainEntry>>,
    several: HashMap<Box<[u32]>, ChainEntry>,
    rules: Vec<u32>,
}

impl Joined<'_> {
    fn chain(
        &mut self,
        blocks: &mut [u32],
        store: &mut ChainStore,
        meter: &mut Meter<'_>,
    ) -> Result<ChainEntry, CompileError> {
        let (services, rules_of) = (self.parts.services, &self.families.rules_of);
        if let [block] = *blocks {
            let chain = &mut self.single[block as usize];
            return Ok(*chain.get_or_insert_with(|| store.chain(rules_of.of(block), services)));
        }
        blocks.sort_unstable();
        if let Some(entry) = self.several.get(&*blocks) {
            return Ok(*entry);
        }
        self.rules.clear();
        blocks.iter().for_each(|block| self.rules.extend_from_slice(rules_of.of(*block)));
        meter.spend(self.rules.len() as u64)?;
        self.rules.sort_unstable();
        let entry = store.chain(&self.rules, services);
        self.several.insert((&*blocks).into(), entry);
        Ok(entry)
    }
}
