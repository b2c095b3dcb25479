//! Whatever a [`Config`] says, its printed document says the same.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU16;

use ipnet::IpNet;
use netctl_common::abi::guards;
use netctl_common::verdict::Action;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::*;
use crate::config::derive::{self, Named};
use crate::config::guarding::{DirectionLimits, Guards, Limits, Rate, Vlans};
use crate::config::model::{
    Device, Hairpin, Log, Mac, NetworkKind, Policy, Pool, PortKind, Siblings, VfSettings, Vhost,
};
use crate::config::parse::flows::MAX_TIMEOUT;
use crate::config::parse_with_users;
use crate::config::policy_test::{Endpoint, PolicyTest};
use crate::config::schema::tests::violations;
use crate::config::tap::{Header, Napi, Offload, TapOptions};

/// Names of every shape; `kind` keeps those of ports, groups and sets apart.
fn name(kind: char) -> impl Strategy<Value = String> {
    "[A-Za-z0-9][A-Za-z0-9._-]{0,60}".prop_map(move |rest| format!("{kind}{rest}"))
}

fn names(kind: char, most: usize) -> impl Strategy<Value = Vec<String>> {
    prop::collection::btree_set(name(kind), 1..=most).prop_map(|names| names.into_iter().collect())
}

fn prefix() -> impl Strategy<Value = IpNet> {
    let v4 =
        (any::<u32>(), 0u8..=32).prop_map(|(bits, len)| IpNet::new_assert(Ipv4Addr::from(bits).into(), len));
    let v6 = (any::<u128>(), 0u8..=128)
        .prop_map(|(bits, len)| IpNet::new_assert(Ipv6Addr::from(bits).into(), len));
    prop_oneof![v4, v6].prop_map(|net| net.trunc())
}

fn port_range() -> impl Strategy<Value = PortRange> {
    let range = |(a, b): (u16, u16)| PortRange { first: a.min(b), last: a.max(b) };
    prop_oneof![
        Just(PortRange::ALL),
        any::<u16>().prop_map(|p| PortRange { first: p, last: p }),
        any::<(u16, u16)>().prop_map(range)
    ]
}

fn icmp() -> impl Strategy<Value = IcmpMatch> {
    let code = any::<(u8, u8)>().prop_map(|(kind, code)| IcmpMatch::Code(kind, code));
    prop_oneof![
        Just(IcmpMatch::All),
        any::<u8>().prop_map(IcmpMatch::Type),
        (0u8..5, 0u8..6).prop_map(|(k, c)| IcmpMatch::Code(k, c)),
        code
    ]
}

/// Services that have ports.
fn with_ports() -> impl Strategy<Value = Service> {
    (port_range(), select(vec![Service::Tcp as fn(_) -> _, Service::Udp, Service::Sctp]))
        .prop_map(|(range, of)| of(range))
}

fn service() -> impl Strategy<Value = Service> {
    let refused = [0x0800, 0x86dd, 0x0806, 0x8100, 0x88a8, 0x9100];
    let ether = (0x600..=u16::MAX).prop_filter("judged otherwise", move |number| !refused.contains(number));
    prop_oneof![
        Just(Service::Any),
        with_ports(),
        icmp().prop_map(Service::Icmp),
        icmp().prop_map(Service::Icmp6),
        any::<u8>().prop_map(Service::Protocol),
        ether.prop_map(Service::Ethertype),
    ]
}

/// What the rules can name.
#[derive(Clone, Debug)]
struct Known {
    ports: Vec<String>,
    groups: Vec<String>,
    sets: Vec<String>,
}

fn selector(known: &Known) -> impl Strategy<Value = Selector> + use<> {
    let known = known.clone();
    prop_oneof![
        select(vec![Selector::Any, Selector::Host, Selector::World]),
        select(known.ports).prop_map(Selector::Port),
        select(known.groups).prop_map(Selector::Group),
        select(known.sets).prop_map(Selector::Set),
        prefix()
            .prop_filter("nobody sends from it", |net| !net.addr().is_multicast()
                && net.addr() != IpAddr::V4(Ipv4Addr::BROADCAST))
            .prop_map(Selector::Prefix),
    ]
}

