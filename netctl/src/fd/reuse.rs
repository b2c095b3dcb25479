//! Queues that come back from a VMM that has ended, made fit for the next one: attached, and set up as new.

use std::os::fd::{AsFd, OwnedFd, RawFd};

use libc::IFF_VNET_HDR;

use super::error::FdError;
use super::inspect::{self, Facts, Kind, Queue};
use super::setup::{self, Driver};
use super::tap::{self, Header, Options};

/// Why descriptors could not be used again; none was changed, unless it is [`ReuseError::Fd`].
#[derive(Debug, thiserror::Error)]
pub enum ReuseError {
    #[error("descriptor {number} is {what}; only queues of taps and macvtaps are reset")]
    NoQueue { number: RawFd, what: &'static str },
    #[error("descriptor {number}: its interface is gone; open the port again")]
    Gone { number: RawFd },
    #[error("descriptor {number}")]
    Fd { number: RawFd, source: FdError },
}

/// A queue that may be used again.
#[derive(Debug)]
pub struct Returned {
    pub number: RawFd,
    /// As it came back.
    pub facts: Facts,
    driver: Driver,
    interface: String,
    fd: OwnedFd,
}

impl Returned {
    /// A queue as it came back; `number` is what messages call it, and `fd` may be a copy of it.
    ///
    /// # Errors
    /// [`ReuseError::NoQueue`], [`ReuseError::Gone`].
    pub fn new(number: RawFd, fd: OwnedFd) -> Result<Self, ReuseError> {
        let no_queue = |what| ReuseError::NoQueue { number, what };
        let copy = fd.try_clone().map_err(|_| no_queue("not to be copied"))?;
        let facts = inspect::facts(copy).map_err(|_| no_queue("unknown"))?;
        let driver = match facts.kind {
            Kind::TapQueue => Driver::Tun,
            Kind::MacvtapQueue => Driver::Macvtap,
            other => return Err(no_queue(other.name())),
        };
        let interface = facts.interface.clone().ok_or(ReuseError::Gone { number })?;
        Ok(Self { number, facts, driver, interface, fd })
    }

    pub fn interface(&self) -> &str {
        &self.interface
    }

    /// Whether frames come to it; a macvtap does not tell.
    pub const fn is_detached(&self) -> Option<bool> {
        match self.facts.queue {
            Some(queue) => Some(matches!(queue, Queue::Detached)),
            None => None,
        }
    }

    /// Attaches the queue, and sets it up. Whether it has a virtio header was decided when it was opened. QEMU detaches
    /// all queues but the first and leaves them so; a second QEMU on them aborts.
    ///
    /// For when the VMM has ended: another that still has the queue would read frames in a form that it does not expect.
    ///
    /// # Errors
    /// [`ReuseError::Fd`].
    pub fn reset(&self, options: &Options) -> Result<(), ReuseError> {
        let failed = |source| ReuseError::Fd { number: self.number, source };
        let (fd, interface) = (self.fd.as_fd(), self.interface.as_str());
        tap::reattach([fd]).map_err(|e| failed(tap::refused("TUNSETQUEUE", interface, e)))?;
        let info = tap::info(fd).map_err(|e| failed(tap::refused("TUNGETIFF", interface, e)))?;
        let header = if info.flags & IFF_VNET_HDR == 0 { Header::None } else { Header::Virtio };
        let options = match header {
            Header::Virtio => Options { header, ..options.clone() },
            Header::None => Options { sndbuf: options.sndbuf, ..header.into() },
        };
        setup::apply(fd, interface, &options, self.driver).map_err(failed)
    }
}
