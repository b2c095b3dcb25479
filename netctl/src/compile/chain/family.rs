//! The rules, sorted into the three families of chains (see `netctl_common::classify`).

use hashbrown::HashMap;

use crate::compile::address::{Both, Side};

/// Rules with the same `from` and the same `to`, of which neither is `any`.
pub(in crate::compile) struct Block {
    pub(in crate::compile) from: u32,
    pub(in crate::compile) to: u32,
    /// Ascending.
    pub(in crate::compile) rules: Vec<u32>,
}

/// Every rule is in exactly one of these.
#[derive(Default)]
pub(in crate::compile) struct Families {
    /// From anyone to anyone.
    pub(in crate::compile) everywhere: Vec<u32>,
    /// Index: list of the side that is not `any`.
    pub(in crate::compile) one_sided: Both<Vec<Vec<u32>>>,
    pub(in crate::compile) blocks: Vec<Block>,
    /// Index: `from` list. Numbers of its blocks.
    pub(in crate::compile) blocks_of: Vec<Vec<u32>>,
}

impl Families {
    pub(in crate::compile) fn new(sides: &Both<Side<'_>>) -> Self {
        let lists = |side: &Side<'_>| vec![Vec::new(); side.first_rule.len()];
        let mut this = Self {
            one_sided: Both { source: lists(&sides.source), destination: lists(&sides.destination) },
            blocks_of: lists(&sides.source),
            ..Self::default()
        };
        let mut numbers: HashMap<(u32, u32), u32> = HashMap::new();
        for ((from, to), rule) in sides.source.list_of.iter().zip(&sides.destination.list_of).zip(0..) {
            match (*from, *to) {
                (None, None) => this.everywhere.push(rule),
                (Some(from), None) => this.one_sided.source[from as usize].push(rule),
                (None, Some(to)) => this.one_sided.destination[to as usize].push(rule),
                (Some(from), Some(to)) => {
                    let next = this.blocks.len() as u32;
                    let number = *numbers.entry((from, to)).or_insert(next);
                    if number == next {
                        this.blocks.push(Block { from, to, rules: Vec::new() });
                        this.blocks_of[from as usize].push(number);
                    }
                    this.blocks[number as usize].rules.push(rule);
                }
            }
        }
        this
    }
}