fn rule(known: &Known) -> impl Strategy<Value = Rule> + use<> {
    let services = prop_oneof![
        (prop::collection::vec(service(), 1..4), Just(Vec::new())),
        (
            prop::collection::vec(with_ports(), 1..4),
            prop::collection::vec(port_range().prop_map(|r| r.first..=r.last), 1..3)
        ),
    ];
    let to = prop_oneof![4 => selector(known), 1 => select(vec![Selector::Multicast, Selector::Broadcast])];
    (
        select(vec![Action::Allow, Action::Deny, Action::Reject]),
        prop::collection::vec(selector(known), 1..4),
        prop::collection::vec(to, 1..4),
        services,
        prop::option::of("[ -~é]{1,40}"),
        prop::option::of((0..4u16, 1..4u8)),
    )
        .prop_map(|(action, from, to, (services, source_ports), name, log)| Rule {
            action,
            from,
            to,
            services,
            source_ports,
            name,
            log: log.map(|(rate, packets)| Log { rate: NonZeroU16::new(rate), packets }),
            audit: false,
            line: 0,
        })
}

fn policy_test(known: &Known) -> impl Strategy<Value = PolicyTest> + use<> {
    let address = || any::<u32>().prop_map(|bits| IpAddr::V4(bits.into()));
    let port = select(known.ports.clone());
    let ends = (port.clone(), port, address());
    let ends = (ends, 0..5).prop_map(|((from, to, address), kind)| match kind {
        0 => (Endpoint::Port(from), Endpoint::Host),
        1 => (Endpoint::World(address), Endpoint::Port(to)),
        2 => (Endpoint::PortAt(from, address), Endpoint::Address(IpAddr::V6(Ipv6Addr::LOCALHOST))),
        _ => (Endpoint::Port(from), Endpoint::Port(to)),
    });
    let one = |port| PortRange { first: port, last: port };
    let service = prop_oneof![
        (any::<u16>(), prop::option::of(any::<u16>()))
            .prop_map(move |(to, from)| (Service::Tcp(one(to)), from)),
        icmp().prop_map(|icmp| (Service::Icmp6(icmp), None)),
        any::<u8>().prop_map(|number| (Service::Protocol(number), None)),
    ];
    let expect = select(vec![Action::Allow, Action::Deny, Action::Reject]);
    (ends, service, expect, prop::option::of("[ -~é]{1,40}")).prop_map(
        |((from, to), (service, source_port), expect, name)| PolicyTest {
            name,
            from,
            to,
            service,
            source_port,
            expect,
            line: 0,
        },
    )
}

/// A port; its number keeps its addresses apart from those of others.
fn port(number: usize, name: String, network: String, groups: Vec<String>) -> impl Strategy<Value = Port> {
    let n = number as u8;
    let v4 = subsequence((1..5).map(|low| IpAddr::from([10, 1, n, low])).collect::<Vec<_>>(), 0..4);
    let v6 = subsequence(
        (1..5).map(|low| IpAddr::from([0xfd00, 0, 0, 0, 0, 0, u16::from(n), low])).collect::<Vec<_>>(),
        0..4,
    );
    let listed = (v4, v6).prop_map(|(v4, v6)| Addresses::Listed(v4.into_iter().chain(v6).collect()));
    let derived = (derive::mac(Named::Port, &name), derive::interface(Named::Port, &name));
    (
        prop_oneof![Just(derived.0), Just(Mac([0x52, 0x54, 0, 0, 1, n]))],
        prop_oneof![1 => Just(Addresses::Any), 4 => listed],
        subsequence(groups.clone(), 0..=groups.len().min(2)),
        prop_oneof![Just(derived.1), Just(format!("tap-{n}"))],
        (1u16..=16, prop::option::of(0..u32::MAX), prop::option::of(1280u32..=65521)),
        select(vec![Vhost::Auto, Vhost::On, Vhost::Off]),
    )
        .prop_map(move |(mac, addresses, groups, interface, (queues, owner, mtu), vhost)| Port {
            network: network.clone(),
            mac,
            addresses,
            groups: groups.into_iter().collect(),
            interface,
            queues,
            owner,
            owner_group: owner.map(|uid| uid / 2),
            tap: tap_options(number),
            mtu,
            vhost,
            uplink: None,
            device: Device::Made,
            domain: None,
            guards: Guards(guards::ALL & !(1 << (number % 20))),
            vlans: vlans(number),
            limits: limits(number),
            audit: false,
            line: 0,
        })
}

