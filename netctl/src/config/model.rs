//! What a document says. A value of these types has passed every check of the parser:
//! names resolve, no MAC or address is taken twice in a zone, selectors and services are well formed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::ops::RangeInclusive;

use ipnet::IpNet;
use netctl_common::flow::{DEFAULT_TIMEOUTS, TIMEOUTS};
use netctl_common::verdict::Action;

use super::guarding::{Guards, Limits, Vlans};
use super::policy_test::PolicyTest;
use super::tap::TapOptions;

/// A whole document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    pub networks: BTreeMap<String, Network>,
    pub ports: BTreeMap<String, Port>,
    pub sets: BTreeMap<String, Vec<IpNet>>,
    /// Group name to the names of its ports; may be empty.
    pub groups: BTreeMap<String, BTreeSet<String>>,
    pub policy: Policy,
    /// What must hold of the policy; no part of what it means.
    pub tests: Vec<PolicyTest>,
}

impl NetworkKind {
    /// The word for it in a document.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bridge => "bridge",
            Self::Macvlan(_) => "macvlan",
            Self::Passthrough => "passthrough",
            Self::Vepa(_) => "vepa",
        }
    }

    /// What the ports of such a network are.
    pub const fn port_kind(self) -> PortKind {
        match self {
            Self::Bridge => PortKind::Tap,
            Self::Macvlan(_) | Self::Passthrough | Self::Vepa(_) => PortKind::Macvtap,
        }
    }
}

impl Network {
    /// The bridge, where the network is one.
    pub fn bridge(&self) -> Option<&str> {
        matches!(self.kind, NetworkKind::Bridge).then_some(self.interface.as_str())
    }
}

impl Config {
    /// Nothing: what runs before anything was applied.
    pub fn empty() -> Self {
        Self {
            networks: BTreeMap::new(),
            ports: BTreeMap::new(),
            sets: BTreeMap::new(),
            groups: BTreeMap::new(),
            policy: Policy::default(),
            tests: Vec::new(),
        }
    }
}

/// A switch of one of the kinds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    pub kind: NetworkKind,
    /// Addresses of different zones never match each other.
    pub zone: String,
    /// Where the host itself is on the network: the bridge, at most 15 bytes, made if it does not exist, used if it
    /// does; of macvlan and vepa, the uplink. Empty for passthrough, where the host is not.
    pub interface: String,
    /// One for macvlan and vepa, one for each guest for passthrough without a pool.
    pub uplinks: Vec<String>,
    /// Passthrough only: VFs that ports lease.
    pub pool: Option<Pool>,
    /// Macvlan and vepa only: guests and the host reach each other.
    pub host_access: bool,
    /// The host's own addresses on this network, with their prefix lengths; the selector `host`.
    pub addresses: Vec<IpNet>,
    /// Bytes; `None` leaves the kernel's.
    pub mtu: Option<u32>,
    /// MAC address of the bridge, derived from the network's name; of no use for other kinds.
    pub mac: Mac,
    pub line: u32,
}

/// How guests are plugged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkKind {
    /// Taps on a Linux bridge.
    Bridge,
    /// Macvtaps on one uplink; the macvlan driver forwards.
    Macvlan(Siblings),
    /// One macvtap for each NIC or VF.
    Passthrough,
    /// Macvtaps on one uplink; the switch behind it forwards.
    Vepa(Hairpin),
}

/// Whether guests of one macvlan network reach each other on the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Siblings {
    #[default]
    Bridge,
    /// Never, whatever the policy (MACVLAN_MODE_PRIVATE).
    Private,
}

/// Who sends a frame back that is for a guest of the same uplink.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hairpin {
    /// The switch, which so sees every frame (IEEE 802.1Qbg, reflective relay).
    #[default]
    Switch,
    /// The host, as in a macvlan network.
    Local,
}

/// What the host's end of a guest's NIC is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PortKind {
    Tap,
    Macvtap,
}

impl PortKind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tap => "tap",
            Self::Macvtap => "macvtap",
        }
    }
}

/// Virtual functions of one NIC, leased to ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Interface of the physical function.
    pub pf: String,
    /// Number of virtual functions, 1 to 256.
    pub vfs: u16,
    pub settings: VfSettings,
}

/// What the NIC itself does for a virtual function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VfSettings {
    /// The NIC tags and untags the guest's frames (1 to 4094).
    pub vlan: Option<u16>,
    /// The NIC drops frames with another source MAC address.
    pub spoof_check: bool,
    /// The driver of the function may turn on promiscuous mode and change its MAC address.
    pub trust: bool,
    /// Mbit/s that the function may send.
    pub rate: Option<u32>,
}

impl Default for VfSettings {
    fn default() -> Self {
        Self { vlan: None, spoof_check: true, trust: false, rate: None }
    }
}

