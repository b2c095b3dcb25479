//! What must never be allowed, said simply: an address of another, a receiver that is another, a service that no
//! rule allows. Reads frames with smoltcp and rules with the linear matcher; nothing of the decision is used.
//!
//! It does not say what must be denied for other reasons: it is a bound, not a twin.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netctl::compile::reference::{Party, Query, Wanted, first_enforced};
use netctl::config::{Addresses, Config, Guards, Port, Vlans};
use netctl_common::verdict::{Action, Direction, Reason, Verdict};
use smoltcp::wire::{ArpPacket, EthernetFrame, Ipv4Packet, Ipv6Packet};

#[derive(Clone, Copy, Debug)]
pub struct Reference<'c> {
    config: &'c Config,
}

/// An IP packet as its receiver would see it.
struct Ip<'f> {
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    /// Not of a later fragment: it has no ports.
    transport: Option<&'f [u8]>,
}

impl<'c> Reference<'c> {
    pub fn new(config: &'c Config) -> Self {
        Self { config }
    }

    /// # Errors
    /// Why the verdict must not be what it is.
    pub fn agrees(
        &self,
        port: &str,
        direction: Direction,
        frame: &[u8],
        verdict: &Verdict,
    ) -> Result<(), String> {
        let Some(port) = self.config.ports.get(port) else {
            return if verdict.allows() { Err("no such port".to_owned()) } else { Ok(()) };
        };
        // Audit mode, guards that are off and VLANs are a document's own decision.
        if !verdict.allows()
            || port.audit
            || self.config.policy.audit
            || port.guards != Guards::default()
            || port.vlans != Vlans::default()
        {
            return Ok(());
        }
        // A priority tag is none (IEEE 802.1Q, 6.9.1).
        let untagged = match frame.get(12..16) {
            Some([0x81, 0x00, priority, 0]) if priority & 0x0f == 0 => {
                Some([&frame[..12], &frame[16..]].concat())
            }
            _ => None,
        };
        let frame = untagged.as_deref().unwrap_or(frame);
        let ether = EthernetFrame::new_checked(frame).map_err(|_| "no Ethernet")?;
        let (source, destination) = (ether.src_addr(), ether.dst_addr());
        let from_guest = direction == Direction::FromGuest;
        if from_guest && source.0 != port.mac.0 {
            return Err(format!("from {source}"));
        }
        if !from_guest && destination.is_unicast() && destination.0 != port.mac.0 {
            return Err(format!("to {destination}"));
        }
        match u16::from(ether.ethertype()) {
            0..0x600 => Err("a length in place of an ethertype".to_owned()),
            0x8100 | 0x88a8 | 0x9100 => Err("a VLAN tag".to_owned()),
            0x0806 if from_guest => self.arp(port, ether.payload()),
            0x0800 => self.ip(port, from_guest, &ipv4(ether.payload())?, destination.is_unicast(), verdict),
            0x86dd => self.ip(port, from_guest, &ipv6(ether.payload())?, destination.is_unicast(), verdict),
            _ => Ok(()),
        }
    }

    fn arp(&self, port: &Port, bytes: &[u8]) -> Result<(), String> {
        let arp = ArpPacket::new_checked(bytes).map_err(|_| "no ARP")?;
        let sender = <[u8; 4]>::try_from(arp.source_protocol_addr()).map_err(|_| "no ARP for IPv4")?;
        let sender = Ipv4Addr::from(sender);
        if arp.source_hardware_addr() != port.mac.0 {
            return Err("ARP with another MAC".to_owned());
        }
        if sender.is_unspecified() || self.owns(port, sender.into()) {
            Ok(())
        } else {
            Err(format!("ARP from {sender}"))
        }
    }

    fn ip(
        &self,
        port: &Port,
        from_guest: bool,
        ip: &Ip<'_>,
        unicast: bool,
        verdict: &Verdict,
    ) -> Result<(), String> {
        let (source, destination) = (ip.source, ip.destination);
        if is_group(source)
            || source.is_loopback()
            || destination.is_loopback()
            || destination.is_unspecified()
        {
            return Err(format!("a martian: {source} > {destination}"));
        }
        if from_guest && !self.owns(port, source) && !(source.is_unspecified() && asks_for_address(ip)) {
            return Err(format!("from {source}"));
        }
        if is_group(destination) || !unicast {
            return Ok(());
        }
        if !from_guest && !self.owns(port, destination) {
            return Err(format!("to {destination}"));
        }
        self.rules(port, ip, verdict)
    }

