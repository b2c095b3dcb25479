//! Every value that is stored in a BPF map or sent through the ring buffer.
//!
//! Plain, sized, without implicit padding. Numbers are in host byte order unless a field says otherwise;
//! addresses are in network byte order, see [`crate::address`].

use bytemuck::{Pod, Zeroable};

use crate::address::{Address, LinkAddress};
use crate::verdict::REASONS;

/// Part of the pin path; bump on any change of a layout, a map's type, or a number's meaning.
pub const ABI_VERSION: u32 = 2;

/// Ports that one host can hold; the size of the outer maps that are indexed by port id.
pub const MAX_PORTS: u32 = 4096;

/// Generations that can be in the kernel at once: the running one and the one being filled.
pub const SLOTS: u32 = 2;

/// "No rule": the default decided, or a guard did.
pub const NO_RULE: u32 = u32::MAX;

/// "No port": the address belongs to the host or to the world.
pub const NO_PORT: u32 = u32::MAX;

/// The chain without rules: no look-up in `verdicts` is needed.
pub const EMPTY_CHAIN: u32 = 0;

/// Bytes of one element of the `document` map.
pub const DOCUMENT_CHUNK: usize = 4096;

/// Longest name of a port, in bytes.
pub const NAME_LEN: usize = 64;

/// A generation: what all its tables have in common. A copy stands in each [`PortEntry`], so that one look-up gives a
/// frame its port and its generation.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Root {
    /// Counts from 1; a flow remembers the generation that judged it.
    pub generation: u32,
    /// Which slot of each per-generation map belongs to it, below [`SLOTS`].
    pub slot: u32,
    /// [`crate::verdict::Action`] where no rule matches.
    pub default_action: u32,
    /// Number of classes of source ports; 1 where no rule asks for a source port.
    pub source_services: u32,
    /// Number of rules.
    pub rules: u32,
    /// Length of the document in bytes.
    pub document_len: u32,
    /// Rows of `rule_counters`: one for each CPU that can be, so that no two share a cache line.
    pub cpus: u32,
    /// Inode of the network namespace whose interfaces the ports are.
    pub namespace: u32,
    /// Who a frame without an IP address belongs to when its MAC address is no station's.
    pub world: Classes,
    /// A group MAC address other than broadcast.
    pub multicast: Classes,
    /// `ff:ff:ff:ff:ff:ff`, and 255.255.255.255.
    pub broadcast: Classes,
}

/// What an address is to the rules, as the opener of a flow and as its target.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Pod, Zeroable)]
pub struct Classes {
    pub source: u32,
    pub destination: u32,
}

/// A port, found by the ifindex of its interface, in the table that `root` points at; one swap of that pointer is
/// what switches generations. Index 0, which no interface has, stands for the generation itself ([`NO_PORT`]).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct PortEntry {
    /// Stable while the port exists, below [`MAX_PORTS`]: index of `flows` and `port_counters`.
    pub id: u32,
    pub zone: u32,
    pub network: u16,
    /// Bits of [`port_flags`].
    pub flags: u16,
    pub mac: LinkAddress,
    pub reserved: [u8; 2],
    /// Where guests reach the host by `host-access`: the index of the network's uplink. 0 where they do not.
    pub uplink: u32,
    /// The port itself, where its address says nothing: DHCP's 0.0.0.0, frames without IP.
    pub classes: Classes,
    pub root: Root,
    /// UTF-8, padded with zeros.
    pub name: [u8; NAME_LEN],
}

/// Key in the table of ports for the generation itself.
pub const NO_INTERFACE: u32 = 0;

/// Bits of [`PortEntry::flags`].
pub mod port_flags {
    /// `addresses = "any"`: IP and ARP/ND sender addresses are not checked.
    pub const ANY_ADDRESS: u16 = 1;
    /// Known unicast to local ports of the network is redirected past its bridge or macvlan.
    pub const REDIRECT: u16 = 2;
    /// Ports of the network take frames at their ingress: macvtaps. Taps take them at their egress.
    pub const INGRESS: u16 = 4;
    /// Ports of the network exchange nothing with each other.
    pub const PRIVATE: u16 = 16;
    /// No port ([`super::NO_PORT`]), but the uplink of a network with `host-access`; `mac` is the host's own there.
    pub const UPLINK: u16 = 8;
}

