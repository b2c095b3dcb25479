//! Every value that is stored in a BPF map or written into the journal.
//!
//! Plain, sized, without implicit padding. Numbers are in host byte order unless a field says otherwise;
//! addresses are in network byte order, see [`crate::address`].

mod capture;
mod journal;
mod lease;
pub mod maps;

use bytemuck::{Pod, Zeroable};

pub use capture::{ANY_PORT, CAPTURE_ROOM, CAPTURE_SLOTS, CaptureEntry, CaptureState, Captured};
pub use journal::{Change, Event, JOURNAL_LEN, LogBudget, event_flags, event_kind};
pub use lease::{
    BOOK_SIZE, LearnedKey, LearnerEntry, LeaseBook, LeaseEntry, LeasePrefix, LeaseSlot, MAX_LEASES,
};

use crate::address::{Address, LinkAddress};
use crate::flow::TIMEOUTS;
use crate::limit::{BUCKETS, LIMITS};
use crate::verdict::{Direction, REASONS};

/// Part of the pin path; bump on any change of a layout, a map's type, or a number's meaning.
pub const ABI_VERSION: u32 = 3;

/// Ports that one host can hold; the size of the outer maps that are indexed by port id.
pub const MAX_PORTS: u32 = 4096;

/// Generations that can be in the kernel at once: the running one and the one being filled.
pub const SLOTS: u32 = 2;

/// "No rule": the default decided, or a guard did.
pub const NO_RULE: u32 = u32::MAX;

/// In place of an audited rule: the default would have decided otherwise.
pub const BY_DEFAULT: u32 = u32::MAX - 1;

/// No network's number.
pub const NO_NETWORK: u32 = u32::MAX;

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
    /// How long a flow may be silent, in ticks (see [`crate::flow::tick`]). Index: [`crate::flow::Timeout`].
    pub timeouts: [u32; TIMEOUTS],
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
    /// Bits of [`port_flags`].
    pub flags: u32,
    /// Guards that are on: bits of [`guards`].
    pub guards: u32,
    pub network: u16,
    /// The VLAN on the network of frames that the guest sends and gets untagged (1 to 4094); 0 = none, they are
    /// untagged there too.
    pub vlan: u16,
    pub mac: LinkAddress,
    pub reserved: [u8; 2],
    /// Who the port is by name and groups, whatever its address; with the region of a learned address it gives the
    /// address's classes.
    pub identity: u32,
    /// Where guests reach the host by `host-access`: the index of the network's uplink. 0 where they do not.
    pub uplink: u32,
    /// The bridge itself, where the port is on one: what the host routes may come in there. Else 0.
    pub bridge: u32,
    /// The port itself, where its address says nothing: DHCP's 0.0.0.0, frames without IP.
    pub classes: Classes,
    pub root: Root,
    /// UTF-8, padded with zeros.
    pub name: [u8; NAME_LEN],
}

impl PortEntry {
    /// Whether a guard ([`guards`]) is on.
    #[inline(always)]
    pub const fn has_guard(&self, guard: u32) -> bool {
        self.guards & guard != 0
    }
}

/// Key in the table of ports for the generation itself.
pub const NO_INTERFACE: u32 = 0;

