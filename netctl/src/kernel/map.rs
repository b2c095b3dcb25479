//! Every map by name: what it holds, its shape, fill and memory, and its elements in the document's words.

use std::fs;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use bytemuck::Pod;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use netctl_common::abi::{
    AddressEntry, AddressKey, ChainEntry, Classes, Counter, FlowEntry, FlowKey, LearnedKey, LearnerEntry,
    LimitsEntry, NO_INTERFACE, NO_PORT, NO_RULE, PairKey, PortEntry, PrefixKey, Root, RuleEntry,
    StationEntry, StationKey, VerdictKey, VlanSet, maps, port_flags,
};
use netctl_common::classify::SERVICE_ROW_LEN;
use netctl_common::verdict::{Action, Direction, REASONS, Reason};
use serde::Serialize;

use super::load::Kernel;
use super::running::{RunningPort, read_all, read_array};
use super::shapes::TrieKey;
use super::{KernelError, sys};
use crate::names::{self, Names};

/// What is stored under a name.
const KNOWN: [(&str, &str); 26] = [
    (maps::ROOT, "the running generation, and its ports by the index of their interface"),
    ("stations", "MAC addresses of ports and of the host"),
    ("trunks", "VLANs whose tags a port takes"),
    ("addresses", "who has an address, and its classes"),
    ("prefixes", "classes of all other addresses, longest prefix first"),
    (maps::LEARNERS, "ports that learn their addresses"),
    (
        maps::LEARNED_CLASSES,
        "classes of addresses that ports learn, by who they are and which prefixes they are in",
    ),
    ("services", "classes of ports, ICMP types, protocols and ethertypes"),
    ("service_pairs", "classes of (destination port, source port)"),
    ("source_chains", "rules to anyone, by source class"),
    ("dest_chains", "rules from anyone, by destination class"),
    ("pair_chains", "other rules, by source and destination class"),
    ("verdicts", "first rule of a chain for a service class"),
    (maps::LIMITS, "rates that ports are held to"),
    (maps::RULES, "action and line of each rule"),
    (maps::RULE_COUNTERS, "frames by rule, one row for each CPU"),
    (maps::DOCUMENT, "the document that the generation was compiled from"),
    (maps::FLOWS, "connections that have settled, one table for each port"),
    (maps::OPENINGS, "other connections and fragments, one table for each port"),
    (maps::PORT_COUNTERS, "frames by direction and reason, one table for each port"),
    (maps::STRAY_COUNTERS, "frames at interfaces that are no ports"),
    (maps::BUCKETS, "how much of its limits each port has left"),
    (maps::LEASES, "addresses that ports have learned"),
    (maps::LEASE_BOOKS, "what each port has learned, to bound it"),
    (maps::EVENT_BUDGET, "events that each port may still send"),
    (maps::REJECT_BUDGET, "answers to rejected frames that each port may still cause"),
];

pub fn known_maps() -> impl Iterator<Item = &'static str> {
    KNOWN.iter().map(|(name, _)| *name)
}

/// One map, or all tables of one name that belong to ports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MapFacts {
    pub name: &'static str,
    pub what: &'static str,
    pub kind: &'static str,
    /// Bytes.
    pub key_size: u32,
    pub value_size: u32,
    /// Elements that are there, where a map can tell.
    pub entries: Option<u64>,
    pub max_entries: u64,
    /// Bytes of kernel memory, as the kernel accounts for it.
    pub memory: u64,
}

/// One element in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Element {
    pub key: String,
    pub value: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dump {
    pub elements: Vec<Element>,
    /// The map has a table for each port; this is one of them.
    pub per_port: bool,
}

impl Kernel {
    /// In the order of the data path.
    pub fn map_facts(&self, root: &Root) -> Result<Vec<MapFacts>, KernelError> {
        KNOWN.iter().map(|(name, what)| self.facts_of(name, what, root)).collect()
    }

