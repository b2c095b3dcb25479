//! Random frames for a random document: mostly right ones between addresses that the document names, some of
//! them then broken in a byte, cut, or with something put in between.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netctl::config::{Addresses, Config, Port, Selector};
use netctl_common::verdict::Direction;

use super::case::NO_PORT_INTERFACE;
use crate::frame::{
    ACK, BROADCAST, Build, Carrier, Eth, FIN, Mac, Network, RST, SYN, eth, ethertype, group_mac, link_local,
};
use crate::policies::Random;

/// Few, so that frames answer each other.
const PORTS: [u16; 8] = [0, 1, 79, 80, 81, 443, 1024, 65535];
const FLAGS: [u8; 10] = [SYN, SYN, SYN, ACK, ACK, SYN | ACK, SYN | ACK, FIN | ACK, RST, SYN | FIN];
const TYPES: [u8; 16] = [0, 1, 2, 3, 4, 5, 8, 9, 11, 12, 13, 128, 129, 130, 143, 255];

/// A frame, and where it is judged.
#[derive(Clone, Debug)]
pub struct RandomFrame {
    pub port: String,
    pub direction: Direction,
    pub bytes: Vec<u8>,
}

/// At least 15 bytes.
pub fn frame(random: &mut Random, config: &Config) -> RandomFrame {
    let names: Vec<&String> = config.ports.keys().collect();
    let direction = random.pick(&Direction::ALL);
    if names.is_empty() || random.chance(1) {
        let bytes = (0..60).map(|_| random.bits() as u8).collect();
        return RandomFrame { port: NO_PORT_INTERFACE.to_owned(), direction, bytes };
    }
    let name = random.pick(&names);
    let port = &config.ports[name];
    let mut bytes = right(random, config, port, direction);
    if random.chance(25) {
        broken(random, &mut bytes);
    }
    bytes.resize(bytes.len().max(15), 0);
    RandomFrame { port: name.clone(), direction, bytes }
}

/// One that could be meant.
fn right(random: &mut Random, config: &Config, port: &Port, direction: Direction) -> Vec<u8> {
    let v4 = random.chance(50);
    let own = own_address(random, config, port, v4);
    let peer = if random.chance(5) { own } else { peer_address(random, config, v4) };
    let own_mac = if random.chance(3) { peer_mac(random, config) } else { port.mac.0 };
    let mut other_mac = peer_mac(random, config);
    let from_guest = direction == Direction::FromGuest;
    if from_guest && peer.is_multicast() && random.chance(80) {
        other_mac = group_mac(peer);
    }
    let (link, source, destination) = if from_guest {
        (eth(own_mac, other_mac), own, peer)
    } else if peer.is_multicast() || random.chance(5) {
        let group = if random.chance(50) { BROADCAST } else { group_mac(peer) };
        (eth(other_mac, group), own, peer)
    } else {
        (eth(other_mac, own_mac), peer, own)
    };
    let link = if random.chance(1) { link.vlan(random.bits() as u16) } else { link };
    match random.below(20) {
        0 => return arp(random, link, source, destination),
        1 => return link.payload(random.pick(&[0x88cc, 0xffff, 0x0806, 0, 0x0600]), &[7; 40]).frame(),
        2 => return discovery(random, link, source, destination),
        _ => {}
    }
    let ip = network(random, link, source, destination);
    packet(random, ip)
}

fn network(random: &mut Random, link: Eth, source: IpAddr, destination: IpAddr) -> Network {
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let ip = link.ipv4(source, destination);
            match random.below(30) {
                0 => ip.options(&[0x94, 4, 0, 0]).into(),
                1 => ip.options(&[1; 4]).into(),
                2 => ip.fragment(random.pick(&[0, 8, 1480]), random.chance(50)).into(),
                _ => ip.into(),
            }
        }
        (source, destination) => {
            let ip = link.ipv6(six(source), six(destination));
            match random.below(30) {
                0 => ip.hop_by_hop(&[5, 2, 0, 0]).into(),
                1 => ip.destination_options(&vec![0; random.below(40)]).into(),
                2 => ip.fragment(0, random.chance(50), 1).into(),
                3 => ip.routing(4, 1, &[0; 20]).into(),
                4 => (0..random.below(9)).fold(ip, |ip, _| ip.destination_options(&[])).into(),
                _ => ip.into(),
            }
        }
    }
}