/// Bits of [`PortEntry::flags`].
pub mod port_flags {
    /// `addresses = "any"`: IP and ARP/ND sender addresses are not checked.
    pub const ANY_ADDRESS: u32 = 1;
    /// Known unicast to local ports of the network is redirected past its bridge or macvlan.
    pub const REDIRECT: u32 = 2;
    /// Ports of the network take frames at their ingress: macvtaps. Taps take them at their egress.
    pub const INGRESS: u32 = 4;
    /// Ports of the network exchange nothing with each other.
    pub const PRIVATE: u32 = 16;
    /// No port ([`super::NO_PORT`]), but the uplink of a network with `host-access`; `mac` is the host's own there.
    pub const UPLINK: u32 = 8;
    /// `addresses = "learn"`: the port may use what it was seen to be given.
    pub const LEARN: u32 = 32;
    /// The port has an entry in `limits`.
    pub const LIMITED: u32 = 64;
    /// The policy's denials are reported and not enforced; the guards stay.
    pub const AUDIT: u32 = 128;
    /// The host knows from which port of the network, or from outside, a frame to one guest comes.
    pub const KNOWS_ORIGIN: u32 = 256;
    /// The guest may send and get frames with the tags of a list (`vlans`).
    pub const TRUNK: u32 = 512;
    /// Untagged frames have no VLAN here: a trunk without an access VLAN.
    pub const TAGGED_ONLY: u32 = 1024;
    /// [`KNOWS_ORIGIN`], and of frames to groups too: no switch has to send them back.
    pub const KNOWS_GROUP_ORIGIN: u32 = 2048;
    /// A port of the zone learns its addresses: who has none in `addresses` may have one in `leases`.
    pub const LEARNERS: u32 = 1 << 16;
}

/// Bits of [`PortEntry::guards`]; the names are those in a document.
pub mod guards {
    /// The source MAC address is the port's.
    pub const MAC: u32 = 1;
    /// The source IP address is one of the port's.
    pub const IP: u32 = 1 << 1;
    /// The sender of ARP is the port.
    pub const ARP: u32 = 1 << 2;
    /// Neighbor discovery is about the port only.
    pub const NEIGHBOR: u32 = 1 << 3;
    /// No router advertisements and redirects from the guest.
    pub const ROUTER: u32 = 1 << 4;
    /// No answers of a DHCP server from the guest.
    pub const DHCP_SERVER: u32 = 1 << 5;
    /// No frames to the link-local groups of switches (IEEE 802.1Q, table 8-1) from the guest.
    pub const LINK_CONTROL: u32 = 1 << 6;
    /// No 802.3 length fields (LLC, SNAP).
    pub const LLC: u32 = 1 << 7;
    /// No IPv4 options but router alert, no IPv6 routing headers.
    pub const OPTIONS: u32 = 1 << 8;
    /// No addresses that no frame on a wire has.
    pub const MARTIAN: u32 = 1 << 9;
    /// Frames to the guest are for its own MAC and IP addresses.
    pub const DESTINATION: u32 = 1 << 10;
    /// A local port's address comes from that port only.
    pub const ORIGIN: u32 = 1 << 11;
    /// Fragments follow their first one, which shows the ports, and do not overlap it.
    pub const FRAGMENTS: u32 = 1 << 12;
    /// TCP segments fit the state of their connection.
    pub const TCP_STATE: u32 = 1 << 13;
    pub const ALL: u32 = (1 << 14) - 1;

    /// The words for them in a document, in the order of the bits.
    pub const NAMES: [(&str, u32); 14] = [
        ("mac", MAC),
        ("ip", IP),
        ("arp", ARP),
        ("neighbor", NEIGHBOR),
        ("router", ROUTER),
        ("dhcp-server", DHCP_SERVER),
        ("link-control", LINK_CONTROL),
        ("llc", LLC),
        ("options", OPTIONS),
        ("martian", MARTIAN),
        ("destination", DESTINATION),
        ("origin", ORIGIN),
        ("fragments", FRAGMENTS),
        ("tcp-state", TCP_STATE),
    ];
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
    /// Which prefixes of the rules the address is in, whoever has it; see [`PortEntry::identity`]. 0 where no port learns.
    pub region: u32,
    /// The owner's network; [`NO_NETWORK`] where no port and not the host has the address, or the owner is not filtered.
    pub network: u32,
    /// Of the local port; else none.
    pub mac: LinkAddress,
    pub reserved: [u8; 2],
}

/// The VLANs of a trunk: a bit for each id. Value of `trunks` (key: port id).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct VlanSet(pub [u64; 64]);

