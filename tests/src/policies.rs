//! Random policies, and random queries that hit the places where their rules begin and end.
//!
//! Everything follows from a seed. What comes out keeps what the parser promises (names resolve, no address
//! twice in a zone), and otherwise likes borders: nested and adjacent prefixes, ranges that touch, group addresses.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU16;
use std::ops::RangeInclusive;

use ipnet::IpNet;
use netctl::compile::reference::{Party, Query, Wanted};
use netctl::config::{
    Addresses, Config, Device, Guards, IcmpMatch, Limits, Log, Mac, Network, NetworkKind, Policy, Port,
    PortRange, Rule, Selector, Service, TapOptions, Vhost, Vlans,
};
use netctl_common::verdict::Action;

/// SplitMix64: small, and the same on every machine.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// 0 to `n` - 1.
    pub fn below(&mut self, n: usize) -> usize {
        (self.bits() % n as u64) as usize
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }

    fn several<T>(&mut self, counts: RangeInclusive<usize>, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let count = counts.start() + self.below(counts.end() - counts.start() + 1);
        (0..count).map(|_| make(self)).collect()
    }
}

const ZONES: [&str; 3] = ["default", "blue", "amber"];
/// Few, so that ranges of different rules meet.
const PORTS: [u16; 9] = [0, 1, 79, 80, 81, 443, 1024, 65534, 65535];
const ETHERTYPES: [u16; 4] = [0x0806, 0x88cc, 0, 0xffff];
const PROTOCOLS: [u8; 9] = [6, 17, 132, 1, 58, 47, 50, 0, 255];
const ACTIONS: [Action; 3] = [Action::Allow, Action::Deny, Action::Reject];

/// A whole document.
pub fn config(random: &mut Random) -> Config {
    let mut taken = BTreeSet::new();
    let networks: BTreeMap<String, Network> = (0..1 + random.below(4))
        .map(|number| (format!("net{number}"), network(random, number as u8, &mut taken)))
        .collect();
    let mut ports: BTreeMap<String, Port> = (0..random.below(7))
        .map(|number| (format!("vm{number}"), port(random, number as u8, &networks, &mut taken)))
        .collect();
    let mut groups: BTreeMap<String, BTreeSet<String>> =
        (0..random.below(5)).map(|number| (format!("group{number}"), BTreeSet::new())).collect();
    for (group, members) in &mut groups {
        for (name, port) in ports.iter_mut().filter(|_| random.chance(40)) {
            members.insert(name.clone());
            port.groups.insert(group.clone());
        }
    }
    let sets = (0..random.below(4)).map(|number| (format!("set{number}"), random.several(0..=4, prefix)));
    let sets = sets.collect();
    let mut config = Config {
        networks,
        ports,
        sets,
        groups,
        policy: Policy { default: random.pick(&ACTIONS), ..Policy::default() },
        tests: Vec::new(),
    };
    // More than 64 rules are another case for the compiler's sets.
    let most = random.pick(&[4, 12, 12, 12, 12, 30, 30, 30, 30, 100, 100, 300]);
    config.policy.rules =
        (0..random.below(most)).map(|number| rule(random, &config, number as u32)).collect();
    if random.chance(50) {
        config.policy.rules.iter_mut().for_each(|rule| rule.audit = random.chance(25));
    }
    config
}

fn network(random: &mut Random, number: u8, taken: &mut BTreeSet<(String, IpAddr)>) -> Network {
    let zone = random.pick(&ZONES).to_string();
    let mac = Mac([2, 0, 0, 0, 1, number]);
    taken.insert((zone.clone(), mac.link_local().into()));
    let mut addresses = random.several(0..=2, |random| IpNet::from(address(random)));
    addresses.retain(|net| taken.insert((zone.clone(), net.addr())));
    Network {
        kind: NetworkKind::Bridge,
        zone,
        interface: format!("br{number}"),
        uplinks: Vec::new(),
        pool: None,
        host_access: false,
        addresses,
        mtu: None,
        mac,
        line: 1,
    }
}

