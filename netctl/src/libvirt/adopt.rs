//! What a starting domain's NICs become in the running document.
//!
//! netctl's business are domains with netctl metadata, and interfaces on a network of the running document. On such a
//! network nobody starts without a word about its port: what a guest may send from cannot be guessed, and a port with
//! `addresses = "any"` that nobody asked for would be a hole with a policy's name on it. All other domains pass.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::domain::{Domain, Nic, Wanted};
use super::error::HookError;
use super::release::release;
use super::{Edit, NAMESPACE, NewPort};
use crate::config::escape::quoted;
use crate::config::{Addresses, Config, Device, Port};
use crate::network::{self, Adoptable, Interface, Observed};

/// Kinds of interfaces of which the host has a tap or macvtap.
const KINDS: [&str; 4] = ["bridge", "network", "direct", "ethernet"];

/// How far the domain's start is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// There are no interfaces yet.
    Prepared,
    /// Interfaces are there, the monitor is not; one that libvirt makes later is looked at later.
    Starting,
    /// The guest runs.
    Running,
}

/// What a domain meets.
#[derive(Clone, Copy)]
pub struct Around<'a> {
    pub config: &'a Config,
    pub observed: &'a Observed,
    /// Whether the programs are on the interface that the running policy's port of that name has.
    pub is_filtered: &'a dyn Fn(&str) -> bool,
}

/// # Errors
/// [`HookError::Refused`], [`HookError::Metadata`]: the domain must not start, and why.
pub fn adopt(domain: &Domain, around: Around<'_>, moment: Moment) -> Result<Edit, HookError> {
    let pairs = pairs(domain)?;
    for (nic, wanted) in &pairs {
        if wanted.is_some() && !KINDS.contains(&nic.kind.as_str()) {
            let why = format!(
                "{} is no tap or macvtap of the host, so no policy can be put on it",
                nic.described()
            );
            return Err(metadata(domain, why));
        }
    }
    if moment == Moment::Prepared {
        return Ok(Edit::default());
    }
    let mut new = Vec::new();
    let mut heal = false;
    for (nic, wanted) in &pairs {
        let found = nic.target.as_ref().and_then(|target| around.observed.named(target));
        match (wanted, found) {
            (Some(wanted), Some(found)) => new.push(new_port((domain, nic), wanted, found, around)?),
            (Some(_), None) if moment == Moment::Running => {
                let why = format!("{} has no interface on this host that netctl sees", nic.described());
                return Err(refused(domain, why));
            }
            (None, Some(found)) => heal |= unasked((domain, nic), found, around)?,
            (_, None) => {}
        }
    }
    finish(domain, new, heal, around)
}

/// Each NIC with its port in the metadata.
fn pairs(domain: &Domain) -> Result<Vec<(&Nic, Option<&Wanted>)>, HookError> {
    let listed = domain.wanted.as_deref().unwrap_or_default();
    for wanted in listed {
        let count = domain.nics.iter().filter(|nic| wanted.is_for(nic)).count();
        if count != 1 {
            let is = if count == 0 { "no interface".to_owned() } else { format!("{count} interfaces") };
            let why = format!("the port with {} is for {is} of the domain, not for one", wanted.described());
            return Err(metadata(domain, why));
        }
    }
    let pair = |nic| {
        let mut ports = listed.iter().filter(|wanted| wanted.is_for(nic));
        match (ports.next(), ports.next()) {
            (_, Some(second)) => Err(metadata(
                domain,
                format!("two ports are for the same interface; remove the one with {}", second.described()),
            )),
            (first, None) => Ok((nic, first)),
        }
    };
    domain.nics.iter().map(pair).collect()
}

fn new_port(
    (domain, nic): (&Domain, &Nic),
    wanted: &Wanted,
    found: &Interface,
    around: Around<'_>,
) -> Result<NewPort, HookError> {
    let interface = &found.name;
    if found.tag().is_some() {
        let why = format!(
            "`{interface}` is netctl's own, whose port says all that the metadata could; remove the port with {}",
            wanted.described()
        );
        return Err(metadata(domain, why));
    }
    let adoptable = network::adoptable(around.config, around.observed, found);
    let adoptable = adoptable.map_err(|why| refused(domain, format!("cannot adopt `{interface}`: {why}")))?;
    let Some(mac) = nic.mac else {
        return Err(refused(domain, format!("libvirt says no MAC address of `{interface}`; add one")));
    };
    Ok(NewPort {
        name: name(domain, wanted)?,
        network: match &wanted.network {
            Some(network) => network.clone(),
            None => only_network(domain, interface, &adoptable)?,
        },
        mac,
        addresses: wanted.addresses.clone(),
        groups: wanted.groups.clone(),
        interface: interface.clone(),
        domain: domain.uuid.clone(),
    })
}

