//! Addresses that a port learns (`addresses = "learn"`): from when to when one is the port's, how many it may have, and what
//! the messages say that give or take one. Pure; `decide/learn.rs` looks up and stores.

mod book;
mod dhcp4;
mod dhcp6;
mod holder;
mod reading;
mod router;
mod told;

pub use book::Place;
pub use holder::{NO_CLASSES, classes_of, holder, unpacked};
pub use reading::{MAX_OPTIONS, begin, conclude, option};
pub use told::{Lesson, TOLD, Told, lesson};

use crate::abi::{LeaseEntry, LeasePrefix, NO_PORT};
use crate::address::{Address, LinkAddress};
use crate::flow::ticks;

/// Addresses that one port can have learned at once, as many as Linux forms on an interface
/// (`net.ipv6.conf.*.max_addresses`).
pub const MAX_ADDRESSES: usize = 16;
/// Prefixes from which its guest may form some.
pub const MAX_PREFIXES: usize = 4;

/// Ticks of the longest lease that ends. The clock comes round after 2^32, and what is twice as long ago would look as if
/// it had not begun.
pub const LONGEST: u32 = 1 << 31;
/// Of a lease that does not end (RFC 2131, 3.3; RFC 8415, 7.7).
pub const FOREVER: u32 = u32::MAX;

/// How long a guest's own claim waits for someone who objects (RFC 6620, 2.4: TENT_LT is 500 ms), in ticks.
pub const TENTATIVE: u32 = 30;
/// How long an address that a guest formed is its own without a word about it, in ticks. As long as Linux uses a
/// temporary one (`net.ipv6.conf.*.temp_valid_lft`).
pub const QUIET: u32 = ticks(7 * 24 * 3600);
/// Advertisements cannot bring the end of a prefix nearer than this (RFC 4862, 5.5.3 e), in ticks.
pub const TWO_HOURS: u32 = ticks(2 * 3600);

/// How a port came to an address. [`LeaseEntry::source`].
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Dhcp4 = 0,
    Dhcp6 = 1,
    /// Formed by the guest, and claimed by duplicate address detection (RFC 4862, 5.4).
    Formed = 2,
}

impl Source {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dhcp4 => "dhcp",
            Self::Dhcp6 => "dhcpv6",
            Self::Formed => "slaac",
        }
    }

    pub const fn decode(raw: u8) -> Self {
        match raw {
            0 => Self::Dhcp4,
            1 => Self::Dhcp6,
            _ => Self::Formed,
        }
    }
}

/// A lifetime in a message, in ticks. All ones is for ever.
#[inline(always)]
pub const fn lifetime(seconds: u32) -> u32 {
    const MOST: u32 = LONGEST / ticks(1);
    match seconds {
        u32::MAX => FOREVER,
        MOST.. => LONGEST,
        _ => ticks(seconds),
    }
}

/// Whether `now` is in the time that begins with `since`. What has not begun is 2^31 ticks ago at least.
#[inline(always)]
pub const fn is_in(since: u32, lifetime: u32, now: u32) -> bool {
    lifetime == FOREVER || now.wrapping_sub(since) < lifetime
}

/// [`is_in`], or will be within [`TENTATIVE`].
#[inline(always)]
pub const fn is_claimed(since: u32, lifetime: u32, now: u32) -> bool {
    is_in(since, lifetime, now) || is_tentative(since, lifetime, now)
}

/// What DHCP gives counts at once.
#[inline(always)]
pub const fn is_tentative(since: u32, lifetime: u32, now: u32) -> bool {
    lifetime != FOREVER && since.wrapping_sub(now).wrapping_sub(1) < TENTATIVE
}

impl LeaseEntry {
    /// Nobody's, and over.
    pub const NONE: Self =
        Self { port: NO_PORT, since: 0, lifetime: 0, mac: LinkAddress::NONE, source: 0, prefix: 0 };

    /// Whether the address is the port's, if its prefix is.
    #[inline(always)]
    pub const fn is_live(&self, now: u32) -> bool {
        is_in(self.since, self.lifetime, now)
    }

    /// Whether nobody else may claim the address.
    #[inline(always)]
    pub const fn is_claimed(&self, now: u32) -> bool {
        self.lifetime != 0 && is_claimed(self.since, self.lifetime, now)
    }

    /// Claimed, and not the port's yet.
    #[inline(always)]
    pub const fn is_tentative(&self, now: u32) -> bool {
        self.lifetime != 0 && is_tentative(self.since, self.lifetime, now)
    }
}

impl LeasePrefix {
    /// A free place.
    pub const NONE: Self = Self { network: [0; 2], since: 0, lifetime: 0 };

    /// Whether the prefix can be used, and is the address's.
    #[inline(always)]
    pub const fn holds(&self, address: &Address, now: u32) -> bool {
        self.network[0] == address.0[0] && self.network[1] == address.0[1] && self.is_live(now)
    }

    /// Whether the prefix can be used.
    #[inline(always)]
    pub const fn is_live(&self, now: u32) -> bool {
        self.lifetime != 0 && is_in(self.since, self.lifetime, now)
    }
}

/// `fe80::/64` (RFC 4291, 2.5.6).
#[inline(always)]
pub const fn is_link_local(address: &Address) -> bool {
    address.0[0] == u32::from_ne_bytes([0xfe, 0x80, 0, 0]) && address.0[1] == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_over_when_its_time_is() {
        let lease = |lifetime| LeaseEntry { since: u32::MAX - 10, lifetime, ..LeaseEntry::default() };
        assert!(lease(100).is_live(u32::MAX) && lease(100).is_live(88));
        assert!(!lease(100).is_live(89), "the clock came round meanwhile");
        assert!(lease(FOREVER).is_live(u32::MAX / 2));
        assert_eq!(lifetime(10), ticks(10));
        assert_eq!((lifetime(u32::MAX), lifetime(u32::MAX - 1)), (FOREVER, LONGEST));
        assert!(lifetime(LONGEST / ticks(1) - 1) < LONGEST);
    }

    #[test]
    fn what_is_claimed_counts_only_after_a_while() {
        let now = u32::MAX - 3;
        let lease =
            LeaseEntry { since: now.wrapping_add(TENTATIVE), lifetime: QUIET, ..LeaseEntry::default() };
        assert!(lease.is_tentative(now) && lease.is_claimed(now) && !lease.is_live(now));
        let then = now.wrapping_add(TENTATIVE);
        assert!(!lease.is_tentative(then) && lease.is_live(then));
        let end = then.wrapping_add(QUIET);
        assert!(!lease.is_claimed(end) && !lease.is_live(end));
    }

    #[test]
    fn a_prefix_holds_its_half_of_addresses() {
        let address = |text: &str| Address::from(text.parse::<core::net::Ipv6Addr>().unwrap().octets());
        let Address([a, b, ..]) = address("2001:db8:0:1::");
        let prefix = LeasePrefix { network: [a, b], since: 5, lifetime: 10 };
        assert!(prefix.holds(&address("2001:db8:0:1:ff::1"), 14));
        assert!(!prefix.holds(&address("2001:db8:0:2::1"), 14));
        assert!(!prefix.holds(&address("2001:db8:0:1::1"), 15));
        assert!(!LeasePrefix::default().holds(&address("::1"), 0), "a free one holds nothing");
        assert!(is_link_local(&address("fe80::1")) && !is_link_local(&address("fe80:0:0:1::1")));
    }
}
