//! What is asked, with every word resolved against a document.

use std::net::IpAddr;

use netctl_common::frame::number;
use netctl_common::verdict::Direction;

use crate::config::{self, Addresses, Config, IcmpMatch, Mac, Network, PortRange, Service};
use crate::error::{Error, nearest};

use super::frame::Opening;
use super::vlan::tagged;

/// One end of a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// The port that has it, if one does.
    pub port: Option<String>,
    pub address: IpAddr,
}

/// A flow that somebody wants to open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    pub from: End,
    pub to: End,
    pub service: Service,
    /// Ends that do not judge: their guests drive the functions themselves.
    pub not_filtered: Vec<String>,
    /// Leave flows out of it.
    pub as_new: bool,
    protocol: u8,
    source_port: u16,
    destination_port: u16,
}

/// The source port of a question that names none.
pub const SOURCE_PORT: u16 = 49152;

/// Pairs of addresses that one question may stand for.
pub const MAX_PAIRS: usize = 1024;

/// A sender that is not on this host: any MAC address that is nobody's here.
const SOMEONE: Mac = Mac([0x02, 0, 0, 0, 0, 0xfe]);

impl Question {
    pub fn new(
        config: &Config,
        from: &str,
        to: &str,
        service: &str,
        source_port: u16,
    ) -> Result<Self, Error> {
        let service = config::parse_service(service).map_err(Error::Question)?;
        let (protocol, _) = numbers(&service)?;
        let mut pairs = pairs(config, (from, to), protocol)?;
        let first = pairs.next().ok_or_else(|| apart(from, to))?;
        Self::about(config, first, service, source_port)
    }

    /// One for each pair of addresses of one family that the words stand for; never empty.
    ///
    /// # Errors
    /// As [`Self::new`], and that there are more than [`MAX_PAIRS`].
    pub fn all(
        config: &Config,
        (from, to): (&str, &str),
        service: &Service,
        source_port: u16,
    ) -> Result<Vec<Self>, Error> {
        let (protocol, _) = numbers(service)?;
        let pairs: Vec<(End, End)> = pairs(config, (from, to), protocol)?.take(MAX_PAIRS + 1).collect();
        if pairs.is_empty() {
            return Err(apart(from, to));
        }
        if pairs.len() > MAX_PAIRS {
            let text = format!(
                "`{from}` and `{to}` have more than {MAX_PAIRS} pairs of addresses; say which: NAME/ADDRESS"
            );
            return Err(Error::Question(text));
        }
        pairs.into_iter().map(|ends| Self::about(config, ends, service.clone(), source_port)).collect()
    }

    fn about(
        config: &Config,
        (from, to): (End, End),
        service: Service,
        source_port: u16,
    ) -> Result<Self, Error> {
        let (protocol, destination_port) = numbers(&service)?;
        if from.port.is_none() && to.port.is_none() {
            let text = "neither end is a port, so no port judges it; name at least one port".to_owned();
            return Err(Error::Question(text));
        }
        let ports = || [&from, &to].into_iter().filter_map(|end| end.port.as_deref());
        let not_filtered: Vec<String> =
            ports().filter(|port| is_not_filtered(config, port)).map(str::to_owned).collect();
        if ports().all(|port| is_not_filtered(config, port)) {
            let text =
                format!("no policy is enforced at port `{}`, so nobody judges it", not_filtered.join("`, `"));
            return Err(Error::Question(text));
        }
        let has_ports = matches!(protocol, number::TCP | number::UDP | number::SCTP);
        let source_port = if has_ports { source_port } else { 0 };
        let as_new = false;
        Ok(Self { from, to, service, not_filtered, as_new, protocol, source_port, destination_port })
    }

    /// As in a rule.
    pub fn service_name(&self) -> String {
        config::print_service(&self.service)
    }

    /// The frame as it passes at a port.
    pub(super) fn frame(&self, config: &Config, (port, direction): (&str, Direction)) -> Vec<u8> {
        let tag = self.tag(config, port, direction);
        let network = config.ports.get(port).and_then(|port| config.networks.get(&port.network));
        let here = |end: &End| {
            let owner = config.ports.get(end.port.as_deref()?)?;
            let same = network.is_some_and(|network| is_network(config, &owner.network, network));
            same.then_some(owner.mac)
        };
        let gateway = network.map_or(SOMEONE, |network| network.mac);
        let destination_mac = group_mac(self.to.address).or_else(|| here(&self.to)).unwrap_or(gateway);
        let opening = Opening {
            source_mac: here(&self.from).unwrap_or(if self.from.port.is_some() { gateway } else { SOMEONE }),
            destination_mac,
            source: self.from.address,
            destination: self.to.address,
            protocol: self.protocol,
            source_port: self.source_port,
            destination_port: self.destination_port,
        };
        tagged(opening.bytes(), tag)
    }
}

fn is_not_filtered(config: &Config, port: &str) -> bool {
    config.ports.get(port).is_some_and(|port| !port.device.is_filtered())
}

fn is_network(config: &Config, name: &str, network: &Network) -> bool {
    config.networks.get(name).is_some_and(|found| std::ptr::eq(found, network))
}

