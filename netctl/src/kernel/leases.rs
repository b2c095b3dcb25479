//! What ports have learned (`addresses = "learn"`): read, and kept only as long as the port that learned it is there.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::AsFd;

use bytemuck::{Pod, Zeroable};
use netctl_common::abi::{AddressKey, BOOK_SIZE, LearnerEntry, LeaseBook, LeaseEntry, Root, maps};
use netctl_common::address::Address;
use netctl_common::flow::seconds;
use netctl_common::lease::{FOREVER, MAX_ADDRESSES, Source, is_claimed};

use super::load::Kernel;
use super::running::{now, read_all};
use super::{KernelError, map, sys};
use crate::fault::point;
use crate::names::{self, Names};

/// `BPF_NOEXIST`, and `BPF_F_LOCK`: under the lock in the element.
const ONLY_NEW: u64 = 1;
const LOCKED: u64 = 4;

/// An element of `lease_books`.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Element {
    lock: u64,
    book: LeaseBook,
}

const _: () = assert!(size_of::<Element>() == BOOK_SIZE);

/// Ports that learn, by id.
pub type Learners = BTreeMap<u32, LearnerEntry>;

impl Kernel {
    /// Of all ports, be they over.
    pub fn leases(&self) -> Result<Vec<(AddressKey, LeaseEntry)>, KernelError> {
        let mut leases = read_all(&self.map(maps::LEASES)?, maps::LEASES)?;
        leases.sort_by_key(|(key, _)| *key);
        Ok(leases)
    }

    /// Of the generation that runs.
    pub fn learners(&self, root: &Root) -> Result<Learners, KernelError> {
        let table = self.inner(maps::LEARNERS, root.slot)?;
        Ok(read_all(&table, maps::LEARNERS)?.into_iter().collect())
    }

    /// Leases that count: of ports that are still those that learned them, and not over. With what is only claimed, which
    /// [`LeaseEntry::is_tentative`] tells.
    pub fn live_leases(&self, root: &Root) -> Result<Vec<(AddressKey, LeaseEntry)>, KernelError> {
        let learners = self.learners(root)?;
        if learners.is_empty() {
            return Ok(Vec::new());
        }
        let mut leases = self.leases()?;
        let now = now();
        let books: BTreeMap<u32, LeaseBook> = self.lease_books()?.into_iter().collect();
        leases.retain(|(key, lease)| {
            let prefix = || books.get(&lease.port)?.prefixes.get(usize::from(lease.prefix) - 1).copied();
            let has_prefix = || lease.prefix == 0 || prefix().is_some_and(|it| it.holds(&key.address, now));
            let learner = learners.get(&lease.port);
            learner.is_some_and(|learner| lease.is_of(learner, key)) && lease.is_claimed(now) && has_prefix()
        });
        Ok(leases)
    }

    /// By port id.
    pub fn lease_books(&self) -> Result<Vec<(u32, LeaseBook)>, KernelError> {
        let elements: Vec<(u32, Element)> = read_all(&self.map(maps::LEASE_BOOKS)?, maps::LEASE_BOOKS)?;
        Ok(elements.into_iter().map(|(id, element)| (id, element.book)).collect())
    }

    /// Before the switch: a port that learns can.
    pub(super) fn make_lease_books(&self, learners: &Learners) -> Result<(), KernelError> {
        let table = self.map(maps::LEASE_BOOKS)?;
        for id in learners.keys() {
            point("make lease book");
            match sys::write(
                table.as_fd(),
                &id.to_ne_bytes(),
                bytemuck::bytes_of(&Element::zeroed()),
                ONLY_NEW,
            ) {
                Err(error) if error.raw_os_error() == Some(libc::EEXIST) => {}
                made => made.map_err(|e| KernelError::map(maps::LEASE_BOOKS, "making a port's book", e))?,
            }
        }
        Ok(())
    }

