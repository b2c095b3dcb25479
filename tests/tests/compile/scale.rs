//! How long large policies take to compile. Run with `cargo test --release -- --ignored --nocapture`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use ipnet::IpNet;
use netctl::compile::{Budget, Compiled, PortIds, compile, lint, notes};
use netctl::config::{
    Addresses, Config, Device, Guards, Limits, Mac, Network, NetworkKind, Policy, Port, PortRange, Rule,
    Selector, Service, TapOptions, Vhost, Vlans,
};
use netctl_common::verdict::Action;

const GROUPS: u32 = 100;
const PORTS: u32 = 1000;

/// What the rules look like.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    GroupToPrefix,
    AnyToPrefix,
    PrefixToGroup,
    PrefixToPrefix,
    /// All of the above in turn.
    Mixed,
}

const SHAPES: [Shape; 5] =
    [Shape::GroupToPrefix, Shape::AnyToPrefix, Shape::PrefixToGroup, Shape::PrefixToPrefix, Shape::Mixed];

fn prefix(number: u32) -> Selector {
    let net: IpNet = if number % 4 == 3 {
        let bits = (0x2001_0db8u128 << 96) | (u128::from(number) << 64);
        IpNet::new(Ipv6Addr::from_bits(bits).into(), 64).unwrap()
    } else {
        IpNet::new(Ipv4Addr::from_bits(0x0b00_0000 + (number << 8)).into(), 24).unwrap()
    };
    Selector::Prefix(net)
}

fn rule(shape: Shape, number: u32) -> Rule {
    let group = |number: u32| Selector::Group(format!("group{}", number % GROUPS));
    let (from, to) = match (shape, number % 4) {
        (Shape::GroupToPrefix, _) | (Shape::Mixed, 0) => (group(number / 4), prefix(number)),
        (Shape::AnyToPrefix, _) | (Shape::Mixed, 1) => (Selector::Any, prefix(number)),
        (Shape::PrefixToGroup, _) | (Shape::Mixed, 2) => (prefix(number), group(number / 4)),
        (Shape::PrefixToPrefix, _) | (Shape::Mixed, _) => {
            (prefix(number), prefix(number.wrapping_mul(5) % 60_000))
        }
    };
    // There are at most 65,536 classes of services, so ranges repeat in the largest policies.
    let first = ((number % 10_000).wrapping_mul(2_654_435_761) >> 16) as u16;
    let range = PortRange { first, last: first.saturating_add((number % 16) as u16) };
    Rule {
        action: Action::Allow,
        from: vec![from],
        to: vec![to],
        services: vec![if number % 8 == 5 { Service::Udp(range) } else { Service::Tcp(range) }],
        source_ports: Vec::new(),
        name: None,
        log: None,
        audit: false,
        line: number + 100,
    }
}

pub(crate) fn config(shape: Shape, rules: u32) -> Config {
    let network = Network {
        kind: NetworkKind::Bridge,
        zone: "default".into(),
        interface: "br0".into(),
        uplinks: Vec::new(),
        pool: None,
        host_access: false,
        addresses: Vec::new(),
        mtu: None,
        mac: Mac([2, 0, 0, 0, 1, 0]),
        line: 1,
    };
    let port = |number: u32| Port {
        network: "lab".into(),
        mac: Mac([2, 0, 0, 1, (number >> 8) as u8, number as u8]),
        addresses: Addresses::Listed(BTreeSet::from([IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + number))])),
        groups: BTreeSet::from([format!("group{}", number % GROUPS)]),
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
    };
    let mut groups: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for number in 0..PORTS {
        groups.entry(format!("group{}", number % GROUPS)).or_default().insert(format!("vm{number}"));
    }
    Config {
        networks: BTreeMap::from([("lab".into(), network)]),
        ports: (0..PORTS).map(|number| (format!("vm{number}"), port(number))).collect(),
        sets: BTreeMap::new(),
        groups,
        policy: Policy { rules: (0..rules).map(|number| rule(shape, number)).collect(), ..Policy::default() },
        tests: Vec::new(),
    }
}

/// CPU time, which other work on the machine leaves alone: the smallest of five runs.
fn measure<T>(mut run: impl FnMut() -> T) -> (Duration, T) {
    let once = |run: &mut dyn FnMut() -> T| {
        let start = cpu_time();
        let result = run();
        (cpu_time() - start, result)
    };
    let mut runs: Vec<(Duration, T)> = (0..5).map(|_| once(&mut run)).collect();
    runs.sort_by_key(|(time, _)| *time);
    runs.swap_remove(0)
}

/// Of this thread (proc(5): the first number of schedstat, in nanoseconds).
pub(crate) fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(stat.split(' ').next().unwrap().parse().unwrap())
}

fn report(shape: Shape, rules: u32) -> (Duration, Duration) {
    let config = config(shape, rules);
    let ids = PortIds::assign(&BTreeMap::new(), &config).unwrap();
    let (time, compiled) = measure(|| compile(&config, &ids, &Budget::default()));
    let compiled: Compiled = compiled.unwrap();
    let (lint_time, warnings) = measure(|| lint(&config, &Budget::default()));
    let (notes_time, found) = measure(|| notes(&config, &Budget::default()));
    println!(
        "{shape:?} {rules}: compile {time:.1?}, lint {lint_time:.1?} ({} warnings), notes {notes_time:.1?} ({}); {} + {} classes, {} pairs, {} verdicts",
        warnings.len(),
        found.len(),
        compiled.source_chains.len(),
        compiled.destination_chains.len(),
        compiled.pair_chains.len(),
        compiled.verdicts.len(),
    );
    (time, lint_time.max(notes_time))
}

#[test]
#[ignore = "a measurement; needs a release build and a quiet machine"]
fn large_policies_compile_in_time() {
    let mut late = Vec::new();
    for (rules, limit, lint_limit) in [(10_000, 60, 150), (100_000, 1000, 2000)] {
        for shape in SHAPES {
            let (compile, lint) = report(shape, rules);
            if compile > Duration::from_millis(limit) || lint > Duration::from_millis(lint_limit) {
                late.push((shape, rules, compile, lint));
            }
        }
    }
    assert!(late.is_empty(), "over the limits: {late:?}");
}
