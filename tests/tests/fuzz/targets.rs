//! Parser, decision and document.

use netctl_tests::cases::answers::answer;
use netctl_tests::fuzz::{Mutator, PORTS, append, decision, document, parser, seeds};
use netctl_tests::policies::Random;

use super::seed;

#[test]
fn the_parser_reads_what_others_read() {
    let mutator = Mutator::new(&["web1"], 2000);
    mutator.seeds().iter().for_each(|seed| parser(&seed.bytes));
    let mut random = Random::new(seed());
    for _ in 0..200_000 {
        parser(&mutator.frame(&mut random).bytes);
    }
}

#[test]
fn nothing_is_allowed_that_the_reference_denies() {
    let mutator = Mutator::new(&PORTS, 2000);
    let mut random = Random::new(seed());
    for _ in 0..2_000 {
        let (mut sequence, mut frames) = (Vec::new(), Vec::new());
        for _ in 0..50 {
            let earlier = if frames.is_empty() { None } else { Some(random.pick(&frames)) };
            let follows = earlier.filter(|_| random.chance(40)).and_then(|frame| answer(&mut random, &frame));
            let frame = follows.unwrap_or_else(|| mutator.frame(&mut random));
            append(&mut sequence, &frame);
            frames.push(frame);
        }
        decision(&sequence);
    }
}

/// Such a tag counts as none: what is behind it is judged, by the decision and by the reference.
#[test]
fn nothing_is_allowed_behind_a_priority_tag_that_the_reference_denies() {
    let mutator = Mutator::new(&PORTS, 2000);
    let mut sequence = Vec::new();
    for seed in mutator.seeds().iter().filter(|seed| seed.bytes.len() >= 14) {
        let mut tagged = seed.clone();
        tagged.bytes.splice(12..12, [0x81, 0x00, 0xe0, 0x00]);
        append(&mut sequence, &tagged);
    }
    decision(&sequence);
}

/// Documents that are right, and what becomes of them.
#[test]
fn a_document_that_is_printed_means_the_same() {
    let seeds = seeds::documents();
    assert!(seeds.len() > 5);
    seeds.iter().for_each(|seed| document(seed));
    let mut random = Random::new(seed());
    for _ in 0..5_000 {
        let mut bytes = random.pick(&seeds);
        for _ in 0..1 + random.below(3) {
            change(&mut random, &mut bytes, &seeds);
        }
        document(&bytes);
    }
}

fn change(random: &mut Random, bytes: &mut Vec<u8>, seeds: &[Vec<u8>]) {
    let at = random.below(bytes.len().max(1));
    match random.below(6) {
        0 if at < bytes.len() => bytes[at] = random.pick(b"\"'[]{}=,.#\n\\0129abz-_ "),
        1 if at < bytes.len() => drop(bytes.remove(at)),
        2 => bytes.insert(at, random.bits() as u8),
        // A line of another document, or one that is missing.
        3 => {
            let other = random.pick(seeds);
            let lines: Vec<&[u8]> = other.split_inclusive(|byte| *byte == b'\n').collect();
            let at = bytes[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            bytes.splice(at..at, random.pick(&lines).iter().copied());
        }
        4 => {
            let start = bytes[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            let end =
                bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |end| at + end + 1);
            bytes.drain(start..end);
        }
        _ => bytes.truncate(at.max(1)),
    }
}
