//! Who reaches whom by which services: read off the compiled classes and chains, so that it is exact and nothing is tried out.
//!
//! It is about connections that somebody opens, and about the rules that are enforced: guards and limits, and the audit mode of
//! ports and policies, are left aside. Who behaves alike stands together.

mod cell;
mod group;
mod parties;
mod regions;
mod services;
mod sets;
mod svg;

use std::collections::HashMap;

use serde::ser::{Serialize, SerializeStruct, Serializer};

pub use self::cell::{Cell, Family, Offer};
pub use self::group::{Group, Member, named};
use self::parties::{Party, View, parties};
use self::services::Runs;
pub use self::services::{Entry, Kind};
use self::sets::{SetId, Sets};
use crate::compile::Compiled;
use crate::config::Config;

/// Parties that a matrix has room for: a few seconds, and some megabytes.
pub const MAX_PARTIES: usize = 1500;

/// The policy tells more parties apart than a matrix has room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the policy tells {parties} ports and regions of addresses apart, and a matrix has room for {MAX_PARTIES}; \
     `netctl explain` answers about one connection"
)]
pub struct TooMany {
    pub parties: usize,
}

/// All groups against each other.
#[derive(Clone, Debug)]
pub struct Matrix {
    /// Ports first, then the host, then the world.
    pub groups: Vec<Group>,
    /// Each cell that there is, once.
    distinct: Vec<Cell>,
    /// Row by row; `None`: nobody of netctl's judges it.
    cells: Vec<Option<u32>>,
}

/// The services of both families; `None`: the two have no addresses of the family.
type Key = [Option<SetId>; 2];

impl Matrix {
    /// `compiled` is `config` compiled.
    ///
    /// # Errors
    /// [`TooMany`]
    pub fn of(config: &Config, compiled: &Compiled) -> Result<Self, TooMany> {
        let parties = parties(config, compiled);
        if parties.len() > MAX_PARTIES {
            return Err(TooMany { parties: parties.len() });
        }
        let mut sets = Sets::new(compiled);
        let keys: Vec<Option<Key>> = parties
            .iter()
            .flat_map(|from| parties.iter().map(move |to| (from, to)))
            .map(|(from, to)| key(&from.view, &to.view, &mut sets))
            .collect();
        let twins = twins(&parties, &keys);
        let groups = group::groups(config, &parties, &twins);
        let runs = Runs::new(compiled);
        let mut matrix = Self { groups, distinct: Vec::new(), cells: Vec::new() };
        let mut numbers: HashMap<Key, u32> = HashMap::new();
        for from in &twins {
            for to in &twins {
                // One port alone does not reach itself.
                let is_itself = from == to && matrix.groups[matrix.cells.len() / twins.len()].is_one_port();
                let key = keys[from[0] * parties.len() + to[0]].filter(|_| !is_itself);
                let cell = key.map(|key| {
                    *numbers.entry(key).or_insert_with(|| {
                        matrix.distinct.push(Cell::new(key.map(|set| Some(sets.get(set?))), &runs));
                        matrix.distinct.len() as u32 - 1
                    })
                });
                matrix.cells.push(cell);
            }
        }
        Ok(matrix)
    }

    /// What may be opened from one group to another, by their places in [`Self::groups`]. `None` where no port of netctl's
    /// judges it, and from a port to itself.
    pub fn cell(&self, from: usize, to: usize) -> Option<&Cell> {
        let number = (*self.cells.get(from * self.groups.len() + to)?)?;
        self.distinct.get(number as usize)
    }

    /// Only these rows and columns, by their places.
    #[must_use]
    pub fn rows_and_columns(&self, rows: Vec<usize>, columns: Vec<usize>) -> Shown<'_> {
        Shown { matrix: self, rows, columns }
    }

    /// All of it.
    pub fn all(&self) -> Shown<'_> {
        self.rows_and_columns((0..self.groups.len()).collect(), (0..self.groups.len()).collect())
    }
}

/// The part of a matrix that is shown.
#[derive(Clone, Debug)]
pub struct Shown<'m> {
    pub matrix: &'m Matrix,
    pub rows: Vec<usize>,
    pub columns: Vec<usize>,
}

impl Shown<'_> {
    /// The cells of a row, in the order of the columns.
    pub fn cells(&self, row: usize) -> impl Iterator<Item = (usize, Option<&Cell>)> {
        self.columns.iter().map(move |column| (*column, self.matrix.cell(row, *column)))
    }
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(serde::Serialize)]
        struct Reach<'a> {
            from: &'a str,
            to: &'a str,
            services: &'a Cell,
        }
        let groups = &self.matrix.groups;
        let named = |place: &usize| &groups[*place];
        let shown: Vec<&Group> = (0..groups.len())
            .filter(|at| self.rows.contains(at) || self.columns.contains(at))
            .map(|at| &groups[at])
            .collect();
        let cells: Vec<Reach<'_>> = self
            .rows
            .iter()
            .flat_map(|row| self.cells(*row).map(move |(column, cell)| (row, column, cell)))
            .filter_map(|(row, column, cell)| {
                Some(Reach { from: &named(row).label, to: &named(&column).label, services: cell? })
            })
            .collect();
        let mut out = serializer.serialize_struct("Matrix", 2)?;
        out.serialize_field("groups", &shown)?;
        out.serialize_field("cells", &cells)?;
        out.end()
    }
}

/// By every port that judges: the sender's, then the receiver's.
fn key(from: &View, to: &View, sets: &mut Sets<'_>) -> Option<Key> {
    if from.judges.is_none() && to.judges.is_none() {
        return None;
    }
    let apart = from.private.is_some() && from.private == to.private;
    Some([0, 1].map(|family| {
        let (source, destination) = (from.ends[family].as_ref()?, to.ends[family].as_ref()?);
        if apart {
            return Some(SetId::EMPTY);
        }
        let sent = from.judges.map(|zone| sets.of(source.own.source, destination.seen[zone].destination));
        let received = to.judges.map(|zone| sets.of(source.seen[zone].source, destination.own.destination));
        match (sent, received) {
            (Some(sent), Some(received)) => Some(sets.intersection(sent, received)),
            (one, other) => one.or(other),
        }
    }))
}

/// The parties of one kind whose rows and columns are equal, as places; in the order of the first of each.
fn twins(parties: &[Party], keys: &[Option<Key>]) -> Vec<Vec<usize>> {
    let count = parties.len();
    let mut places: HashMap<_, usize> = HashMap::new();
    let mut twins: Vec<Vec<usize>> = Vec::new();
    for (place, party) in parties.iter().enumerate() {
        let row: Vec<_> = keys[place * count..(place + 1) * count].to_vec();
        let column: Vec<_> = (0..count).map(|from| keys[from * count + place]).collect();
        let twin = *places.entry((party.kind, row, column)).or_insert(twins.len());
        match twins.get_mut(twin) {
            Some(twins) => twins.push(place),
            None => twins.push(vec![place]),
        }
    }
    twins
}
