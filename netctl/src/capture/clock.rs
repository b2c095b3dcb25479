//! The time of day of what the kernel stamps with `CLOCK_MONOTONIC`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::kernel::running::monotonic_now;

/// Both clocks run at one speed, so that frames keep their distances; the host's is followed where somebody has set it.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// Nanoseconds from the boot's zero to the epoch's.
    ahead: i128,
}

/// What two looks at two clocks may differ by where nobody has set one.
const SET: Duration = Duration::from_millis(10);

impl Clock {
    pub fn now() -> Self {
        let before = monotonic_now();
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = before.midpoint(monotonic_now());
        Self { ahead: at.as_nanos() as i128 - i128::from(now) }
    }

    /// Looks whether the host's clock was set.
    pub fn follow(&mut self) {
        let now = Self::now();
        if now.ahead.abs_diff(self.ahead) > SET.as_nanos() {
            *self = now;
        }
    }

    /// Nanoseconds since 1970; 0 for what was before.
    pub fn since_epoch(&self, monotonic: u64) -> u64 {
        u64::try_from(i128::from(monotonic) + self.ahead).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_where_the_hosts_clock_has_it() {
        let (clock, now) = (Clock::now(), monotonic_now());
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
        assert!(clock.since_epoch(now).abs_diff(wall) < 1_000_000_000, "{clock:?}");
        assert_eq!(clock.since_epoch(now + 5) - clock.since_epoch(now), 5);
    }

    #[test]
    fn only_a_clock_that_was_set_is_followed() {
        let mut clock = Clock::now();
        let before = clock.ahead + 1;
        clock.ahead = before;
        clock.follow();
        assert_eq!(clock.ahead, before);
        clock.ahead += 3_600_000_000_000;
        clock.follow();
        assert!(clock.ahead.abs_diff(before) < 1_000_000_000);
    }
}
