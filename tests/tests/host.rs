//! Every case through the decision on the host, without root.
#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "host/reject.rs"]
mod reject;

use std::collections::{BTreeMap, BTreeSet};

use netctl_common::abi::{NO_RULE, guards};
use netctl_common::decide::{Facts, Tables, decide};
use netctl_common::flow::tick;
use netctl_common::verdict::{Direction, Reason, Verdict};
use netctl_tests::cases::{At, Expected, Sequence, Step, Subject, UNREACHED, World, sequences, subjects};
use netctl_tests::frame::{ACK, Build, Carrier, RST, SYN, eth, fragments, mac};

/// The verdict, and what would have decided otherwise.
fn judge(world: &World, tables: &netctl::explain::HostTables<'_>, at: &At, frame: &[u8]) -> (Verdict, u32) {
    let mut facts = Facts::default();
    let frame = world.arrived(at, frame);
    (decide(at.direction, world.ifindex(at.port), &frame, tables, &mut facts), facts.audited)
}

fn expected(world: &World, expected: &Expected) -> (Verdict, u32) {
    (world.verdict(expected), world.audited(expected))
}

fn words(world: &World, (verdict, audited): (Verdict, u32)) -> String {
    match audited {
        NO_RULE => world.describe(&verdict),
        audited => format!("{} but for {audited}", world.describe(&verdict)),
    }
}

/// The cases that come out otherwise than expected.
fn wrong(subject: &Subject) -> Vec<String> {
    let world = World::new(&subject.document);
    let mut wrong = Vec::new();
    for case in &subject.cases {
        let mut tables = world.tables(1);
        tables.writes = false;
        let (found, expected) =
            (judge(&world, &tables, &case.at, &case.frame), expected(&world, &case.expected));
        if found != expected {
            let (found, expected) = (words(&world, found), words(&world, expected));
            wrong.push(format!(
                "{}: {} ({:?})\n    {found}, not {expected}",
                subject.name, case.name, case.at
            ));
        }
    }
    wrong
}

/// The first step of a sequence that comes out otherwise than expected.
fn wrong_step(sequence: &Sequence) -> Option<String> {
    let mut generation = 1;
    let mut worlds = vec![World::new(&sequence.document)];
    for step in &sequence.steps {
        if let Step::Apply(text) = step {
            let running = worlds.last().map_or_else(BTreeMap::new, |world| world.ids.clone());
            worlds.push(World::after(&running, text));
        }
    }
    let mut worlds = worlds.iter();
    let mut world = worlds.next()?;
    let mut tables = world.tables(generation);
    for (number, step) in (1..).zip(&sequence.steps) {
        match step {
            Step::Wait(seconds) => tables.now.set(tables.now.get() + tick(seconds * 1_000_000_000)),
            Step::Apply(_) => {
                generation += 1;
                world = worlds.next()?;
                let next = world.tables(generation);
                next.take_flows(&tables);
                tables = next;
            }
            Step::Kill => {
                for ((port, key), entry) in tables.flows() {
                    assert!(tables.insert_flow(port, &key, &entry.killed()));
                }
            }
            Step::Frame { at, frame, expected } => {
                let (found, expected) = (judge(world, &tables, at, frame), self::expected(world, expected));
                if found != expected {
                    let (found, expected) = (words(world, found), words(world, expected));
                    return Some(format!(
                        "{}, step {number} ({at:?})\n    {found}, not {expected}",
                        sequence.name
                    ));
                }
            }
        }
    }
    None
}

