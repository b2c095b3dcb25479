//! Services to classes: the rows of the map `services`, and how a destination port's class and a source
//! port's class make the class of a service.

mod list;
mod piece;

use netctl_common::classify::{SERVICE_ROW_LEN, SERVICE_ROWS, SERVICE_ROWS_WITH_SOURCE, ServiceRow};

pub(super) use self::list::ServiceLists;
use self::list::{ServiceList, Span, row_start};
use self::piece::{Numbers, Pieces};
use super::budget::Meter;
use super::error::{CompileError, Resource};
use super::signature::{Signature, Signatures};

/// Every service, with its class.
pub(super) struct Services {
    /// Destination ports, ICMP messages, protocols, ethertypes.
    line: Pieces,
    pub(super) source_services: u32,
    /// Index: class in `line` * `source_services` + class of the source port. Empty where there is one.
    pub(super) pairs: Vec<u32>,
    /// Index: class. Whether it is one of frames without IP.
    pub(super) frames: Vec<bool>,
    /// One row; the same for each protocol.
    source_row: Vec<u16>,
    /// Index: class in `line`. Whether the source port matters.
    splits: Vec<bool>,
    /// Index: list.
    pub(super) lists: Vec<Taken>,
}

/// What a list takes, in pieces of the line.
pub(super) struct Taken {
    /// Every IP packet; `ip` is empty then.
    pub(super) any: bool,
    pub(super) ip: Vec<Span>,
    pub(super) frames: Vec<Span>,
    /// Classes of source ports, ascending. `None`: all.
    pub(super) sources: Option<Vec<u32>>,
}

impl Services {
    pub(super) fn new(
        lists: &[ServiceList],
        (signatures, meter): (&mut Signatures, &mut Meter<'_>),
    ) -> Result<Self, CompileError> {
        let numbered = || lists.iter().zip(0u32..);
        let spans =
            numbered().flat_map(|(list, n)| list.ip.iter().chain(&list.frames).map(move |span| (*span, n)));
        let borders: Vec<u32> = (0..SERVICE_ROWS).map(|row| row * SERVICE_ROW_LEN as u32).collect();
        let frames = row_start(ServiceRow::Ethertype);
        let line = Pieces::new(spans, &borders, frames, (signatures, meter))?;

        let spans = numbered().flat_map(|(list, n)| list.source.iter().flatten().map(move |span| (*span, n)));
        let sources = Pieces::new(spans, &[0], u32::MAX, (signatures, meter))?;
        let mut this = Self {
            frames: line.signatures.iter().map(|(_, frames)| *frames).collect(),
            splits: vec![false; line.signatures.len()],
            source_services: sources.signatures.len() as u32,
            source_row: vec![0; SERVICE_ROW_LEN],
            pairs: Vec::new(),
            lists: Vec::new(),
            line,
        };
        sources.fill(0, &mut this.source_row);
        if this.source_services > 1 {
            this.join(lists, &sources, (signatures, meter))?;
        }
        this.lists = this.taken(lists, &sources, (signatures, meter))?;
        Ok(this)
    }

    /// The classes of (class in the line, class of the source port).
    fn join(
        &mut self,
        lists: &[ServiceList],
        sources: &Pieces,
        (signatures, meter): (&mut Signatures, &mut Meter<'_>),
    ) -> Result<(), CompileError> {
        let cells = self.line.signatures.len() as u64 * u64::from(self.source_services);
        meter.budget.check(Resource::Bytes, cells * 4, || None)?;
        let (mut free, mut bound) = (Signature::EMPTY, Signature::EMPTY);
        for (list, number) in lists.iter().zip(0..) {
            let side = if list.source.is_none() { &mut free } else { &mut bound };
            *side = signatures.with(*side, number);
        }
        let granted: Vec<Signature> =
            sources.signatures.iter().map(|(lists, _)| signatures.union(free, *lists)).collect();
        let mut numbers = Numbers::default();
        for (class, &(lists, frames)) in self.line.signatures.iter().enumerate() {
            self.splits[class] = signatures.intersection(lists, bound) != Signature::EMPTY;
            for granted in &granted {
                let left = if self.splits[class] { signatures.intersection(lists, *granted) } else { lists };
                self.pairs.push(numbers.of((left, frames)));
            }
            meter.spend(signatures.take_work() + granted.len() as u64)?;
        }
        self.frames = numbers.signatures.iter().map(|(_, frames)| *frames).collect();
        Ok(())
    }

    fn taken(
        &self,
        lists: &[ServiceList],
        sources: &Pieces,
        (signatures, meter): (&Signatures, &mut Meter<'_>),
    ) -> Result<Vec<Taken>, CompileError> {
        let pieces = |spans: &[Span]| spans.iter().map(|span| self.line.of_span(*span)).collect();
        let mut taken: Vec<Taken> = lists
            .iter()
            .map(|list| Taken {
                any: list.any,
                ip: pieces(&list.ip),
                frames: pieces(&list.frames),
                sources: list.source.as_ref().map(|_| Vec::new()),
            })
            .collect();
        let mut elements = Vec::new();
        for (class, (lists, _)) in sources.signatures.iter().enumerate() {
            signatures.elements(*lists, &mut elements);
            meter.spend(elements.len() as u64)?;
            for list in &elements {
                taken[*list as usize].sources.get_or_insert_default().push(class as u32);
            }
        }
        Ok(taken)
    }

    pub(super) fn pieces(&self) -> usize {
        self.line.starts.len()
    }

    /// Calls `visit` with the class of each service in a piece of the line that a list takes. True if the list
    /// takes all of the piece.
    pub(super) fn visit(&self, piece: u32, taken: &Taken, mut visit: impl FnMut(u32)) -> bool {
        let class = self.line.classes[piece as usize];
        let first = class * self.source_services;
        match &taken.sources {
            Some(sources) => sources.iter().for_each(|source| visit(self.pairs[(first + source) as usize])),
            None if self.source_services == 1 => visit(class),
            None if self.splits[class as usize] => {
                let all = first as usize..(first + self.source_services) as usize;
                self.pairs[all].iter().for_each(|class| visit(*class));
            }
            None => visit(self.pairs[first as usize]),
        }
        taken.sources.is_none()
    }

    /// One of the classes that a list takes.
    pub(super) fn any_class(&self, list: u32) -> Option<u32> {
        let taken = &self.lists[list as usize];
        let (piece, _) = taken.ip.first().or(taken.frames.first())?;
        let mut class = None;
        self.visit(*piece, taken, |found| class = Some(found));
        class
    }

    /// The rows of the map.
    pub(super) fn rows(&self) -> Vec<Vec<u16>> {
        let count = if self.source_services > 1 { SERVICE_ROWS_WITH_SOURCE } else { SERVICE_ROWS };
        let row = |number: u32| {
            if number >= SERVICE_ROWS {
                return self.source_row.clone();
            }
            let mut row = vec![0; SERVICE_ROW_LEN];
            self.line.fill(number * SERVICE_ROW_LEN as u32, &mut row);
            row
        };
        (0..count).map(row).collect()
    }
}