    fn facts_of(&self, name: &'static str, what: &'static str, root: &Root) -> Result<MapFacts, KernelError> {
        let tables = match name {
            maps::STRAY_COUNTERS
            | maps::EVENT_BUDGET
            | maps::REJECT_BUDGET
            | maps::BUCKETS
            | maps::LEASES
            | maps::LEASE_BOOKS => vec![self.map(name)?],
            maps::ROOT => vec![self.inner(name, 0)?],
            maps::FLOWS | maps::OPENINGS | maps::PORT_COUNTERS => {
                self.ports()?.iter().map(|p| self.inner(name, p.entry.id)).collect::<Result<_, _>>()?
            }
            _ => vec![self.inner(name, root.slot)?],
        };
        let mut facts = MapFacts {
            name,
            what,
            kind: "-",
            key_size: 0,
            value_size: 0,
            entries: None,
            max_entries: 0,
            memory: 0,
        };
        for table in &tables {
            let info = sys::info(table.as_fd()).map_err(|e| KernelError::map(name, "asking about it", e))?;
            (facts.key_size, facts.value_size) = (info.key_size, info.value_size);
            (facts.kind, facts.entries) = match info.kind {
                1 => ("hash", Some(facts.entries.unwrap_or(0) + count(table, name, &info)?)),
                9 => ("lru-hash", Some(facts.entries.unwrap_or(0) + count(table, name, &info)?)),
                11 => ("lpm-trie", Some(facts.entries.unwrap_or(0) + count(table, name, &info)?)),
                6 => ("percpu-array", None),
                _ => ("array", None),
            };
            facts.max_entries += u64::from(info.max_entries);
            facts.memory += memory(table).unwrap_or(0);
        }
        Ok(facts)
    }

    /// The elements of a map that says something; empty rows of arrays are left out.
    pub fn dump(
        &self,
        map: &str,
        root: &Root,
        port: &RunningPort,
        names: &Names,
    ) -> Result<Dump, KernelError> {
        let per_port = matches!(
            map,
            maps::FLOWS
                | maps::OPENINGS
                | maps::PORT_COUNTERS
                | maps::EVENT_BUDGET
                | maps::REJECT_BUDGET
                | maps::BUCKETS
        );
        let elements = match map {
            maps::FLOWS | maps::OPENINGS => {
                let settled = u8::from(map == maps::FLOWS);
                let mut flows = self.flows(port.entry.id)?;
                flows.retain(|(_, entry)| entry.settled == settled);
                let mut rows: Vec<_> = flows.iter().map(|(k, v)| flow(&port.name(), k, v)).collect();
                rows.sort_by(|a, b| a.key.cmp(&b.key));
                rows
            }
            maps::PORT_COUNTERS => counters(&port.name(), &self.port_counters(port.entry.id)?),
            maps::STRAY_COUNTERS => counters("-", &self.stray_counters()?),
            maps::EVENT_BUDGET => {
                let untold = self.untold_events(port.entry.id)?;
                vec![element(port.name(), format!("{untold} events over its rate, not told"))]
            }
            maps::REJECT_BUDGET => {
                let rejects = self.rejects(port.entry.id)?;
                let value = format!("{} answered, {} unanswered", rejects.answered, rejects.unanswered);
                vec![element(port.name(), value)]
            }
            maps::DOCUMENT => {
                let text = self.document(root)?;
                (1..).zip(text.lines()).map(|(line, text): (u32, _)| element(line, text)).collect()
            }
            maps::BUCKETS => self.dump_buckets(port)?,
            maps::LEASES => self.dump_leases(names)?,
            maps::LEASE_BOOKS => self.dump_lease_books(names)?,
            _ => self.dump_generation(map, root, names)?,
        };
        Ok(Dump { elements, per_port })
    }

