//! How many addresses and prefixes a port may have, as steps on its book. None of them calls anything: the kernel side has the
//! book locked meanwhile.

use super::{FOREVER, MAX_ADDRESSES, MAX_PREFIXES, TWO_HOURS, is_claimed};
use crate::abi::{LeaseBook, LeasePrefix, LeaseSlot};
use crate::address::Address;

/// What became of an address that the port wants to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub is_there: bool,
    /// Another address, whose time was over, had the place before.
    pub has_former: bool,
    pub former: Address,
}

/// LLVM knows that it is small enough and would leave the bound out, which the kernel's verifier wants to see.
#[inline(always)]
fn place(index: usize) -> usize {
    core::hint::black_box(index) % MAX_ADDRESSES
}

impl LeaseBook {
    #[inline(always)]
    fn find(&self, address: &Address) -> Option<usize> {
        let is_it = |slot: &LeaseSlot| slot.lifetime != 0 && slot.address == *address;
        (0..MAX_ADDRESSES).find(|index| is_it(&self.slots[*index]))
    }

    /// Gives an address a place: the one that it has, or a free one, or one whose time is over.
    #[inline(always)]
    pub fn take(&mut self, slot: LeaseSlot, now: u32, writes: bool) -> Place {
        let is_free = |it: &LeaseSlot| it.lifetime == 0 || !is_claimed(it.since, it.lifetime, now);
        let free = || (0..MAX_ADDRESSES).find(|index| is_free(&self.slots[*index]));
        let Some(index) = self.find(&slot.address).or_else(free) else {
            return Place { is_there: false, has_former: false, former: slot.address };
        };
        let kept = &mut self.slots[place(index)];
        let has_former = kept.lifetime != 0 && kept.address != slot.address;
        let former = kept.address;
        if writes {
            *kept = slot;
        }
        Place { is_there: true, has_former, former }
    }

    /// Frees the address's place. `false` if it has none.
    #[inline(always)]
    pub fn drop(&mut self, address: &Address) -> bool {
        let Some(index) = self.find(address) else { return false };
        // No more than that: to clear all of it is a call, and Linux 6.1 allows none while a lock is held.
        self.slots[place(index)].lifetime = 0;
        true
    }

    /// 1 + the place of the address's prefix; 0 = it has none that can be used.
    #[inline(always)]
    pub fn prefix_of(&self, address: &Address, now: u32) -> u8 {
        let found = (0..MAX_PREFIXES).find(|index| self.prefixes[*index].holds(address, now));
        found.map_or(0, |index| index as u8 + 1)
    }

    /// A prefix was advertised with this lifetime in ticks (RFC 4862, 5.5.3).
    #[inline(always)]
    pub fn advertise(&mut self, network: [u32; 2], lifetime: u32, now: u32) {
        let is_used = |it: &LeasePrefix| it.is_live(now);
        // The place that it had, because addresses that were formed of it are known by that.
        let known = (0..MAX_PREFIXES).find(|index| {
            let [high, low] = self.prefixes[*index].network;
            high == network[0] && low == network[1]
        });
        let free = || (0..MAX_PREFIXES).find(|index| !is_used(&self.prefixes[*index]));
        let Some(index) = known.or_else(free) else { return };
        let kept = &mut self.prefixes[core::hint::black_box(index) % MAX_PREFIXES];
        let is_same = kept.network[0] == network[0] && kept.network[1] == network[1];
        let left = match kept.lifetime {
            _ if !is_same || !is_used(kept) => 0,
            FOREVER => FOREVER,
            lifetime => lifetime - now.wrapping_sub(kept.since),
        };
        let lifetime = match left {
            _ if lifetime >= left || lifetime > TWO_HOURS => lifetime,
            // Neither longer nor shorter.
            0..=TWO_HOURS => return,
            _ => TWO_HOURS,
        };
        if lifetime != 0 {
            *kept = LeasePrefix { network, since: now, lifetime };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::ticks;
    use crate::lease::{QUIET, TENTATIVE};

    fn address(last: u32) -> Address {
        Address([1, 2, 3, last])
    }

    fn slot(last: u32, since: u32, lifetime: u32) -> LeaseSlot {
        LeaseSlot { address: address(last), since, lifetime }
    }

    /// Whose place it was, if there is one.
    fn former(place: Place) -> Option<Option<Address>> {
        place.is_there.then(|| place.has_former.then_some(place.former))
    }

    #[test]
    fn a_full_book_takes_only_what_it_has() {
        let mut book = LeaseBook::default();
        for last in 1..=16 {
            assert_eq!(former(book.take(slot(last, 5, 10), 5, true)), Some(None));
        }
        assert!(!book.take(slot(17, 6, 10), 6, true).is_there);
        assert!(book.take(slot(16, 7, 10), 7, true).is_there, "once more");
        assert_eq!(book.slots[15].since, 7);
    }

    #[test]
    fn the_place_of_what_is_over_is_free() {
        let mut book = LeaseBook::default();
        (1..=15).for_each(|last| assert!(book.take(slot(last, 5, FOREVER), 5, true).is_there));
        assert!(book.take(slot(16, 5 + TENTATIVE, 10), 5, true).is_there);
        assert!(!book.take(slot(17, 5, 10), 6, true).is_there, "tentative is not free");
        let over = 5 + TENTATIVE + 10;
        assert_eq!(former(book.take(slot(17, over, 10), over, false)), Some(Some(address(16))));
        assert!(book.find(&address(16)).is_some(), "asking leaves it");
        assert_eq!(former(book.take(slot(17, over, 10), over, true)), Some(Some(address(16))));
        assert!(book.find(&address(16)).is_none() && book.find(&address(17)).is_some());
        assert!(book.drop(&address(3)) && !book.drop(&address(3)));
        assert!(book.take(slot(18, over, QUIET), over, true).is_there);
    }

    #[test]
    fn a_port_has_four_prefixes_which_do_not_end_suddenly() {
        let mut book = LeaseBook::default();
        let address = |n: u32| Address([n, n, 0, 1]);
        (1..=5).for_each(|n| book.advertise([n, n], ticks(86400), 0));
        assert_eq!([1, 2, 3, 4, 5].map(|n| book.prefix_of(&address(n), 1)), [1, 2, 3, 4, 0]);
        book.advertise([2, 2], 0, 10);
        assert_eq!(book.prefixes[1].lifetime, TWO_HOURS);
        book.advertise([2, 2], 5, 20);
        assert_eq!(book.prefixes[1], LeasePrefix { network: [2, 2], since: 10, lifetime: TWO_HOURS });
        assert_eq!(book.prefix_of(&address(2), 10 + TWO_HOURS), 0);
        book.advertise([5, 5], 100, 10 + TWO_HOURS);
        assert_eq!(book.prefix_of(&address(5), 11 + TWO_HOURS), 2, "in its place");
        book.advertise([1, 1], ticks(7 * 86400), 50);
        assert_eq!(book.prefixes[0].since, 50);
    }
}