/// Key of `stations`: a MAC address on a network.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Pod, Zeroable)]
pub struct StationKey {
    pub network: u16,
    pub mac: LinkAddress,
}

/// Who has a MAC address: a local port, or the host itself (`port` = [`NO_PORT`]).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct StationEntry {
    /// Where a redirect delivers to it; 0 where only the kernel's own forwarding can.
    pub ifindex: u32,
    pub port: u32,
    pub classes: Classes,
}

impl StationEntry {
    /// Behind a local port; else it is the host.
    #[inline(always)]
    pub const fn is_guest(&self) -> bool {
        self.port != NO_PORT
    }
}

/// Key of `addresses`: an exact address in a zone.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Pod, Zeroable)]
pub struct AddressKey {
    pub zone: u32,
    pub address: Address,
}

/// Data of the key of `prefixes` (longest prefix match); the kernel wants a big-endian zone in front.
/// The prefix length of a key counts the zone's 32 bits: `10.0.0.0/8` has 32 + 96 + 8.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Pod, Zeroable)]
pub struct PrefixKey {
    pub zone_be: [u8; 4],
    pub address: Address,
}

/// Value of `addresses` and `prefixes`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct AddressEntry {
    /// The local port that owns the address, or [`NO_PORT`].
    pub port: u32,
    pub classes: Classes,
}

/// A chain of rules, resolved: the verdict of (chain, service) or, where that has none, `otherwise`.
/// Value of `source_chains`, `destination_chains` (index: class) and `pair_chains`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Pod, Zeroable)]
pub struct ChainEntry {
    /// Identity of the chain in `verdicts`; [`EMPTY_CHAIN`] = only `otherwise`.
    pub chain: u32,
    /// Index of the first rule of the chain that takes any service, or [`NO_RULE`].
    pub otherwise: u32,
}

impl ChainEntry {
    /// No rule at all.
    pub const EMPTY: Self = Self { chain: EMPTY_CHAIN, otherwise: NO_RULE };
}

/// Key of `pair_chains`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Pod, Zeroable)]
pub struct PairKey {
    pub source: u32,
    pub destination: u32,
}

/// Key of `verdicts`; the value is the index (`u32`) of the first rule of the chain that takes the service.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Pod, Zeroable)]
pub struct VerdictKey {
    pub chain: u32,
    pub service: u32,
}

/// One rule, at its index (its place in the document, counted from 0). Map `rules`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct RuleEntry {
    /// [`crate::verdict::Action`].
    pub action: u32,
    /// Bits of [`rule_flags`].
    pub flags: u32,
    /// Line in the document, counted from 1.
    pub line: u32,
    pub reserved: u32,
    /// Hash of all that the rule says, for user space: equal for the same rule in another generation.
    pub identity: u64,
    /// What the same rule had counted in earlier generations; written by user space only.
    pub before: Counter,
}

/// Bits of [`RuleEntry::flags`].
pub mod rule_flags {
    /// New flows that the rule decides are sent as events.
    pub const LOG: u32 = 1;
}

/// Frames and their bytes (as the interface counts them: with the Ethernet header, without FCS).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Counter {
    pub packets: u64,
    pub bytes: u64,
}

/// Elements of one port's counters: a row of [`REASONS`] per direction.
pub const PORT_COUNTERS: u32 = 2 * REASONS as u32;

/// Key of a port's flow table. `local` is the guest's end, in both directions.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Pod, Zeroable)]
pub struct FlowKey {
    pub local: Address,
    pub remote: Address,
    /// Ports of TCP, UDP, SCTP; for ICMP see [`crate::flow`]; else 0.
    pub local_port: u16,
    pub remote_port: u16,
    pub protocol: u8,
    /// [`crate::flow::Role`].
    pub role: u8,
    pub reserved: [u8; 2],
}