    fn dump_generation(&self, map: &str, root: &Root, names: &Names) -> Result<Vec<Element>, KernelError> {
        let table = self.inner(map, if map == maps::ROOT { 0 } else { root.slot })?;
        let info = sys::info(table.as_fd()).map_err(|e| KernelError::map(map, "asking about it", e))?;
        let rule = |index: u32| names.rule(index).map_or_else(|| "-".to_owned(), ToString::to_string);
        let chain =
            |entry: &ChainEntry| format!("chain {}, otherwise {}", entry.chain, rule(entry.otherwise));
        let len = info.max_entries;
        Ok(match map {
            maps::ROOT => rows::<u32, PortEntry>(&table, map, |ifindex, entry| port(*ifindex, entry, names))?,
            "stations" => rows::<StationKey, StationEntry>(&table, map, |key, entry| {
                element(
                    format!("network {} {}", key.network, names::mac(key.mac)),
                    format!(
                        "{} ifindex {} {}",
                        owner(names, entry.port),
                        entry.ifindex,
                        classes(&entry.classes)
                    ),
                )
            })?,
            "trunks" => rows::<u32, VlanSet>(&table, map, |id, vlans| {
                let vlans: Vec<String> = (1..4095)
                    .filter(|vlan| vlans.contains(*vlan))
                    .map(|vlan: u16| vlan.to_string())
                    .collect();
                element(names.port(*id), format!("VLANs {}", vlans.join(" ")))
            })?,
            "addresses" => rows::<AddressKey, AddressEntry>(&table, map, |key, entry| {
                element(
                    format!("zone {} {}", key.zone, names::address(key.address)),
                    format!("{} {}", owner(names, entry.port), classes(&entry.classes)),
                )
            })?,
            "prefixes" => rows::<TrieKey, AddressEntry>(&table, map, |key, entry| {
                element(prefix(key), classes(&entry.classes))
            })?,
            maps::LEARNERS => rows::<u32, LearnerEntry>(&table, map, |id, entry| {
                let value = format!("zone {} identity {}", entry.zone, entry.identity);
                element(names.port(*id), value)
            })?,
            maps::LEARNED_CLASSES => rows::<LearnedKey, Classes>(&table, map, |key, value| {
                element(format!("identity {} region {}", key.identity, key.region), classes(value))
            })?,
            "services" => self.dump_services(&table, map, len)?,
            "service_pairs" => array::<u32>(&table, map, len, |class| format!("class {class}"))?,
            "source_chains" | "dest_chains" => array::<ChainEntry>(&table, map, len, chain)?,
            "pair_chains" => rows::<PairKey, ChainEntry>(&table, map, |key, entry| {
                element(format!("source {} destination {}", key.source, key.destination), chain(entry))
            })?,
            "verdicts" => rows::<VerdictKey, u32>(&table, map, |key, index| {
                element(format!("chain {} service {}", key.chain, key.service), rule(*index))
            })?,
            maps::LIMITS => rows::<u32, LimitsEntry>(&table, map, |id, entry| {
                element(names.port(*id), super::limits::rates(entry))
            })?,
            maps::RULES => array::<RuleEntry>(&table, map, root.rules, |entry| {
                format!(
                    "{} line {} flags {:#x}",
                    Action::decode(entry.action).name(),
                    entry.line,
                    entry.flags
                )
            })?,
            _ => array::<Counter>(&table, map, root.rules * root.cpus, |counter| {
                format!("{} packets {} bytes", counter.packets, counter.bytes)
            })?,
        })
    }

    /// Runs of numbers with one class, row by row.
    fn dump_services(&self, table: &OwnedFd, map: &str, len: u32) -> Result<Vec<Element>, KernelError> {
        const ROWS: [&str; 10] =
            ["tcp", "udp", "sctp", "icmp", "icmp6", "ip", "ether", "tcp from", "udp from", "sctp from"];
        let mut elements = Vec::new();
        for (index, name) in (0..len).zip(ROWS) {
            let mut row = vec![0u16; SERVICE_ROW_LEN];
            sys::lookup(table.as_fd(), &index.to_ne_bytes(), bytemuck::cast_slice_mut(&mut row))
                .map_err(|e| KernelError::map(map, "reading it", e))?;
            let mut first = 0;
            for run in row.chunk_by(|a, b| a == b) {
                let last = first + run.len() - 1;
                elements.push(element(format!("{name}/{first}-{last}"), format!("class {}", run[0])));
                first += run.len();
            }
        }
        Ok(elements)
    }
}

pub(super) fn element(key: impl ToString, value: impl ToString) -> Element {
    Element { key: key.to_string(), value: value.to_string() }
}

fn port(ifindex: u32, entry: &PortEntry, names: &Names) -> Element {
    if ifindex == NO_INTERFACE {
        return element("generation", format!("{:?}", entry.root));
    }
    if entry.flags & port_flags::UPLINK != 0 {
        let value = format!("uplink of network {} mac {}", entry.network, names::mac(entry.mac));
        return element(format!("ifindex {ifindex}"), value);
    }
    let (name, mac) = (names.port(entry.id), names::mac(entry.mac));
    let host = if entry.uplink == 0 { String::new() } else { format!(" host at ifindex {}", entry.uplink) };
    let place = format!("network {} zone {}{host}", entry.network, entry.zone);
    element(
        format!("ifindex {ifindex}"),
        format!(
            "{name} id {} mac {mac} {place} {} flags {:#x} guards {:#x} vlan {}",
            entry.id,
            classes(&entry.classes),
            entry.flags,
            entry.guards,
            entry.vlan,
        ),
    )
}

