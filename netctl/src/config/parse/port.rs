//! `[ports.NAME]`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Lookups;
use super::address::port_address;
use super::audit;
use super::claims::{Claims, Owner};
use super::device;
use super::guards;
use super::limits;
use super::mac;
use super::name::{Kind, Names, check_interface, check_name};
use super::nearest::nearest;
use super::network::{self, MAX_MTU, MIN_MTU, MIN_MTU_IPV6, derived_interface, mtu_too_small};
use super::section::{Field, Section, Text};
use super::tap;
use super::vlans;
use crate::config::derive::{self, Named};
use crate::config::escape::{quoted, shortened};
use crate::config::limits::MAX_PORTS;
use crate::config::model::{Addresses, Port, Vhost};
use crate::config::pick::InterfaceKind;
use crate::config::report::{Finding, Report};
use crate::config::source::Span;
use crate::config::tree::{Entry, Table, Value};

pub(in crate::config) const FIELDS: &[Field] = &[
    Field { name: "network", example: "network = \"lab\"" },
    Field { name: "mac", example: "mac = \"52:54:00:00:00:11\"" },
    Field { name: "addresses", example: "addresses = [\"10.0.0.11\", \"fd00::11\"]" },
    Field { name: "groups", example: "groups = [\"web\"]" },
    Field { name: "ifname", example: "ifname = \"tap-web1\"" },
    Field { name: "queues", example: "queues = 4" },
    Field { name: "owner", example: "owner = \"libvirt-qemu\"" },
    Field { name: "owner-group", example: "owner-group = \"kvm\"" },
    Field { name: "tap", example: "tap = { header-size = 12 }" },
    Field { name: "limits", example: "limits = { from-guest = { bits = \"100M\" } }" },
    Field { name: "mtu", example: "mtu = 1500" },
    Field { name: "vhost", example: "vhost = \"auto\"" },
    Field { name: "uplink", example: "uplink = \"eth1\"" },
    Field { name: "adopt", example: "adopt = true" },
    Field { name: "domain", example: "domain = \"0f5c8a1e-3d0b-4a56-9d0e-5b1c2f3a4d5e\"" },
    Field { name: "vfio", example: "vfio = true" },
    Field { name: "vdpa", example: "vdpa = \"/dev/vhost-vdpa-0\"" },
    Field { name: "filter", example: "filter = \"none\"" },
    Field { name: "guards", example: "guards = { router = false }" },
    Field { name: "vlan", example: "vlan = 10" },
    Field { name: "vlans", example: "vlans = [10, \"20-30\"]" },
    Field { name: "audit", example: "audit = true" },
];

/// Queue pairs of a port.
pub const MAX_QUEUES: u16 = 16;

/// What the paths of vhost-vdpa devices begin with; a number follows (drivers/vhost/vdpa.c).
pub(in crate::config) const VDPA: &str = "/dev/vhost-vdpa-";

/// The word for [`Addresses::Any`].
pub(in crate::config) const ANY_ADDRESS: &str = "any";

/// The word for [`Addresses::Learned`].
pub(in crate::config) const LEARNED_ADDRESSES: &str = "learn";

pub(in crate::config) const VHOST_WORDS: [(&str, Vhost); 3] =
    [("auto", Vhost::Auto), ("on", Vhost::On), ("off", Vhost::Off)];

/// The uid of a user name, if there is such a user.
pub type UserLookup<'a> = &'a dyn Fn(&str) -> Option<u32>;

/// What the ports refer to and share.
pub(super) struct Around<'a, 'd> {
    pub(super) networks: HashMap<&'d str, &'a network::Read<'d>>,
    pub(super) claims: Claims<'d>,
    pub(super) lookups: Lookups<'a>,
    /// What `users` has answered: a question may go to a directory server, and most ports have one owner.
    pub(super) asked: HashMap<(&'static str, &'d str), Option<u32>>,
    /// vhost-vdpa devices, and where they are first named.
    pub(super) vdpa: HashMap<u32, Span>,
    /// Names that are no networks, and what the host says about them.
    pub(super) interfaces: HashMap<&'d str, Option<InterfaceKind>>,
}

impl<'d> Around<'_, 'd> {
    /// What a name is that no network has.
    fn interface(&mut self, name: &'d str) -> Option<&InterfaceKind> {
        let lookup = self.lookups.interfaces;
        // What cannot name a network and an interface is neither.
        let ask =
            || if check_name(name, "").and(check_interface(name)).is_ok() { lookup(name) } else { None };
        self.interfaces.entry(name).or_insert_with(ask).as_ref()
    }

    /// The interfaces that ports name as networks.
    pub(super) fn found(&self) -> BTreeMap<String, InterfaceKind> {
        let known =
            self.interfaces.iter().filter_map(|(name, kind)| Some(((*name).to_owned(), kind.clone()?)));
        known.collect()
    }
}