fn port(
    random: &mut Random,
    number: u8,
    networks: &BTreeMap<String, Network>,
    taken: &mut BTreeSet<(String, IpAddr)>,
) -> Port {
    let (network, zone) = {
        let names: Vec<&String> = networks.keys().collect();
        let name = random.pick(&names);
        (name.clone(), networks[name].zone.clone())
    };
    let mac = Mac([2, 0, 0, 0, 0, number]);
    taken.insert((zone.clone(), mac.link_local().into()));
    let mut listed = random.several(0..=3, address);
    listed.retain(|ip| taken.insert((zone.clone(), *ip)));
    Port {
        network,
        mac,
        addresses: match random.below(8) {
            0 | 1 => Addresses::Any,
            2 | 3 => Addresses::Learned,
            _ => Addresses::Listed(listed.into_iter().collect()),
        },
        groups: BTreeSet::new(),
        interface: format!("tap{number}"),
        queues: 1,
        owner: None,
        owner_group: None,
        tap: TapOptions::default(),
        mtu: None,
        vhost: Vhost::Auto,
        uplink: None,
        device: Device::Made,
        domain: None,
        guards: Guards::default(),
        vlans: Vlans::default(),
        limits: Limits::default(),
        audit: false,
        line: 2,
    }
}

/// Of a small world, so that rules, sets and ports name the same ones.
fn address(random: &mut Random) -> IpAddr {
    const BASES: [&str; 12] = [
        "10.0.0.0",
        "10.0.0.128",
        "10.1.0.0",
        "192.168.0.0",
        "223.255.255.255",
        "224.0.0.1",
        "255.255.255.254",
        "fd00::",
        "fd00::1:0",
        "2001:db8::",
        "fe80::ff:fe00:0",
        "ff02::1",
    ];
    let base: IpAddr = random.pick(&BASES).parse().expect("an address");
    moved(base, random.below(4) as i32)
}

fn prefix(random: &mut Random) -> IpNet {
    const WIDE: [&str; 22] = [
        "0.0.0.0/0",
        "0.0.0.0/1",
        "192.0.0.0/2",
        "224.0.0.0/3",
        "224.0.0.0/4",
        "224.0.0.0/24",
        "240.0.0.0/4",
        "10.0.0.0/8",
        "10.0.0.0/25",
        "10.0.0.128/25",
        "255.255.255.255/32",
        "255.255.255.254/31",
        "::/0",
        "::/1",
        "8000::/1",
        "::/96",
        "::/95",
        "f000::/4",
        "fe00::/7",
        "ff00::/8",
        "fe80::/10",
        "::ffff:10.0.0.0/104",
    ];
    if random.chance(45) {
        return random.pick(&WIDE).parse().expect("a prefix");
    }
    let ip = address(random);
    let shorter = random.pick(&[0, 0, 1, 2, 3, 8, 16]);
    let len = if ip.is_ipv4() { 32 } else { 128 } - shorter;
    // The length is at most that of the family.
    IpNet::new(ip, len).expect("a prefix").trunc()
}

fn rule(random: &mut Random, config: &Config, number: u32) -> Rule {
    let source_ports = if random.chance(20) { random.several(1..=2, source_range) } else { Vec::new() };
    Rule {
        action: random.pick(&ACTIONS),
        from: random.several(1..=3, |random| selector(random, config)),
        to: random.several(1..=3, |random| selector(random, config)),
        services: random.several(1..=3, service),
        source_ports,
        name: None,
        log: random.chance(20).then(|| log(random)),
        audit: false,
        line: number + 10,
    }
}

fn log(random: &mut Random) -> Log {
    Log { rate: NonZeroU16::new(random.below(4) as u16), packets: 1 + random.below(3) as u8 }
}

fn source_range(random: &mut Random) -> RangeInclusive<u16> {
    let range = port_range(random);
    range.first..=range.last
}

fn selector(random: &mut Random, config: &Config) -> Selector {
    let name = |random: &mut Random, names: Vec<&String>| match names.is_empty() {
        true => None,
        false => Some(random.pick(&names).clone()),
    };
    let named = match random.below(8) {
        0 | 1 => name(random, config.groups.keys().collect()).map(Selector::Group),
        2 | 3 => name(random, config.ports.keys().collect()).map(Selector::Port),
        4 => name(random, config.sets.keys().collect()).map(Selector::Set),
        _ => None,
    };
    named.unwrap_or_else(|| match random.below(10) {
        0 => Selector::Any,
        1 => Selector::Host,
        2 => Selector::World,
        3 => Selector::Multicast,
        4 => Selector::Broadcast,
        _ => Selector::Prefix(prefix(random)),
    })
}