fn vlans(number: usize) -> Vlans {
    let trunk = BTreeSet::from([1, 7, 8, 9, 100, 4094]);
    match number % 5 {
        0 => Vlans { trunk, ..Vlans::default() },
        1 => Vlans { access: Some(10), ..Vlans::default() },
        2 => Vlans { access: Some(10), trunk, native_untagged: false },
        3 => Vlans { trunk, native_untagged: true, access: None },
        _ => Vlans::default(),
    }
}

fn limits(number: usize) -> Limits {
    let rate = |per_second, burst| Some(Rate { per_second, burst });
    let from_guest = DirectionLimits {
        bits: rate(2_500_000_000, Some(1_000_001)),
        broadcast: rate(50, None),
        new_flows: rate(1000, Some(1)),
        ..DirectionLimits::default()
    };
    let to_guest = DirectionLimits {
        packets: rate(999, Some(2000)),
        multicast: rate(1_000_000, None),
        unknown_unicast: rate(1, None),
        ..DirectionLimits::default()
    };
    match number % 4 {
        0 => Limits::default(),
        1 => Limits { from_guest, ..Limits::default() },
        2 => Limits { to_guest, ..Limits::default() },
        _ => Limits { from_guest, to_guest },
    }
}

fn tap_options(number: usize) -> TapOptions {
    let offloads = BTreeSet::from([Offload::Checksum, Offload::Tso4, Offload::Ecn]);
    match number % 3 {
        0 => TapOptions::default(),
        1 => TapOptions { header_bytes: 12, offloads, napi: Napi::Frags, ..TapOptions::default() },
        _ => TapOptions { sndbuf: Some(1 << 20), napi: Napi::On, ..Header::None.into() },
    }
}

fn network(number: usize, name: String) -> impl Strategy<Value = Network> {
    let n = number as u8;
    let addresses: Vec<IpNet> =
        [format!("10.2.{n}.1/24"), format!("fd01:0:0:{n}::1/64"), format!("10.3.{n}.0/31")]
            .map(|net| net.parse().unwrap())
            .into();
    (
        subsequence(addresses, 0..4),
        subsequence(vec![format!("eth{n}"), format!("eth{n}.100")], 0..3),
        prop::option::of(1280u32..=65521),
        prop_oneof![Just("default".to_owned()), name_of_zone()],
        prop_oneof![Just(derive::interface(Named::Network, &name)), Just(format!("br{n}"))],
    )
        .prop_map(move |(addresses, uplinks, mtu, zone, interface)| {
            of_kind(Network {
                kind: kind_of(number),
                zone,
                interface,
                uplinks,
                pool: None,
                host_access: number % 3 == 1,
                addresses,
                mtu,
                mac: derive::mac(Named::Network, &name),
                line: 0,
            })
        })
}

fn kind_of(number: usize) -> NetworkKind {
    [
        NetworkKind::Bridge,
        NetworkKind::Macvlan(Siblings::Bridge),
        NetworkKind::Vepa(Hairpin::Local),
        NetworkKind::Passthrough,
        NetworkKind::Macvlan(Siblings::Private),
        NetworkKind::Vepa(Hairpin::Switch),
        NetworkKind::Passthrough,
    ][number % 7]
}