/// Takes the names of all ports, and of the groups they name.
pub(super) fn declare<'d>(table: &'d Table<'_>, names: &mut Names<'d>, report: &mut Report) {
    let entries = table.entries().iter().take(MAX_PORTS);
    for entry in entries.clone() {
        names.declare(Text { text: &entry.name, span: entry.key }, Kind::Port, report);
    }
    for entry in entries {
        let Value::Table(port) = &entry.node.value else { continue };
        let Some(Value::Array(groups)) = port.get("groups").map(|groups| &groups.node.value) else {
            continue;
        };
        for group in groups {
            if let Value::String(text) = &group.value {
                names.declare(Text { text, span: group.span }, Kind::Group, report);
            }
        }
    }
}

/// Reads all ports, in the order of the text.
pub(super) fn ports<'d>(
    table: &'d Table<'_>,
    around: &mut Around<'_, 'd>,
    report: &mut Report,
) -> Vec<(&'d str, Port)> {
    let entries = table.entries();
    if let Some(entry) = entries.get(MAX_PORTS) {
        let message = format!("the document has {} ports, more than {MAX_PORTS}", entries.len());
        report.error(entry.key, message, "remove some; a host has no more");
    }
    let read = |entry: &'d Entry<'_>| Some((&*entry.name, port(entry, around, report)?));
    entries.iter().take(MAX_PORTS).filter_map(read).collect()
}

fn port<'d>(entry: &'d Entry<'_>, around: &mut Around<'_, 'd>, report: &mut Report) -> Option<Port> {
    let name = Text { text: &entry.name, span: entry.key };
    let section = Section::of(entry, FIELDS, "a port", report)?;
    let network = network(&section, around, report);
    let mac = mac(&section, name, network, around, report);
    let device = device::device(&section, network.map(|read| &read.network), (around, report));
    let port = Port {
        network: network.map(|network| network.name.text.to_owned()).unwrap_or_default(),
        mac,
        addresses: addresses(&section, name, network, around, report),
        groups: groups(&section, report),
        interface: interface(&section, name, around, report),
        queues: section.integer("queues", 1..=MAX_QUEUES, report).unwrap_or(1),
        owner: owner(&section, around.lookups.users, OWNER, (around, report)),
        owner_group: owner(&section, around.lookups.user_groups, OWNER_GROUP, (around, report)),
        tap: tap::options(&section, network.map(|read| &read.network), report),
        mtu: section.integer("mtu", MIN_MTU..=MAX_MTU, report).map(u32::from),
        vhost: section.word("vhost", &VHOST_WORDS, report).unwrap_or_default(),
        uplink: device::uplink(&section, network.map(|read| &read.network), report),
        device,
        domain: device::domain(&section, device, report),
        guards: guards::guards(&section, name, report),
        vlans: vlans::vlans(&section, device, report),
        limits: limits::limits(&section, report),
        audit: audit::port(&section, name, report),
        line: report.line_of(name.span),
    };
    device::check_owner(&section, network.map(|read| &read.network), report);
    check_mtu(&section, &port, network, report);
    Some(port)
}

type Network<'a, 'd> = Option<&'a network::Read<'d>>;

fn network<'a, 'd>(
    section: &Section<'d, '_>,
    around: &mut Around<'a, 'd>,
    report: &mut Report,
) -> Network<'a, 'd> {
    if section.entry("network").is_none() {
        section.missing("network", "a port", report);
    }
    let name = section.text("network", report)?;
    let network = around.networks.get(name.text).copied();
    if network.is_some() {
        return network;
    }
    match around.interface(name.text) {
        Some(InterfaceKind::Unfit { what, help }) => {
            let message = format!("{} is {what}, which is no network", quoted(name.text));
            report.error(name.span, message, help.clone());
        }
        // The document is read again with a network of that name.
        Some(_) => {}
        None => unknown(name, around, report),
    }
    None
}

fn unknown(name: Text<'_>, around: &Around<'_, '_>, report: &mut Report) {
    let known: BTreeSet<&str> = around.networks.keys().copied().collect();
    let near = if report.is_full() { None } else { nearest(name.text, known.into_iter()) };
    let help = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => "define it: a table of [networks] with a `kind`".to_owned(),
    };
    report.error(name.span, format!("there is no network {}", quoted(name.text)), help);
}

fn mac<'d>(
    section: &Section<'d, '_>,
    name: Text<'d>,
    network: Network<'_, 'd>,
    around: &mut Around<'_, 'd>,
    report: &mut Report,
) -> crate::config::model::Mac {
    let chosen = section.text("mac", report);
    let read = chosen.and_then(|text| report.take(text.span, mac::mac(text.text)));
    let mac = read.unwrap_or_else(|| derive::mac(Named::Port, name.text));
    // A MAC address that cannot be read claims nothing: the derived one is not what was meant.
    if let Some(network) = network
        && (read.is_some() || section.entry("mac").is_none())
    {
        let owner = Owner::port(name, chosen.map_or(name.span, |text| text.span));
        around.claims.mac(network.zone, mac, owner, report);
    }
    mac
}

