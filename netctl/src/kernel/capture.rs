//! Reads frames with their verdicts, through a ring of the reader's own.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use aya::maps::{Map, MapData, RingBuf};
use netctl_common::abi::{CAPTURE_SLOTS, CaptureEntry, CaptureState, Captured, MAX_PORTS, maps};
use tokio::io::unix::AsyncFd;

use super::load::{Kernel, load_error};
use super::lock::Lock;
use super::shapes::RING;
use super::{KernelError, sys};

/// How long a slot is kept without [`Capture::stay`].
const KEPT: u64 = 5_000_000_000;

/// What is captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Port id; `None` = all ports, and interfaces that are none.
    pub port: Option<u32>,
    /// A bit for each [`netctl_common::verdict::Action`].
    pub actions: u32,
    /// A bit for each [`netctl_common::verdict::Direction`].
    pub directions: u32,
    /// Bytes of a frame.
    pub snap: u32,
    /// Frames per second and CPU; 0 = no limit.
    pub rate: u32,
    /// Bytes, a power of two from 64 KiB on.
    pub ring: u32,
}

/// A capture that goes on as long as it is there and [`Capture::stay`] is called every second or so.
pub struct Capture {
    ring: AsyncFd<RingBuf<MapData>>,
    place: Place,
}

/// A frame that was captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub facts: Captured,
    /// Without the tag of [`Captured::vlan`].
    pub bytes: Vec<u8>,
}

/// Frames that were wanted and are not in the capture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Left {
    pub over_rate: u64,
    /// The reader was too slow.
    pub ring_full: u64,
}

impl Kernel {
    /// Begins a capture. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`KernelError::NoCaptureSlot`], [`KernelError::OlderBuild`], or the ring cannot be made.
    pub fn capture(&self, wanted: Wanted) -> Result<Capture, KernelError> {
        assert!(wanted.port.is_none_or(|port| port < MAX_PORTS), "an id of a port");
        let fail = |operation| move |e| KernelError::map(maps::CAPTURE_RINGS, operation, e);
        let mut place = Place::find(self, wanted)?;
        let shape = RING.with_room(wanted.ring);
        let ring = sys::create(maps::CAPTURE_RINGS, &shape).map_err(fail("making a ring"))?;
        place.begin(&ring)?;
        let map = Map::from_map_data(MapData::from_fd(ring).map_err(load_error)?).map_err(load_error)?;
        let ring = RingBuf::try_from(map).map_err(load_error)?;
        // SAFETY: the ring owns its descriptor and gives the same one for as long as it lives, which is in the `AsyncFd`.
        let ring = unsafe { AsyncFd::register(ring) }.map_err(|e| fail("waiting for it")(e.into()))?;
        Ok(Capture { ring, place })
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

    /// That somebody is here still.
    ///
    /// # Errors
    /// The maps are gone: netctl was taken down.
    pub fn stay(&self) -> Result<(), KernelError> {
        self.place.stay()
    }

    /// # Errors
    /// The map cannot be read.
    pub fn left(&self) -> Result<Left, KernelError> {
        let now = self.place.left()?;
        let before = self.place.before;
        Ok(Left {
            over_rate: now.over_rate.saturating_sub(before.over_rate),
            ring_full: now.ring_full.saturating_sub(before.ring_full),
        })
    }
}

impl std::fmt::Debug for Capture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Capture").field("slot", &self.place.slot).finish_non_exhaustive()
    }
}

/// A slot; freed when it is dropped.
struct Place {
    slot: u32,
    entry: CaptureEntry,
    captures: OwnedFd,
    rings: OwnedFd,
    states: OwnedFd,
    until: OwnedFd,
    /// What earlier captures in the slot had left out.
    before: Left,
}

impl Place {
    /// Takes a slot that nobody has, or whose reader is gone.
    fn find(kernel: &Kernel, wanted: Wanted) -> Result<Self, KernelError> {
        // Two readers that begin at once must not take the same one.
        let _lock = Lock::take(kernel.pins().file_system())?;
        let captures = kernel.map_of_this_build(maps::CAPTURES)?;
        let now = sys::monotonic_now();
        let slot = (0..CAPTURE_SLOTS).find(|slot| {
            let mut entry = CaptureEntry::default();
            let read = sys::lookup(captures.as_fd(), &slot.to_ne_bytes(), bytemuck::bytes_of_mut(&mut entry));
            read.is_ok() && entry.until < now
        });
        let entry = CaptureEntry {
            until: now + KEPT,
            port: wanted.port.unwrap_or(netctl_common::abi::ANY_PORT),
            actions: wanted.actions,
            directions: wanted.directions,
            snap: wanted.snap,
            rate: wanted.rate,
            reserved: 0,
        };
        let mut place = Self {
            slot: slot.ok_or(KernelError::NoCaptureSlot { slots: CAPTURE_SLOTS })?,
            entry,
            captures,
            rings: kernel.map_of_this_build(maps::CAPTURE_RINGS)?,
            states: kernel.map_of_this_build(maps::CAPTURE_STATES)?,
            until: kernel.map_of_this_build(maps::CAPTURES_UNTIL)?,
            before: Left::default(),
        };
        // The slot is taken, and captures nothing yet.
        place.write(CaptureEntry { actions: 0, ..entry })?;
        place.before = place.left()?;
        Ok(place)
    }

    fn begin(&mut self, ring: &OwnedFd) -> Result<(), KernelError> {
        use std::os::fd::AsRawFd;
        let ring = ring.as_raw_fd().to_ne_bytes();
        sys::write(self.rings.as_fd(), &self.slot.to_ne_bytes(), &ring, 0)
            .map_err(|e| KernelError::map(maps::CAPTURE_RINGS, "putting the ring into its slot", e))?;
        self.stay()
    }

    fn stay(&self) -> Result<(), KernelError> {
        let until = sys::monotonic_now() + KEPT;
        self.write(CaptureEntry { until, ..self.entry })?;
        sys::write(self.until.as_fd(), &0u32.to_ne_bytes(), &until.to_ne_bytes(), 0)
            .map_err(|e| KernelError::map(maps::CAPTURES_UNTIL, "writing it", e))
    }

    fn write(&self, entry: CaptureEntry) -> Result<(), KernelError> {
        sys::write(self.captures.as_fd(), &self.slot.to_ne_bytes(), bytemuck::bytes_of(&entry), 0)
            .map_err(|e| KernelError::map(maps::CAPTURES, "writing it", e))
    }

    fn left(&self) -> Result<Left, KernelError> {
        let mut states = vec![CaptureState::default(); super::publish::possible_cpus()];
        let values = bytemuck::cast_slice_mut(&mut states);
        sys::lookup(self.states.as_fd(), &self.slot.to_ne_bytes(), values)
            .map_err(|e| KernelError::map(maps::CAPTURE_STATES, "reading it", e))?;
        Ok(states.iter().fold(Left::default(), |sum, state| Left {
            over_rate: sum.over_rate + state.over_rate,
            ring_full: sum.ring_full + state.ring_full,
        }))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What cannot be given back is free by itself, a little later.
        let _ = self.write(CaptureEntry::default());
        let _ = sys::delete(self.rings.as_fd(), &self.slot.to_ne_bytes());
    }
}
