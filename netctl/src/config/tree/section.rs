//! Where a key or a table header adds to the tree, and what it must not touch: TOML's rules
//! about tables that are defined twice.

use std::borrow::Cow;

use indexmap::map::Entry as Slot;

use super::{Entry, Made, Node, Table, Value};
use crate::config::source::Span;

/// One part of a key.
#[derive(Debug)]
pub(super) struct Key<'t> {
    pub(super) text: Cow<'t, str>,
    pub(super) span: Span,
}

/// A key that is taken.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) name: String,
    pub(super) again: Span,
    pub(super) first: Span,
    /// Whether it is no duplicate, but steps into something that is no open table.
    pub(super) closed: bool,
}

impl Taken {
    fn new(name: &str, again: Span, first: Span, closed: bool) -> Self {
        Self { name: name.to_owned(), again, first, closed }
    }
}

/// Puts a value under a key, which may be dotted.
pub(super) fn put<'t>(
    mut table: &mut Table<'t>,
    keys: impl DoubleEndedIterator<Item = Key<'t>>,
    node: Node<'t>,
) -> Result<(), Taken> {
    let mut keys = keys;
    let Some(last) = keys.next_back() else { return Ok(()) };
    for key in keys {
        table = step(table, key, true)?;
    }
    match table.entries.entry(last.text) {
        Slot::Vacant(slot) => {
            slot.insert(Entry { key: last.span, node });
            Ok(())
        }
        Slot::Occupied(slot) => Err(Taken::new(slot.key(), last.span, slot.get().key, false)),
    }
}

/// Opens `[a.b]` and gives the way to it: the place of each part among its table's entries.
pub(super) fn open<'t>(
    root: &mut Table<'t>,
    keys: impl DoubleEndedIterator<Item = Key<'t>>,
    span: Span,
) -> Result<Vec<usize>, Taken> {
    let (table, last, mut way) = walk(root, keys)?;
    let Some(last) = last else { return Ok(way) };
    let fresh = || Node { value: Value::Table(Box::default()), span };
    let slot = table.entries.entry(last.text);
    way.push(slot.index());
    let name = slot.key().clone();
    let entry = slot.or_insert_with(|| Entry { key: last.span, node: fresh() });
    match &mut entry.node {
        Node { value: Value::Table(table), span: at } if table.made == Made::Implicit => {
            table.made = Made::Header;
            *at = span;
            Ok(way)
        }
        _ => Err(Taken::new(&name, last.span, entry.key, false)),
    }
}

/// Opens `[[a.b]]`: a further table of the list.
pub(super) fn open_next<'t>(
    root: &mut Table<'t>,
    keys: impl DoubleEndedIterator<Item = Key<'t>>,
    span: Span,
) -> Result<Vec<usize>, Taken> {
    let (table, last, mut way) = walk(root, keys)?;
    let Some(last) = last else { return Ok(way) };
    let list = || Node { value: Value::Tables(Vec::new()), span };
    let slot = table.entries.entry(last.text);
    way.push(slot.index());
    let name = slot.key().clone();
    let entry = slot.or_insert_with(|| Entry { key: last.span, node: list() });
    match &mut entry.node.value {
        Value::Tables(tables) => {
            let value = Value::Table(Box::new(Table { made: Made::Header, ..Table::default() }));
            tables.push(Node { value, span });
            Ok(way)
        }
        _ => Err(Taken::new(&name, last.span, entry.key, false)),
    }
}

/// The table that [`open`] or [`open_next`] has shown the way to.
pub(super) fn at<'a, 't>(root: &'a mut Table<'t>, way: &[usize]) -> Option<&'a mut Table<'t>> {
    way.iter().try_fold(root, |table, index| {
        let (_, entry) = table.entries.get_index_mut(*index)?;
        inside(&mut entry.node.value)
    })
}

type Walked<'a, 't> = (&'a mut Table<'t>, Option<Key<'t>>, Vec<usize>);

fn walk<'a, 't>(
    root: &'a mut Table<'t>,
    keys: impl DoubleEndedIterator<Item = Key<'t>>,
) -> Result<Walked<'a, 't>, Taken> {
    let mut keys = keys;
    let last = keys.next_back();
    let (mut table, mut way) = (root, Vec::new());
    for key in keys {
        way.push(table.entries.get_index_of(&key.text).unwrap_or(table.entries.len()));
        table = step(table, key, false)?;
    }
    Ok((table, last, way))
}

/// The table under one part of a key or header, made where there is none.
fn step<'a, 't>(table: &'a mut Table<'t>, key: Key<'t>, dotted: bool) -> Result<&'a mut Table<'t>, Taken> {
    let made = if dotted { Made::Dotted } else { Made::Implicit };
    let fresh = || {
        let value = Value::Table(Box::new(Table { made, ..Table::default() }));
        Entry { key: key.span, node: Node { value, span: key.span } }
    };
    let name = key.text.clone();
    let entry = table.entries.entry(key.text).or_insert_with(fresh);
    let first = entry.key;
    let closed = || Taken::new(&name, key.span, first, true);
    let Some(table) = inside(&mut entry.node.value) else { return Err(closed()) };
    match (table.made, dotted) {
        (Made::Inline, _) | (Made::Header, true) => return Err(closed()),
        (Made::Implicit, true) => table.made = Made::Dotted,
        _ => {}
    }
    Ok(table)
}

fn inside<'a, 't>(value: &'a mut Value<'t>) -> Option<&'a mut Table<'t>> {
    match value {
        Value::Table(table) => Some(table),
        Value::Tables(tables) => match tables.last_mut() {
            Some(Node { value: Value::Table(table), .. }) => Some(table),
            _ => None,
        },
        _ => None,
    }
}