    /// A rule allows it, or the other way round: then it is an answer.
    fn rules(&self, port: &Port, ip: &Ip<'_>, verdict: &Verdict) -> Result<(), String> {
        let outside = matches!(verdict.reason, Reason::NeighborDiscovery | Reason::Related | Reason::Answer);
        let Some(transport) = ip.transport.filter(|_| !outside) else { return Ok(()) };
        let word =
            |at: usize| transport.get(at..at + 2).map_or(0, |two| u16::from_be_bytes([two[0], two[1]]));
        let zone = self.config.networks.get(&port.network).map_or("default", |network| &network.zone);
        let allowed = |source: IpAddr, destination: IpAddr, number: u16, source_port: u16| {
            let party = |ip: IpAddr| Party::Address { zone: zone.to_owned(), ip };
            let service = Wanted::Ip { protocol: ip.protocol, number, source_port };
            let query = Query { source: party(source), destination: party(destination), service };
            let rule = first_enforced(self.config, &query);
            let policy = &self.config.policy;
            rule.map_or(policy.default, |rule| policy.rules[rule as usize].action) == Action::Allow
        };
        // Addresses of a port with `any` belong to it, which only its own side knows.
        if matches!(port.addresses, Addresses::Any | Addresses::Learned) {
            return Ok(());
        }
        let (forth, back) = match ip.protocol {
            6 | 17 | 132 => ((word(2), word(0)), (word(0), word(2))),
            1 => ((word(0), 0), (0x0800, 0)),
            58 => ((word(0), 0), (0x8000, 0)),
            _ => ((0, 0), (0, 0)),
        };
        let (source, destination) = (ip.source, ip.destination);
        if allowed(source, destination, forth.0, forth.1) || allowed(destination, source, back.0, back.1) {
            return Ok(());
        }
        Err(format!(
            "no rule allows {source} > {destination}, protocol {}, {forth:?}: {verdict:?}",
            ip.protocol
        ))
    }

    fn owns(&self, port: &Port, address: IpAddr) -> bool {
        let others = || self.config.ports.values().filter(|other| other.mac != port.mac);
        match &port.addresses {
            _ if address == IpAddr::V6(port.mac.link_local()) => true,
            Addresses::Listed(listed) => {
                listed.iter().any(|own| own.to_canonical() == address.to_canonical())
            }
            Addresses::Any => !others().any(|other| {
                self.config.networks[&other.network].zone == self.config.networks[&port.network].zone
                    && matches!(&other.addresses, Addresses::Listed(listed) if listed.contains(&address))
            }),
            // What was learned is not known here.
            Addresses::Learned => true,
        }
    }
}

fn is_group(address: IpAddr) -> bool {
    address.is_multicast() || address == IpAddr::V4(Ipv4Addr::BROADCAST)
}

/// DHCP's client, and what neighbor discovery sends before an address is one's own.
fn asks_for_address(ip: &Ip<'_>) -> bool {
    match (ip.protocol, ip.transport) {
        (17, Some([0, 68, 0, 67, ..])) => ip.source.is_ipv4(),
        (58, Some([kind, ..])) => ip.source.is_ipv6() && matches!(kind, 131 | 132 | 133 | 135 | 136 | 143),
        _ => false,
    }
}

fn ipv4(bytes: &[u8]) -> Result<Ip<'_>, String> {
    let packet = Ipv4Packet::new_checked(bytes).map_err(|_| "no IPv4")?;
    Ok(Ip {
        source: packet.src_addr().into(),
        destination: packet.dst_addr().into(),
        protocol: packet.next_header().into(),
        transport: (packet.frag_offset() == 0).then_some(packet.payload()),
    })
}

fn ipv6(bytes: &[u8]) -> Result<Ip<'_>, String> {
    let packet = Ipv6Packet::new_checked(bytes).map_err(|_| "no IPv6")?;
    let (mut protocol, mut rest, mut later) = (u8::from(packet.next_header()), packet.payload(), false);
    while matches!(protocol, 0 | 43 | 44 | 60) && !later {
        let Some(&[next, units, high, low, ..]) = rest.get(..4) else {
            return Err("a header is cut".to_owned());
        };
        let len = if protocol == 44 { 8 } else { (usize::from(units) + 1) * 8 };
        later = protocol == 44 && u16::from_be_bytes([high, low]) & 0xfff8 != 0;
        rest = rest.get(len..).ok_or("a header is cut")?;
        protocol = next;
    }
    let address = |octets: [u8; 16]| IpAddr::V6(Ipv6Addr::from(octets));
    Ok(Ip {
        source: address(packet.src_addr().octets()),
        destination: address(packet.dst_addr().octets()),
        protocol,
        transport: (!later).then_some(rest),
    })
}
