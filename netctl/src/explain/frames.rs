//! Frames as they are, put to one port: out of a capture, or typed.

use std::path::Path;

use netctl_common::frame::Arrived;
use netctl_common::mark;
use netctl_common::verdict::Direction;
use serde::Serialize;

use super::answer::{Step, step};
use super::capture::{Capture, Captured};
use super::hex;
use super::host::{Host, Running};
use super::rehearsal::Rehearsal;
use crate::config::{Config, Mac};
use crate::document::Document;
use crate::error::Error;
use crate::kernel::ask::{Flows, fits};
use crate::state::State;

/// Where frames are put to.
#[derive(Clone, Debug)]
pub struct At<'a> {
    pub port: &'a str,
    /// `None`: by the frame's MAC addresses.
    pub direction: Option<Direction>,
    pub as_new: bool,
}

/// Where frames come from.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// pcap or pcapng.
    Capture(&'a Path),
    /// One frame; see `hex`.
    Hex(&'a str),
}

/// What becomes of one frame.
#[derive(Clone, Debug, Serialize)]
pub struct Framed {
    /// Counted from 1.
    pub frame: u64,
    /// Bytes on the wire, and of them in the file.
    pub length: usize,
    pub captured: usize,
    pub source: String,
    pub destination: String,
    /// As in a rule.
    pub service: String,
    /// `None` where the programs cannot be asked; `note` says why.
    #[serde(flatten)]
    pub step: Option<Step>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Framed {
    pub fn is_allowed(&self) -> bool {
        self.step.as_ref().is_some_and(|step| step.action == "allow")
    }
}

/// Puts each frame to the running programs, in order, and hands what becomes of it to `tell`. Returns the running generation.
///
/// # Errors
/// As [`Source`] and the port give them; those of `tell` end it. Frames before the error have been told.
pub fn by_kernel(
    state: &State,
    source: Source<'_>,
    at: &At<'_>,
    tell: &mut dyn FnMut(Framed) -> Result<(), Error>,
) -> Result<(), Error> {
    let flows = if at.as_new { Flows::Ignored } else { Flows::Known };
    let directions = at.direction.map_or(Direction::ALL.to_vec(), |direction| vec![direction]);
    each(&mut Running::new(state, &directions, flows)?, source, at, tell)
}

/// Likewise, by the same code in user space for a document that does not run.
///
/// # Errors
/// As [`by_kernel`], and if the document does not compile.
pub fn by_document(
    document: &Document,
    source: Source<'_>,
    at: &At<'_>,
    tell: &mut dyn FnMut(Framed) -> Result<(), Error>,
) -> Result<(), Error> {
    each(&mut Rehearsal::new(&document.config, &document.text)?.asking(), source, at, tell)
}

fn each(
    host: &mut impl Host,
    source: Source<'_>,
    at: &At<'_>,
    tell: &mut dyn FnMut(Framed) -> Result<(), Error>,
) -> Result<(), Error> {
    let port = host.config().ports.get(at.port).ok_or_else(|| Error::no_port(at.port, host.config()))?;
    if !port.device.is_filtered() {
        return Err(Error::NotFiltered { name: at.port.to_owned() });
    }
    match source {
        Source::Hex(text) => {
            let bytes = hex::parse(text)?;
            let framed = one(host, at, Captured { number: 1, length: bytes.len(), bytes })?;
            match framed.note {
                Some(note) if framed.step.is_none() => Err(Error::Question(note)),
                _ => tell(framed),
            }
        }
        Source::Capture(path) => {
            let mut capture = Capture::open(path)?;
            while let Some(frame) = capture.next()? {
                tell(one(host, at, frame)?)?;
            }
            Ok(())
        }
    }
}

fn one(host: &mut impl Host, at: &At<'_>, mut frame: Captured) -> Result<Framed, Error> {
    let captured = frame.bytes.len();
    let mut note = None;
    let mac = |at: usize| frame.bytes.get(at..at + 6).and_then(|mac| Some(Mac(mac.try_into().ok()?)));
    let [destination, source] = [0, 6].map(mac);
    if captured < frame.length {
        // Nothing that decides is behind the headers but the length.
        frame.bytes.resize(frame.length.min(MAX_FILLED), 0);
        note = Some(format!("captured {captured} of {} bytes; zeros in place of the rest", frame.length));
    }
    let direction = at.direction.unwrap_or_else(|| direction(host.config(), at.port, [destination, source]));
    let step = if host.generation().is_none() || fits(&frame.bytes) {
        let from = source.filter(|_| direction == Direction::ToGuest);
        let arrived = arrived(host, at.port, from, &frame.bytes);
        Some(step(host, (at.port, direction), &arrived, at.as_new)?)
    } else {
        note = Some(
            "BPF_PROG_TEST_RUN takes no frame of this length; `--document` asks in user space".to_owned(),
        );
        None
    };
    let shown = |mac: Option<Mac>| mac.map_or_else(|| "-".to_owned(), |mac| mac.to_string());
    let (source, destination, service) = match &step {
        Some(step) => (step.source.clone(), step.destination.clone(), step.service.clone()),
        None => (shown(source), shown(destination), "-".to_owned()),
    };
    Ok(Framed {
        frame: frame.number,
        length: frame.length,
        captured,
        source,
        destination,
        service,
        step,
        note,
    })
}

/// More cannot be put to the programs anyway.
const MAX_FILLED: usize = 1 << 17;

/// What is for the port's MAC address or for a group, and not from it, goes to the guest; all else it can only have sent.
fn direction(config: &Config, port: &str, [destination, source]: [Option<Mac>; 2]) -> Direction {
    let own = config.ports.get(port).map(|port| port.mac);
    let is_for_it = destination == own || destination.is_some_and(|mac| mac.0[0] & 1 != 0);
    if is_for_it && source != own { Direction::ToGuest } else { Direction::FromGuest }
}

/// A frame to the guest comes from the local port of its sender's MAC address, if one has it.
fn arrived<'a>(host: &impl Host, port: &str, source: Option<Mac>, bytes: &'a [u8]) -> Arrived<'a> {
    let config = host.config();
    let network = config.ports.get(port).map(|port| &port.network);
    let sends = |(_, port): &(&String, &crate::config::Port)| {
        Some(port.mac) == source && Some(&port.network) == network
    };
    let sender = config.ports.iter().find(sends).and_then(|(name, _)| host.interface(name));
    match (sender, source) {
        (Some((ifindex, id)), _) => Arrived { bytes, mark: mark::from_port(id), ingress_ifindex: ifindex },
        (None, Some(_)) => Arrived { bytes, mark: mark::FROM_HOST, ingress_ifindex: 0 },
        (None, None) => Arrived::new(bytes),
    }
}
