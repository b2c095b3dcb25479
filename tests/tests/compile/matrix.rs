//! Each cell of the matrix against the reference matcher: random policies, random connections.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;
use netctl::compile::reference::{Party, Query, Wanted, first_enforced};
use netctl::compile::{Budget, PortIds, compile};
use netctl::config::{Addresses, Config, NetworkKind, Siblings};
use netctl::policy::matrix::{Cell, Family, Matrix};
use netctl_common::verdict::Action;
use netctl_tests::policies::{self, Random};

const POLICIES: u64 = 200;
const CONNECTIONS: usize = 150;

#[derive(Clone, Debug, PartialEq)]
enum Who {
    Port(String),
    Host,
    World,
}

/// One end of a connection.
#[derive(Clone, Debug)]
struct End {
    who: Who,
    ip: IpAddr,
}

/// Nobody's in any zone, and no group's.
fn is_free(config: &Config, ip: IpAddr) -> bool {
    let ports = config.ports.values().flat_map(|port| {
        let listed = match &port.addresses {
            Addresses::Listed(listed) => listed.iter().copied().collect(),
            Addresses::Any | Addresses::Learned => Vec::new(),
        };
        listed.into_iter().chain([port.mac.link_local().into()])
    });
    let host = |net: &netctl::config::Network| {
        net.addresses.iter().map(IpNet::addr).chain([net.mac.link_local().into()]).collect::<Vec<_>>()
    };
    let mut owned = ports.chain(config.networks.values().flat_map(host));
    !ip.is_multicast()
        && ip != IpAddr::V4(Ipv4Addr::BROADCAST)
        && !owned.any(|other: IpAddr| other.to_canonical() == ip)
}

fn ends(config: &Config, free: &[IpAddr]) -> Vec<End> {
    let mut ends: Vec<End> = free.iter().map(|ip| End { who: Who::World, ip: *ip }).collect();
    for (name, port) in &config.ports {
        let of_port = |ip: &IpAddr| End { who: Who::Port(name.clone()), ip: ip.to_canonical() };
        match &port.addresses {
            Addresses::Listed(listed) if listed.is_empty() => {
                ends.push(of_port(&port.mac.link_local().into()))
            }
            Addresses::Listed(listed) => ends.extend(listed.iter().map(of_port)),
            Addresses::Any | Addresses::Learned => ends.extend(free.iter().map(of_port)),
        }
    }
    let host = config.networks.values().flat_map(|network| &network.addresses);
    ends.extend(host.map(|net| End { who: Who::Host, ip: net.addr().to_canonical() }));
    ends
}

/// The row of an end: the longest prefix among the parts of its owner.
fn place(matrix: &Matrix, end: &End) -> usize {
    let mut found: Vec<(u8, usize)> = Vec::new();
    for (place, group) in matrix.groups.iter().enumerate() {
        for member in &group.members {
            let is_its = match &end.who {
                Who::Port(name) => member.port.as_ref() == Some(name),
                Who::Host => group.kind == "host",
                Who::World => group.kind == "world",
            };
            let lengths = member.addresses.iter().filter_map(|part| {
                let net: IpNet = part.parse().or_else(|_| part.parse::<IpAddr>().map(IpNet::from)).unwrap();
                net.contains(&end.ip).then_some(net.prefix_len())
            });
            let whole = member.addresses.is_empty().then_some(0);
            found.extend(lengths.chain(whole).filter(|_| is_its).map(|len| (len, place)));
        }
    }
    found.into_iter().max().unwrap_or_else(|| panic!("{end:?} has no row in {:#?}", matrix.groups)).1
}

/// What the rules of a port's zone say, in whose name it judges.
fn judged(config: &Config, judge: &str, (from, to): (&End, &End), service: Wanted) -> bool {
    let zone_of = |name: &str| config.networks[&config.ports[name].network].zone.clone();
    let zone = zone_of(judge);
    let party = |end: &End| match &end.who {
        Who::Port(name) if config.ports[name].addresses == Addresses::Learned && zone_of(name) == zone => {
            Party::Learned { port: name.clone(), ip: end.ip }
        }
        Who::Port(name) if name == judge && config.ports[name].addresses == Addresses::Any => {
            Party::Port(name.clone())
        }
        _ => Party::Address { zone: zone.clone(), ip: end.ip },
    };
    let query = Query { source: party(from), destination: party(to), service };
    let rule = first_enforced(config, &query);
    let action = rule.map_or(config.policy.default, |rule| config.policy.rules[rule as usize].action);
    action == Action::Allow
}

/// `None`: nobody judges it.
fn expected(config: &Config, (from, to): (&End, &End), service: Wanted) -> Option<bool> {
    let port = |end: &End| match &end.who {
        Who::Port(name) => Some(name.clone()),
        _ => None,
    };
    let (sender, receiver) = (port(from), port(to));
    let judges: Vec<String> = [&sender, &receiver]
        .into_iter()
        .flatten()
        .filter(|name| config.ports[*name].device.is_filtered())
        .cloned()
        .collect();
    if judges.is_empty() {
        return None;
    }
    if let (Some(one), Some(other)) = (&sender, &receiver) {
        let network = &config.ports[one].network;
        let is_private = config.networks[network].kind == NetworkKind::Macvlan(Siblings::Private);
        if is_private && *network == config.ports[other].network {
            return Some(false);
        }
    }
    Some(judges.iter().all(|judge| judged(config, judge, (from, to), service)))
}

