//! What only one can have: interface names, and within a zone MAC and IP addresses. Who comes second
//! in the document is in the wrong, and is told who was first.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::net::IpAddr;

use ipnet::IpNet;

use super::section::Text;
use crate::config::escape::quoted;
use crate::config::model::Mac;
use crate::config::report::{Finding, Report};
use crate::config::source::Span;

/// Who has it, and where the document says so.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owner<'d> {
    what: What,
    name: Text<'d>,
    span: Span,
    /// Whether it follows from the name, without being written.
    derived: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Network,
    Uplink,
    Port,
}

impl<'d> Owner<'d> {
    pub(super) fn network(name: Text<'d>, span: Span) -> Self {
        Self::new(What::Network, name, span)
    }

    pub(super) fn uplink(name: Text<'d>, span: Span) -> Self {
        Self::new(What::Uplink, name, span)
    }

    pub(super) fn port(name: Text<'d>, span: Span) -> Self {
        Self::new(What::Port, name, span)
    }

    fn new(what: What, name: Text<'d>, span: Span) -> Self {
        Self { what, name, span, derived: span == name.span }
    }

    /// It follows from what is written at the place.
    fn derived(self) -> Self {
        Self { derived: true, ..self }
    }

    fn describe(&self) -> String {
        let what = match self.what {
            What::Network => "network",
            What::Uplink => "an uplink of network",
            What::Port => "port",
        };
        format!("{what} {}", quoted(self.name.text))
    }

    fn is_same(&self, other: &Self) -> bool {
        (self.what, self.name.span) == (other.what, other.name.span)
    }
}

/// A zone, as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Zone(usize);

/// Everything that is taken.
#[derive(Debug, Default)]
pub(super) struct Claims<'d> {
    zones: HashMap<String, Zone>,
    interfaces: HashMap<String, Owner<'d>>,
    macs: HashMap<(Zone, Mac), Owner<'d>>,
    addresses: HashMap<(Zone, IpAddr), Owner<'d>>,
    /// Network and broadcast addresses (RFC 1122, 3.2.1.3) of the host's IPv4 networks.
    edges: HashMap<(Zone, IpAddr), Owner<'d>>,
}

impl<'d> Claims<'d> {
    pub(super) fn zone(&mut self, name: &str) -> Zone {
        let next = Zone(self.zones.len());
        *self.zones.entry(name.to_owned()).or_insert(next)
    }

    pub(super) fn interface(&mut self, name: &str, owner: Owner<'d>, report: &mut Report) {
        let conflict = claim(&mut self.interfaces, name.to_owned(), owner);
        let thing = || format!("interface {}", quoted(name));
        tell(conflict, thing, "choose another `ifname`, `interface` or uplink for one of them", report);
    }

    /// Takes a MAC address, and the link-local address that its owner forms of it.
    pub(super) fn mac(&mut self, zone: Zone, mac: Mac, owner: Owner<'d>, report: &mut Report) {
        let conflict = claim(&mut self.macs, (zone, mac), owner);
        if conflict.is_none() {
            self.address(zone, mac.link_local().into(), owner.derived(), report);
        }
        tell(conflict, || format!("MAC address {mac}"), "give one of them another `mac`", report);
    }

    pub(super) fn address(&mut self, zone: Zone, address: IpAddr, owner: Owner<'d>, report: &mut Report) {
        if let Some(network) = self.edges.get(&(zone, address)) {
            let message = format!("{address} is the network or broadcast address of {}", network.describe());
            let finding = Finding::error(owner.span, message, "write the address of one host");
            report.add(finding.relate(network.span, "by this prefix"));
        }
        let conflict = claim(&mut self.addresses, (zone, address), owner);
        tell(
            conflict,
            || format!("address {address}"),
            "give each its own, or put them into different zones",
            report,
        );
    }

    /// Keeps the ends of the host's own network from being given to ports.
    pub(super) fn edges(&mut self, zone: Zone, net: IpNet, owner: Owner<'d>) {
        // Prefixes of 31 and 32 bits have none (RFC 3021).
        if let IpNet::V4(net) = net
            && net.prefix_len() < 31
        {
            for edge in [net.network(), net.broadcast()] {
                self.edges.entry((zone, edge.into())).or_insert(owner);
            }
        }
    }
}

/// Takes the thing for the owner; if it is taken, gives who is second and who is first in the text.
fn claim<'d, K: Eq + Hash>(
    taken: &mut HashMap<K, Owner<'d>>,
    key: K,
    owner: Owner<'d>,
) -> Option<(Owner<'d>, Owner<'d>)> {
    let first = match taken.entry(key) {
        Entry::Vacant(slot) => {
            slot.insert(owner);
            return None;
        }
        Entry::Occupied(slot) => *slot.get(),
    };
    if owner.span.start < first.span.start { Some((first, owner)) } else { Some((owner, first)) }
}

fn tell(
    conflict: Option<(Owner<'_>, Owner<'_>)>,
    thing: impl Fn() -> String,
    help: &str,
    report: &mut Report,
) {
    let Some((second, first)) = conflict else { return };
    let finding = if !second.is_same(&first) {
        let message = format!("{} of {} is taken by {}", thing(), second.describe(), first.describe());
        Finding::error(second.span, message, help)
    } else if first.derived || second.derived {
        return;
    } else {
        let message = format!("{} of {} is listed twice", thing(), second.describe());
        Finding::error(second.span, message, "remove one of the two")
    };
    let label = if first.derived { "it follows from this" } else { "first used here" };
    report.add(finding.relate(first.span, label));
}