/// One guest NIC's host end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    pub network: String,
    pub mac: Mac,
    pub addresses: Addresses,
    pub groups: BTreeSet<String>,
    /// Interface name, at most 15 bytes; chosen (`ifname`) or derived from the port's name.
    pub interface: String,
    /// Queue pairs, 1 to 16.
    pub queues: u16,
    /// Who may open the tap without CAP_NET_ADMIN (TUNSETOWNER): a numeric uid.
    pub owner: Option<u32>,
    /// Whose members may do so (TUNSETGROUP): a numeric gid. With both, who is either may.
    pub owner_group: Option<u32>,
    pub tap: TapOptions,
    /// Bytes; `None` takes the network's.
    pub mtu: Option<u32>,
    pub vhost: Vhost,
    /// Passthrough without a pool: the NIC that the guest gets; chosen if not named.
    pub uplink: Option<String>,
    pub device: Device,
    /// UUID of the libvirt domain whose hook adopted the interface and releases it; only of adopted ports.
    pub domain: Option<String>,
    pub guards: Guards,
    pub vlans: Vlans,
    pub limits: Limits,
    /// Denials of the policy are reported and not enforced; the guards stay.
    pub audit: bool,
    pub line: u32,
}

/// Who makes what the guest's NIC is plugged into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Device {
    /// netctl makes the interface, and removes it.
    #[default]
    Made,
    /// The interface is someone else's and only gets the programs (`adopt = true`).
    Adopted,
    /// The guest drives a leased VF itself (`vfio = true`): there is no interface and nothing is enforced, which the
    /// document has to say as well (`filter = "none"`).
    Vfio,
    /// `/dev/vhost-vdpa-N` (`vdpa = "…"`): the device moves the guest's frames, past the host, as with [`Self::Vfio`].
    Vdpa(u32),
}

impl Device {
    /// Whether the guest's frames cross an interface, where the policy is.
    pub const fn is_filtered(self) -> bool {
        matches!(self, Self::Made | Self::Adopted)
    }
}

/// What a port may send from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// Not checked.
    Any,
    /// Only these, besides the IPv6 link-local address that follows from the MAC address (RFC 4291, appendix A).
    Listed(BTreeSet<IpAddr>),
    /// What the port is seen to be given by DHCP, or to claim by duplicate address detection.
    Learned,
}

/// Whether vhost-net serves the port's queues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Vhost {
    /// If it can be opened.
    #[default]
    Auto,
    On,
    Off,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub default: Action,
    /// Denials are reported and not enforced, at all ports; the guards stay.
    pub audit: bool,
    /// Seconds; index: [`netctl_common::flow::Timeout`].
    pub timeouts: [u32; TIMEOUTS],
    /// First match wins.
    pub rules: Vec<Rule>,
}

impl Default for Policy {
    /// Denies everything.
    fn default() -> Self {
        Self {
            default: Action::Deny,
            audit: false,
            timeouts: DEFAULT_TIMEOUTS.map(|(_, seconds)| seconds),
            rules: Vec::new(),
        }
    }
}

/// Who may (or may not) open which flows towards whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub action: Action,
    /// Never empty; one of them must match.
    pub from: Vec<Selector>,
    pub to: Vec<Selector>,
    pub services: Vec<Service>,
    /// Empty = any. Only TCP, UDP and SCTP have source ports; with them set, nothing else matches.
    pub source_ports: Vec<RangeInclusive<u16>>,
    pub name: Option<String>,
    /// What is told of connections that it decides.
    pub log: Option<Log>,
    /// What it would do is reported; the rules behind it decide.
    pub audit: bool,
    pub line: u32,
}

impl Rule {
    /// All of a rule but its place: equal for rules that say the same.
    pub fn meaning(&self) -> impl std::hash::Hash + Eq + '_ {
        (
            self.action,
            &self.from,
            &self.to,
            &self.services,
            &self.source_ports,
            &self.name,
            self.log,
            self.audit,
        )
    }
}

/// What is told of connections that a rule decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Log {
    /// Events per second and CPU; `None`: as many as the port may tell of.
    pub rate: Option<NonZeroU16>,
    /// How many frames of each connection, from its first one on; at least 1.
    pub packets: u8,
}

impl Log {
    /// The first frame of each connection.
    pub const OPENINGS: Self = Self { rate: None, packets: 1 };
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Selector {
    Any,
    /// The host's own addresses on the networks.
    Host,
    /// Unicast addresses that belong to no port and not to the host.
    World,
    /// 224.0.0.0/4, ff00::/8, and frames without IP to a group MAC address.
    Multicast,
    /// 255.255.255.255 and frames to `ff:ff:ff:ff:ff:ff`.
    Broadcast,
    Group(String),
    Port(String),
    Set(String),
    Prefix(IpNet),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// Every IP protocol; not frames without IP, which only [`Service::Ethertype`] takes.
    Any,
    /// Destination ports.
    Tcp(PortRange),
    Udp(PortRange),
    Sctp(PortRange),
    /// Type, and code where only one is meant.
    Icmp(IcmpMatch),
    Icmp6(IcmpMatch),
    /// By IP protocol number, TCP, UDP and ICMP included.
    Protocol(u8),
    Ethertype(u16),
}

/// First and last, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortRange {
    pub first: u16,
    pub last: u16,
}

impl PortRange {
    pub const ALL: Self = Self { first: 0, last: u16::MAX };
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IcmpMatch {
    All,
    Type(u8),
    Code(u8, u8),
}

/// An Ethernet address.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Mac {
    /// The link-local address made of the MAC address (modified EUI-64; RFC 4291, appendix A).
    pub fn link_local(self) -> std::net::Ipv6Addr {
        let [a, b, c, d, e, f] = self.0;
        std::net::Ipv6Addr::from([0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f])
    }
}
