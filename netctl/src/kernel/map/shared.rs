//! What the decoders share, and the maps that are the host's.

use std::os::fd::OwnedFd;

use bytemuck::Pod;
use netctl_common::abi::{NO_PORT, QuotaKey, maps};
use netctl_common::flow::quota::{BURST, INTERVAL};

use super::super::running::{now, read_all};
use super::super::{Kernel, KernelError};
use super::Element;
use crate::names::Names;

pub(in crate::kernel) fn element(key: impl ToString, value: impl ToString) -> Element {
    Element { key: key.to_string(), value: value.to_string() }
}

/// A hash table's elements, sorted by what is shown.
pub(super) fn rows<K: Pod, V: Pod>(
    table: &OwnedFd,
    map: &str,
    show: impl Fn(&K, &V) -> Element,
) -> Result<Vec<Element>, KernelError> {
    let mut elements: Vec<Element> =
        read_all::<K, V>(table, map)?.iter().map(|(key, value)| show(key, value)).collect();
    elements.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(elements)
}

pub(super) fn owner(names: &Names, port: u32) -> String {
    if port == NO_PORT { "host".to_owned() } else { names.port(port) }
}

impl Kernel {
    pub(super) fn dump_quotas(&self, names: &Names) -> Result<Vec<Element>, KernelError> {
        let now = now();
        rows::<QuotaKey, u32>(&self.map(maps::QUOTAS)?, maps::QUOTAS, |key, full_at| {
            let what = format!("{} at {}", names.port(key.opener), names.port(key.port));
            element(what, format!("{} of {BURST} left", left(*full_at, now)))
        })
    }
}

/// Flows that may still settle at once, by the rule of [`netctl_common::flow::quota::take`].
fn left(full_at: u32, now: u32) -> u32 {
    let ahead = full_at.wrapping_sub(now);
    if ahead > BURST * INTERVAL { BURST } else { BURST - ahead.div_ceil(INTERVAL) }
}

#[cfg(test)]
mod tests {
    use netctl_common::flow::quota::take;

    use super::*;

    #[test]
    fn as_many_are_left_as_can_be_taken() {
        let mut full_at = None;
        for _ in 0..5 {
            full_at = take(full_at, 1000);
        }
        assert_eq!(full_at.map(|full_at| left(full_at, 1000)), Some(BURST - 5));
        assert_eq!(left(900, 1000), BURST, "full again, long ago");
    }
}
