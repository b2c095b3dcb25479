//! `[networks.NAME]`.

use ipnet::IpNet;

use super::address::host_address;
use super::claims::{Claims, Owner, Zone};
use super::kind;
use super::name::{check_interface, check_name};
use super::section::{Field, Section, Text};
use crate::config::derive::{self, Named};
use crate::config::limits::MAX_NETWORKS;
use crate::config::model::{Network, NetworkKind};
use crate::config::report::{Finding, Report};
use crate::config::source::Span;
use crate::config::tree::{Entry, Table};

pub(in crate::config) const FIELDS: &[Field] = &[
    Field { name: "kind", example: "kind = \"bridge\"" },
    Field { name: "zone", example: "zone = \"default\"" },
    Field { name: "interface", example: "interface = \"br0\"" },
    Field { name: "uplinks", example: "uplinks = [\"eth1\"]" },
    Field { name: "private", example: "private = true" },
    Field { name: "hairpin", example: "hairpin = \"local\"" },
    Field { name: "host-access", example: "host-access = true" },
    Field { name: "pool", example: "pool = { pf = \"eth3\", vfs = 8 }" },
    Field { name: "addresses", example: "addresses = [\"10.0.0.1/24\", \"fd00::1/64\"]" },
    Field { name: "mtu", example: "mtu = 1500" },
];

/// Bytes. At least what IPv4 demands (ETH_MIN_MTU), at most what a tap can have (65535 less an Ethernet header).
pub(in crate::config) const MIN_MTU: u16 = 68;
pub(in crate::config) const MAX_MTU: u16 = 65521;
/// Below it Linux takes IPv6 off the interface (IPV6_MIN_MTU; RFC 8200, 5).
pub(super) const MIN_MTU_IPV6: u16 = 1280;

/// The zone of networks that name none.
pub(in crate::config) const DEFAULT_ZONE: &str = "default";

/// A network and what the checks across the document need of its text.
#[derive(Debug)]
pub(super) struct Read<'d> {
    pub(super) name: Text<'d>,
    pub(super) network: Network,
    pub(super) zone: Zone,
    pub(super) mtu: Option<Span>,
}

/// Reads all networks, in the order of the text.
pub(super) fn networks<'d>(
    table: &'d Table<'_>,
    claims: &mut Claims<'d>,
    report: &mut Report,
) -> Vec<Read<'d>> {
    let entries = table.entries();
    if let Some(entry) = entries.get(MAX_NETWORKS) {
        let message = format!("the document has {} networks, more than {MAX_NETWORKS}", entries.len());
        report.error(entry.key, message, "remove some");
    }
    let networks: Vec<_> =
        entries.iter().take(MAX_NETWORKS).map(|entry| network(entry, claims, report)).collect();
    kind::check_pools(networks.iter().map(|read| (read.name, &read.network)), report);
    networks
}

fn network<'d>(entry: &'d Entry<'_>, claims: &mut Claims<'d>, report: &mut Report) -> Read<'d> {
    let name = Text { text: &entry.name, span: entry.key };
    report.take(name.span, check_name(name.text, "a network"));
    let mut network = Network {
        kind: NetworkKind::Bridge,
        zone: DEFAULT_ZONE.to_owned(),
        interface: derive::interface(Named::Network, name.text),
        uplinks: Vec::new(),
        pool: None,
        host_access: false,
        addresses: Vec::new(),
        mtu: None,
        mac: derive::mac(Named::Network, name.text),
        line: report.line_of(name.span),
    };
    let section = Section::of(entry, FIELDS, "a network", report);
    if let Some(section) = &section {
        kind::kind(section, &mut network, report);
        if let Some(zone) = section.text("zone", report) {
            report.take(zone.span, check_name(zone.text, "a zone"));
            network.zone = zone.text.to_owned();
        }
        network.mtu = section.integer("mtu", MIN_MTU..=MAX_MTU, report).map(u32::from);
    }
    let zone = claims.zone(&network.zone);
    if network.bridge().is_some() {
        claims.mac(zone, network.mac, Owner::network(name, name.span), report);
    }
    if let Some(section) = &section {
        interfaces(section, name, &mut network, claims, report);
        network.addresses = addresses(section, (name, zone), claims, report);
        check_mtu(section, &network, report);
    }
    let mtu = section.and_then(|section| section.node("mtu")).map(|node| node.span);
    Read { name, network, zone, mtu }
}

fn interfaces<'d>(
    section: &Section<'d, '_>,
    name: Text<'d>,
    network: &mut Network,
    claims: &mut Claims<'d>,
    report: &mut Report,
) {
    let chosen = section.text("interface", report);
    if let Some(chosen) = chosen {
        report.take(chosen.span, check_interface(chosen.text));
        network.interface = chosen.text.to_owned();
    } else if section.entry("interface").is_none() && network.bridge().is_some() {
        derived_interface(name, &network.interface, "interface", report);
    }
    if let Some(bridge) = network.bridge() {
        let owner = Owner::network(name, chosen.map_or(name.span, |text| text.span));
        claims.interface(bridge, owner, report);
    }
    kind::uplinks(section, name, network, claims, report);
}

/// A name that is fine for a port or network can be one that Linux does not take for an interface.
pub(super) fn derived_interface(name: Text<'_>, interface: &str, key: &str, report: &mut Report) {
    if check_name(name.text, "").is_ok()
        && let Err(complaint) = check_interface(interface)
    {
        report.error(name.span, complaint.message, format!("set `{key}` to another name"));
    }
}

fn addresses<'d>(
    section: &Section<'d, '_>,
    (name, zone): (Text<'d>, Zone),
    claims: &mut Claims<'d>,
    report: &mut Report,
) -> Vec<IpNet> {
    let mut addresses = Vec::new();
    for text in section.texts("addresses", report) {
        if let Some(net) = report.take(text.span, host_address(text.text)) {
            let owner = Owner::network(name, text.span);
            claims.address(zone, net.addr(), owner, report);
            claims.edges(zone, net, owner);
            addresses.push(net);
        }
    }
    addresses
}

fn check_mtu(section: &Section<'_, '_>, network: &Network, report: &mut Report) {
    let ipv6 = network.addresses.iter().any(|net| net.addr().is_ipv6());
    if let (Some(node), Some(mtu)) = (section.node("mtu"), network.mtu)
        && ipv6
        && mtu < u32::from(MIN_MTU_IPV6)
    {
        report.add(mtu_too_small(node.span, mtu));
    }
}

pub(super) fn mtu_too_small(span: Span, mtu: u32) -> Finding {
    let message = format!("an MTU of {mtu} is too small for IPv6");
    Finding::error(span, message, format!("write at least {MIN_MTU_IPV6}, or take the IPv6 addresses away"))
}
