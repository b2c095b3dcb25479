//! A line of positions cut into pieces that no list tells apart.

use hashbrown::HashMap;

use super::list::Span;
use crate::compile::budget::Meter;
use crate::compile::error::{CompileError, Resource};
use crate::compile::signature::{Signature, Signatures};

/// The pieces of a line, and the classes of those that are in the same lists.
pub(in crate::compile) struct Pieces {
    /// First position of each, ascending; the first is 0.
    pub(in crate::compile) starts: Vec<u32>,
    /// Class of each.
    pub(in crate::compile) classes: Vec<u32>,
    /// Index: class. Class 0 is in no list.
    pub(in crate::compile) signatures: Vec<ServiceSignature>,
}

/// The lists that hold a service, and whether it is one of frames without IP: a class never holds both kinds,
/// because a rule for any IP service decides the one and not the other.
pub(in crate::compile) type ServiceSignature = (Signature, bool);

impl Pieces {
    /// `spans` with the number of their list; `borders` are the places where to cut in any case, of which the
    /// last begins the frames without IP.
    pub(super) fn new(
        spans: impl Iterator<Item = (Span, u32)>,
        borders: &[u32],
        frames: u32,
        (signatures, meter): (&mut Signatures, &mut Meter<'_>),
    ) -> Result<Self, CompileError> {
        let mut edges: Vec<(u32, u32, bool)> = Vec::new();
        for ((first, last), list) in spans {
            edges.extend([(first, list, true), (last + 1, list, false)]);
        }
        edges.sort_unstable();
        let mut cuts: Vec<u32> = borders.iter().copied().chain(edges.iter().map(|edge| edge.0)).collect();
        cuts.sort_unstable();
        cuts.dedup();

        let mut numbers = Numbers::default();
        let mut this = Self { starts: Vec::new(), classes: Vec::new(), signatures: Vec::new() };
        let (mut lists, mut edges) = (Signature::EMPTY, edges.into_iter().peekable());
        for start in cuts {
            while let Some((_, list, begins)) = edges.next_if(|edge| edge.0 == start) {
                lists = if begins { signatures.with(lists, list) } else { signatures.without(lists, list) };
            }
            meter.spend(signatures.take_work() + 1)?;
            this.starts.push(start);
            this.classes.push(numbers.of((lists, start >= frames)));
            let classes = numbers.signatures.len() as u64;
            meter.budget.check_so_far(Resource::ServiceClasses, classes, || None)?;
        }
        this.signatures = numbers.signatures;
        Ok(this)
    }

    /// The pieces of a span whose ends are cuts: first and last, both included.
    pub(super) fn of_span(&self, (first, last): Span) -> Span {
        let begin = self.starts.partition_point(|start| *start < first) as u32;
        let end = self.starts.partition_point(|start| *start <= last) as u32;
        (begin, end.saturating_sub(1))
    }

    /// The classes of the positions from `first`, as many as `row` holds.
    pub(super) fn fill(&self, first: u32, row: &mut [u16]) {
        let end = first + row.len() as u32;
        let from = self.starts.partition_point(|start| *start < first);
        for piece in from..self.starts.len() {
            let start = self.starts[piece];
            if start >= end {
                break;
            }
            let next = self.starts.get(piece + 1).map_or(end, |next| *next.min(&end));
            // No more than `Resource::ServiceClasses` allows, which is what 16 bits hold.
            row[(start - first) as usize..(next - first) as usize].fill(self.classes[piece] as u16);
        }
    }
}

/// Numbers for signatures, in the order in which they come; 0 for what is in no list.
pub(super) struct Numbers {
    numbers: HashMap<ServiceSignature, u32>,
    pub(super) signatures: Vec<ServiceSignature>,
}

impl Default for Numbers {
    fn default() -> Self {
        let nothing = (Signature::EMPTY, false);
        Self { numbers: HashMap::from([(nothing, 0)]), signatures: vec![nothing] }
    }
}

impl Numbers {
    pub(super) fn of(&mut self, (lists, frames): ServiceSignature) -> u32 {
        let signature = (lists, frames && lists != Signature::EMPTY);
        *self.numbers.entry(signature).or_insert_with(|| {
            self.signatures.push(signature);
            self.signatures.len() as u32 - 1
        })
    }
}