fn port_range(random: &mut Random) -> PortRange {
    let (a, b) = (random.pick(&PORTS), random.pick(&PORTS));
    match random.below(4) {
        0 => PortRange { first: a.min(b), last: a.max(b) },
        1 => PortRange { first: a, last: a.saturating_add(1) },
        _ => PortRange { first: a, last: a },
    }
}

fn service(random: &mut Random) -> Service {
    match random.below(10) {
        0 => Service::Any,
        1 | 2 => Service::Tcp(port_range(random)),
        3 => Service::Udp(port_range(random)),
        4 => Service::Sctp(port_range(random)),
        5 => Service::Icmp(icmp(random)),
        6 => Service::Icmp6(icmp(random)),
        7 => Service::Protocol(random.pick(&PROTOCOLS)),
        _ => Service::Ethertype(random.pick(&ETHERTYPES)),
    }
}

fn icmp(random: &mut Random) -> IcmpMatch {
    let byte = |random: &mut Random| random.pick(&[0, 1, 3, 8, 128, 255]);
    match random.below(3) {
        0 => IcmpMatch::All,
        1 => IcmpMatch::Type(byte(random)),
        _ => IcmpMatch::Code(byte(random), byte(random)),
    }
}

/// A query that mostly meets some rule of `config`, or misses it by one.
pub fn query(random: &mut Random, config: &Config) -> Query {
    let rules = &config.policy.rules;
    let (from, to, rule);
    if rules.is_empty() || random.chance(15) {
        (from, to, rule) =
            (selector(random, config), selector(random, config), self::rule(random, config, 0));
    } else {
        rule = random.pick(rules);
        (from, to) = (random.pick(&rule.from), random.pick(&rule.to));
    }
    let zones: Vec<&String> = config.networks.values().map(|network| &network.zone).collect();
    let zone = random.pick(&zones).clone();
    Query {
        source: party(random, config, &from, &zone),
        destination: party(random, config, &to, &zone),
        service: wanted(random, &rule),
    }
}

fn party(random: &mut Random, config: &Config, selector: &Selector, zone: &str) -> Party {
    let ports: Vec<&String> = match selector {
        Selector::Port(name) => vec![name],
        Selector::Group(group) => config.groups[group].iter().collect(),
        _ => config.ports.keys().collect(),
    };
    if !ports.is_empty() && random.chance(6) {
        return Party::Port(random.pick(&ports).clone());
    }
    if random.chance(6) {
        return random.pick(&[Party::Host, Party::World, Party::Multicast, Party::Broadcast]);
    }
    let nets = match selector {
        Selector::Prefix(net) => vec![*net],
        Selector::Set(set) => config.sets[set].clone(),
        Selector::Port(_) | Selector::Group(_) => owned(config, &ports),
        Selector::Host => config.networks.values().flat_map(|n| n.addresses.clone()).collect(),
        Selector::Multicast => {
            vec!["224.0.0.0/4".parse().expect("a prefix"), "ff00::/8".parse().expect("a prefix")]
        }
        Selector::Broadcast => vec![IpNet::from(IpAddr::V4(Ipv4Addr::BROADCAST))],
        Selector::Any | Selector::World => Vec::new(),
    };
    if *selector == Selector::Host && random.chance(30) {
        return Party::Host;
    }
    let net = if nets.is_empty() || random.chance(8) { prefix(random) } else { random.pick(&nets) };
    let ip = near(random, net);
    let learners: Vec<&&String> =
        ports.iter().filter(|name| config.ports[**name].addresses == Addresses::Learned).collect();
    if !learners.is_empty() && random.chance(50) {
        let port = random.pick(&learners).to_string();
        if can_learn(config, &port, ip) {
            return Party::Learned { port, ip };
        }
    }
    Party::Address { zone: zone.to_string(), ip }
}

