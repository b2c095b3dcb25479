//! Learned rules, where everything else is denied, allow exactly what was seen.

use std::collections::BTreeSet;
use std::net::IpAddr;

use netctl::compile::reference::{Party as Asked, Query, Wanted, first_match};
use netctl::config::{self, Addresses, Config, PortRange, Rule, Selector, Service};
use netctl::learn::{Evidence, GroupBy, Learner, Party, Proposal, propose};
use netctl_common::verdict::Action;
use netctl_tests::policies::Random;

const HOST: &str = "[networks.lab]\nkind = \"bridge\"\naddresses = [\"10.0.0.254/24\"]\n";
const PORTS: usize = 6;
/// Few, so that they are named one by one.
const WORLD: [&str; 4] = ["198.51.100.1", "198.51.100.2", "203.0.113.9", "192.0.2.1"];
const SERVICES: [u16; 4] = [22, 80, 443, 5432];

fn base(sets: &str) -> String {
    let port = |n: usize| {
        let groups = ["web", "web", "web", "db", "db", "lone"][n];
        let second = if n.is_multiple_of(2) { "\"even\"" } else { "\"odd\"" };
        format!(
            "[ports.vm{n}]\nnetwork = \"lab\"\naddresses = [\"10.0.0.{}\"]\ngroups = [\"{groups}\", {second}]\n",
            n + 1
        )
    };
    HOST.to_owned() + &(0..PORTS).map(port).collect::<String>() + sets
}

fn read(text: &str) -> Config {
    config::parse("host.toml", text).unwrap_or_else(|refused| panic!("{refused}\n{text}")).config
}

fn parties() -> Vec<Party> {
    let world = WORLD.iter().map(|ip| Party::Address(ip.parse().unwrap()));
    (0..PORTS).map(|n| Party::Port(format!("vm{n}"))).chain([Party::Host]).chain(world).collect()
}

fn asked(config: &Config, party: &Party) -> Asked {
    let ip: IpAddr = match party {
        Party::Address(ip) => *ip,
        Party::Host => "10.0.0.254".parse().unwrap(),
        Party::Broadcast => "255.255.255.255".parse().unwrap(),
        Party::Port(name) => match &config.ports[name].addresses {
            Addresses::Listed(listed) => *listed.first().unwrap(),
            Addresses::Any | Addresses::Learned => panic!("{name} lists its addresses"),
        },
    };
    Asked::Address { zone: "default".into(), ip }
}

fn tcp(port: u16) -> Service {
    Service::Tcp(PortRange { first: port, last: port })
}

/// The proposal as a whole document, as an operator would use it.
fn applied(base: &str, proposal: &Proposal) -> Config {
    let config = read(&format!("{base}\n{proposal}"));
    assert_eq!((config.policy.default, config.policy.rules.len()), (Action::Deny, proposal.rules.len()));
    let says_any = |rule: &Rule| {
        let any = |side: &[Selector]| side.contains(&Selector::Any);
        any(&rule.from) || any(&rule.to) || rule.services.contains(&Service::Any)
    };
    assert!(!config.policy.rules.iter().any(says_any), "{proposal}");
    config
}

#[test]
fn learned_rules_allow_exactly_what_was_seen() {
    let base = base("");
    let config = read(&base);
    let parties = parties();
    let is_port = |party: &Party| matches!(party, Party::Port(_));
    let mut grouped = 0;
    for seed in 1..=300 {
        let mut random = Random::new(seed);
        let mut seen = BTreeSet::new();
        let mut learner = Learner::default();
        // Often a whole group at once, as its members do the same.
        for _ in 0..1 + random.below(12) {
            let (from, to, what) =
                (random.pick(&parties), random.pick(&parties), tcp(random.pick(&SERVICES)));
            let all = random.chance(50);
            for from in parties.iter().filter(|party| **party == from || all && is_port(party)) {
                if *from != to
                    && (is_port(from) || is_port(&to))
                    && seen.insert((from.clone(), to.clone(), what.clone()))
                {
                    learner.saw((from.clone(), to.clone(), what.clone()), &Evidence::at("vm0", 2.0, 1.0));
                }
            }
        }
        let group_by = random.pick(&[GroupBy::Group, GroupBy::Port]);
        let proposal = propose(&learner, &config, group_by);
        let learned = applied(&base, &proposal);
        grouped += usize::from(proposal.to_string().contains("\"web\""));
        assert_eq!(proposal.rules.iter().map(|it| it.evidence.flows).sum::<u64>(), seen.len() as u64);
        for from in &parties {
            for to in parties.iter().filter(|to| is_port(from) || is_port(to)) {
                for port in SERVICES {
                    let service = Wanted::Ip { protocol: 6, number: port, source_port: 50_000 };
                    let query =
                        Query { source: asked(&config, from), destination: asked(&config, to), service };
                    let allowed = first_match(&learned, &query).is_some();
                    let was_seen = seen.contains(&(from.clone(), to.clone(), tcp(port)));
                    assert_eq!(allowed, was_seen, "seed {seed}: {from:?} > {to:?} tcp/{port}\n{proposal}");
                }
            }
        }
    }
    assert!(grouped > 30, "{grouped} proposals with a group");
}

#[test]
fn addresses_become_a_set_that_holds_them_and_only_many_become_the_world() {
    let base = base("[sets]\noffice = [\"192.0.2.0/24\"]\nwide = [\"0.0.0.0/0\"]\nours = [\"10.0.0.0/8\"]\n");
    let config = read(&base);
    let mut learner = Learner::default();
    let mut saw = |from: &str, what| {
        let from = Party::Address(from.parse().unwrap());
        learner.saw((from, Party::Port("vm0".into()), tcp(what)), &Evidence::at("vm0", 1.0, 0.0));
    };
    ["192.0.2.1", "192.0.2.9"].into_iter().for_each(|ip| saw(ip, 22));
    (1..=8).for_each(|n| saw(&format!("198.51.100.{n}"), 80));
    (1..=9).for_each(|n| saw(&format!("198.51.100.{n}"), 443));
    saw("10.9.9.9", 25);
    let proposal = propose(&learner, &config, GroupBy::Group);
    let learned = applied(&base, &proposal);
    let from = |port| {
        let found = learned.policy.rules.iter().find(|rule| rule.services.contains(&tcp(port)));
        found.unwrap_or_else(|| panic!("{port}: {proposal}")).from.clone()
    };
    assert_eq!(from(22), [Selector::Set("office".into())]);
    assert_eq!(from(80).len(), 8);
    assert_eq!(from(443), [Selector::World]);
    // A set with somebody of this host in it would let that one in, too.
    assert_eq!(from(25), [Selector::Prefix("10.9.9.9/32".parse().unwrap())]);
}

#[test]
fn more_services_than_can_be_meant_are_left_out_and_said() {
    let base = base("");
    let mut learner = Learner::default();
    for port in 1..=65 {
        let ends = (Party::Port("vm0".into()), Party::Port("vm3".into()), tcp(port));
        learner.saw(ends, &Evidence::at("vm0", 1.0, 0.0));
    }
    let proposal = propose(&learner, &read(&base), GroupBy::Group);
    assert!(applied(&base, &proposal).policy.rules.is_empty());
    assert_eq!(proposal.left_out.values().sum::<u64>(), 65);
    assert!(proposal.to_string().contains("65 services, more than 64"), "{proposal}");
}