#[test]
fn every_case_comes_out_as_it_is_meant() {
    let wrong: Vec<String> = subjects().iter().flat_map(wrong).collect();
    assert!(wrong.is_empty(), "{} cases\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_sequence_comes_out_as_it_is_meant() {
    let wrong: Vec<String> = sequences().iter().filter_map(wrong_step).collect();
    assert!(wrong.is_empty(), "{} sequences\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_reason_has_a_case_or_a_word_why_not() {
    let mut reached: BTreeSet<Reason> = BTreeSet::new();
    reached.extend(subjects().iter().flat_map(|subject| &subject.cases).map(|case| case.expected.reason));
    for sequence in sequences() {
        reached.extend(sequence.steps.iter().filter_map(|step| match step {
            Step::Frame { expected, .. } => Some(expected.reason),
            _ => None,
        }));
    }
    for &(reason, why) in UNREACHED {
        assert!(!reached.contains(&reason), "{} has a case, although {why}", reason.name());
        reached.insert(reason);
    }
    let without: Vec<&str> = Reason::ALL.iter().filter(|r| !reached.contains(r)).map(|r| r.name()).collect();
    assert!(without.is_empty(), "no case for {}", without.join(", "));
}

#[test]
fn no_two_cases_have_one_name() {
    let mut names = BTreeSet::new();
    for subject in subjects() {
        for case in subject.cases {
            assert!(names.insert(format!("{}: {} {:?}", subject.name, case.name, case.at)), "{}", case.name);
        }
    }
    for sequence in sequences() {
        assert!(names.insert(sequence.name.clone()), "{}", sequence.name);
    }
    println!("{} rows, {} of them sequences", names.len(), sequences().len());
}

const UNGUARDED: &str = r#"
[networks.lab]
kind = "bridge"
[ports.web1]
network = "lab"
mac = "52:54:00:00:00:01"
addresses = ["10.0.0.11"]
[policy]
rules = [
  { allow = "tcp/80", from = "web1", to = "world", name = "web" },
  { allow = "udp", from = "web1", to = "192.0.2.0/24", name = "any udp" },
]
"#;

fn reason(
    world: &World,
    tables: &netctl::explain::HostTables<'_>,
    direction: Direction,
    frame: &[u8],
) -> Reason {
    judge(world, tables, &At::of("web1", direction), frame).0.reason
}

#[test]
fn without_the_guard_flags_alone_decide_about_tcp() {
    let world = World::without_guards(UNGUARDED, guards::TCP_STATE);
    let tables = world.tables(1);
    let there = |flags, number| {
        eth(mac(1), mac(9))
            .ipv4("10.0.0.11", "198.51.100.7")
            .tcp(5000, 80)
            .flags(flags)
            .sequence(number)
            .frame()
    };
    let back = |flags, number| {
        let ip = eth(mac(9), mac(1)).ipv4("198.51.100.7", "10.0.0.11");
        ip.tcp(80, 5000).flags(flags).sequence(number).acknowledged(77).frame()
    };
    let mut seen = Vec::new();
    for (direction, frame) in [
        (Direction::FromGuest, there(SYN, 1000)),
        (Direction::ToGuest, back(SYN | ACK, 5000)),
        (Direction::ToGuest, back(ACK, 5001)),
        (Direction::ToGuest, back(RST, 900_000)),
        // A reset is one wherever it lies, so that this opens anew.
        (Direction::FromGuest, there(SYN, 2000)),
    ] {
        seen.push(reason(&world, &tables, direction, &frame));
    }
    assert_eq!(seen, [Reason::Rule, Reason::Flow, Reason::Flow, Reason::Flow, Reason::Rule]);
}

#[test]
fn without_the_guard_later_fragments_are_judged_by_themselves_as_with_port_0() {
    let world = World::without_guards(UNGUARDED, guards::FRAGMENTS);
    let tables = world.tables(1);
    let pieces = |to: &str| {
        let whole = eth(mac(1), mac(9)).ipv4("10.0.0.11", to).udp(5000, 53).payload(&[7; 60]).frame();
        fragments(&whole, 7, 24)
    };
    let out = |frame: &[u8]| reason(&world, &tables, Direction::FromGuest, frame);
    assert_eq!(out(&pieces("192.0.2.7")[1]), Reason::Rule);
    assert_eq!(out(&pieces("192.0.2.7")[0]), Reason::Rule);
    assert_eq!(out(&pieces("192.0.2.7")[2]), Reason::Rule);
    assert_eq!(out(&pieces("198.51.100.7")[1]), Reason::Default);
    let foreign = eth(mac(1), mac(9)).ipv4("10.0.0.12", "192.0.2.7").udp(5000, 53).payload(&[7; 60]).frame();
    assert_eq!(out(&fragments(&foreign, 7, 24)[1]), Reason::SpoofedIpv4);
    let tiny = eth(mac(1), mac(9)).ipv4("10.0.0.11", "192.0.2.7").fragment(0, true);
    assert_eq!(out(&tiny.payload(6, &[0; 16]).frame()), Reason::TinyFragment);
}
