//! What another version of netctl pinned, in this version's words: the layouts of each older version that
//! [`super::upgrade`] can come from, and nothing about how to write them.

use std::collections::BTreeMap;
use std::path::Path;

use bytemuck::{Pod, Zeroable};
use netctl_common::abi::{
    ABI_VERSION, Classes, Counter, FlowEntry, FlowKey, NAME_LEN, NO_INTERFACE, NO_PORT, NO_RULE, Root, maps,
};
use netctl_common::address::LinkAddress;
use netctl_common::flow::seen;
use netctl_common::frame::number;

use super::load::Kernel;
use super::pins::Pins;
use super::running::{read_all, read_per_cpu};
use super::{KernelError, sys};

/// A port, by what all versions know of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FormerPort {
    pub id: u32,
    pub ifindex: u32,
}

/// The generation that a netctl of another version left running.
#[derive(Debug)]
pub struct Former {
    pub(super) kernel: Kernel,
    layout: Layout,
    root: Root,
    pub ports: BTreeMap<String, FormerPort>,
    pub document: String,
}

/// Flows of one port.
type Flows = Vec<(FlowKey, FlowEntry)>;

/// What differs between the versions.
#[derive(Clone, Copy, Debug)]
struct Layout {
    version: u32,
    read_ports: fn(&Kernel) -> Result<Vec<Row>, KernelError>,
    read_flows: fn(&Kernel, u32) -> Result<Flows, KernelError>,
}

/// An element of the table of ports.
#[derive(Clone, Copy, Debug)]
struct Row {
    ifindex: u32,
    id: u32,
    root: Root,
    name: [u8; NAME_LEN],
}

/// The versions before this one whose layouts are known. Their maps, links and marks are named as this version's.
const LAYOUTS: [Layout; 1] = [Layout { version: 2, read_ports: v2::ports, read_flows: v2::flows }];

impl Former {
    /// `None` if no other version is here.
    ///
    /// # Errors
    /// [`KernelError::NewerVersion`], [`KernelError::UnknownVersion`], or it cannot be read.
    pub fn open(bpffs: &Path) -> Result<Option<Self>, KernelError> {
        let others = Pins::at(bpffs)?.of_other_versions()?;
        let Some(pins) = others.into_iter().next_back() else { return Ok(None) };
        let (version, path) = (pins.number(), pins.version());
        if version > ABI_VERSION {
            return Err(KernelError::NewerVersion { path, ours: ABI_VERSION });
        }
        let layout = LAYOUTS.into_iter().find(|layout| layout.version == version);
        let layout = layout.ok_or(KernelError::UnknownVersion { version, path })?;
        Self::read(Kernel { pins }, layout).map(Some)
    }

    fn read(kernel: Kernel, layout: Layout) -> Result<Self, KernelError> {
        let rows = match (layout.read_ports)(&kernel) {
            // Killed before its first generation: there is nothing to move, and nothing is up.
            Err(KernelError::Map { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                return Err(KernelError::NotRunning(kernel.pins.version()));
            }
            rows => rows?,
        };
        let own = rows.iter().find(|row| row.ifindex == NO_INTERFACE);
        let root = own.ok_or_else(|| KernelError::NotRunning(kernel.pins.version()))?.root;
        let ports = rows.iter().filter(|row| row.id != NO_PORT);
        let ports = ports.map(|row| (name_of(&row.name), FormerPort { id: row.id, ifindex: row.ifindex }));
        let ports = ports.collect();
        let document = kernel.document(&root)?;
        Ok(Self { kernel, layout, root, ports, document })
    }

    pub fn version(&self) -> u32 {
        self.layout.version
    }

    pub fn generation(&self) -> u32 {
        self.root.generation
    }

    /// Inode of the network namespace.
    pub fn namespace(&self) -> u32 {
        self.root.namespace
    }

    /// What each rule has counted in all generations, by index.
    pub fn rule_counters(&self) -> Result<Vec<Counter>, KernelError> {
        // Rules and counters have the same layout in all known versions.
        Ok(self.kernel.rules(&self.root)?.into_iter().map(|(_, counter)| counter).collect())
    }

    /// Flows of a port, as this version has them.
    pub(super) fn flows(&self, port: u32) -> Result<Flows, KernelError> {
        (self.layout.read_flows)(&self.kernel, port)
    }

    /// By direction and then reason. New reasons are added behind the old ones.
    pub(super) fn port_counters(&self, port: u32) -> Result<[Vec<Counter>; 2], KernelError> {
        use std::os::fd::AsFd;
        let fail = |e| KernelError::map(maps::PORT_COUNTERS, "asking about it", e);
        let table = self.kernel.inner(maps::PORT_COUNTERS, port)?;
        let len = sys::info(table.as_fd()).map_err(fail)?.max_entries;
        let mut first = read_per_cpu(&table, maps::PORT_COUNTERS, 0..len)?;
        let second = first.split_off(first.len() / 2);
        Ok([first, second])
    }
}

fn name_of(name: &[u8; NAME_LEN]) -> String {
    let len = name.iter().position(|&byte| byte == 0).unwrap_or(NAME_LEN);
    String::from_utf8_lossy(&name[..len]).into_owned()
}

/// ABI version 2.
mod v2 {
    use super::*;

