//! Fills the tables of the next generation beside the running one and switches to it.
//!
//! Setting a slot of an outer map waits for a grace period (kernel/bpf/syscall.c, `maybe_wait_bpf_programs`). That
//! is what makes the old tables safe to drop; all slots are set side by side, so that the wait is paid once.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use bytemuck::{Pod, Zeroable};
use netctl_common::abi::{
    Change, Classes, Counter, DOCUMENT_CHUNK, NAME_LEN, NO_INTERFACE, NO_PORT, PortEntry, Root, RuleEntry,
    SLOTS, StationEntry, StationKey, maps, port_flags,
};
use netctl_common::classify::SERVICE_ROW_LEN;

use super::bytes::Rows;
use super::load::Kernel;
use super::shapes::{self, Outer, TrieKey};
use super::sys::{self, MapShape};
use super::{KernelError, attach};
use crate::compile::{Compiled, CompiledPort};
use crate::config::Mac;
use crate::fault::point;

/// A policy with what only this host knows.
#[derive(Clone, Copy, Debug)]
pub struct Publication<'a> {
    pub compiled: &'a Compiled,
    /// Port name to the index of its interface; every port has one.
    pub interfaces: &'a BTreeMap<String, u32>,
    /// Where guests and the host reach each other.
    pub uplinks: &'a [Uplink],
    /// Number of a network to the index of its bridge.
    pub bridges: &'a BTreeMap<u16, u32>,
    /// The text that it was compiled from.
    pub document: &'a str,
    /// Inode of this network namespace.
    pub namespace: u32,
}

/// The host's own interface on a network with `host-access`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uplink {
    /// Number of the network.
    pub network: u16,
    pub ifindex: u32,
    pub mac: Mac,
    /// The host's.
    pub classes: Classes,
}

/// A generation that is ready to run.
#[derive(Debug)]
#[must_use = "it runs only after `switch`"]
pub struct Filled {
    ports: Rows,
    generation: u32,
}

/// One inner map with its contents.
struct Table {
    of: Outer,
    /// Elements that it has room for.
    room: usize,
    rows: Rows,
}

impl Kernel {
    /// Fills the tables of the next generation beside the running one; nothing uses them yet.
    pub fn fill(&self, publication: &Publication<'_>) -> Result<Filled, KernelError> {
        let before = self.root()?;
        self.fill_after(publication, before.map(|root| root.slot), before.map_or(0, |root| root.generation))
    }

    /// [`Self::fill`] behind the generation of this number, which uses `slot` here, or none.
    pub(super) fn fill_after(
        &self,
        publication: &Publication<'_>,
        slot: Option<u32>,
        generation: u32,
    ) -> Result<Filled, KernelError> {
        let slot = slot.map_or(0, |slot| (slot + 1) % SLOTS);
        let generation = generation.wrapping_add(1).max(1);
        self.make_lease_books(&publication.compiled.learners)?;
        let ports = port_rows(publication, root_of(publication, slot, generation))?;
        let tables = tables(publication);
        std::thread::scope(|scope| {
            let threads: Vec<_> =
                tables.iter().map(|table| scope.spawn(move || self.fill_table(table, slot))).collect();
            threads.into_iter().try_for_each(attach::joined)
        })?;
        Ok(Filled { ports, generation })
    }

    /// Makes a filled generation the running one: the one step that changes what runs. Returns its number.
    pub fn switch(&self, filled: Filled) -> Result<u32, KernelError> {
        point("switch generation");
        self.fill_table(&hash_table(shapes::ROOT, filled.ports), 0)?;
        self.announce(Change::Published, filled.generation);
        Ok(filled.generation)
    }

    fn fill_table(&self, table: &Table, slot: u32) -> Result<(), KernelError> {
        let name = table.of.name;
        let fail = |operation| move |e| KernelError::map(name, operation, e);
        let shape = table.of.inner.with_room(table.room as u32);
        let inner = sys::create(name, &shape).map_err(fail("making it"))?;
        insert_all(&inner, &shape, &table.rows).map_err(fail("filling it"))?;
        set_inner(&self.map(name)?, name, slot, &inner)
    }

    /// Carries the counts of rules over from the generation before: `before[i]` belongs to rule `i`.
    ///
    /// Called after the switch, when the old generation counts no more. Only these fields are written by user space,
    /// the rest of each entry is written as it was.
    pub fn carry_counters(&self, slot: u32, rules: &[RuleEntry]) -> Result<(), KernelError> {
        if rules.iter().all(|rule| rule.before == Counter::default()) {
            return Ok(());
        }
        let table = self.inner(maps::RULES, slot)?;
        let rows = Rows::indexed(rules);
        point("carry rule counters");
        sys::update_batch(table.as_fd(), &rows.keys, &rows.values, rows.count)
            .map_err(|e| KernelError::map(maps::RULES, "carrying counters over", e))
    }
}

