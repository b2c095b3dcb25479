//! The flow tables of a port: what is in them, and flows that are put there.

use std::os::fd::AsFd;

use bytemuck::Zeroable;
use netctl_common::abi::{AddressEntry, AddressKey, FlowEntry, FlowKey, NO_PORT, Root, maps};

use super::bytes::Rows;
use super::running::{now, read_all};
use super::{Kernel, KernelError, sys};
use crate::fault::point;

impl Kernel {
    /// The flows of a port, sorted by key. Reading does not make a flow look used (`htab_lru_map_lookup_elem_sys`).
    ///
    /// # Errors
    /// A table that cannot be read.
    pub fn flows(&self, port: u32) -> Result<Vec<(FlowKey, FlowEntry)>, KernelError> {
        // In this order: what settles meanwhile is seen at least once, and counts where it is settled.
        let mut openings = read_all(&self.inner(maps::OPENINGS, port)?, maps::OPENINGS)?;
        let mut flows = read_all(&self.inner(maps::FLOWS, port)?, maps::FLOWS)?;
        let by_key = |(key, _): &(FlowKey, FlowEntry)| *key;
        flows.sort_unstable_by_key(by_key);
        openings.retain(|(key, _)| flows.binary_search_by_key(key, by_key).is_err());
        flows.append(&mut openings);
        flows.sort_by_key(by_key);
        // A table that changes while it is read may show an element twice.
        flows.dedup_by_key(|(key, _)| *key);
        Ok(flows)
    }

    /// One flow, if it is not over; `None` too where its port is gone.
    ///
    /// # Errors
    /// A table that cannot be read.
    pub fn live_flow(&self, port: u32, key: &FlowKey, root: &Root) -> Result<Option<FlowEntry>, KernelError> {
        let entry = self.flow(port, key)?;
        Ok(entry.filter(|entry| entry.is_live(key.protocol, now(), &root.timeouts)))
    }

    fn flow(&self, port: u32, key: &FlowKey) -> Result<Option<FlowEntry>, KernelError> {
        for map in [maps::FLOWS, maps::OPENINGS] {
            let Some(table) = self.inner_if_set(map, port)? else { continue };
            let mut entry = FlowEntry::zeroed();
            let found =
                sys::lookup(table.as_fd(), bytemuck::bytes_of(key), bytemuck::bytes_of_mut(&mut entry));
            if found.map_err(|e| KernelError::map(map, "reading it", e))? {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    /// Puts flows into the tables of a port, in the place of those with the same keys: settled ones into `flows`, others into
    /// `openings`. A full table gives up those that were silent for longest.
    ///
    /// # Errors
    /// A table that cannot be written.
    pub fn put_flows(&self, port: u32, flows: &[(FlowKey, FlowEntry)]) -> Result<(), KernelError> {
        for (map, settled) in [(maps::FLOWS, true), (maps::OPENINGS, false)] {
            let of_map = flows.iter().filter(|(_, entry)| (entry.settled != 0) == settled);
            let rows = Rows::of(of_map.map(|(key, entry)| (key, entry)));
            if rows.count > 0 {
                let table = self.inner(map, port)?;
                point("put flows");
                sys::update_batch(table.as_fd(), &rows.keys, &rows.values, rows.count)
                    .map_err(|e| KernelError::map(map, "writing flows", e))?;
            }
        }
        Ok(())
    }

    /// Ends flows: denied from the next frame on, until they are idle ([`FlowEntry::killed`]). Those that are not there, or are
    /// killed already, are left out of the number that is returned.
    ///
    /// # Errors
    /// A table that cannot be read or written, or a port that is too busy for it.
    pub fn kill_flows(
        &self,
        port: u32,
        root: &Root,
        keys: impl IntoIterator<Item = FlowKey>,
    ) -> Result<u64, KernelError> {
        /// A flow that settles meanwhile is written by the programs once, behind us.
        const LOOKS: usize = 8;
        let mut left: Vec<FlowKey> = keys.into_iter().collect();
        let mut count = None;
        for _ in 0..LOOKS {
            let mut flows = Vec::new();
            for key in left {
                let entry = self.flow(port, &key)?.filter(|entry| !entry.is_killed());
                let killed = |entry: FlowEntry| FlowEntry { generation: root.generation, ..entry.killed() };
                flows.extend(entry.map(|entry| (key, killed(entry))));
            }
            let count = *count.get_or_insert(flows.len() as u64);
            if flows.is_empty() {
                return Ok(count);
            }
            self.put_flows(port, &flows)?;
            left = flows.into_iter().map(|(key, _)| key).collect();
            self.forget_openings(port, &left)?;
        }
        let source = std::io::Error::other("the flows change faster than they are ended; try again");
        Err(KernelError::map(maps::FLOWS, "ending flows", source))
    }

    /// What is settled is found first; the other entry is of no use.
    fn forget_openings(&self, port: u32, keys: &[FlowKey]) -> Result<(), KernelError> {
        let table = self.inner(maps::OPENINGS, port)?;
        for key in keys {
            sys::delete(table.as_fd(), bytemuck::bytes_of(key))
                .map_err(|e| KernelError::map(maps::OPENINGS, "ending flows", e))?;
        }
        Ok(())
    }

    /// The local ports that have an address by the document.
    ///
    /// # Errors
    /// A table that cannot be read.
    pub fn address_owners(&self, root: &Root) -> Result<Vec<(AddressKey, u32)>, KernelError> {
        let table = self.inner("addresses", root.slot)?;
        let addresses: Vec<(AddressKey, AddressEntry)> = read_all(&table, "addresses")?;
        let owners = addresses.into_iter().map(|(key, entry)| (key, entry.port));
        Ok(owners.filter(|(_, port)| *port != NO_PORT).collect())
    }
}
