//! Follows the ring buffer of decisions.

use std::io;
use std::os::fd::AsFd;

use aya::maps::{Map, MapData, RingBuf};
use netctl_common::abi::{Event, maps};
use tokio::io::unix::AsyncFd;

use super::load::{Kernel, load_error};
use super::{KernelError, sys};

/// The stream of events. There is one ring for the host: two readers share it, each event reaching one of them.
pub struct Events {
    ring: AsyncFd<RingBuf<MapData>>,
}

impl Kernel {
    /// Must be called inside a tokio runtime.
    pub fn events(&self) -> Result<Events, KernelError> {
        let fail = |e| KernelError::map(maps::EVENTS, "opening it", e);
        let fd = sys::open_pin(&self.pins.map(maps::EVENTS)).map_err(fail)?;
        let map = Map::from_map_data(MapData::from_fd(fd).map_err(load_error)?).map_err(load_error)?;
        let ring = RingBuf::try_from(map).map_err(load_error)?;
        // SAFETY: the ring owns its descriptor and gives the same one for as long as it lives, which is in the `AsyncFd`.
        let ring = unsafe { AsyncFd::register(ring) }.map_err(|e| fail(e.into()))?;
        Ok(Events { ring })
    }
}

impl Events {
    /// The next event; waits for it. Cancel-safe.
    pub async fn next(&mut self) -> io::Result<Event> {
        loop {
            if let Some(event) = self.ready() {
                return Ok(event);
            }
            self.ring.readable_mut().await?.clear_ready();
        }
    }

    /// The next event that is there already.
    pub fn ready(&mut self) -> Option<Event> {
        loop {
            let item = self.ring.get_mut().next()?;
            // Another length is another ABI's; there is none under this version's pin.
            if item.len() == size_of::<Event>() {
                return Some(bytemuck::pod_read_unaligned(&item));
            }
        }
    }
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Events").field("ring", &self.ring.as_fd()).finish()
    }
}
