//! What is there, as values: interfaces of a network namespace with their addresses and bridge facts.
//! How they are read from the kernel is in `observe`; who owns them in `tag`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use ipnet::IpNet;

use super::tag::{ADDRESS_PROTOCOL, HALF_MADE_GROUP, Tag, UplinkTag, port_network};
use super::vf::Sriov;
use crate::config::Mac;

/// All interfaces of the network namespace at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    by_index: BTreeMap<u32, Interface>,
    /// Names and alternative names, for which the kernel has one space.
    names: HashMap<String, u32>,
}

/// One interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    pub name: String,
    pub index: u32,
    /// `None` for interfaces without an Ethernet address.
    pub mac: Option<Mac>,
    /// Bytes.
    pub mtu: u32,
    /// Administratively up (IFF_UP).
    pub up: bool,
    /// A tap has carrier while a process holds one of its queues.
    pub carrier: bool,
    pub kind: Kind,
    /// IFLA_IFALIAS.
    pub alias: Option<String>,
    /// IFLA_GROUP.
    pub group: u32,
    /// IFLA_ALT_IFNAME.
    pub alternative_names: Vec<String>,
    /// Index of the interface below it (IFLA_LINK), as a macvtap has one.
    pub lower: Option<u32>,
    /// IFF_ALLMULTI.
    pub all_multicast: bool,
    /// Identity of the XDP program on it.
    pub xdp: Option<u32>,
    /// A default route of the host leads out here.
    pub default_route: bool,
    /// Index of the bridge (or bond, VRF, …) that it is a port of.
    pub master: Option<u32>,
    /// Settings as a port of a bridge; `None` where it is no such port.
    pub bridge_port: Option<BridgePort>,
    /// Static entries of the bridge's forwarding table that lead here (NUD_NOARP, NTF_MASTER).
    pub static_fdb: BTreeSet<Mac>,
    /// Multicast groups that it receives (its list of multicast addresses, NTF_SELF).
    pub multicast: BTreeSet<Mac>,
    pub addresses: Vec<Address>,
    /// SR-IOV: what a physical function has of virtual ones.
    pub sriov: Option<Sriov>,
    /// SR-IOV: it is a virtual function itself.
    pub is_vf: bool,
    /// Whether the host speaks IPv6 here; `None` if the kernel does not say, as one without IPv6.
    pub ipv6: Option<bool>,
}

/// What sort of interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    Bridge(BridgeFacts),
    /// Kind `tun`, type tap.
    Tap(TapFacts),
    Macvtap(MacvtapFacts),
    /// IFLA_INFO_KIND.
    Other(String),
    /// The kernel names no kind: hardware, or a driver without one.
    Device,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BridgeFacts {
    pub multicast_snooping: bool,
    pub spanning_tree: bool,
}

/// IFLA_TUN_*.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TapFacts {
    pub multi_queue: bool,
    pub persistent: bool,
    /// uid that may open it.
    pub owner: Option<u32>,
    /// gid whose members may.
    pub group: Option<u32>,
    /// Queues that processes hold, attached and detached; `None` for a single-queue tap, see carrier.
    pub open_queues: Option<u32>,
}

/// IFLA_MACVLAN_*.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MacvtapFacts {
    pub mode: Mode,
}

/// IFLA_MACVLAN_MODE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Private,
    Vepa,
    Bridge,
    Passthru,
    /// One that netctl does not use.
    Other,
}

impl Mode {
    /// As `ip link` writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Vepa => "vepa",
            Self::Bridge => "bridge",
            Self::Passthru => "passthru",
            Self::Other => "another",
        }
    }
}

/// IFLA_BRPORT_*, those that netctl sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BridgePort {
    pub learning: bool,
    /// Unicast to MAC addresses that the bridge does not know.
    pub unicast_flood: bool,
    pub multicast_flood: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// The address itself with its prefix length, not the network.
    pub net: IpNet,
    /// IFA_PROTO.
    pub protocol: u8,
    /// IPv4: the kernel deletes it together with the first address of the same subnet.
    pub secondary: bool,
}

