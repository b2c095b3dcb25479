//! How many flows one guest can have settle in the table of another: a token bucket, as a pure function.

/// Settled flows at once, after a silence: a fourth of a table.
pub const BURST: u32 = 2048;

/// One more in this many ticks: 512 in an hour, so that in the longest time that a connection may be silent by default (6 h),
/// one opener does not fill a table.
pub const INTERVAL: u32 = 419;

/// Takes one; `full_at` is when the bucket is full again, `None` = it never was touched. Returns the new time, or `None` where
/// nothing is left.
#[inline(always)]
pub const fn take(full_at: Option<u32>, now: u32) -> Option<u32> {
    let ahead = match full_at {
        Some(full_at) => full_at.wrapping_sub(now),
        None => 0,
    };
    // In the past: ticks come round, and no bucket is further ahead than this.
    let ahead = if ahead > BURST * INTERVAL { 0 } else { ahead };
    if ahead + INTERVAL > BURST * INTERVAL { None } else { Some(now.wrapping_add(ahead + INTERVAL)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_one_in_each_interval() {
        for start in [0, 1000, u32::MAX - 5] {
            let mut full_at = None;
            for number in 0..BURST {
                full_at = take(full_at, start);
                assert!(full_at.is_some(), "{number} from {start}");
            }
            assert_eq!(take(full_at, start), None);
            assert_eq!(take(full_at, start.wrapping_add(INTERVAL - 1)), None);
            let next = take(full_at, start.wrapping_add(INTERVAL));
            assert!(next.is_some());
            assert_eq!(take(next, start.wrapping_add(INTERVAL)), None);
            // Long after it was full again.
            assert!(take(full_at, start.wrapping_add(u32::MAX / 2)).is_some());
        }
    }
}
