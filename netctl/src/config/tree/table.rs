//! Keys and their values, in the order of the text. Most tables are rules with four keys, so they are
//! searched as they are; only large ones get an index.

use std::borrow::Cow;
use std::collections::HashMap;

use super::{Made, Node};
use crate::config::source::Span;

/// From how many keys on a table has an index.
const INDEXED: usize = 16;

#[derive(Debug, Default)]
pub(in crate::config) struct Table<'t> {
    entries: Vec<Entry<'t>>,
    index: Option<HashMap<Cow<'t, str>, usize>>,
    pub(super) made: Made,
}

#[derive(Debug)]
pub(in crate::config) struct Entry<'t> {
    pub(in crate::config) name: Cow<'t, str>,
    /// Where the key stands (first).
    pub(in crate::config) key: Span,
    pub(in crate::config) node: Node<'t>,
}

impl<'t> Table<'t> {
    pub(super) fn new(made: Made) -> Self {
        Self { made, ..Self::default() }
    }

    pub(in crate::config) fn entries(&self) -> &[Entry<'t>] {
        &self.entries
    }

    pub(in crate::config) fn get(&self, name: &str) -> Option<&Entry<'t>> {
        self.position(name).map(|at| &self.entries[at])
    }

    /// Where the key is among [`Self::entries`].
    pub(super) fn position(&self, name: &str) -> Option<usize> {
        match &self.index {
            Some(index) => index.get(name).copied(),
            None => self.entries.iter().position(|entry| entry.name == name),
        }
    }

    pub(super) fn at(&mut self, position: usize) -> Option<&mut Entry<'t>> {
        self.entries.get_mut(position)
    }

    /// Adds a key that is not there yet, and gives its position.
    pub(super) fn push(&mut self, entry: Entry<'t>) -> usize {
        let position = self.entries.len();
        if let Some(index) = &mut self.index {
            index.insert(entry.name.clone(), position);
        } else if position == INDEXED {
            let names = self.entries.iter().chain([&entry]).map(|entry| entry.name.clone());
            self.index = Some(names.zip(0..).collect());
        }
        self.entries.push(entry);
        position
    }
}

#[cfg(test)]
mod tests {
    use super::super::Value;
    use super::*;

    #[test]
    fn a_key_is_found_in_small_and_in_large_tables() {
        let mut table = Table::default();
        for n in 0..3 * INDEXED {
            assert_eq!(table.position(&format!("k{n}")), None);
            let node = Node { value: Value::Boolean(true), span: Span::default() };
            table.push(Entry { name: format!("k{n}").into(), key: Span::default(), node });
            for m in 0..=n {
                assert_eq!(table.position(&format!("k{m}")), Some(m), "of {n}");
            }
        }
    }
}