impl Observed {
    pub fn new(interfaces: impl IntoIterator<Item = Interface>) -> Self {
        let by_index: BTreeMap<_, _> = interfaces.into_iter().map(|i| (i.index, i)).collect();
        let own = by_index.values().map(|i| (i.name.clone(), i.index));
        let others = by_index.values().flat_map(|i| i.alternative_names.iter().map(|n| (n.clone(), i.index)));
        let names = others.chain(own).collect();
        Self { by_index, names }
    }

    /// In the order of their indexes.
    pub fn interfaces(&self) -> impl Iterator<Item = &Interface> {
        self.by_index.values()
    }

    /// By index.
    pub fn indexed(&self, index: u32) -> Option<&Interface> {
        self.by_index.get(&index)
    }

    /// By name; not by alternative names.
    pub fn named(&self, name: &str) -> Option<&Interface> {
        self.holder(name).filter(|interface| interface.name == name)
    }

    /// Who holds a name, as its name or as an alternative one.
    pub fn holder(&self, name: &str) -> Option<&Interface> {
        self.names.get(name).and_then(|index| self.by_index.get(index))
    }

    pub fn by_index(&self, index: u32) -> Option<&Interface> {
        self.by_index.get(&index)
    }

    /// The interface that `interface` is a port of.
    pub fn master_of(&self, interface: &Interface) -> Option<&Interface> {
        interface.master.and_then(|index| self.by_index.get(&index))
    }
}

impl Interface {
    /// What netctl made it for; `None` for other people's.
    pub fn tag(&self) -> Option<Tag<'_>> {
        Tag::read(self.alias.as_deref(), self.group)
    }

    /// Name of the network that netctl made it a port of; `None` for other people's, and before the next apply for what
    /// an older netctl made.
    pub fn port_network(&self) -> Option<&str> {
        self.alias.as_deref().and_then(port_network)
    }

    /// More than one only after a crash while an uplink was moved.
    pub(super) fn uplink_tags(&self) -> Vec<UplinkTag> {
        self.alternative_names.iter().filter_map(|name| UplinkTag::read(name, self.index)).collect()
    }

    /// Whether its making was interrupted.
    pub(super) fn is_half_made(&self) -> bool {
        self.group == HALF_MADE_GROUP
    }

    /// A macvlan or macvtap.
    pub(super) fn is_macvlan(&self) -> bool {
        match &self.kind {
            Kind::Macvtap(_) => true,
            Kind::Other(kind) => kind == "macvlan",
            _ => false,
        }
    }

    /// Whether a process holds a queue of this tap.
    pub fn in_use(&self) -> bool {
        match self.kind {
            Kind::Tap(TapFacts { open_queues: Some(n), .. }) => n > 0,
            Kind::Tap(_) => self.carrier,
            _ => false,
        }
    }
}

impl Address {
    pub(super) fn is_ours(&self) -> bool {
        self.protocol == ADDRESS_PROTOCOL
    }

    /// Made by the kernel for every interface that is up and speaks IPv6.
    pub fn is_link_local(&self) -> bool {
        matches!(self.net, IpNet::V6(net) if net.addr().is_unicast_link_local())
    }
}

impl fmt::Display for Interface {
    /// What it is, for error messages: `a veth`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.kind, self.tag()) {
            (_, Some(Tag::Network(name))) => write!(f, "netctl's bridge of network `{name}`"),
            (Kind::Macvtap(_), Some(Tag::Port(name))) => write!(f, "netctl's macvtap of port `{name}`"),
            (_, Some(Tag::Port(name))) => write!(f, "netctl's tap of port `{name}`"),
            (Kind::Bridge(_), _) => f.write_str("a bridge"),
            (Kind::Tap(_), _) => f.write_str("a tap"),
            (Kind::Macvtap(_), _) => f.write_str("a macvtap"),
            (Kind::Other(kind), _) => write!(f, "of kind {kind}"),
            (Kind::Device, _) => f.write_str("a network device"),
        }
    }
}
