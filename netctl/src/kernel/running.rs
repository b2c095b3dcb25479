//! Reads the running generation back: ports, rules and their counters, the document.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, OwnedFd};

use bytemuck::{Pod, Zeroable};
use netctl_common::abi::{
    Counter, DOCUMENT_CHUNK, EventBudget, FLOWS_MADE, NAME_LEN, NO_INTERFACE, NO_PORT, PORT_COUNTERS,
    PortEntry, RejectBudget, Root, RuleEntry, maps,
};
use netctl_common::flow::tick;

use super::load::Kernel;
use super::{KernelError, bytes, sys};

/// Elements that one system call reads.
const BATCH: u32 = 4096;

/// A port of the running generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunningPort {
    pub ifindex: u32,
    pub entry: PortEntry,
}

impl RunningPort {
    pub fn name(&self) -> String {
        let len = self.entry.name.iter().position(|&b| b == 0).unwrap_or(NAME_LEN);
        String::from_utf8_lossy(&self.entry.name[..len]).into_owned()
    }
}

/// What became of the answers to frames that a port rejected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rejects {
    pub answered: u64,
    /// Over the port's rate, or the frame could not be rewritten.
    pub unanswered: u64,
}

impl Kernel {
    /// The running generation; `None` before the first one is published.
    pub fn root(&self) -> Result<Option<Root>, KernelError> {
        let Some(table) = self.inner_if_set(maps::ROOT, 0)? else { return Ok(None) };
        let mut entry = PortEntry::zeroed();
        sys::lookup(table.as_fd(), &NO_INTERFACE.to_ne_bytes(), bytemuck::bytes_of_mut(&mut entry))
            .map_err(|e| KernelError::map(maps::ROOT, "reading it", e))?;
        Ok(Some(entry.root))
    }

    /// [`Self::root`], where nothing running is an error.
    pub fn running(&self) -> Result<Root, KernelError> {
        self.root()?.ok_or_else(|| KernelError::NotRunning(self.pins.version()))
    }

    /// Of the generation that runs now, sorted by name.
    pub fn ports(&self) -> Result<Vec<RunningPort>, KernelError> {
        let table = self.inner(maps::ROOT, 0)?;
        let mut ports: Vec<_> = read_all::<u32, PortEntry>(&table, maps::ROOT)?
            .into_iter()
            // The generation itself and uplinks stand there too.
            .filter(|(_, entry)| entry.id != NO_PORT)
            .map(|(ifindex, entry)| RunningPort { ifindex, entry })
            .collect();
        ports.sort_by_key(RunningPort::name);
        Ok(ports)
    }

    /// Ids of ports by name; empty before the first generation.
    pub fn port_ids(&self) -> Result<BTreeMap<String, u32>, KernelError> {
        if self.root()?.is_none() {
            return Ok(BTreeMap::new());
        }
        Ok(self.ports()?.iter().map(|port| (port.name(), port.entry.id)).collect())
    }

    /// The text of the running generation.
    pub fn document(&self, root: &Root) -> Result<String, KernelError> {
        let table = self.inner(maps::DOCUMENT, root.slot)?;
        let mut text = Vec::with_capacity(root.document_len as usize);
        let chunks = (root.document_len as usize).div_ceil(DOCUMENT_CHUNK);
        for index in 0..chunks as u32 {
            let mut chunk = [0; DOCUMENT_CHUNK];
            sys::lookup(table.as_fd(), &index.to_ne_bytes(), &mut chunk)
                .map_err(|e| KernelError::map(maps::DOCUMENT, "reading it", e))?;
            text.extend_from_slice(&chunk);
        }
        text.truncate(root.document_len as usize);
        String::from_utf8(text).map_err(|_| {
            let source = io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8");
            KernelError::map(maps::DOCUMENT, "reading it", source)
        })
    }