fn addresses<'d>(
    section: &Section<'d, '_>,
    name: Text<'d>,
    network: Network<'_, 'd>,
    around: &mut Around<'_, 'd>,
    report: &mut Report,
) -> Addresses {
    let Some(node) = section.node("addresses") else {
        let message = format!(
            "port {} has no addresses: it can use only its IPv6 link-local address",
            quoted(name.text)
        );
        let help = "add `addresses = [\"10.0.0.11\"]`, or `addresses = []` if that is meant";
        report.add(Finding::warning(name.span, message, help));
        return Addresses::Listed(BTreeSet::new());
    };
    if let Value::String(text) = &node.value {
        if text == ANY_ADDRESS {
            let message = format!(
                "the addresses that port {} sends from are not checked: it can use any that no other port has",
                quoted(name.text)
            );
            let help = "list its addresses, or use \"learn\": then it cannot pretend to be another";
            report.add(Finding::warning(node.span, message, help));
            return Addresses::Any;
        }
        if text == LEARNED_ADDRESSES {
            let message = format!(
                "port {} can use what the DHCP servers and routers that reach it give it",
                quoted(name.text)
            );
            let help = "list its addresses if they are known; then nobody on the network decides about them";
            report.add(Finding::warning(node.span, message, help));
            return Addresses::Learned;
        }
        let help =
            format!("write a list, like `addresses = [\"{}\"]`, or \"learn\" or \"any\"", shortened(text));
        report.error(node.span, "`addresses` takes a list of strings, \"learn\" or \"any\"", help);
        return Addresses::Any;
    }
    let mut listed = BTreeSet::new();
    for text in section.texts("addresses", report) {
        let Some(address) = report.take(text.span, port_address(text.text)) else { continue };
        if let Some(network) = network {
            around.claims.address(network.zone, address, Owner::port(name, text.span), report);
        }
        listed.insert(address);
    }
    Addresses::Listed(listed)
}

/// Their names are checked where they are declared.
fn groups(section: &Section<'_, '_>, report: &mut Report) -> BTreeSet<String> {
    section.texts("groups", report).map(|group| group.text.to_owned()).collect()
}

fn interface<'d>(
    section: &Section<'d, '_>,
    name: Text<'d>,
    around: &mut Around<'_, 'd>,
    report: &mut Report,
) -> String {
    let chosen = section.text("ifname", report);
    let interface = match chosen {
        Some(text) => {
            report.take(text.span, check_interface(text.text));
            text.text.to_owned()
        }
        None => derive::interface(Named::Port, name.text),
    };
    if section.entry("ifname").is_none() {
        derived_interface(name, &interface, "ifname", report);
    }
    let owner = Owner::port(name, chosen.map_or(name.span, |text| text.span));
    around.claims.interface(&interface, owner, report);
    interface
}

/// A key that names a user or a group, and the words for it.
type Who = (&'static str, &'static str, &'static str);
const OWNER: Who = ("owner", "user", "uid");
const OWNER_GROUP: Who = ("owner-group", "group", "gid");

fn owner<'d>(
    section: &Section<'d, '_>,
    lookup: UserLookup<'_>,
    (key, noun, number): Who,
    (around, report): (&mut Around<'_, 'd>, &mut Report),
) -> Option<u32> {
    let node = section.node(key)?;
    match &node.value {
        // The highest number means "nobody" to the kernel (INVALID_UID).
        Value::Integer(id) => {
            let found = u32::try_from(*id).ok().filter(|id| *id != u32::MAX);
            if found.is_none() {
                let help = format!("write a {number} from 0 to 4294967294, or a name");
                report.error(node.span, format!("{id} is no {noun}"), help);
            }
            found
        }
        Value::String(name) => {
            let found = *around.asked.entry((key, name)).or_insert_with(|| lookup(name));
            if found.is_none() {
                let message = format!("there is no {noun} {} on this host", quoted(name));
                report.error(
                    node.span,
                    message,
                    format!("write the name or {number} of whoever runs the VMM"),
                );
            }
            found
        }
        _ => section.wrong(key, &format!("a {noun}'s name or {number}"), node, report),
    }
}

/// A port without an MTU of its own takes the network's.
fn check_mtu(section: &Section<'_, '_>, port: &Port, network: Network<'_, '_>, report: &mut Report) {
    let Addresses::Listed(addresses) = &port.addresses else { return };
    let too_small = |mtu: u32| mtu < u32::from(MIN_MTU_IPV6);
    if !addresses.iter().any(std::net::IpAddr::is_ipv6) {
        return;
    }
    match (port.mtu, section.node("mtu"), network) {
        (Some(mtu), Some(node), _) if too_small(mtu) => report.add(mtu_too_small(node.span, mtu)),
        (None, None, Some(network)) => {
            if let (Some(mtu), Some(span)) = (network.network.mtu, network.mtu)
                && too_small(mtu)
            {
                report.add(mtu_too_small(section.span, mtu).relate(span, "the network's MTU"));
            }
        }
        _ => {}
    }
}
