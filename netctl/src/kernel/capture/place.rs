//! A slot among the captures of a host. Nobody cleans up behind a reader that was killed: its slot is free when its time has passed.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::PathBuf;

use netctl_common::abi::{ANY_PORT, CAPTURE_SLOTS, CaptureEntry, CaptureState, maps};

use super::{Left, Wanted};
use crate::kernel::load::Kernel;
use crate::kernel::lock::Lock;
use crate::kernel::{KernelError, publish, sys};

/// How long a slot is kept without [`Place::stay`], in nanoseconds.
const KEPT: u64 = 5_000_000_000;

/// A slot with a ring in it; freed when it is dropped.
pub(super) struct Place {
    slot: u32,
    /// Of the ring. Whose ring is in the slot has the slot.
    id: u32,
    entry: CaptureEntry,
    maps: Maps,
    /// What earlier captures in the slot had left out.
    before: Left,
    stopped: u64,
}

struct Maps {
    file_system: PathBuf,
    captures: OwnedFd,
    rings: OwnedFd,
    states: OwnedFd,
    until: OwnedFd,
}

impl Place {
    /// Takes a slot that nobody has, or whose reader is gone.
    pub(super) fn take(kernel: &Kernel, wanted: Wanted, ring: &OwnedFd) -> Result<Self, KernelError> {
        let maps = Maps::open(kernel)?;
        let id = sys::info(ring.as_fd())
            .map_err(|e| KernelError::map(maps::CAPTURE_RINGS, "looking at a ring", e))?
            .id;
        // Two readers that begin at once must not take the same one.
        let _lock = maps.lock()?;
        let slot = maps.clear()?.ok_or(KernelError::NoCaptureSlot { slots: CAPTURE_SLOTS })?;
        let before = maps.left(slot)?;
        maps.put_ring(slot, ring)?;
        let entry = CaptureEntry {
            until: sys::monotonic_now() + KEPT,
            port: wanted.port.unwrap_or(ANY_PORT),
            actions: wanted.actions,
            directions: wanted.directions,
            snap: wanted.snap,
            rate: wanted.rate,
            reserved: 0,
        };
        let place = Self { slot, id, entry, maps, before, stopped: 0 };
        place.write()?;
        Ok(place)
    }

    /// That somebody is here still.
    ///
    /// # Errors
    /// [`KernelError::CaptureTaken`], or the maps are gone.
    pub(super) fn stay(&mut self) -> Result<(), KernelError> {
        let now = sys::monotonic_now();
        let _lock = self.own(now)?;
        self.stopped += now.saturating_sub(self.entry.until);
        self.entry.until = now + KEPT;
        self.write()
    }

    /// Makes sure that the slot is ours for a moment.
    fn own(&self, now: u64) -> Result<Option<Lock>, KernelError> {
        // Before its time has passed nobody else takes it.
        if now <= self.entry.until {
            return Ok(None);
        }
        let lock = self.maps.lock()?;
        if self.maps.ring_in(self.slot)? != self.id {
            return Err(KernelError::CaptureTaken { seconds: KEPT / 1_000_000_000 });
        }
        Ok(Some(lock))
    }

    pub(super) fn left(&self) -> Result<Left, KernelError> {
        let now = self.maps.left(self.slot)?;
        Ok(Left {
            over_rate: now.over_rate.saturating_sub(self.before.over_rate),
            ring_full: now.ring_full.saturating_sub(self.before.ring_full),
            stopped: self.stopped,
        })
    }

    fn write(&self) -> Result<(), KernelError> {
        self.maps.put_entry(self.slot, &self.entry)?;
        let until = self.entry.until.to_ne_bytes();
        sys::write(self.maps.until.as_fd(), &0u32.to_ne_bytes(), &until, 0)
            .map_err(|e| KernelError::map(maps::CAPTURES_UNTIL, "writing it", e))
    }

    fn free(&self) -> Result<(), KernelError> {
        let _lock = self.own(sys::monotonic_now())?;
        self.maps.free(self.slot)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What cannot be given back is free by itself, a little later.
        let _ = self.free();
    }
}

impl Maps {
    fn open(kernel: &Kernel) -> Result<Self, KernelError> {
        Ok(Self {
            file_system: kernel.pins().file_system().to_owned(),
            captures: kernel.map_of_this_build(maps::CAPTURES)?,
            rings: kernel.map_of_this_build(maps::CAPTURE_RINGS)?,
            states: kernel.map_of_this_build(maps::CAPTURE_STATES)?,
            until: kernel.map_of_this_build(maps::CAPTURES_UNTIL)?,
        })
    }

    fn lock(&self) -> Result<Lock, KernelError> {
        Lock::take(&self.file_system)
    }

    /// Frees the slots of readers that were killed, and with them the memory of their rings; the first slot that is free.
    fn clear(&self) -> Result<Option<u32>, KernelError> {
        let now = sys::monotonic_now();
        let mut first = None;
        for slot in (0..CAPTURE_SLOTS).rev() {
            let mut entry = CaptureEntry::default();
            sys::lookup(self.captures.as_fd(), &slot.to_ne_bytes(), bytemuck::bytes_of_mut(&mut entry))
                .map_err(|e| KernelError::map(maps::CAPTURES, "reading it", e))?;
            if entry.until < now {
                self.free(slot)?;
                first = Some(slot);
            }
        }
        Ok(first)
    }

    fn free(&self, slot: u32) -> Result<(), KernelError> {
        self.put_entry(slot, &CaptureEntry::default())?;
        sys::delete(self.rings.as_fd(), &slot.to_ne_bytes())
            .map(drop)
            .map_err(|e| KernelError::map(maps::CAPTURE_RINGS, "taking a ring out", e))
    }

    fn put_entry(&self, slot: u32, entry: &CaptureEntry) -> Result<(), KernelError> {
        sys::write(self.captures.as_fd(), &slot.to_ne_bytes(), bytemuck::bytes_of(entry), 0)
            .map_err(|e| KernelError::map(maps::CAPTURES, "writing it", e))
    }

    fn put_ring(&self, slot: u32, ring: &OwnedFd) -> Result<(), KernelError> {
        sys::write(self.rings.as_fd(), &slot.to_ne_bytes(), &ring.as_raw_fd().to_ne_bytes(), 0)
            .map_err(|e| KernelError::map(maps::CAPTURE_RINGS, "putting the ring into its slot", e))
    }

    /// The id of the ring; 0 = there is none.
    fn ring_in(&self, slot: u32) -> Result<u32, KernelError> {
        let mut id = [0; 4];
        sys::lookup(self.rings.as_fd(), &slot.to_ne_bytes(), &mut id)
            .map_err(|e| KernelError::map(maps::CAPTURE_RINGS, "reading it", e))?;
        Ok(u32::from_ne_bytes(id))
    }

    /// Since the map exists.
    fn left(&self, slot: u32) -> Result<Left, KernelError> {
        let mut states = vec![CaptureState::default(); publish::possible_cpus()];
        let values = bytemuck::cast_slice_mut(&mut states);
        sys::lookup(self.states.as_fd(), &slot.to_ne_bytes(), values)
            .map_err(|e| KernelError::map(maps::CAPTURE_STATES, "reading it", e))?;
        Ok(states.iter().fold(Left::default(), |sum, state| Left {
            over_rate: sum.over_rate + state.over_rate,
            ring_full: sum.ring_full + state.ring_full,
            stopped: 0,
        }))
    }
}