    /// Rules by index, each with what it counted in all generations.
    pub fn rules(&self, root: &Root) -> Result<Vec<(RuleEntry, Counter)>, KernelError> {
        let rules = self.inner(maps::RULES, root.slot)?;
        let counters = self.inner(maps::RULE_COUNTERS, root.slot)?;
        let rules = read_array::<RuleEntry>(&rules, maps::RULES, root.rules)?;
        let counts = read_array::<Counter>(&counters, maps::RULE_COUNTERS, root.rules * root.cpus)?;
        let sum = |index: usize| {
            let rows = counts.iter().skip(index).step_by(rules.len().max(1));
            rows.fold(rules[index].before, |sum, counter| add(sum, *counter))
        };
        Ok((0..rules.len()).map(|index| (rules[index], sum(index))).collect())
    }

    /// Index: direction * [`netctl_common::verdict::REASONS`] + reason.
    pub fn port_counters(&self, port: u32) -> Result<Vec<Counter>, KernelError> {
        let table = self.inner(maps::PORT_COUNTERS, port)?;
        read_per_cpu(&table, maps::PORT_COUNTERS, 0..FLOWS_MADE)
    }

    /// How a port's flow table grew: see [`FLOWS_MADE`].
    pub fn flows_made(&self, port: u32) -> Result<Counter, KernelError> {
        let table = self.inner(maps::PORT_COUNTERS, port)?;
        let counted = read_per_cpu(&table, maps::PORT_COUNTERS, FLOWS_MADE..PORT_COUNTERS)?;
        Ok(counted.first().copied().unwrap_or_default())
    }

    /// Frames at interfaces that are no ports; same index.
    pub fn stray_counters(&self) -> Result<Vec<Counter>, KernelError> {
        let table = self.map(maps::STRAY_COUNTERS)?;
        read_per_cpu(&table, maps::STRAY_COUNTERS, 0..FLOWS_MADE)
    }

    /// Events of a port (or, of [`netctl_common::abi::MAX_PORTS`], of interfaces that are none) that were over its rate.
    pub fn untold_events(&self, port: u32) -> Result<u64, KernelError> {
        let values: Vec<EventBudget> = self.of_port(maps::EVENT_BUDGET, port)?;
        Ok(values.iter().map(|budget| budget.suppressed).sum())
    }

    pub fn rejects(&self, port: u32) -> Result<Rejects, KernelError> {
        let values: Vec<RejectBudget> = self.of_port(maps::REJECT_BUDGET, port)?;
        Ok(values.iter().fold(Rejects::default(), |sum, budget| Rejects {
            answered: sum.answered + budget.answered,
            unanswered: sum.unanswered + budget.unanswered,
        }))
    }

    /// A port's element of a per-CPU array, of each CPU.
    fn of_port<T: Pod>(&self, map: &str, port: u32) -> Result<Vec<T>, KernelError> {
        let table = self.map(map)?;
        let mut values = vec![T::zeroed(); super::publish::possible_cpus()];
        sys::lookup(table.as_fd(), &port.to_ne_bytes(), bytemuck::cast_slice_mut(&mut values))
            .map_err(|e| KernelError::map(map, "reading it", e))?;
        Ok(values)
    }

    /// Ids whose tables are there, whether or not a generation names them: what an interrupted change may leave.
    pub fn port_tables(&self) -> Result<Vec<u32>, KernelError> {
        let fail = |e| KernelError::map(maps::FLOWS, "looking for tables", e);
        let ids = fs::read_dir(self.pins.tables()).map_err(fail)?;
        let id = |entry: io::Result<fs::DirEntry>| {
            entry.map(|entry| entry.file_name().to_str().and_then(|name| name.parse().ok())).transpose()
        };
        let ids: io::Result<Vec<u32>> = ids.filter_map(id).collect();
        ids.map_err(fail)
    }

