//! The result of compiling: what the tables of a generation hold.

use std::collections::BTreeMap;

use netctl_common::abi::{
    AddressEntry, AddressKey, ChainEntry, Classes, LearnedKey, LearnerEntry, LimitsEntry, PairKey, PrefixKey,
    RuleEntry, VerdictKey, VlanSet,
};
use netctl_common::classify::SERVICE_ROW_LEN;
use netctl_common::flow::TIMEOUTS;
use netctl_common::verdict::Action;

use crate::config::{Mac, PortKind};

/// One compiled policy. Everything but interface indexes, which only the host knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compiled {
    pub default: Action,
    /// Ticks; index: [`netctl_common::flow::Timeout`].
    pub timeouts: [u32; TIMEOUTS],
    pub world: Classes,
    pub multicast: Classes,
    pub broadcast: Classes,
    /// Sorted by name.
    pub ports: Vec<CompiledPort>,
    /// MAC addresses of the host itself, per network number.
    pub host_stations: Vec<HostStation>,
    /// Where guests and the host reach each other by `host-access`.
    pub uplinks: Vec<CompiledUplink>,
    /// Tagged VLANs of trunks, by port id.
    pub trunks: BTreeMap<u32, VlanSet>,
    pub addresses: BTreeMap<AddressKey, AddressEntry>,
    /// Key: (prefix length as the kernel counts it, data). Holds the default route of each zone and family.
    pub prefixes: BTreeMap<(u32, PrefixKey), AddressEntry>,
    /// Ports that learn their addresses, by id.
    pub learners: BTreeMap<u32, LearnerEntry>,
    pub learned_classes: BTreeMap<LearnedKey, Classes>,
    /// Rows of [`SERVICE_ROW_LEN`] classes, in the order of [`netctl_common::classify::ServiceRow`].
    pub services: Vec<Vec<u16>>,
    /// Classes of source ports; 1 where no rule asks for them.
    pub source_services: u32,
    /// (destination port class) * `source_services` + (source port class) to service class.
    /// Empty where `source_services` is 1: the class in the row is the service class then.
    pub service_pairs: Vec<u32>,
    /// With audited rules, those of the enforced rules stand behind: see [`RuleEntry::enforced`].
    pub source_chains: Vec<ChainEntry>,
    pub destination_chains: Vec<ChainEntry>,
    pub pair_chains: BTreeMap<PairKey, ChainEntry>,
    pub verdicts: BTreeMap<VerdictKey, u32>,
    pub rules: Vec<RuleEntry>,
}

/// A port as the tables name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompiledPort {
    pub name: String,
    /// Stable across generations; given from outside.
    pub id: u32,
    pub interface: String,
    pub mac: Mac,
    pub zone: u32,
    pub network: u16,
    /// Bits of [`netctl_common::abi::port_flags`].
    pub flags: u32,
    /// Bits of [`netctl_common::abi::guards`].
    pub guards: u32,
    /// See [`netctl_common::abi::PortEntry::vlan`].
    pub vlan: u16,
    /// With [`netctl_common::abi::port_flags::LIMITED`].
    pub limits: Option<LimitsEntry>,
    /// Decides which hook sees which direction.
    pub kind: PortKind,
    /// Whether it has an interface on the host, where the policy is enforced.
    pub is_filtered: bool,
    pub classes: Classes,
    /// See [`netctl_common::abi::PortEntry::identity`].
    pub identity: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostStation {
    pub network: u16,
    /// The bridge.
    pub interface: String,
    pub mac: Mac,
    pub classes: Classes,
}

/// The uplink of a network with `host-access`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompiledUplink {
    /// Name of the network.
    pub network: String,
    pub number: u16,
    pub interface: String,
    /// The host's.
    pub classes: Classes,
}

const _: () = assert!(SERVICE_ROW_LEN == 1 << 16);
