//! Whether the programs are on a port's interface now: someone may have taken them off, or the interface was replaced.

use std::io;
use std::os::fd::AsFd;

use netctl_common::verdict::Direction;

use super::attach::{AttachPort, hook};
use super::load::{Kernel, program_name};
use super::pins::Mark;
use super::{KernelError, sys, tc};

impl Kernel {
    /// Both programs, by a tcx link of the port or a clsact filter of netctl's.
    pub fn enforces(&self, port: &AttachPort<'_>) -> Result<bool, KernelError> {
        for direction in Direction::ALL {
            if !self.is_linked(port, direction)? && !self.has_filter(port, direction)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Identities of the programs on a port's hooks, by its links: from the guest, to the guest. `None` where they are
    /// clsact filters.
    pub fn program_ids(&self, port: &AttachPort<'_>) -> Result<Option<[u32; 2]>, KernelError> {
        let fail = |source| KernelError::map("links", "asking about a link", source);
        let mut ids = [0; 2];
        for (id, direction) in ids.iter_mut().zip([Direction::FromGuest, Direction::ToGuest]) {
            match sys::open_pin(&self.pins.link(port.name, program_name(direction))) {
                Ok(link) => *id = sys::link_program(link.as_fd()).map_err(fail)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(fail(error)),
            }
        }
        Ok(Some(ids))
    }

    fn is_linked(&self, port: &AttachPort<'_>, direction: Direction) -> Result<bool, KernelError> {
        let fail = |source| KernelError::map("links", "asking about a link", source);
        match sys::open_pin(&self.pins.link(port.name, program_name(direction))) {
            Ok(link) => Ok(sys::link_ifindex(link.as_fd()).map_err(fail)? == port.ifindex),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(fail(error)),
        }
    }

    fn has_filter(&self, port: &AttachPort<'_>, direction: Direction) -> Result<bool, KernelError> {
        if !self.pins.mark(Mark::Filter, port.ifindex).exists() {
            return Ok(false);
        }
        tc::has_filter(port.ifindex, hook(port.kind, direction))
            .map_err(|source| KernelError::map("links", "asking about a filter", source))
    }
}