    pub(super) fn inner(&self, name: &str, slot: u32) -> Result<OwnedFd, KernelError> {
        let missing = || io::Error::new(io::ErrorKind::NotFound, format!("slot {slot} is empty"));
        self.inner_if_set(name, slot)?.ok_or_else(|| KernelError::map(name, "opening a table", missing()))
    }

    pub(super) fn inner_if_set(&self, name: &str, slot: u32) -> Result<Option<OwnedFd>, KernelError> {
        let fail = |e| KernelError::map(name, "opening a table", e);
        let outer = self.map(name)?;
        let mut id = [0; 4];
        if !sys::lookup(outer.as_fd(), &slot.to_ne_bytes(), &mut id).map_err(fail)? {
            return Ok(None);
        }
        sys::open_id(u32::from_ne_bytes(id)).map(Some).map_err(fail)
    }
}

pub(super) fn add(a: Counter, b: Counter) -> Counter {
    Counter { packets: a.packets.wrapping_add(b.packets), bytes: a.bytes.wrapping_add(b.bytes) }
}

/// All elements of a hash table, in batches; on a live table, each element that stays is seen.
pub(super) fn read_all<K: Pod, V: Pod>(table: &OwnedFd, name: &str) -> Result<Vec<(K, V)>, KernelError> {
    let mut elements = Vec::new();
    let sizes = (size_of::<K>(), size_of::<V>());
    each_element(table, sizes, |key, value| {
        elements.push((bytemuck::pod_read_unaligned(key), bytemuck::pod_read_unaligned(value)));
    })
    .map_err(|e| KernelError::map(name, "reading it", e))?;
    Ok(elements)
}

/// [`read_all`] as bytes: keys and values of these sizes.
pub(super) fn each_element(
    table: &OwnedFd,
    (key_size, value_size): (usize, usize),
    mut see: impl FnMut(&[u8], &[u8]),
) -> io::Result<()> {
    let mut keys = vec![0u8; BATCH as usize * key_size];
    let mut values = vec![0u8; BATCH as usize * value_size];
    let mut position = vec![0u8; key_size.max(4)];
    let mut at: Option<Vec<u8>> = None;
    loop {
        let room = (keys.as_mut_slice(), values.as_mut_slice());
        let (count, more) = sys::lookup_batch(table.as_fd(), at.as_deref(), &mut position, room, BATCH)?;
        let read = keys.chunks_exact(key_size).zip(values.chunks_exact(value_size));
        read.take(count as usize).for_each(|(key, value)| see(key, value));
        if !more {
            return Ok(());
        }
        at = Some(position.clone());
    }
}

/// The first `len` elements of an array.
pub(super) fn read_array<V: Pod>(table: &OwnedFd, name: &str, len: u32) -> Result<Vec<V>, KernelError> {
    let mut elements: Vec<(u32, V)> = if len == 0 { Vec::new() } else { read_all(table, name)? };
    elements.truncate(len as usize);
    Ok(elements.into_iter().map(|(_, value)| value).collect())
}

pub(super) fn read_per_cpu(
    table: &OwnedFd,
    name: &str,
    range: Range<u32>,
) -> Result<Vec<Counter>, KernelError> {
    let cpus = super::publish::possible_cpus();
    let mut values = vec![0u8; cpus * bytes::per_cpu_size(size_of::<Counter>())];
    let mut sums = Vec::with_capacity(range.len());
    for index in range {
        sys::lookup(table.as_fd(), &index.to_ne_bytes(), &mut values)
            .map_err(|e| KernelError::map(name, "reading it", e))?;
        let counters = bytemuck::cast_slice::<u8, Counter>(&values);
        sums.push(counters.iter().fold(Counter::default(), |sum, counter| add(sum, *counter)));
    }
    Ok(sums)
}

/// The clock of events, in nanoseconds.
pub fn monotonic_now() -> u64 {
    sys::monotonic_now()
}

/// The clock of flows, in ticks.
pub fn now() -> u32 {
    tick(sys::monotonic_now())
}