/// Puts an inner map into a slot of an outer one. Waits until no program uses what was there.
pub(super) fn set_inner(outer: &OwnedFd, name: &str, slot: u32, inner: &OwnedFd) -> Result<(), KernelError> {
    sys::update(outer.as_fd(), &slot.to_ne_bytes(), &inner.as_raw_fd().to_ne_bytes(), 0)
        .map_err(|e| KernelError::map(name, "putting a table into its slot", e))
}

fn insert_all(inner: &OwnedFd, shape: &MapShape, rows: &Rows) -> std::io::Result<()> {
    let Rows { keys, values, count } = rows;
    if *count == 0 {
        return Ok(());
    }
    // The rows of `services` are too large for the batch's bounce buffers to be worth it.
    if shape.value_size as usize >= SERVICE_ROW_LEN {
        let (key_size, value_size) = (shape.key_size as usize, shape.value_size as usize);
        let mut rows = keys.chunks_exact(key_size).zip(values.chunks_exact(value_size));
        return rows.try_for_each(|(key, value)| sys::write(inner.as_fd(), key, value, 0));
    }
    sys::update_batch(inner.as_fd(), keys, values, *count)
}

fn hash_table(of: Outer, rows: Rows) -> Table {
    Table { of, room: rows.count as usize, rows }
}

fn array_table<V: Pod>(of: Outer, values: &[V]) -> Table {
    Table { of, room: values.len(), rows: Rows::indexed(values) }
}

fn tables(publication: &Publication<'_>) -> Vec<Table> {
    let compiled = publication.compiled;
    let mut prefixes = Rows::default();
    for ((prefix_len, data), entry) in &compiled.prefixes {
        prefixes.push(&TrieKey { prefix_len: *prefix_len, data: *data }, entry);
    }
    vec![
        hash_table(shapes::STATIONS, station_rows(publication)),
        hash_table(shapes::TRUNKS, Rows::of(&compiled.trunks)),
        hash_table(shapes::ADDRESSES, Rows::of(&compiled.addresses)),
        hash_table(shapes::PREFIXES, prefixes),
        hash_table(shapes::LEARNERS, Rows::of(&compiled.learners)),
        hash_table(shapes::LEARNED_CLASSES, Rows::of(&compiled.learned_classes)),
        services(&compiled.services),
        array_table(shapes::SERVICE_PAIRS, &compiled.service_pairs),
        array_table(shapes::SOURCE_CHAINS, &compiled.source_chains),
        array_table(shapes::DESTINATION_CHAINS, &compiled.destination_chains),
        hash_table(shapes::PAIR_CHAINS, Rows::of(&compiled.pair_chains)),
        hash_table(shapes::VERDICTS, Rows::of(&compiled.verdicts)),
        hash_table(shapes::LIMITS, limit_rows(compiled)),
        array_table(shapes::RULES, &compiled.rules),
        Table {
            of: shapes::RULE_COUNTERS,
            room: compiled.rules.len() * possible_cpus(),
            rows: Rows::default(),
        },
        document(publication.document),
    ]
}

fn services(rows: &[Vec<u16>]) -> Table {
    let mut elements = Rows { count: rows.len() as u32, ..Rows::default() };
    for (index, row) in (0u32..).zip(rows) {
        elements.keys.extend_from_slice(&index.to_ne_bytes());
        elements.values.extend_from_slice(bytemuck::cast_slice(row));
    }
    Table { of: shapes::SERVICES, room: rows.len(), rows: elements }
}

fn document(text: &str) -> Table {
    let chunks = text.len().div_ceil(DOCUMENT_CHUNK);
    let mut values = text.as_bytes().to_vec();
    values.resize(chunks * DOCUMENT_CHUNK, 0);
    let keys = (0..chunks as u32).flat_map(u32::to_ne_bytes).collect();
    Table { of: shapes::DOCUMENT, room: chunks, rows: Rows { keys, values, count: chunks as u32 } }
}

