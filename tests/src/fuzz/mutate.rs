//! Frames of the corpus, damaged: bits, lengths, cuts, halves of two frames, addresses and ports of others.

use netctl_common::verdict::Direction;

use crate::cases::random::RandomFrame;
use crate::evasion::{Step, cases};
use crate::policies::Random;

/// Values that borders lie at.
const BYTES: [u8; 14] = [0, 1, 4, 5, 6, 17, 43, 44, 58, 60, 0x45, 0x4f, 0x60, 0xff];
const WORDS: [u16; 14] = [0, 1, 7, 8, 20, 22, 53, 80, 0x0800, 0x86dd, 0x8100, 0x0806, 0x2000, 0xffff];
/// Where headers begin, have their lengths, types and ports.
const PLACES: [usize; 22] =
    [0, 6, 12, 14, 16, 18, 20, 22, 23, 24, 26, 30, 34, 36, 38, 42, 46, 47, 54, 56, 58, 66];

#[derive(Debug)]
pub struct Mutator {
    seeds: Vec<RandomFrame>,
    /// Addresses of the seeds, of each length.
    addresses: Vec<Vec<u8>>,
    /// Bytes of the longest frame that is made.
    most: usize,
}

impl Mutator {
    /// Of the frames of the corpus up to a length, at its port or another one.
    ///
    /// # Panics
    /// If the corpus cannot be read.
    pub fn new(ports: &[&str], most: usize) -> Self {
        let mut seeds = Vec::new();
        for step in cases().expect("the corpus").into_iter().flat_map(|case| case.steps) {
            if let Step::Frame { direction, bytes, .. } = step
                && bytes.len() <= most
            {
                seeds.extend(ports.iter().map(|port| RandomFrame {
                    port: (*port).to_owned(),
                    direction,
                    bytes: bytes.clone(),
                }));
            }
        }
        let parts = [(0, 6), (6, 6), (26, 4), (30, 4), (22, 16), (38, 16)];
        let part =
            |seed: &RandomFrame, (at, len): (usize, usize)| Some(seed.bytes.get(at..at + len)?.to_vec());
        let mut addresses: Vec<_> =
            seeds.iter().flat_map(|seed| parts.into_iter().filter_map(|place| part(seed, place))).collect();
        addresses.sort();
        addresses.dedup();
        Self { seeds, addresses, most }
    }

    pub fn seeds(&self) -> &[RandomFrame] {
        &self.seeds
    }

    /// A frame as it is in the corpus, or with up to four changes.
    pub fn frame(&self, random: &mut Random) -> RandomFrame {
        let mut frame = random.pick(&self.seeds);
        if random.chance(5) {
            frame.direction = frame.direction.opposite();
        }
        if random.chance(70) {
            for _ in 0..1 + random.below(4) {
                self.change(random, &mut frame.bytes);
            }
        }
        frame.bytes.resize(frame.bytes.len().clamp(15, self.most), 0);
        frame
    }

    fn change(&self, random: &mut Random, bytes: &mut Vec<u8>) {
        let near = random.below(bytes.len().clamp(1, 100));
        let place = random.pick(&PLACES);
        match random.below(11) {
            0 => put(bytes, near, &[random.bits() as u8]),
            1 => put(bytes, place, &[random.pick(&BYTES)]),
            2 => put(bytes, place, &random.pick(&WORDS).to_be_bytes()),
            3 => {
                if let Some(byte) = bytes.get_mut(near) {
                    *byte ^= 1 << random.below(8);
                }
            }
            4 => bytes.truncate(near.max(1)),
            5 => bytes.extend(std::iter::repeat_n(random.bits() as u8, random.below(64))),
            6 => bytes.insert(near.min(bytes.len()), random.bits() as u8),
            7 => drop(bytes.drain(near..(near + 1 + random.below(8)).min(bytes.len()))),
            8 => {
                let address = random.pick(&self.addresses);
                let at = random.pick(match address.len() {
                    6 => &[0, 6, 22, 32],
                    4 => &[26, 30, 28, 38],
                    _ => &[22, 38, 62, 78],
                });
                put(bytes, at, &address);
            }
            9 => {
                let other = &self.seeds[random.below(self.seeds.len())].bytes;
                let at = random.pick(&[12, 14, 34, 54]).min(bytes.len()).min(other.len());
                bytes.truncate(at);
                bytes.extend_from_slice(&other[at..]);
            }
            // Lengths that are right again, so that what is behind them is looked at.
            _ => mend(bytes),
        }
    }
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + value.len()) {
        place.copy_from_slice(value);
    }
}

fn mend(bytes: &mut [u8]) {
    let len = bytes.len();
    match bytes.get(12..14) {
        Some([0x08, 0x00]) => put(bytes, 16, &(len.saturating_sub(14) as u16).to_be_bytes()),
        Some([0x86, 0xdd]) => put(bytes, 18, &(len.saturating_sub(54) as u16).to_be_bytes()),
        _ => {}
    }
}

/// A frame out of a fuzzer's bytes: one for port and direction, the rest is the frame.
pub(super) fn frame_of<'b>(
    ports: &[&'static str],
    bytes: &'b [u8],
) -> Option<(&'static str, Direction, &'b [u8])> {
    let (first, rest) = bytes.split_first()?;
    Some((ports[usize::from(first >> 1) % ports.len()], Direction::decode(first & 1), rest))
}