    /// Behind the switch: forgets what ports have learned that are gone, learn no more, or are on another network's side
    /// than before, and what is over. Until then the programs do not take it for theirs.
    pub(crate) fn keep_leases(&self, before: &Learners, learners: &Learners) -> Result<(), KernelError> {
        let stays = |id: u32| match (before.get(&id), learners.get(&id)) {
            (Some(before), Some(now)) => before.owner.mac == now.owner.mac && before.zone == now.zone,
            (None, Some(_)) => true,
            (_, None) => false,
        };
        let (table, now) = (self.map(maps::LEASES)?, now());
        let mut strangers = BTreeSet::new();
        for (key, lease) in self.leases()? {
            let is_of = learners.get(&lease.port).is_some_and(|learner| lease.is_of(learner, &key));
            if !is_of {
                strangers.insert(lease.port);
            }
            if !is_of || !stays(lease.port) || !is_claimed(lease.since, lease.lifetime, now) {
                point("forget lease");
                sys::delete(table.as_fd(), bytemuck::bytes_of(&key))
                    .map_err(|e| KernelError::map(maps::LEASES, "forgetting an address", e))?;
            }
        }
        let table = self.map(maps::LEASE_BOOKS)?;
        for (id, _) in self.lease_books()? {
            point("forget lease book");
            let fail = |e| KernelError::map(maps::LEASE_BOOKS, "forgetting what a port has learned", e);
            if !learners.contains_key(&id) {
                sys::delete(table.as_fd(), &id.to_ne_bytes()).map_err(fail)?;
            } else if !stays(id) || strangers.contains(&id) {
                let new = Element::zeroed();
                sys::write(table.as_fd(), &id.to_ne_bytes(), bytemuck::bytes_of(&new), LOCKED)
                    .map_err(fail)?;
            }
        }
        Ok(())
    }
}

impl Kernel {
    /// All leases, be they over.
    pub(super) fn dump_leases(&self, names: &Names) -> Result<Vec<map::Element>, KernelError> {
        let now = now();
        let lease = |(key, lease): &(AddressKey, LeaseEntry)| {
            let state = match lease {
                _ if lease.is_live(now) => "",
                _ if lease.is_tentative(now) => " (tentative)",
                _ => " (over)",
            };
            let value = format!(
                "{} mac {} by {} {}{state}",
                names.port(lease.port),
                names::mac(lease.mac),
                Source::decode(lease.source).name(),
                ends(lease.since, lease.lifetime, now),
            );
            map::element(format!("zone {} {}", key.zone, names::address(key.address)), value)
        };
        Ok(self.leases()?.iter().map(lease).collect())
    }

    pub(super) fn dump_lease_books(&self, names: &Names) -> Result<Vec<map::Element>, KernelError> {
        let now = now();
        let book = |(id, book): &(u32, LeaseBook)| {
            let used = book.slots.iter().filter(|slot| is_claimed(slot.since, slot.lifetime, now)).count();
            let prefixes = book.prefixes.iter().filter(|prefix| prefix.is_live(now));
            let prefixes: Vec<String> = prefixes
                .map(|prefix| {
                    let [high, low] = prefix.network;
                    let network = names::address(Address([high, low, 0, 0]));
                    format!("{network}/64 {}", ends(prefix.since, prefix.lifetime, now))
                })
                .collect();
            map::element(
                names.port(*id),
                format!("{used} of {MAX_ADDRESSES} addresses; {}", prefixes.join(", ")),
            )
        };
        Ok(self.lease_books()?.iter().map(book).collect())
    }
}

fn ends(since: u32, lifetime: u32, now: u32) -> String {
    match left(since, lifetime, now) {
        Some(seconds) => format!("for {seconds:.0} s"),
        None => "for ever".to_owned(),
    }
}

/// Seconds until the end, which may be past; `None` = there is none.
pub fn left(since: u32, lifetime: u32, now: u32) -> Option<f64> {
    let ticks = since.wrapping_add(lifetime).wrapping_sub(now);
    let is_over = !is_claimed(since, lifetime, now);
    (lifetime != FOREVER).then(|| if is_over { 0.0 } else { seconds(ticks) })
}
