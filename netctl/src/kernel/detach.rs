//! Takes programs off interfaces that stay: uplinks, ports that are released, whatever a crash left attached.
//!
//! A tcx link is its pin; what is on clsact instead is known by its marks. Both are found in one folder.

use std::collections::BTreeSet;
use std::fs;

use super::load::Kernel;
use super::pins::{Entry, Pins};
use super::{KernelError, clsact};
use crate::fault::point;

/// Whose programs stay, and where.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// Names of ports, and those of [`super::attach::uplink_owner`].
    pub owners: BTreeSet<String>,
    /// Indexes of their interfaces.
    pub interfaces: BTreeSet<u32>,
}

impl Kernel {
    /// Takes the programs of `owner` (a port) off the interface that they are on, and the clsact qdisc if netctl made
    /// it and nobody else has a filter there. Whatever is gone already is fine, the interface too.
    pub fn detach(&self, owner: &str, ifindex: u32) -> Result<(), KernelError> {
        for entry in self.pins.entries()? {
            if matches!(&entry, Entry::Link { owner: of, .. } if of == owner) {
                unpin(entry)?;
            }
        }
        clsact::clean(&self.pins, ifindex)
    }

    /// Takes off what is attached for anyone else than `kept`, whatever left it behind.
    pub fn detach_others(&self, kept: &Kept) -> Result<(), KernelError> {
        detach(&self.pins, kept)
    }
}

/// Takes everything off that is attached. Nothing has to be loaded: what a crash left is found too.
pub fn detach_all(pins: &Pins) -> Result<(), KernelError> {
    detach(pins, &Kept::default())
}

fn detach(pins: &Pins, kept: &Kept) -> Result<(), KernelError> {
    for entry in pins.entries()? {
        match &entry {
            Entry::Link { owner, .. } if !kept.owners.contains(owner) => unpin(entry)?,
            Entry::Mark { ifindex, .. } if !kept.interfaces.contains(ifindex) => {
                clsact::clean(pins, *ifindex)?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn unpin(entry: Entry) -> Result<(), KernelError> {
    let Entry::Link { path, .. } = entry else { return Ok(()) };
    point("detach link");
    fs::remove_file(&path).map_err(|source| KernelError::Remove { path, source })
}
