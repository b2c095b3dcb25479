//! Where a key or a table header adds to the tree, and what it must not touch: TOML's rules
//! about tables that are defined twice.

use std::borrow::Cow;

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
    fn new(key: &Key<'_>, first: Span, closed: bool) -> Self {
        Self { name: key.text.to_string(), again: key.span, first, closed }
    }
}

/// Puts a value under a key, which may be dotted.
pub(super) fn put<'t>(
    mut table: &mut Table<'t>,
    mut keys: impl DoubleEndedIterator<Item = Key<'t>>,
    node: Node<'t>,
) -> Result<(), Taken> {
    let Some(last) = keys.next_back() else { return Ok(()) };
    for key in keys {
        (table, _) = step(table, key, true)?;
    }
    if let Some(first) = table.get(&last.text) {
        return Err(Taken::new(&last, first.key, false));
    }
    table.push(Entry { name: last.text, key: last.span, node });
    Ok(())
}

/// Opens `[a.b]` and gives the way to it: the place of each part among its table's entries.
pub(super) fn open<'t>(
    root: &mut Table<'t>,
    keys: impl DoubleEndedIterator<Item = Key<'t>>,
    span: Span,
) -> Result<Vec<usize>, Taken> {
    let Walked { table, last: Some(last), mut way } = walk(root, keys)? else { return Ok(Vec::new()) };
    let position = table.position(&last.text);
    match position.and_then(|position| table.at(position)) {
        None => {
            let node = Node { value: Value::Table(Box::new(Table::new(Made::Header))), span };
            way.push(table.push(Entry { name: last.text, key: last.span, node }));
        }
        Some(Entry { node: Node { value: Value::Table(table), span: at }, .. })
            if table.made == Made::Implicit =>
        {
            table.made = Made::Header;
            *at = span;
            way.extend(position);
        }
        Some(first) => return Err(Taken::new(&last, first.key, false)),
    }
    Ok(way)
}

/// Opens `[[a.b]]`: a further table of the list.
pub(super) fn open_next<'t>(
    root: &mut Table<'t>,
    keys: impl DoubleEndedIterator<Item = Key<'t>>,
    span: Span,
) -> Result<Vec<usize>, Taken> {
    let Walked { table, last: Some(last), mut way } = walk(root, keys)? else { return Ok(Vec::new()) };
    let next = Node { value: Value::Table(Box::new(Table::new(Made::Header))), span };
    let position = table.position(&last.text);
    match position.and_then(|position| table.at(position)) {
        None => {
            let node = Node { value: Value::Tables(vec![next]), span };
            way.push(table.push(Entry { name: last.text, key: last.span, node }));
        }
        Some(Entry { node: Node { value: Value::Tables(tables), .. }, .. }) => {
            tables.push(next);
            way.extend(position);
        }
        Some(first) => return Err(Taken::new(&last, first.key, false)),
    }
    Ok(way)
}

/// The table that [`open`] or [`open_next`] has shown the way to.
pub(super) fn at<'a, 't>(root: &'a mut Table<'t>, way: &[usize]) -> Option<&'a mut Table<'t>> {
    way.iter().try_fold(root, |table, position| inside(&mut table.at(*position)?.node.value))
}

/// All but the last part of a header.
struct Walked<'a, 't> {
    table: &'a mut Table<'t>,
    last: Option<Key<'t>>,
    way: Vec<usize>,
}

fn walk<'a, 't>(
    root: &'a mut Table<'t>,
    mut keys: impl DoubleEndedIterator<Item = Key<'t>>,
) -> Result<Walked<'a, 't>, Taken> {
    let last = keys.next_back();
    let (mut table, mut way) = (root, Vec::new());
    for key in keys {
        let (next, position) = step(table, key, false)?;
        way.push(position);
        table = next;
    }
    Ok(Walked { table, last, way })
}

/// The table under one part of a key or header, made where there is none, and its position.
fn step<'a, 't>(
    table: &'a mut Table<'t>,
    key: Key<'t>,
    dotted: bool,
) -> Result<(&'a mut Table<'t>, usize), Taken> {
    let made = if dotted { Made::Dotted } else { Made::Implicit };
    let position = table.position(&key.text).unwrap_or_else(|| {
        let node = Node { value: Value::Table(Box::new(Table::new(made))), span: key.span };
        table.push(Entry { name: key.text.clone(), key: key.span, node })
    });
    let first = table.entries()[position].key;
    let closed = || Taken::new(&key, first, true);
    let entry = table.at(position).ok_or_else(closed)?;
    let table = inside(&mut entry.node.value).ok_or_else(closed)?;
    match (table.made, dotted) {
        (Made::Inline, _) | (Made::Header, true) => return Err(closed()),
        (Made::Implicit, true) => table.made = Made::Dotted,
        _ => {}
    }
    Ok((table, position))
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
