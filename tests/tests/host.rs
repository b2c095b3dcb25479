//! Every case through the decision on the host, without root.

use std::collections::{BTreeMap, BTreeSet};

use netctl_common::decide::{Facts, decide};
use netctl_common::flow::tick;
use netctl_common::verdict::{Reason, Verdict};
use netctl_tests::cases::{At, Sequence, Step, Subject, UNREACHED, World, sequences, subjects};

fn judge(world: &World, tables: &netctl::explain::HostTables<'_>, at: &At, frame: &[u8]) -> Verdict {
    decide(at.direction, world.ifindex(at.port), frame, tables, &mut Facts::default())
}

/// The cases that come out otherwise than expected.
fn wrong(subject: &Subject) -> Vec<String> {
    let world = World::new(&subject.document);
    let mut wrong = Vec::new();
    for case in &subject.cases {
        let mut tables = world.tables(1);
        tables.writes = false;
        let (found, expected) =
            (judge(&world, &tables, &case.at, &case.frame), world.verdict(&case.expected));
        if found != expected {
            let (found, expected) = (world.describe(&found), world.describe(&expected));
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
            Step::Frame { at, frame, expected } => {
                let (found, expected) = (judge(world, &tables, at, frame), world.verdict(expected));
                if found != expected {
                    let (found, expected) = (world.describe(&found), world.describe(&expected));
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
    for (reason, why) in UNREACHED {
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
