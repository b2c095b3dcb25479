//! Frames between guests, and whether they arrive as `decide()` on the host says.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail, ensure};
use netctl::document::Document;
use netctl::explain::answer::by_document;
use netctl::explain::question::Question;

use super::model::{Model, SERVICES, name, number};
use crate::frame::{Build, Carrier, eth, mac};
use crate::policies::Random;
use crate::tap::Tap;

/// What was compared.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub allowed: u64,
    pub denied: u64,
    /// Frames back, which only a flow allows.
    pub answers: u64,
}

/// Flows that are asked about after each change.
const FLOWS: usize = 12;
/// Enough for a frame to arrive.
const SOON: Duration = Duration::from_secs(10);

/// Sender, receiver, and the ports of a datagram.
type Frame = (u8, u8, u16, u16);

pub(super) fn check(
    running: &Document,
    (model, taps): (&Model, &BTreeMap<u8, Tap>),
    random: &mut Random,
    counts: &mut Counts,
) -> Result<()> {
    taps.values().try_for_each(|tap| tap.drain().map(drop))?;
    let (mut wanted, mut sent) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..FLOWS {
        let Some((from, to)) = model.pair(random) else { break };
        let service = SERVICES.start + random.below(SERVICES.len()) as u16;
        // A flow of its own: what is told is the policy's verdict.
        let frame = (from, to, 2000 + random.below(60_000) as u16, service);
        let question =
            Question::new(&running.config, &name(from), &name(to), &format!("udp/{service}"), frame.2)
                .map_err(|e| anyhow!("{e}"))?;
        if !sent.insert(frame) {
            continue;
        }
        if by_document(running, &question).map_err(|e| anyhow!("{e}"))?.allowed {
            wanted.insert(frame);
            counts.allowed += 1;
        } else {
            counts.denied += 1;
        }
    }
    exchange(taps, &sent, &wanted)?;
    // Answers to those that arrived, and to none of the others.
    let back =
        |frames: &BTreeSet<Frame>| frames.iter().map(|(from, to, a, b)| (*to, *from, *b, *a)).collect();
    counts.answers += wanted.len() as u64;
    exchange(taps, &back(&wanted), &back(&wanted))
}

/// Sends frames, and waits for those that are wanted.
fn exchange(taps: &BTreeMap<u8, Tap>, sent: &BTreeSet<Frame>, wanted: &BTreeSet<Frame>) -> Result<()> {
    for (from, to, source, destination) in sent {
        let address = |port| format!("10.0.0.{}", number(port));
        let frame = eth(mac(number(*from)), mac(number(*to)))
            .ipv4(&*address(*from), &*address(*to))
            .udp(*source, *destination)
            .payload(b"soak")
            .frame();
        taps[from].send(&frame)?;
    }
    let mut missing = wanted.clone();
    let deadline = Instant::now() + SOON;
    // Denied ones would be there as soon as the others: one more look is enough.
    let mut looks = 1;
    while !missing.is_empty() || looks > 0 {
        if missing.is_empty() {
            looks -= 1;
            std::thread::sleep(Duration::from_millis(2));
        }
        for (port, tap) in taps {
            while let Some(frame) = tap.recv(Duration::ZERO)? {
                let Some(arrived) = read(*port, &frame) else { continue };
                ensure!(wanted.contains(&arrived), "{arrived:?} arrived, which user space denies");
                missing.remove(&arrived);
            }
        }
        if Instant::now() > deadline {
            bail!("{missing:?} did not arrive, which user space allows");
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    Ok(())
}

/// One of ours, by its addresses and ports, as it arrived at a port.
fn read(at: u8, frame: &[u8]) -> Option<Frame> {
    let udp = frame.get(12..14) == Some(&[8, 0]) && frame.get(23) == Some(&17);
    let numbers = frame.get(34..38).filter(|_| udp && frame.get(42..46) == Some(b"soak"))?;
    let from = frame.get(29)?.checked_sub(10)?;
    Some((
        from,
        at,
        u16::from_be_bytes([numbers[0], numbers[1]]),
        u16::from_be_bytes([numbers[2], numbers[3]]),
    ))
}
