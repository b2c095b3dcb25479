//! Token buckets as pure functions: of the limits of ports, and of the events that a port may send.

use crate::abi::LimitEntry;
use crate::verdict::Reason;

/// What is limited; index of [`crate::abi::LimitsEntry::directions`] and of [`Buckets`].
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Of whole frames without FCS, as they are on a wire.
    Bits = 0,
    /// As they are on a wire: a frame that is to be cut into segments (TSO, USO) counts as those.
    Packets = 1,
    Broadcast = 2,
    Multicast = 3,
    /// Unicast to a MAC address that no port and not the host has, and that has not answered.
    UnknownUnicast = 4,
    NewFlows = 5,
}

/// How many limits a direction has.
pub const LIMITS: usize = 6;

impl Limit {
    pub const ALL: [Self; LIMITS] =
        [Self::Bits, Self::Packets, Self::Broadcast, Self::Multicast, Self::UnknownUnicast, Self::NewFlows];

    /// The word for it in a document.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bits => "bits",
            Self::Packets => "packets",
            Self::Broadcast => "broadcast",
            Self::Multicast => "multicast",
            Self::UnknownUnicast => "unknown-unicast",
            Self::NewFlows => "new-flows",
        }
    }

    /// Index of its bucket. LLVM knows that it is small enough and would leave the bound out, which the kernel's
    /// verifier wants to see.
    #[inline(always)]
    pub fn bucket(self) -> usize {
        core::hint::black_box(self as usize) % BUCKETS
    }

    /// Why a frame is denied that is over it.
    #[inline(always)]
    pub const fn reason(self) -> Reason {
        match self {
            Self::Bits => Reason::BitLimit,
            Self::Packets => Reason::PacketLimit,
            Self::Broadcast => Reason::BroadcastLimit,
            Self::Multicast => Reason::MulticastLimit,
            Self::UnknownUnicast => Reason::UnknownUnicastLimit,
            Self::NewFlows => Reason::FlowLimit,
        }
    }
}

/// The buckets of one port and direction, by [`Limit`]: for each, the time at which it is full again, in [`UNITS`] of
/// `CLOCK_MONOTONIC`. One number says all (the generic cell rate algorithm, ITU-T I.371, annex A), and says the same
/// of any rate, so that a limit can be changed while its bucket is in use. Zeros are full buckets.
pub type Buckets = [u64; BUCKETS];

/// A power of two, so that [`Limit::bucket`] cannot be out of bounds.
pub const BUCKETS: usize = LIMITS.next_power_of_two();

/// Time in a bucket: units per second. 1/64 ns, so that a small frame at 100 Gbit/s costs 300 units; it comes round
/// after nine years.
pub const UNITS: u64 = 64_000_000_000;

/// Nanoseconds as [`UNITS`].
#[inline(always)]
pub const fn units(nanoseconds: u64) -> u64 {
    nanoseconds << 6
}

/// More tokens are never taken at once: their time in [`UNITS`] would not fit a number.
pub const MAX_TOKENS: u64 = 1 << 27;

/// How far a bucket may be behind empty before it counts as one of an earlier, slower limit. Clocks of CPUs differ by
/// less.
const BEHIND: u64 = UNITS;

impl LimitEntry {
    /// Of `burst` tokens at once and `rate` per second, neither of them 0.
    pub const fn new(rate: u64, burst: u64) -> Self {
        let tolerance = (burst as u128 * UNITS as u128).div_ceil(rate as u128);
        Self {
            rate,
            tolerance: if tolerance > u64::MAX as u128 / 4 { u64::MAX / 4 } else { tolerance as u64 },
        }
    }

    #[inline(always)]
    pub const fn is_set(&self) -> bool {
        self.rate != 0
    }

    /// The time that `tokens` take to come, rounded up: a limit is never exceeded. `None` where no bucket holds as many.
    #[inline(always)]
    pub const fn cost(&self, tokens: u64) -> Option<u64> {
        if tokens > MAX_TOKENS {
            return None;
        }
        match (tokens * UNITS + self.rate.saturating_sub(1)).checked_div(self.rate) {
            Some(cost) if cost <= self.tolerance => Some(cost),
            _ => None,
        }
    }
}

/// What a frame wants of one bucket; nothing where `tolerance` is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Want {
    pub limit: Limit,
    /// In [`UNITS`], at most `tolerance`.
    pub cost: u64,
    pub tolerance: u64,
}

/// When a bucket is full again after `want` was taken out of it at the time `now`; `None` if there is not as much in it.
#[inline(always)]
pub const fn taken(bucket: u64, want: Want, now: u64) -> Option<u64> {
    if want.tolerance == 0 {
        return Some(bucket);
    }
    let start = refilled(bucket, want.tolerance, now);
    if start.wrapping_sub(now) <= want.tolerance - want.cost {
        Some(start.wrapping_add(want.cost))
    } else {
        None
    }
}

/// The bucket as of `now`: a full one is full now, and one that an earlier limit has left far behind is empty.
#[inline(always)]
pub const fn refilled(bucket: u64, tolerance: u64, now: u64) -> u64 {
    if tolerance == 0 {
        return bucket;
    }
    let ahead = bucket.wrapping_sub(now);
    if ahead > u64::MAX / 2 {
        now
    } else if ahead > tolerance + BEHIND {
        now.wrapping_add(tolerance)
    } else {
        bucket
    }
}

/// Nanoseconds of credit that one event costs at `rate` events per second.
const fn cost(rate: u64) -> u64 {
    1_000_000_000 / rate
}

/// Takes one event from a bucket of at most `burst` events that refills at `rate` events per second.
///
/// `tokens` is credit in nanoseconds, `refilled` the time of the last call; both start at zero, which is a
/// full bucket for any clock that is past `burst / rate` seconds. Returns the new `(tokens, refilled)` and
/// whether the event may pass.
#[inline(always)]
pub const fn take(tokens: u64, refilled: u64, now: u64, rate: u64, burst: u64) -> (u64, u64, bool) {
    let full = cost(rate) * burst;
    let credit = tokens.saturating_add(now.saturating_sub(refilled));
    let credit = if credit > full { full } else { credit };
    if credit < cost(rate) { (credit, now, false) } else { (credit - cost(rate), now, true) }
}
