//! Which port has learned an address, and is still the one that did.

use crate::abi::{AddressKey, Classes, LearnedKey, LearnerEntry, LeaseEntry, NO_PORT, PrefixKey};
use crate::decide::Tables;

/// The port's id, or [`NO_PORT`]: also for an address that is only claimed, whose time or whose prefix's is over, or whose
/// port is another's now.
#[inline(always)]
pub fn holder<T: Tables>(tables: &T, slot: u32, key: &AddressKey) -> u32 {
    let lease = tables.lease(key);
    let now = tables.now();
    if !lease.is_live(now) {
        return NO_PORT;
    }
    if lease.prefix != 0 {
        let prefix = tables.lease_prefix(lease.port, u32::from(lease.prefix) - 1);
        if !prefix.holds(&key.address, now) {
            return NO_PORT;
        }
    }
    match tables.learner(slot, lease.port) {
        Ok(Some(learner)) if lease.is_of(learner, key) => lease.port,
        _ => NO_PORT,
    }
}

/// What an address that the port of this id has learned is to the rules: [`Classes`] as [`unpacked`] makes them of the
/// number, so that a host can have the look-ups apart.
#[inline(always)]
pub fn classes_of<T: Tables>(tables: &T, slot: u32, id: u32, key: &AddressKey) -> u64 {
    let Ok(Some(learner)) = tables.learner(slot, id) else { return packed(NO_CLASSES) };
    let prefix = PrefixKey { zone_be: key.zone.to_be_bytes(), address: key.address };
    let Ok(Some(prefix)) = tables.prefix(slot, &prefix) else { return packed(NO_CLASSES) };
    let key = LearnedKey { identity: learner.identity, region: prefix.region };
    match tables.learned_classes(slot, &key) {
        Ok(Some(classes)) => packed(classes),
        _ => packed(NO_CLASSES),
    }
}

/// A table does not have them.
pub const NO_CLASSES: Classes = Classes { source: u32::MAX, destination: u32::MAX };

const fn packed(classes: Classes) -> u64 {
    (classes.source as u64) << 32 | classes.destination as u64
}

#[inline(always)]
pub const fn unpacked(packed: u64) -> Classes {
    Classes { source: (packed >> 32) as u32, destination: packed as u32 }
}

impl LeaseEntry {
    /// Whether the port of this id is the one that learned: an id can become another port's, and a port can move to
    /// another zone.
    #[inline(always)]
    pub fn is_of(&self, learner: &LearnerEntry, key: &AddressKey) -> bool {
        learner.zone == key.zone && learner.owner.mac == self.mac
    }
}