    #[repr(C)]
    #[derive(Clone, Copy, Pod, Zeroable)]
    struct Root {
        generation: u32,
        slot: u32,
        default_action: u32,
        source_services: u32,
        rules: u32,
        document_len: u32,
        cpus: u32,
        namespace: u32,
        world: Classes,
        multicast: Classes,
        broadcast: Classes,
    }

    #[repr(C)]
    #[derive(Clone, Copy, Pod, Zeroable)]
    struct PortEntry {
        id: u32,
        zone: u32,
        network: u16,
        flags: u16,
        mac: LinkAddress,
        reserved: [u8; 2],
        uplink: u32,
        classes: Classes,
        root: Root,
        name: [u8; NAME_LEN],
    }

    /// Without what TCP's state needs.
    #[repr(C)]
    #[derive(Clone, Copy, Pod, Zeroable)]
    struct FlowEntry {
        counters: [Counter; 2],
        generation: u32,
        rule: u32,
        last_seen: u32,
        created: u32,
        next_hop: u32,
        next_mac: LinkAddress,
        seen: u8,
        opener: u8,
        action: u8,
        reserved: [u8; 3],
    }

    const _: () = assert!(size_of::<PortEntry>() == 152 && size_of::<FlowEntry>() == 64);

    pub(super) fn ports(kernel: &Kernel) -> Result<Vec<Row>, KernelError> {
        let table = kernel.inner(maps::ROOT, 0)?;
        let rows = read_all::<u32, PortEntry>(&table, maps::ROOT)?.into_iter();
        Ok(rows
            .map(|(ifindex, port)| Row { ifindex, id: port.id, root: root(&port.root), name: port.name })
            .collect())
    }

    fn root(then: &Root) -> super::Root {
        super::Root {
            generation: then.generation,
            slot: then.slot,
            default_action: then.default_action,
            source_services: then.source_services,
            rules: then.rules,
            document_len: then.document_len,
            cpus: then.cpus,
            namespace: then.namespace,
            ..super::Root::zeroed()
        }
    }

    pub(super) fn flows(kernel: &Kernel, port: u32) -> Result<Flows, KernelError> {
        let table = kernel.inner(maps::FLOWS, port)?;
        let flows = read_all::<FlowKey, FlowEntry>(&table, maps::FLOWS)?.into_iter();
        Ok(flows.map(|(key, then)| (key, flow(&key, &then))).collect())
    }

    /// Of an older generation than the next one, so that its first frame has it judged again. Where TCP's numbers are, was
    /// not seen.
    fn flow(key: &FlowKey, then: &FlowEntry) -> super::FlowEntry {
        let open = key.protocol == number::TCP && then.seen & seen::REPLY != 0;
        super::FlowEntry {
            counters: then.counters,
            generation: then.generation,
            rule: then.rule,
            last_seen: then.last_seen,
            created: then.created,
            next_hop: then.next_hop,
            next_mac: then.next_mac,
            seen: then.seen | if open { seen::PICKED_UP } else { 0 },
            opener: then.opener,
            action: then.action,
            settled: u8::from(then.seen & seen::REPLY != 0),
            audited: NO_RULE,
            ..super::FlowEntry::zeroed()
        }
    }
}
