//! A pcapng file that is being written. Only whole blocks go out, so that it can be read wherever its writer was killed.

use std::fs;
use std::io::{self, Write};

use netctl_common::verdict::{Action, Direction};

use super::pcapng::{self, Packet, Section, Statistics};
use super::row::{CaptureRow, bytes, tags};
use crate::kernel::capture::{Frame, Left};

/// Bytes that wait for more of them before they are written.
const WAITING: usize = 64 * 1024;
/// Room that is kept for the statistics of an interface.
const STATISTICS: u64 = 512;
/// Bytes of two tags.
const TAGS: u32 = 8;

#[derive(Debug)]
pub struct CaptureFile<W> {
    to: W,
    waiting: Vec<u8>,
    /// Bytes, with those that wait.
    size: u64,
    bounds: Bounds,
    interfaces: Vec<Interface>,
}

#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Bytes of the file; 0 = none.
    pub size: u64,
    /// Bytes of a frame, without its tags.
    pub snap: u32,
}

#[derive(Debug)]
struct Interface {
    name: String,
    frames: u64,
}

/// When a capture began and ended, in nanoseconds since 1970, and what it left out.
#[derive(Clone, Copy, Debug)]
pub struct End {
    pub began: u64,
    pub ended: u64,
    pub left: Left,
}

impl<W: Write> CaptureFile<W> {
    /// # Errors
    /// It cannot be written to.
    pub fn begin(to: W, bounds: Bounds) -> io::Result<Self> {
        let mut file = Self { to, waiting: Vec::new(), size: 0, bounds, interfaces: Vec::new() };
        let kernel = |name: &str| fs::read_to_string(format!("/proc/sys/kernel/{name}")).unwrap_or_default();
        let section = Section {
            hardware: std::env::consts::ARCH.to_owned(),
            os: format!("{} {}", kernel("ostype").trim(), kernel("osrelease").trim()),
            application: concat!("netctl ", env!("CARGO_PKG_VERSION")).to_owned(),
        };
        file.put(&section.block()?)?;
        Ok(file)
    }

    /// The interface with the name of a port; a new one if there is none yet.
    ///
    /// # Errors
    /// As [`Self::begin`].
    pub fn interface(&mut self, name: &str, describe: impl FnOnce() -> String) -> io::Result<u32> {
        let known = self.interfaces.iter().position(|interface| interface.name == name);
        if let Some(at) = known {
            return Ok(at as u32);
        }
        let block = pcapng::interface(name, &describe(), self.bounds.snap.saturating_add(TAGS))?;
        self.put(&block)?;
        self.interfaces.push(Interface { name: name.to_owned(), frames: 0 });
        Ok(self.interfaces.len() as u32 - 1)
    }

    /// `time`: nanoseconds since 1970. `false`: it does not fit any more.
    ///
    /// # Errors
    /// As [`Self::begin`].
    pub fn frame(&mut self, interface: u32, frame: &Frame, time: u64, row: &CaptureRow) -> io::Result<bool> {
        let block = Packet {
            interface,
            time,
            length: frame.facts.length + tags(frame).len() as u32,
            bytes: &bytes(frame),
            comment: &row.comment(),
            direction: Direction::decode(frame.facts.direction),
            action: Action::decode(frame.facts.action.into()),
        }
        .block()?;
        let rest = STATISTICS * self.interfaces.len() as u64;
        if self.bounds.size != 0 && self.size + block.len() as u64 + rest > self.bounds.size {
            return Ok(false);
        }
        self.put(&block)?;
        if let Some(interface) = self.interfaces.get_mut(interface as usize) {
            interface.frames += 1;
        }
        Ok(true)
    }

    fn put(&mut self, block: &[u8]) -> io::Result<()> {
        self.size += block.len() as u64;
        self.waiting.extend_from_slice(block);
        if self.waiting.len() >= WAITING { self.flush() } else { Ok(()) }
    }

    /// Writes what waits.
    ///
    /// # Errors
    /// As [`Self::begin`].
    pub fn flush(&mut self) -> io::Result<()> {
        self.to.write_all(&self.waiting)?;
        self.waiting.clear();
        self.to.flush()
    }

    /// Writes what is known at the end; bytes of the file.
    ///
    /// # Errors
    /// As [`Self::begin`].
    pub fn end(mut self, end: &End) -> io::Result<u64> {
        let Left { over_rate, ring_full, stopped } = end.left;
        let comment = (over_rate + ring_full + stopped > 0).then(|| {
            format!(
                "of all interfaces: over-rate={over_rate} ring-full={ring_full} stopped={:.1}s",
                stopped as f64 / 1e9
            )
        });
        let is_alone = self.interfaces.len() == 1;
        for (interface, Interface { frames, .. }) in (0..).zip(std::mem::take(&mut self.interfaces)) {
            let statistics = Statistics {
                interface,
                began: end.began,
                ended: end.ended,
                captured: frames,
                left: is_alone.then_some(over_rate + ring_full),
                comment: comment.clone(),
            };
            self.put(&statistics.block()?)?;
        }
        self.flush()?;
        Ok(self.size)
    }
}