fn six(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

fn packet(random: &mut Random, ip: Network) -> Vec<u8> {
    let (source, destination) = (random.pick(&PORTS), random.pick(&PORTS));
    match random.below(16) {
        0..6 => ip.tcp(source, destination).flags(random.pick(&FLAGS)).frame(),
        6..10 => ip.udp(source, destination).payload(b"data").frame(),
        10 => ip.sctp(source, destination).frame(),
        11 => ip.echo_request(random.below(3) as u16, 1).frame(),
        12 => ip.echo_reply(random.below(3) as u16, 1).frame(),
        13 => error(random, ip),
        14 => {
            let (kind, code) = (random.pick(&TYPES), random.pick(&[0, 1, 255]));
            ip.icmp(kind, code).body(&[0; 20]).frame()
        }
        _ => {
            let number = random.pick(&[0, 43, 44, 47, 50, 51, 59, 60, 1, 58, 255]);
            ip.payload(number, &[0; 24]).frame()
        }
    }
}

/// About a packet that this port may have seen go the other way.
fn error(random: &mut Random, ip: Network) -> Vec<u8> {
    let (source, destination) = (random.pick(&PORTS), random.pick(&PORTS));
    let frame = ip.clone().udp(source, destination).payload(b"data").frame();
    let mut inner = frame[14..].to_vec();
    let (at, len) = if matches!(ip, Network::V4(_)) { (12, 4) } else { (8, 16) };
    if random.chance(85) {
        let (source, destination) = inner[at..at + 2 * len].split_at_mut(len);
        source.swap_with_slice(destination);
    }
    inner.truncate(if random.chance(10) { random.below(inner.len()) } else { inner.len() });
    ip.unreachable(random.below(5) as u8, &inner).frame()
}

fn arp(random: &mut Random, link: Eth, source: IpAddr, destination: IpAddr) -> Vec<u8> {
    let four = |address| match address {
        IpAddr::V4(address) => address,
        IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
    };
    let arp = link.arp_request(four(source), four(destination));
    arp.operation(random.pick(&[1, 1, 2, 2, 3])).frame()
}

fn discovery(random: &mut Random, link: Eth, source: IpAddr, destination: IpAddr) -> Vec<u8> {
    let mac = link.source();
    let ip = link.ipv6(six(source), six(destination));
    let ip = if random.chance(10) { ip.hop_limit(64) } else { ip };
    let target = if random.chance(60) { six(source) } else { six(destination) };
    let icmp = match random.below(5) {
        0 => ip.neighbor_solicitation(target),
        1 => ip.router_solicitation(),
        2 => ip.router_advertisement(60),
        3 => ip.mld_report(target),
        _ => ip.neighbor_advertisement(target, 0x60),
    };
    let options = random.below(6);
    let icmp = (0..options).fold(icmp, |icmp, number| icmp.option(if number == 2 { 14 } else { 1 }, &mac));
    icmp.frame()
}

/// Mostly one of the port's own.
fn own_address(random: &mut Random, config: &Config, port: &Port, v4: bool) -> IpAddr {
    let mut own = vec![IpAddr::V6(link_local(port.mac.0))];
    if let Addresses::Listed(listed) = &port.addresses {
        own.extend(listed);
    }
    own.retain(|address| address.is_ipv4() == v4);
    if own.is_empty() || random.chance(8) { peer_address(random, config, v4) } else { random.pick(&own) }
}

/// Somebody's, one that a rule or a set names, or one that is special.
fn peer_address(random: &mut Random, config: &Config, v4: bool) -> IpAddr {
    const SPECIAL: [&str; 12] = [
        "0.0.0.0",
        "255.255.255.255",
        "127.0.0.1",
        "224.0.0.1",
        "10.0.0.255",
        "198.51.100.7",
        "::",
        "::1",
        "ff02::1",
        "ff02::1:ff00:1",
        "2001:470::7",
        "::ffff:10.0.0.1",
    ];
    let mut all = Vec::new();
    for port in config.ports.values() {
        all.push(link_local(port.mac.0).into());
        if let Addresses::Listed(listed) = &port.addresses {
            all.extend(listed);
        }
    }
    let rules = config.policy.rules.iter();
    let named =
        rules.flat_map(|rule| rule.from.iter().chain(&rule.to)).filter_map(|selector| match selector {
            Selector::Prefix(net) => Some(*net),
            _ => None,
        });
    let nets = config.sets.values().flatten().copied().chain(named);
    let nets = nets.chain(config.networks.values().flat_map(|network| network.addresses.clone()));
    all.extend(nets.flat_map(|net| [net.addr(), net.broadcast()]));
    all.retain(|address: &IpAddr| address.is_ipv4() == v4);
    if all.is_empty() || random.chance(15) {
        all = SPECIAL.iter().map(|text| text.parse().expect("an address")).collect();
        all.retain(|address| address.is_ipv4() == v4);
    }
    random.pick(&all)
}

fn peer_mac(random: &mut Random, config: &Config) -> Mac {
    let ports = config.ports.values().map(|port| port.mac.0);
    let hosts = config.networks.values().map(|network| network.mac.0);
    let mut macs: Vec<Mac> = ports.chain(hosts).collect();
    macs.extend([BROADCAST, [0x33, 0x33, 0, 0, 0, 1], [2, 0, 0, 0, 0, 0xfe]]);
    random.pick(&macs)
}

/// Damages a frame.
fn broken(random: &mut Random, bytes: &mut Vec<u8>) {
    let at = random.below(bytes.len().min(90));
    match random.below(6) {
        0 => bytes.truncate(at),
        1 => bytes.extend([0; 30]),
        2 => bytes.insert(at, random.bits() as u8),
        // The fields that decide: version and lengths, protocol, flags, next headers.
        3 => {
            let at = random.pick(&[12, 13, 14, 16, 17, 20, 23, 18, 19, 34, 46, 47, 54]);
            if let Some(byte) = bytes.get_mut(at) {
                let any = random.bits() as u8;
                *byte = random.pick(&[0, 0x45, 0x46, 0x60, 44, 43, 60, 255, any]);
            }
        }
        4 => bytes[12..14]
            .copy_from_slice(&random.pick(&[ethertype::IPV4, ethertype::IPV6, 0x8100, 5]).to_be_bytes()),
        _ => (0..1 + random.below(3)).for_each(|_| {
            let at = random.below(bytes.len());
            bytes[at] ^= 1 << random.below(8);
        }),
    }
}
