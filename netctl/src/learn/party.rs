//! Who was seen, as rules can name it.

use std::net::{IpAddr, Ipv4Addr};

use netctl_common::frame::number;

use crate::config::{Addresses, Config, IcmpMatch, Network, PortRange, Service};

/// One end of a flow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Party {
    Port(String),
    Host,
    Broadcast,
    /// Nobody's on this host, or a group's.
    Address(IpAddr),
}

/// Who has an address, as the ports of a zone see it (as `compile::reference` says).
pub(super) fn party(config: &Config, zone: &str, ip: IpAddr) -> Party {
    let in_zone = |network: &Network| network.zone == zone;
    let has = |addresses: &Addresses| match addresses {
        Addresses::Any | Addresses::Learned => false,
        Addresses::Listed(listed) => listed.iter().any(|own| own.to_canonical() == ip),
    };
    let port = config.ports.iter().find(|(_, port)| {
        config.networks.get(&port.network).is_some_and(in_zone)
            && (has(&port.addresses) || IpAddr::V6(port.mac.link_local()) == ip)
    });
    let of_host = |network: &Network| {
        network.addresses.iter().any(|net| net.addr().to_canonical() == ip)
            || IpAddr::V6(network.mac.link_local()) == ip
    };
    match port {
        Some((name, _)) => Party::Port(name.clone()),
        None if config.networks.values().any(|network| in_zone(network) && of_host(network)) => Party::Host,
        None if ip == IpAddr::V4(Ipv4Addr::BROADCAST) => Party::Broadcast,
        None => Party::Address(ip),
    }
}

/// The narrowest service of a flow's first packet; `number` is its destination port, or ICMP type * 256 + code.
pub(super) fn service(protocol: u8, number: u16) -> Service {
    let port = PortRange { first: number, last: number };
    match protocol {
        number::TCP => Service::Tcp(port),
        number::UDP => Service::Udp(port),
        number::SCTP => Service::Sctp(port),
        number::ICMP => Service::Icmp(message(number, number::ICMP_ECHO_REQUEST)),
        number::ICMP6 => Service::Icmp6(message(number, number::ICMP6_ECHO_REQUEST)),
        protocol => Service::Protocol(protocol),
    }
}

/// An echo request has no code but 0, and a name.
fn message(number: u16, echo_request: u8) -> IcmpMatch {
    match number.to_be_bytes() {
        [kind, 0] if kind == echo_request => IcmpMatch::Type(kind),
        [kind, code] => IcmpMatch::Code(kind, code),
    }
}