/// The domain's name, for a domain with one port. The document's parser checks it as any other.
fn name(domain: &Domain, wanted: &Wanted) -> Result<String, HookError> {
    match (&wanted.name, domain.wanted.as_deref().unwrap_or_default()) {
        (Some(name), _) => Ok(name.clone()),
        (None, [_only]) => Ok(domain.name.clone()),
        (None, _) => {
            let why = format!(
                "the domain has several ports, and the one with {} has no `name`; write one",
                wanted.described()
            );
            Err(metadata(domain, why))
        }
    }
}

fn only_network(domain: &Domain, interface: &str, found: &Adoptable) -> Result<String, HookError> {
    match found.networks.as_slice() {
        [only] => Ok(only.clone()),
        [] => {
            let (kind, place) = (found.kind.name(), &found.place);
            let why = format!(
                "no network of the running document fits `{interface}`, a {kind}, {place}; add one to the document \
                 and apply it"
            );
            Err(refused(domain, why))
        }
        several => {
            let why = format!(
                "`{interface}` can be a port of {}; write `network` in the metadata",
                several.join(" or ")
            );
            Err(refused(domain, why))
        }
    }
}

/// An interface that no metadata speaks of; whether its port lacks its programs.
fn unasked((domain, nic): (&Domain, &Nic), found: &Interface, around: Around<'_>) -> Result<bool, HookError> {
    let ports = around.config.ports.iter();
    let theirs = |port: &Port| port.interface == found.name && port.domain.is_none();
    let Some((name, port)) = ports.clone().find(|(_, port)| theirs(port)) else {
        return not_on_a_network((domain, nic), found, around).map(|()| false);
    };
    if nic.mac.is_some_and(|mac| mac != port.mac) {
        let why = format!(
            "{} is plugged into `{}`, whose port `{name}` is for MAC address {}; write that one in the domain",
            nic.described(),
            found.name,
            port.mac
        );
        return Err(refused(domain, why));
    }
    Ok(!(around.is_filtered)(name))
}

fn not_on_a_network(
    (domain, nic): (&Domain, &Nic),
    found: &Interface,
    around: Around<'_>,
) -> Result<(), HookError> {
    let Some(network) = network::plugged_into(around.config, around.observed, found) else { return Ok(()) };
    let mac = nic.mac.map(|mac| mac.to_string()).unwrap_or_default();
    let why = format!(
        "`{}` is on network `{network}` of netctl, and the domain does not say what its guest may send from; add \
         to its <metadata> <netctl:domain xmlns:netctl=\"{NAMESPACE}\"><netctl:port mac=\"{mac}\" name=\"NAME\" \
         addresses=\"ADDRESS …\"/></netctl:domain>",
        found.name
    );
    Err(refused(domain, why))
}

/// Ports that are right as they stand are left alone, so that `started` changes nothing after `start`.
fn finish(domain: &Domain, new: Vec<NewPort>, mut heal: bool, around: Around<'_>) -> Result<Edit, HookError> {
    let ended = release(&domain.uuid, around.config, around.observed).remove;
    // Interface names are used again: what has one of this domain's now is no port of another domain's any more.
    let taken = |port: &Port| new.iter().any(|new| new.interface == port.interface);
    let marked = around.config.ports.iter().filter(|(_, port)| port.domain.is_some() && taken(port));
    let mut remove: BTreeSet<String> =
        ended.into_iter().chain(marked.map(|(name, _)| name.clone())).collect();
    let mut add = Vec::new();
    for new in new {
        match around.config.ports.get(&new.name) {
            Some(port) if says(port, &new) => {
                remove.remove(&new.name);
                heal |= !(around.is_filtered)(&new.name);
            }
            Some(_) if !remove.contains(&new.name) => {
                let why = format!(
                    "there is a port {} already, of something else; write another `name` in the metadata",
                    quoted(&new.name)
                );
                return Err(refused(domain, why));
            }
            _ => add.push(new),
        }
    }
    Ok(Edit { remove: remove.into_iter().collect(), add, heal })
}

/// Whether the document's port is what the metadata asks for.
fn says(port: &Port, new: &NewPort) -> bool {
    let addresses = match (&port.addresses, new.addresses.as_slice()) {
        (Addresses::Any, words) => words == ["any"],
        (Addresses::Learned, words) => words == ["learn"],
        (Addresses::Listed(listed), words) => {
            words.iter().map(|word| word.parse::<IpAddr>()).collect::<Result<BTreeSet<_>, _>>().as_ref()
                == Ok(listed)
        }
    };
    let groups = port.groups == new.groups.iter().cloned().collect();
    let domain = port.domain.as_ref() == Some(&new.domain) && port.device == Device::Adopted;
    let same = port.network == new.network && port.mac == new.mac && port.interface == new.interface;
    same && domain && groups && addresses
}

fn refused(domain: &Domain, why: String) -> HookError {
    HookError::Refused { domain: quoted(&domain.name), why }
}

fn metadata(domain: &Domain, why: String) -> HookError {
    HookError::Metadata { domain: quoted(&domain.name), why }
}