/// State of one connection at one port: one cache line.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct FlowEntry {
    /// Index: [`crate::verdict::Direction`].
    pub counters: [Counter; 2],
    /// The generation that last judged it.
    pub generation: u32,
    /// The rule that decided, in that generation, or [`NO_RULE`].
    pub rule: u32,
    /// Ticks, see [`crate::flow::tick`].
    pub last_seen: u32,
    pub created: u32,
    /// Where frames from the guest to `next_mac` go, in that generation; see [`StationEntry::ifindex`].
    pub next_hop: u32,
    pub next_mac: LinkAddress,
    /// Bits of [`crate::flow::seen`].
    pub seen: u8,
    /// [`crate::verdict::Direction`] of the first frame.
    pub opener: u8,
    /// [`crate::verdict::Action`]; a flow whose rule was withdrawn stays as denied until it is idle.
    pub action: u8,
    pub reserved: [u8; 3],
}

/// How many events a port may still send, and what was lost. Per CPU. Map `event_budget`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct EventBudget {
    /// See [`crate::limit`].
    pub tokens: u64,
    pub refilled: u64,
    /// Events not sent because the port was over its rate.
    pub suppressed: u64,
    /// Events not sent because the ring buffer was full.
    pub overflowed: u64,
}

/// One decision, as sent through the ring buffer.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Event {
    /// `CLOCK_MONOTONIC`, nanoseconds.
    pub time: u64,
    pub ifindex: u32,
    /// Port id, or [`NO_PORT`].
    pub port: u32,
    pub generation: u32,
    pub rule: u32,
    pub length: u32,
    pub source_port: u16,
    pub destination_port: u16,
    pub source: Address,
    pub destination: Address,
    pub source_mac: LinkAddress,
    pub destination_mac: LinkAddress,
    pub ethertype: u16,
    pub protocol: u8,
    /// [`crate::verdict::Direction`].
    pub direction: u8,
    /// [`crate::verdict::Action`].
    pub action: u8,
    /// [`crate::verdict::Reason`].
    pub reason: u8,
    /// Bits of [`event_flags`].
    pub flags: u8,
    pub reserved: [u8; 5],
}

/// Bits of [`Event::flags`].
pub mod event_flags {
    /// `source` and `destination` are set: the frame carries IP, or ARP's protocol addresses.
    pub const ADDRESSES: u8 = 1;
}

/// What `explain`'s twin of a program found. Map `answer`, which only the twin uses.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Answer {
    /// 1 once the twin has run.
    pub answered: u32,
    /// [`crate::verdict::Action`].
    pub action: u32,
    /// [`crate::verdict::Reason`].
    pub reason: u32,
    pub rule: u32,
    pub generation: u32,
    /// Interface of the local port that the frame would be redirected to; 0 = the kernel's own forwarding.
    pub redirect: u32,
}

/// Names of the maps, which are also their names in the pin directory.
pub mod maps {
    /// One slot that points at the running generation's table of ports.
    pub const ROOT: &str = "root";
    pub const RULES: &str = "rules";
    pub const RULE_COUNTERS: &str = "rule_counters";
    /// Per generation; each has [`super::SLOTS`] slots.
    pub const GENERATION: [&str; 12] = [
        "stations",
        "addresses",
        "prefixes",
        "services",
        "service_pairs",
        "source_chains",
        "dest_chains",
        "pair_chains",
        "verdicts",
        RULES,
        RULE_COUNTERS,
        DOCUMENT,
    ];
    /// Per port.
    pub const FLOWS: &str = "flows";
    pub const PORT_COUNTERS: &str = "port_counters";
    /// The text that the generation was compiled from, in chunks of [`super::DOCUMENT_CHUNK`] bytes.
    pub const DOCUMENT: &str = "document";
    pub const EVENTS: &str = "events";
    pub const EVENT_BUDGET: &str = "event_budget";
    /// Frames at interfaces that are no ports of the running policy; laid out like `port_counters`.
    pub const STRAY_COUNTERS: &str = "stray_counters";
    pub const ANSWER: &str = "answer";
}

const _: () = {
    assert!(size_of::<Root>() == 56);
    assert!(size_of::<PortEntry>() == 32 + 56 + NAME_LEN);
    assert!(size_of::<StationKey>() == 8);
    assert!(size_of::<AddressKey>() == 20);
    assert!(size_of::<FlowKey>() == 40);
    assert!(size_of::<FlowEntry>() == 64);
    assert!(size_of::<RuleEntry>() == 40);
    assert!(size_of::<Event>() == 88);
};