/// Not a group's, and nobody's by the document.
fn can_learn(config: &Config, port: &str, ip: IpAddr) -> bool {
    let zone_of = |network: &str| &config.networks[network].zone;
    let zone = zone_of(&config.ports[port].network);
    let ports: Vec<&String> =
        config.ports.iter().filter(|(_, it)| zone_of(&it.network) == zone).map(|(name, _)| name).collect();
    let networks = config.networks.values().filter(|network| network.zone == *zone);
    let mut hosts =
        networks.flat_map(|it| it.addresses.iter().map(IpNet::addr).chain([it.mac.link_local().into()]));
    let ip = ip.to_canonical();
    !ip.is_multicast()
        && ip != IpAddr::V4(Ipv4Addr::BROADCAST)
        && !owned(config, &ports).iter().any(|net| net.addr().to_canonical() == ip)
        && !hosts.any(|host| host.to_canonical() == ip)
}

/// The addresses of ports, as prefixes.
fn owned(config: &Config, ports: &[&String]) -> Vec<IpNet> {
    let addresses = ports.iter().flat_map(|name| {
        let port = &config.ports[*name];
        let listed = match &port.addresses {
            Addresses::Any | Addresses::Learned => Vec::new(),
            Addresses::Listed(listed) => listed.iter().copied().collect(),
        };
        listed.into_iter().chain([IpAddr::V6(port.mac.link_local())])
    });
    addresses.map(IpNet::from).collect()
}

/// In the prefix, or beside it.
fn near(random: &mut Random, net: IpNet) -> IpAddr {
    match random.below(12) {
        0..4 => net.network(),
        4..8 => net.broadcast(),
        8 => moved(net.network(), -1),
        9 => moved(net.broadcast(), 1),
        10 => moved(net.network(), random.below(5) as i32),
        _ => address(random),
    }
}

/// So many addresses further on, around the end of the family.
fn moved(ip: IpAddr, by: i32) -> IpAddr {
    match ip {
        IpAddr::V4(ip) => Ipv4Addr::from_bits(ip.to_bits().wrapping_add_signed(by)).into(),
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits().wrapping_add_signed(by.into())).into(),
    }
}

fn wanted(random: &mut Random, rule: &Rule) -> Wanted {
    let beside = |random: &mut Random, number: u16| match random.below(12) {
        0 => number.wrapping_add(1),
        1 => number.wrapping_sub(1),
        _ => number,
    };
    let (protocol, number) = match random.pick(&rule.services) {
        Service::Ethertype(number) => return Wanted::Ethertype(beside(random, number)),
        Service::Any if random.chance(20) => return Wanted::Ethertype(random.pick(&ETHERTYPES)),
        Service::Any => (random.pick(&PROTOCOLS), random.pick(&PORTS)),
        Service::Protocol(protocol) => (protocol, random.pick(&PORTS)),
        Service::Tcp(range) => (6, random.pick(&[range.first, range.last])),
        Service::Udp(range) => (17, random.pick(&[range.first, range.last])),
        Service::Sctp(range) => (132, random.pick(&[range.first, range.last])),
        Service::Icmp(icmp) => (1, message(random, icmp)),
        Service::Icmp6(icmp) => (58, message(random, icmp)),
    };
    let protocol = if random.chance(10) { random.pick(&PROTOCOLS) } else { protocol };
    let source_port = match rule.source_ports.is_empty() {
        true => random.pick(&PORTS),
        false => {
            let range = random.pick(&rule.source_ports);
            let end = random.pick(&[*range.start(), *range.end()]);
            beside(random, end)
        }
    };
    let has_number = matches!(protocol, 1 | 6 | 17 | 58 | 132);
    let has_source = matches!(protocol, 6 | 17 | 132);
    Wanted::Ip {
        protocol,
        number: if has_number { beside(random, number) } else { 0 },
        source_port: if has_source { source_port } else { 0 },
    }
}

fn message(random: &mut Random, icmp: IcmpMatch) -> u16 {
    match icmp {
        IcmpMatch::All => random.pick(&[0, 0x0800, 0xffff]),
        IcmpMatch::Type(kind) => u16::from_be_bytes([kind, random.pick(&[0, 1, 255])]),
        IcmpMatch::Code(kind, code) => u16::from_be_bytes([kind, code]),
    }
}
