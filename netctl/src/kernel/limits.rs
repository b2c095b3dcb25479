//! The limits of ports, and what their buckets hold, in words.

use std::os::fd::AsFd;

use netctl_common::abi::{BUCKETS_SIZE, LimitsEntry, bucket_row, maps};
use netctl_common::limit::{Buckets, Limit, UNITS};
use netctl_common::verdict::Direction;

use super::map::{Element, element};
use super::running::RunningPort;
use super::{Kernel, KernelError, sys};

/// Of one port.
pub(super) fn rates(entry: &LimitsEntry) -> String {
    let each = Direction::ALL.into_iter().zip(&entry.directions).flat_map(|(direction, limits)| {
        Limit::ALL.into_iter().zip(limits).map(move |(limit, entry)| (direction, limit, entry))
    });
    let set = each.filter(|(_, _, entry)| entry.is_set()).map(|(direction, limit, entry)| {
        let seconds = entry.tolerance as f64 / UNITS as f64;
        format!("{} {} {}/s, full in {seconds:.3} s", direction.name(), limit.name(), entry.rate)
    });
    set.collect::<Vec<_>>().join("; ")
}

impl Kernel {
    /// When each bucket of a port that was ever used is full again.
    pub(super) fn dump_buckets(&self, port: &RunningPort) -> Result<Vec<Element>, KernelError> {
        let table = self.map(maps::BUCKETS)?;
        let mut elements = Vec::new();
        for direction in Direction::ALL {
            let mut row = [0u64; BUCKETS_SIZE as usize / 8];
            let key = bucket_row(port.entry.id, direction).to_ne_bytes();
            sys::lookup(table.as_fd(), &key, bytemuck::bytes_of_mut(&mut row))
                .map_err(|e| KernelError::map(maps::BUCKETS, "reading it", e))?;
            // The lock is in front.
            let [_, buckets @ ..] = row;
            let buckets: Buckets = buckets;
            let used = Limit::ALL.into_iter().zip(buckets).filter(|(_, full_at)| *full_at != 0);
            elements.extend(used.map(|(limit, full_at)| {
                let what = format!("{} {} {}", port.name(), direction.name(), limit.name());
                element(what, format!("full at {:.6} s of uptime", full_at as f64 / UNITS as f64))
            }));
        }
        Ok(elements)
    }
}