#[test]
fn every_cell_holds_what_the_reference_allows() {
    let base: u64 = std::env::var("NETCTL_SEED").map_or(1, |seed| seed.parse().unwrap());
    let (mut asked, mut allowed) = (0, 0);
    for seed in base..base + POLICIES {
        let mut random = Random::new(seed);
        let config = policies::config(&mut random);
        if config.ports.is_empty() {
            continue;
        }
        let ids = PortIds::assign(&BTreeMap::new(), &config).unwrap();
        let compiled = compile(&config, &ids, &Budget::default()).unwrap();
        let matrix = Matrix::of(&config, &compiled).unwrap();
        let queries: Vec<Query> = (0..CONNECTIONS).map(|_| policies::query(&mut random, &config)).collect();
        let addresses = queries.iter().flat_map(|query| [&query.source, &query.destination]);
        let free: Vec<IpAddr> = addresses
            .filter_map(|party| match party {
                Party::Address { ip, .. } | Party::Learned { ip, .. } => Some(ip.to_canonical()),
                _ => None,
            })
            .filter(|ip| is_free(&config, *ip))
            .take(30)
            .collect();
        let ends = ends(&config, &free);
        for query in &queries {
            let Wanted::Ip { protocol, number, source_port } = query.service else { continue };
            let (from, to) = (random.pick(&ends), random.pick(&ends));
            let is_fit = matches!((protocol, from.ip.is_ipv4()), (1, true) | (58, false))
                || !matches!(protocol, 1 | 58);
            if from.ip.is_ipv4() != to.ip.is_ipv4()
                || !is_fit
                || (from.who == to.who && from.who != Who::World)
            {
                continue;
            }
            let family = if from.ip.is_ipv4() { Family::Ipv4 } else { Family::Ipv6 };
            let cell = matrix.cell(place(&matrix, &from), place(&matrix, &to));
            let holds = |cell: &Cell| cell.allows(family, protocol, number, source_port);
            let expected = expected(&config, (&from, &to), query.service);
            assert_eq!(
                cell.map(holds),
                expected,
                "NETCTL_SEED={seed}: {from:?} > {to:?} {:?}: the cell says {}\n{:#?}\n{config:#?}",
                query.service,
                cell.map(ToString::to_string).unwrap_or_default(),
                matrix.groups
            );
            asked += usize::from(expected.is_some());
            allowed += usize::from(expected == Some(true));
        }
    }
    // What is always denied would prove little.
    assert!(asked > 3_000 && allowed * 10 > asked && allowed * 10 < asked * 9, "{allowed} of {asked}");
}

/// The words of all cells, row by row.
fn words(document: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let config = netctl::config::parse("host.toml", document).unwrap().config;
    let ids = PortIds::assign(&BTreeMap::new(), &config).unwrap();
    let compiled = compile(&config, &ids, &Budget::default()).unwrap();
    let matrix = Matrix::of(&config, &compiled).unwrap();
    let count = matrix.groups.len();
    let cell = |from, to| matrix.cell(from, to).map_or_else(|| "·".to_owned(), ToString::to_string);
    let labels = matrix.groups.iter().map(|group| group.label.clone()).collect();
    (labels, (0..count).map(|from| (0..count).map(|to| cell(from, to)).collect()).collect())
}

#[test]
fn who_behaves_alike_stands_together_under_a_name_that_people_know() {
    let mut document = "[networks.lab]\nkind = \"bridge\"\naddresses = [\"10.0.0.1/16\"]\n".to_owned();
    for number in 1..=200 {
        let group = if number <= 150 { "web" } else { "batch" };
        document += &format!(
            "[ports.vm{number}]\nnetwork = \"lab\"\naddresses = [\"10.0.1.{number}\"]\ngroups = [\"{group}\", \"all\"]\n"
        );
    }
    document += "[ports.db1]\nnetwork = \"lab\"\naddresses = [\"10.0.0.21\", \"fd00::21\"]\n\
                 [sets]\noffice = [\"192.0.2.0/24\", \"2001:db8::/32\"]\n[policy]\nrules = [\n\
                 { allow = [\"tcp/80\", \"tcp/443\"], from = \"any\", to = \"web\" },\n\
                 { allow = \"tcp/5432\", from = \"all\", to = \"db1\" },\n\
                 { deny = \"icmp/3/4\", from = \"office\", to = \"db1\" },\n\
                 { allow = [\"icmp\", \"tcp/22\", \"udp/1000-2000\"], from = \"office\", to = \"db1\" },\n\
                 { allow = \"udp/53\", from = \"10.0.1.0/24\", to = \"host\", source-ports = \"1024-65535\" },\n\
                 { allow = \"any\", from = \"db1\", to = \"world\" },\n]\n";
    let (labels, cells) = words(&document);
    assert_eq!(labels, ["db1", "web", "batch", "host", "world", "10.0.1.0/24", "office"]);
    let web = "tcp/80,443";
    assert_eq!(cells[0], ["·", web, "-", "-", "any", "any", "any"]);
    assert_eq!(cells[1], ["tcp/5432", web, "-", "udp/53 (from 1024-65535)", "-", "-", "-"]);
    assert_eq!(cells[2], cells[1]);
    assert_eq!(cells[3], ["-", web, "-", "·", "·", "·", "·"]);
    assert_eq!(cells[6][0], "tcp/22, udp/1000-2000, icmp/0-2,3/0-3,3/5-255,4-255");
    assert_eq!(cells[6][1], web);
}
