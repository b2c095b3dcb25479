//! The bytes of a map's elements, whatever they mean.

use std::fmt::Write;
use std::os::fd::{AsFd, OwnedFd};

use netctl_common::abi::{Root, maps};

use super::super::running::{RunningPort, each_element};
use super::super::{Kernel, KernelError, sys};
use super::facts::value_bytes;
use super::{Element, Scope, scope};

impl Kernel {
    /// The elements of a map as bytes in hex: in the order of its memory, arrays with all of their rows, values of per-CPU
    /// maps with those of all CPUs; of maps of maps that are the host's, the numbers of the maps in them.
    ///
    /// # Errors
    /// A map that cannot be read.
    pub fn dump_raw(
        &self,
        map: &str,
        root: &Root,
        only: &[&RunningPort],
    ) -> Result<Vec<Element>, KernelError> {
        let tables: Vec<OwnedFd> = match scope(map) {
            Scope::Host if map == maps::ROOT => vec![self.inner(map, 0)?],
            Scope::Host => vec![self.map(map)?],
            Scope::Generation => vec![self.inner(map, root.slot)?],
            Scope::Port => {
                only.iter().map(|port| self.inner(map, port.entry.id)).collect::<Result<_, _>>()?
            }
        };
        let mut elements = Vec::new();
        for table in &tables {
            read(table, &mut elements).map_err(|e| KernelError::map(map, "reading it", e))?;
        }
        Ok(elements)
    }
}

fn read(table: &OwnedFd, elements: &mut Vec<Element>) -> std::io::Result<()> {
    let info = sys::info(table.as_fd())?;
    let value_size = value_bytes(&info);
    let element = |key: &[u8], value: &[u8]| Element { key: hex(key), value: hex(value) };
    if sys::is_hash(info.kind) {
        return each_element(table, (info.key_size as usize, value_size), |key, value| {
            elements.push(element(key, value));
        });
    }
    let mut value = vec![0; value_size];
    for index in 0..info.max_entries {
        let key = index.to_ne_bytes();
        // A map of maps has empty places.
        if sys::lookup(table.as_fd(), &key, &mut value)? {
            elements.push(element(&key, &value));
        }
    }
    Ok(())
}

/// As `bpftool` writes bytes: `0a 00`.
fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(3 * bytes.len());
    for (at, byte) in bytes.iter().enumerate() {
        let space = if at == 0 { "" } else { " " };
        // Writing to a string does not fail.
        let _ = write!(text, "{space}{byte:02x}");
    }
    text
}
