//! Reads frames with their verdicts, through a ring of the reader's own.

mod keep;
mod place;

use std::io;

use aya::maps::{Map, MapData, RingBuf};
use netctl_common::abi::{Captured, MAX_PORTS, maps};
use tokio::io::unix::AsyncFd;

use self::keep::Kept;
use self::place::Place;
use super::load::{Kernel, load_error};
use super::shapes::RING;
use super::{KernelError, sys};

/// What is captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Port id; `None` = all ports, and interfaces that are none.
    pub port: Option<u32>,
    /// A bit for each [`netctl_common::verdict::Action`].
    pub actions: u32,
    /// A bit for each [`netctl_common::verdict::Direction`].
    pub directions: u32,
    /// Bytes of a frame, without its tags.
    pub snap: u32,
    /// Frames per second and CPU; 0 = no limit.
    pub rate: u32,
    /// Bytes, a power of two from 128 KiB on: two of the largest frames.
    pub ring: u32,
}

/// A capture that goes on as long as it is there.
pub struct Capture {
    ring: AsyncFd<RingBuf<MapData>>,
    kept: Kept,
}

/// A frame that was captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub facts: Captured,
    /// Without the tags of [`Captured::tags`].
    pub bytes: Vec<u8>,
}

/// Frames that were wanted and are not in the capture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Left {
    pub over_rate: u64,
    /// The reader was too slow.
    pub ring_full: u64,
    /// Nanoseconds for which the process was stopped, so that nothing was captured.
    pub stopped: u64,
}

impl Kernel {
    /// Begins a capture. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`KernelError::NoCaptureSlot`], [`KernelError::OlderBuild`], or the ring cannot be made.
    pub fn capture(&self, wanted: Wanted) -> Result<Capture, KernelError> {
        assert!(wanted.port.is_none_or(|port| port < MAX_PORTS), "an id of a port");
        let fail = |operation| move |e| KernelError::map(maps::CAPTURE_RINGS, operation, e);
        let shape = RING.with_room(wanted.ring);
        let ring = sys::create(maps::CAPTURE_RINGS, &shape).map_err(fail("making a ring"))?;
        let place = Place::take(self, wanted, &ring)?;
        let map = Map::from_map_data(MapData::from_fd(ring).map_err(load_error)?).map_err(load_error)?;
        let ring = RingBuf::try_from(map).map_err(load_error)?;
        // SAFETY: the ring owns its descriptor and gives the same one for as long as it lives, which is in the `AsyncFd`.
        let ring = unsafe { AsyncFd::register(ring) }.map_err(|e| fail("waiting for it")(e.into()))?;
        Ok(Capture { ring, kept: Kept::start(place).map_err(fail("starting a thread for it"))? })
    }
}

impl Capture {
    /// The next frame; waits for it. Cancel-safe.
    ///
    /// # Errors
    /// The ring cannot be waited for.
    pub async fn next(&mut self) -> io::Result<Frame> {
        loop {
            if let Some(frame) = self.ready() {
                return Ok(frame);
            }
            self.ring.readable_mut().await?.clear_ready();
        }
    }

    /// The next frame that is there already.
    pub fn ready(&mut self) -> Option<Frame> {
        loop {
            let item = self.ring.get_mut().next()?;
            if let Some((head, rest)) = item.split_at_checked(size_of::<Captured>()) {
                let facts: Captured = bytemuck::pod_read_unaligned(head);
                if let Some(bytes) = rest.get(..facts.captured as usize) {
                    return Some(Frame { facts, bytes: bytes.to_vec() });
                }
            }
        }
    }

    /// That it still goes on.
    ///
    /// # Errors
    /// [`KernelError::CaptureTaken`], or the maps are gone.
    pub fn check(&self) -> Result<(), KernelError> {
        self.kept.check()
    }

    /// # Errors
    /// The map cannot be read.
    pub fn left(&self) -> Result<Left, KernelError> {
        self.kept.left()
    }
}

impl std::fmt::Debug for Capture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Capture").finish_non_exhaustive()
    }
}