/// Protocol, and destination port or ICMP type and code.
fn numbers(service: &Service) -> Result<(u8, u16), Error> {
    let icmp = |matched: &IcmpMatch, echo_request: u8| match *matched {
        IcmpMatch::All => u16::from_be_bytes([echo_request, 0]),
        IcmpMatch::Type(kind) => u16::from_be_bytes([kind, 0]),
        IcmpMatch::Code(kind, code) => u16::from_be_bytes([kind, code]),
    };
    Ok(match service {
        Service::Tcp(range) => (number::TCP, one_port(range)?),
        Service::Udp(range) => (number::UDP, one_port(range)?),
        Service::Sctp(range) => (number::SCTP, one_port(range)?),
        Service::Icmp(matched) => (number::ICMP, icmp(matched, number::ICMP_ECHO_REQUEST)),
        Service::Icmp6(matched) => (number::ICMP6, icmp(matched, number::ICMP6_ECHO_REQUEST)),
        Service::Protocol(protocol) => (*protocol, 0),
        Service::Any | Service::Ethertype(_) => {
            let text = "ask about one IP service, such as tcp/443 or icmp/echo-request".to_owned();
            return Err(Error::Question(text));
        }
    })
}

/// Rules may tell the ports of a range apart; an answer about one of them would pass for all.
fn one_port(range: &PortRange) -> Result<u16, Error> {
    if range.first == range.last {
        return Ok(range.first);
    }
    Err(Error::Question("ask about one port, such as tcp/443".to_owned()))
}

/// Addresses for both ends, of one family, IPv4 first; of ICMP only its own.
fn pairs(
    config: &Config,
    (from, to): (&str, &str),
    protocol: u8,
) -> Result<impl Iterator<Item = (End, End)> + use<>, Error> {
    let (from, to) = (candidates(config, from)?, candidates(config, to)?);
    let families = [true, false].into_iter().filter(move |is_v4| match protocol {
        number::ICMP => *is_v4,
        number::ICMP6 => !*is_v4,
        _ => true,
    });
    Ok(families.flat_map(move |is_v4| {
        let of_family = |all: &[End]| -> Vec<End> {
            all.iter().filter(|end| end.address.is_ipv4() == is_v4).cloned().collect()
        };
        let (from, to) = (of_family(&from), of_family(&to));
        from.into_iter().flat_map(move |from| to.clone().into_iter().map(move |to| (from.clone(), to)))
    }))
}

fn apart(from: &str, to: &str) -> Error {
    Error::Question(format!("`{from}` and `{to}` have no addresses of one family for this service"))
}

/// Every address that a word can stand for.
fn candidates(config: &Config, word: &str) -> Result<Vec<End>, Error> {
    if let Ok(address) = word.parse() {
        return Ok(vec![End { port: owner(config, address), address }]);
    }
    if let Some((name, address)) = word.split_once('/') {
        return with_address(config, name, address);
    }
    if let Some(port) = config.ports.get(word) {
        let listed = match &port.addresses {
            Addresses::Listed(addresses) if !addresses.is_empty() => addresses.iter().copied().collect(),
            Addresses::Listed(_) => vec![IpAddr::V6(port.mac.link_local())],
            Addresses::Any | Addresses::Learned => {
                let what = if port.addresses == Addresses::Any {
                    "may have any address"
                } else {
                    "has learned none"
                };
                let text = format!("port `{word}` {what}; say which: {word}/10.0.0.1");
                return Err(Error::Question(text));
            }
        };
        return Ok(listed.into_iter().map(|address| End { port: Some(word.to_owned()), address }).collect());
    }
    if word == "host" {
        let all = config.networks.values().flat_map(|network| &network.addresses);
        let ends: Vec<End> = all.map(|net| End { port: None, address: net.addr() }).collect();
        if ends.is_empty() {
            let text = "no network has `addresses`, so the host has none in this document".to_owned();
            return Err(Error::Question(text));
        }
        return Ok(ends);
    }
    Err(unknown(config, word))
}

fn with_address(config: &Config, name: &str, address: &str) -> Result<Vec<End>, Error> {
    let address: IpAddr =
        address.parse().map_err(|_| Error::Question(format!("`{address}` is no IP address")))?;
    if name == "world" {
        return Ok(vec![End { port: None, address }]);
    }
    if config.ports.contains_key(name) {
        return Ok(vec![End { port: Some(name.to_owned()), address }]);
    }
    Err(unknown(config, name))
}

fn unknown(config: &Config, word: &str) -> Error {
    if word == "world" {
        return Error::Question("say which address in the world: world/192.0.2.7".to_owned());
    }
    if let Some(members) = config.groups.get(word) {
        let members: Vec<&str> = members.iter().map(String::as_str).collect();
        return Error::Question(format!(
            "`{word}` is a group; ask about one of its ports: {}",
            members.join(", ")
        ));
    }
    Error::Question(match nearest(word, config.ports.keys().map(String::as_str).chain(["host", "world"])) {
        Some(near) => format!("no port `{word}`; did you mean `{near}`?"),
        None => format!("no port `{word}`; an end is a port, an address, `host` or `world/ADDRESS`"),
    })
}

/// The only port that has the address.
fn owner(config: &Config, address: IpAddr) -> Option<String> {
    let has = |port: &config::Port| match &port.addresses {
        Addresses::Listed(listed) => listed.contains(&address) || address == port.mac.link_local(),
        Addresses::Any | Addresses::Learned => false,
    };
    let mut owners = config.ports.iter().filter(|(_, port)| has(port));
    match (owners.next(), owners.next()) {
        (Some((name, _)), None) => Some(name.clone()),
        _ => None,
    }
}

/// Where a group address goes on the link (RFC 1112, 6.4; RFC 2464, 7).
fn group_mac(address: IpAddr) -> Option<Mac> {
    match address {
        IpAddr::V4(address) if address.is_broadcast() => Some(Mac([0xff; 6])),
        IpAddr::V4(address) if address.is_multicast() => {
            let [_, b, c, d] = address.octets();
            Some(Mac([0x01, 0x00, 0x5e, b & 0x7f, c, d]))
        }
        IpAddr::V6(address) if address.is_multicast() => {
            let [.., a, b, c, d] = address.octets();
            Some(Mac([0x33, 0x33, a, b, c, d]))
        }
        _ => None,
    }
}