impl VlanSet {
    #[inline(always)]
    pub const fn contains(&self, vlan: u16) -> bool {
        self.0[(vlan >> 6) as usize & 63] & (1 << (vlan & 63)) != 0
    }

    pub const fn insert(&mut self, vlan: u16) {
        self.0[(vlan >> 6) as usize & 63] |= 1 << (vlan & 63);
    }
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
    /// Of an audited rule: what is added to a class to find the chains of the rules that are enforced; else 0.
    pub enforced: u32,
    /// Hash of all that the rule says, for user space: equal for the same rule in another generation.
    pub identity: u64,
    /// What the same rule had counted in earlier generations; written by user space only.
    pub before: Counter,
}

/// Bits of [`RuleEntry::flags`].
pub mod rule_flags {
    /// New flows that the rule decides are told of, and their ends. With it, how many frames of each in bits 8 to 15, without the
    /// first, and how many events per second and CPU at most in bits 16 to 31; 0 = as many as the port may tell of.
    pub const LOG: u32 = 1;
    /// What the rule would do is reported; the rules behind it decide.
    pub const AUDIT: u32 = 2;

    /// [`LOG`] with its numbers; of `frames`, there is at least one.
    pub const fn log(rate: u16, frames: u8) -> u32 {
        LOG | (frames.saturating_sub(1) as u32) << 8 | (rate as u32) << 16
    }

    /// Frames of each flow that are told of behind its first one.
    #[inline(always)]
    pub const fn more_frames(flags: u32) -> u8 {
        (flags >> 8) as u8
    }

    /// Events per second and CPU; 0 = as many as the port may tell of.
    #[inline(always)]
    pub const fn log_rate(flags: u32) -> u32 {
        flags >> 16
    }
}

/// Frames and their bytes (as the interface counts them: with the Ethernet header, without FCS).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Counter {
    pub packets: u64,
    pub bytes: u64,
}

/// Elements of one port's counters: a row of [`REASONS`] per direction, and [`FLOWS_MADE`].
pub const PORT_COUNTERS: u32 = FLOWS_MADE + 1;

/// Which of a port's counters tells how its flow table grew: `packets` counts entries that were made, `bytes` those
/// that took the place of an ended flow with the same key. Entries go only where the table needs room for new ones.
pub const FLOWS_MADE: u32 = 2 * REASONS as u32;

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

/// State of one connection at one port.
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
    /// 1 = in `flows`; 0 = in `openings`, where new flows push out older ones.
    pub settled: u8,
    /// 1 = its rule wants to be told of its end.
    pub logged: u8,
    /// How many more of its frames the rule wants to be told of.
    pub to_tell: u8,
    /// [`crate::mark::trace`] of the frames to the guest when their origin was last checked; 0 = not yet.
    pub origin: u32,
    /// TCP, by [`crate::verdict::Direction`] of the segments: the sequence number behind the last one that was sent.
    pub sequence: [u32; 2],
    /// TCP, likewise: the last acknowledgment number; of the side that has not answered a SYN, the SYN's number.
    pub acknowledged: [u32; 2],
    /// The rule that would have decided otherwise but for audit mode, [`BY_DEFAULT`] or [`NO_RULE`].
    pub audited: u32,
    /// TCP: the number of a SYN that came inside the open connection; see [`crate::flow::seen`].
    pub reopening: u32,
    pub reserved_2: u32,
}

/// Key of `quotas`: the value is when the opener has all of its quota in the port's `flows` again, in ticks.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Pod, Zeroable)]
pub struct QuotaKey {
    /// Id of the port whose table it is.
    pub port: u32,
    /// Id of the local port that opens flows to it.
    pub opener: u32,
}

/// A limit of a port. All zero = none.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct LimitEntry {
    /// Tokens per second: bits, packets or flows, see [`crate::limit::Limit`].
    pub rate: u64,
    /// The time in which a full bucket refills, in [`crate::limit::UNITS`].
    pub tolerance: u64,
}

