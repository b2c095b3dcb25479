//! What fuzzers start from, in the form that each target takes: the corpus of attacks, and documents that are right.

use std::path::Path;

use crate::cases::random::RandomFrame;
use crate::evasion::{PORT, Step, cases};
use crate::fuzz::append;

/// Of [`super::parser()`]: each frame of the corpus.
///
/// # Panics
/// If the corpus cannot be read.
pub fn frames() -> Vec<Vec<u8>> {
    all().concat().into_iter().map(|frame| frame.bytes).collect()
}

/// Of [`super::decision()`]: the frames of each case, in order.
///
/// # Panics
/// If the corpus cannot be read.
pub fn sequences() -> Vec<Vec<u8>> {
    let sequence = |frames: Vec<RandomFrame>| {
        let mut bytes = Vec::new();
        frames.iter().for_each(|frame| append(&mut bytes, frame));
        bytes
    };
    all().into_iter().map(sequence).collect()
}

/// Of [`super::document()`]: the documents that docs/document.md shows.
///
/// # Panics
/// If it cannot be read.
pub fn documents() -> Vec<Vec<u8>> {
    let shown = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/document.md");
    let text = std::fs::read_to_string(shown).expect("docs/document.md");
    let blocks = text.split("```toml").skip(1).filter_map(|block| block.split_once("```"));
    blocks.map(|(block, _)| block.as_bytes().to_vec()).collect()
}

/// The frames of each case.
fn all() -> Vec<Vec<RandomFrame>> {
    let frame = |step| match step {
        Step::Frame { direction, bytes, .. } => Some(RandomFrame { port: PORT.to_owned(), direction, bytes }),
        Step::Apply(_) => None,
    };
    let cases = cases().expect("the corpus").into_iter();
    cases.map(|case| case.steps.into_iter().filter_map(frame).collect()).collect()
}
