//! The rules, sorted into the three families of chains (see `netctl_common::classify`).

use hashbrown::HashMap;

use crate::compile::address::{Both, Side};
use crate::compile::grouped::Grouped;

/// A `from` and a `to` that at least one rule has, of which neither is `any`.
#[derive(Clone, Copy)]
pub(in crate::compile) struct Block {
    pub(in crate::compile) from: u32,
    pub(in crate::compile) to: u32,
    pub(in crate::compile) first_rule: u32,
}

/// Every rule that is asked for is in exactly one of these. All rules are ascending.
pub(in crate::compile) struct Families {
    /// From anyone to anyone.
    pub(in crate::compile) everywhere: Vec<u32>,
    /// The rules by the list of the side that is not `any`.
    pub(in crate::compile) one_sided: Both<Grouped>,
    pub(in crate::compile) blocks: Vec<Block>,
    /// The rules by block.
    pub(in crate::compile) rules_of: Grouped,
    /// The blocks by `from` list.
    pub(in crate::compile) blocks_of: Grouped,
}

impl Families {
    /// Of the rules that `has` holds for.
    pub(in crate::compile) fn new(sides: &Both<Side<'_>>, has: impl Fn(u32) -> bool) -> Self {
        let mut everywhere = Vec::new();
        let mut one_sided: Both<Vec<(u32, u32)>> = Both::default();
        let mut in_blocks: Vec<(u32, u32)> = Vec::new();
        let mut blocks: Vec<Block> = Vec::new();
        let mut numbers: HashMap<(u32, u32), u32> = HashMap::new();
        let rules = sides.source.list_of.iter().zip(&sides.destination.list_of).zip(0..);
        for ((from, to), rule) in rules.filter(|(_, rule)| has(*rule)) {
            match (*from, *to) {
                (None, None) => everywhere.push(rule),
                (Some(from), None) => one_sided.source.push((from, rule)),
                (None, Some(to)) => one_sided.destination.push((to, rule)),
                (Some(from), Some(to)) => {
                    let next = blocks.len() as u32;
                    let number = *numbers.entry((from, to)).or_insert(next);
                    if number == next {
                        blocks.push(Block { from, to, first_rule: rule });
                    }
                    in_blocks.push((number, rule));
                }
            }
        }
        let lists = Both { source: sides.source.lists(), destination: sides.destination.lists() };
        let by_from: Vec<(u32, u32)> = blocks.iter().map(|block| block.from).zip(0..).collect();
        Self {
            everywhere,
            one_sided: Both {
                source: Grouped::new(lists.source, &one_sided.source),
                destination: Grouped::new(lists.destination, &one_sided.destination),
            },
            rules_of: Grouped::new(blocks.len(), &in_blocks),
            blocks_of: Grouped::new(lists.source, &by_from),
            blocks,
        }
    }
}