/// The limits of a port by [`crate::verdict::Direction`] and [`crate::limit::Limit`]. Map `limits`; key: port id.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct LimitsEntry {
    pub directions: [[LimitEntry; LIMITS]; 2],
}

/// Elements of `buckets`: [`crate::limit::Buckets`] behind 8 bytes that the kernel side locks them by.
pub const BUCKET_ROWS: u32 = 2 * MAX_PORTS;
pub const BUCKETS_SIZE: u32 = 8 + 8 * BUCKETS as u32;

/// Index in `buckets`.
#[inline(always)]
pub const fn bucket_row(port: u32, direction: Direction) -> u32 {
    2 * port + direction as u32
}

/// How many events a port may still send, and what was lost. Per CPU. Map `event_budget`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct EventBudget {
    /// See [`crate::limit`].
    pub tokens: u64,
    pub refilled: u64,
    /// Events not told because the port, or the rule, was over its rate.
    pub suppressed: u64,
    /// Those of them that no later event has told of: see [`Event::untold`].
    pub since: u64,
}

/// How many answers to rejected frames a port may still cause, and what became of them. Per CPU. Map `reject_budget`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct RejectBudget {
    /// See [`crate::limit`].
    pub tokens: u64,
    pub refilled: u64,
    /// Answers that were sent.
    pub answered: u64,
    /// Rejected frames that got none, because the port was over its rate or the frame could not be rewritten.
    pub unanswered: u64,
}

/// What `explain`'s twin of a program found, and saw on the way. Map `answer`, which only the twin uses.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Answer {
    /// What stands in the flow table under `key`, be it over; generation 0 = nothing.
    pub flow: FlowEntry,
    /// Of the flow that the frame is of or would open; of an ICMP error, of the one that it is about. Zeros if none was asked for.
    pub key: FlowKey,
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
    /// See [`FlowEntry::audited`].
    pub audited: u32,
    /// Uplink at which the host would get a copy; 0 = none.
    pub host_copy: u32,
    /// When the twin ran, in ticks: see [`crate::flow::tick`].
    pub now: u32,
    /// What the rules were asked about; [`NO_CLASS`] where they were not.
    pub source_class: u32,
    pub destination_class: u32,
    pub service_class: u32,
    /// First rule that takes the service, or [`NO_RULE`], of the rules from `any`, to `any`, and for both ends.
    pub chains: [u32; 3],
    /// Bits of [`port_flags`].
    pub port_flags: u32,
    /// The packet, as far as it was understood; of ARP, its protocol addresses.
    pub source: Address,
    pub destination: Address,
    pub source_mac: LinkAddress,
    pub destination_mac: LinkAddress,
    pub source_port: u16,
    pub destination_port: u16,
    pub ethertype: u16,
    /// On the network; 0 = untagged.
    pub vlan: u16,
    /// Of the tag that an allowed frame goes on with; 0 = without one.
    pub tag: u16,
    pub protocol: u8,
    /// [`crate::frame::Layer`].
    pub layer: u8,
}

/// No class of addresses or services.
pub const NO_CLASS: u32 = u32::MAX;

const _: () = {
    assert!(size_of::<Root>() == 56 + 4 * TIMEOUTS);
    assert!(size_of::<PortEntry>() == 48 + size_of::<Root>() + NAME_LEN);
    assert!(size_of::<StationKey>() == 8);
    assert!(size_of::<AddressKey>() == 20);
    assert!(size_of::<FlowKey>() == 40);
    assert!(size_of::<FlowEntry>() == 96);
    assert!(size_of::<QuotaKey>() == 8);
    assert!(size_of::<RuleEntry>() == 40);
    assert!(size_of::<LimitsEntry>() == 2 * 16 * LIMITS);
    assert!(size_of::<Answer>() == 256);
};