/// With what a network of its kind has, and without what it has not.
fn of_kind(network: Network) -> Network {
    match network.kind {
        NetworkKind::Bridge => Network { host_access: false, ..network },
        NetworkKind::Macvlan(_) | NetworkKind::Vepa(_) => {
            let [_, _, a, b, c, d] = network.mac.0;
            let uplink = format!("nic-{a:x}{b:x}{c:x}{d:x}");
            Network { interface: uplink.clone(), uplinks: vec![uplink], ..network }
        }
        NetworkKind::Passthrough => {
            let settings = VfSettings { vlan: Some(7), spoof_check: false, trust: true, rate: Some(9) };
            let pool = network.uplinks.is_empty().then(|| Pool { pf: "pf0".to_owned(), vfs: 8, settings });
            let (interface, addresses) = (String::new(), Vec::new());
            Network { interface, addresses, pool, host_access: false, ..network }
        }
    }
}

fn name_of_zone() -> impl Strategy<Value = String> {
    select(vec!["tenant-a".to_owned(), "0".to_owned(), "a.b".to_owned()])
}

fn config() -> impl Strategy<Value = Config> {
    let names = (names('n', 7), names('p', 6), names('g', 5), names('s', 3));
    names.prop_flat_map(|(networks, ports, groups, sets)| {
        let known = Known { ports: ports.clone(), groups: groups.clone(), sets: sets.clone() };
        let all_networks: Vec<_> =
            networks.iter().cloned().enumerate().map(|(n, name)| network(n, name)).collect();
        let one = |(n, name): (usize, &String)| {
            let network = n % networks.len();
            let is_tap = kind_of(network).port_kind() == PortKind::Tap;
            let port = port(n, name.clone(), networks[network].clone(), groups.clone());
            port.prop_map(move |port| Port {
                owner: port.owner.filter(|_| is_tap),
                owner_group: port.owner_group.filter(|_| is_tap),
                tap: TapOptions { napi: if is_tap { port.tap.napi } else { Napi::Off }, ..port.tap },
                ..port
            })
        };
        let all_ports: Vec<_> = ports.iter().enumerate().map(one).collect();
        let all_sets: Vec<_> = sets.iter().map(|_| prop::collection::vec(prefix(), 0..4)).collect();
        let rules = prop::collection::vec(rule(&known), 0..6);
        let default = select(vec![Action::Allow, Action::Deny, Action::Reject]);
        let timeouts = prop::array::uniform(1..=MAX_TIMEOUT);
        let tests = prop::collection::vec(policy_test(&known), 0..4);
        let parts = (all_networks, all_ports, all_sets, rules, default, timeouts, tests);
        parts.prop_map(move |(all_networks, all_ports, all_sets, rules, default, timeouts, tests)| {
            let mut members: BTreeMap<String, BTreeSet<String>> =
                known.groups.iter().map(|group| (group.clone(), BTreeSet::new())).collect();
            for (name, port) in known.ports.iter().zip(&all_ports) {
                for group in &port.groups {
                    members.entry(group.clone()).or_default().insert(name.clone());
                }
            }
            Config {
                networks: networks.iter().cloned().zip(all_networks).collect(),
                ports: known.ports.iter().cloned().zip(all_ports).collect(),
                sets: known.sets.iter().cloned().zip(all_sets).collect(),
                groups: members,
                policy: Policy { default, rules, timeouts, ..Policy::default() },
                tests,
            }
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_printed_document_means_what_was_printed(config in config()) {
        let text = print(&config);
        let parsed = match parse_with_users("printed.toml", &text, &|_| None) {
            Ok(parsed) => parsed,
            Err(refused) => {
                let mut out = Vec::new();
                refused.render(&mut out, false).unwrap();
                return Err(TestCaseError::fail(format!("{text}\n{}", String::from_utf8_lossy(&out))));
            }
        };
        prop_assert_eq!(violations(&text), Vec::<String>::new(), "{}", text);
        prop_assert_eq!(print(&parsed.config), text.clone());
        prop_assert_eq!(parsed.config.without_lines(), config, "{}", text);
    }
}