/// The generation's table of ports, with the element that stands for the generation itself.
fn port_rows(publication: &Publication<'_>, root: Root) -> Result<Rows, KernelError> {
    let without = |port: &&CompiledPort| port.is_filtered && !publication.interfaces.contains_key(&port.name);
    if let Some(port) = publication.compiled.ports.iter().find(without) {
        return Err(KernelError::NoInterface { port: port.name.clone() });
    }
    let mut rows = Rows::default();
    rows.push(&NO_INTERFACE, &PortEntry { id: NO_PORT, root, ..PortEntry::zeroed() });
    port_entries(publication, root).for_each(|(ifindex, entry)| rows.push(&ifindex, &entry));
    uplink_entries(publication, root).for_each(|(ifindex, entry)| rows.push(&ifindex, &entry));
    Ok(rows)
}

fn limit_rows(compiled: &Compiled) -> Rows {
    let mut rows = Rows::default();
    for port in &compiled.ports {
        port.limits.iter().for_each(|limits| rows.push(&port.id, limits));
    }
    rows
}

fn station_rows(publication: &Publication<'_>) -> Rows {
    let mut rows = Rows::default();
    station_entries(publication).for_each(|(key, entry)| rows.push(&key, &entry));
    rows
}

/// Ports by ifindex, in the generation `root`. Ports without an interface are left out.
pub fn port_entries<'a>(
    publication: &Publication<'a>,
    root: Root,
) -> impl Iterator<Item = (u32, PortEntry)> + 'a {
    let Publication { interfaces, uplinks, bridges, .. } = *publication;
    publication.compiled.ports.iter().filter_map(move |port| {
        let uplink = uplinks.iter().find(|uplink| uplink.network == port.network);
        let mut name = [0; NAME_LEN];
        for (to, from) in name.iter_mut().zip(port.name.bytes()) {
            *to = from;
        }
        let entry = PortEntry {
            id: port.id,
            zone: port.zone,
            network: port.network,
            flags: port.flags,
            guards: port.guards,
            vlan: port.vlan,
            identity: port.identity,
            mac: port.mac.0.into(),
            reserved: [0; 2],
            uplink: uplink.map_or(0, |uplink| uplink.ifindex),
            bridge: bridges.get(&port.network).copied().unwrap_or(0),
            classes: port.classes,
            root,
            name,
        };
        Some((*interfaces.get(&port.name)?, entry))
    })
}

/// Uplinks with `host-access` by ifindex, in the table of ports.
pub fn uplink_entries<'a>(
    publication: &Publication<'a>,
    root: Root,
) -> impl Iterator<Item = (u32, PortEntry)> + 'a {
    publication.uplinks.iter().map(move |uplink| {
        let entry = PortEntry {
            id: NO_PORT,
            network: uplink.network,
            flags: port_flags::UPLINK,
            mac: uplink.mac.0.into(),
            classes: uplink.classes,
            root,
            ..PortEntry::zeroed()
        };
        (uplink.ifindex, entry)
    })
}

/// Contents of the map `stations`.
pub fn station_entries<'a>(
    publication: &Publication<'a>,
) -> impl Iterator<Item = (StationKey, StationEntry)> + 'a {
    let interfaces = publication.interfaces;
    let ports = publication.compiled.ports.iter().map(move |port| {
        let ifindex = interfaces.get(&port.name).copied().unwrap_or(0);
        let entry = StationEntry { ifindex, port: port.id, classes: port.classes };
        (StationKey { network: port.network, mac: port.mac.0.into() }, entry)
    });
    let hosts = publication.compiled.host_stations.iter().map(|host| {
        let entry = StationEntry { ifindex: 0, port: NO_PORT, classes: host.classes };
        (StationKey { network: host.network, mac: host.mac.0.into() }, entry)
    });
    let uplinks = publication.uplinks.iter().map(|uplink| {
        let entry = StationEntry { ifindex: uplink.ifindex, port: NO_PORT, classes: uplink.classes };
        (StationKey { network: uplink.network, mac: uplink.mac.0.into() }, entry)
    });
    ports.chain(hosts).chain(uplinks)
}

/// The root of a publication.
pub fn root_of(publication: &Publication<'_>, slot: u32, generation: u32) -> Root {
    let compiled = publication.compiled;
    Root {
        generation,
        slot,
        default_action: compiled.default as u32,
        timeouts: compiled.timeouts,
        source_services: compiled.source_services,
        rules: compiled.rules.len() as u32,
        document_len: publication.document.len() as u32,
        cpus: possible_cpus() as u32,
        namespace: publication.namespace,
        world: compiled.world,
        multicast: compiled.multicast,
        broadcast: compiled.broadcast,
    }
}

/// CPUs that can ever be; the rows of `rule_counters`.
pub(super) fn possible_cpus() -> usize {
    aya::util::nr_cpus().unwrap_or(1)
}