fn classes(classes: &Classes) -> String {
    format!("source class {} destination class {}", classes.source, classes.destination)
}

fn owner(names: &Names, port: u32) -> String {
    if port == NO_PORT { "host".to_owned() } else { names.port(port) }
}

fn prefix(key: &TrieKey) -> String {
    let zone = u32::from_be_bytes(key.data.zone_be);
    let bits = key.prefix_len.saturating_sub(8 * size_of_val(&key.data.zone_be) as u32).min(128) as u8;
    let net = match names::address(key.data.address) {
        std::net::IpAddr::V4(address) if bits >= 96 => Ipv4Net::new(address, bits - 96).map(IpNet::V4),
        _ => Ipv6Net::new(key.data.address.bytes().into(), bits).map(IpNet::V6),
    };
    net.map_or_else(|_| format!("zone {zone} ?"), |net| format!("zone {zone} {net}"))
}

fn flow(port: &str, key: &FlowKey, entry: &FlowEntry) -> Element {
    let opener = Direction::decode(entry.opener);
    let opening = key.opening(opener);
    let ends = format!("{} > {}", names::address(opening.source), names::address(opening.destination));
    let rule = if entry.rule == NO_RULE { "-".to_owned() } else { (entry.rule + 1).to_string() };
    let service = match key.is_fragment() {
        true => format!("fragments {:#x}", u32::from(key.local_port) << 16 | u32::from(key.remote_port)),
        false => names::service(key.protocol, opening.destination_port),
    };
    element(
        format!("{port} {ends} {service}"),
        format!(
            "{} {} generation {} rule {rule} seen {:#x}",
            opener.name(),
            Action::decode(u32::from(entry.action)).name(),
            entry.generation,
            entry.seen
        ),
    )
}

fn counters(port: &str, counters: &[Counter]) -> Vec<Element> {
    let named = counters.iter().enumerate().filter(|(_, counter)| counter.packets > 0);
    named
        .filter_map(|(index, counter)| {
            let direction = Direction::ALL.get(index / REASONS)?;
            let reason = Reason::ALL.get(index % REASONS)?;
            Some(element(
                format!("{port} {} {}", direction.name(), reason.name()),
                format!("{} packets {} bytes", counter.packets, counter.bytes),
            ))
        })
        .collect()
}

/// A hash table's elements, sorted by what is shown.
fn rows<K: Pod, V: Pod>(
    table: &OwnedFd,
    map: &str,
    show: impl Fn(&K, &V) -> Element,
) -> Result<Vec<Element>, KernelError> {
    let mut elements: Vec<Element> =
        read_all::<K, V>(table, map)?.iter().map(|(key, value)| show(key, value)).collect();
    elements.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(elements)
}

fn array<V: Pod>(
    table: &OwnedFd,
    map: &str,
    len: u32,
    show: impl Fn(&V) -> String,
) -> Result<Vec<Element>, KernelError> {
    let values = read_array::<V>(table, map, len)?;
    Ok((0u32..).zip(&values).map(|(index, value)| element(index, show(value))).collect())
}

fn count(table: &OwnedFd, name: &str, info: &sys::MapInfo) -> Result<u64, KernelError> {
    sys::count(table.as_fd(), info.key_size as usize, info.value_size as usize)
        .map_err(|e| KernelError::map(name, "counting its elements", e))
}

/// `memlock` of proc's fdinfo (kernel/bpf/syscall.c, `bpf_map_show_fdinfo`).
fn memory(table: &OwnedFd) -> Option<u64> {
    let facts = fs::read_to_string(format!("/proc/self/fdinfo/{}", table.as_raw_fd())).ok()?;
    facts.lines().find_map(|line| line.strip_prefix("memlock:"))?.trim().parse().ok()
}

const _: () = assert!(size_of::<PrefixKey>() == 20);
