//! The kernel's numbers in the document's words.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};

use netctl_common::abi::{AddressKey, LeaseEntry, NO_PORT, NO_RULE};
use netctl_common::address::{Address, LinkAddress};
use netctl_common::frame::number;
use serde::Serialize;

use crate::config::Config;
use crate::kernel::running::RunningPort;

/// An address of a map or an event; IPv4 where it stands for IPv4.
pub fn address(address: Address) -> IpAddr {
    Ipv6Addr::from(address.bytes()).to_canonical()
}

/// A MAC address.
pub fn mac(mac: LinkAddress) -> String {
    crate::config::Mac(mac.bytes()).to_string()
}

/// A service as in a rule: `tcp/443`, `icmp/8/0`, `ip/47`.
pub fn service(protocol: u8, destination_port: u16) -> String {
    let [icmp_type, code] = destination_port.to_be_bytes();
    match protocol {
        number::TCP => format!("tcp/{destination_port}"),
        number::UDP => format!("udp/{destination_port}"),
        number::SCTP => format!("sctp/{destination_port}"),
        number::ICMP => format!("icmp/{icmp_type}/{code}"),
        number::ICMP6 => format!("icmp6/{icmp_type}/{code}"),
        other => format!("ip/{other}"),
    }
}

/// A rule as people find it again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct RuleName {
    /// Counted from 1.
    pub number: u32,
    /// Line in the document, counted from 1.
    pub line: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The line itself, without the space around it.
    pub text: String,
}

impl std::fmt::Display for RuleName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "rule {} (line {})", self.number, self.line)?;
        self.name.as_ref().map_or(Ok(()), |name| write!(f, " {name:?}"))
    }
}

/// Names of one generation.
#[derive(Debug)]
pub struct Names {
    ports: BTreeMap<u32, String>,
    addresses: BTreeMap<IpAddr, String>,
    rules: Vec<RuleName>,
}

impl Names {
    pub fn new(ports: &[RunningPort], config: &Config, document: &str) -> Self {
        Self {
            ports: ports.iter().map(|port| (port.entry.id, port.name())).collect(),
            addresses: owners(config),
            rules: rules(config, document),
        }
    }

    /// With what ports have learned: an address that is two zones' is nobody's.
    pub fn with_learned(mut self, leases: &[(AddressKey, LeaseEntry)]) -> Self {
        let mut shared = BTreeSet::new();
        for (key, lease) in leases {
            let (address, port) = (address(key.address), self.port(lease.port));
            if self.addresses.insert(address, port).is_some() {
                shared.insert(address);
            }
        }
        self.addresses.retain(|address, _| !shared.contains(address));
        self
    }

    /// `-` for no port, the number for one that is gone.
    pub fn port(&self, id: u32) -> String {
        match self.ports.get(&id) {
            Some(name) => name.clone(),
            None if id == NO_PORT => "-".to_owned(),
            None => format!("#{id}"),
        }
    }

    pub fn rule(&self, index: u32) -> Option<&RuleName> {
        if index == NO_RULE { None } else { self.rules.get(index as usize) }
    }

    /// The port that has the address, where only one zone has it.
    pub fn owner(&self, address: IpAddr) -> Option<&str> {
        self.addresses.get(&address).map(String::as_str)
    }
}

/// The rules of a document, by index.
pub fn rules(config: &Config, document: &str) -> Vec<RuleName> {
    let lines: Vec<&str> = document.lines().collect();
    let rule = |(index, rule): (u32, &crate::config::Rule)| RuleName {
        number: index + 1,
        line: rule.line,
        name: rule.name.clone(),
        text: lines.get((rule.line as usize).wrapping_sub(1)).map_or("", |line| line.trim()).to_owned(),
    };
    (0..).zip(&config.policy.rules).map(rule).collect()
}

/// Ports (and the host) by address; addresses that two zones share are left out.
fn owners(config: &Config) -> BTreeMap<IpAddr, String> {
    let listed = config.ports.iter().flat_map(|(name, port)| {
        let addresses = match &port.addresses {
            crate::config::Addresses::Listed(addresses) => addresses.iter().copied().collect(),
            crate::config::Addresses::Any | crate::config::Addresses::Learned => Vec::new(),
        };
        addresses.into_iter().chain([IpAddr::V6(port.mac.link_local())]).map(move |a| (a, name.clone()))
    });
    let host =
        config.networks.values().flat_map(|n| n.addresses.iter().map(|a| (a.addr(), "host".to_owned())));
    let mut owners: BTreeMap<IpAddr, Option<String>> = BTreeMap::new();
    for (address, name) in listed.chain(host) {
        owners.entry(address).and_modify(|owner| *owner = None).or_insert(Some(name));
    }
    owners.into_iter().filter_map(|(address, owner)| Some((address, owner?))).collect()
}
