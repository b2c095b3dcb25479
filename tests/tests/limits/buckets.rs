//! Buckets against exact arithmetic: whatever the rate, the burst, the sizes and the times are, a frame passes if and
//! only if an ideal bucket has as much in it.

use netctl_common::abi::LimitEntry;
use netctl_common::limit::Limit::Bits;
use netctl_common::limit::{MAX_TOKENS, UNITS, Want, refilled, taken, units};
use netctl_tests::policies::Random;

/// One bucket and its limit.
struct Bucket {
    entry: LimitEntry,
    full_at: u64,
}

impl Bucket {
    fn new(rate: u64, burst: u64) -> Self {
        Self { entry: LimitEntry::new(rate, burst), full_at: 0 }
    }

    /// As the last step of a decision does it.
    fn offer(&mut self, now: u64, tokens: u64) -> bool {
        let Some(cost) = self.entry.cost(tokens) else { return false };
        let want = Want { limit: Bits, cost, tolerance: self.entry.tolerance };
        match taken(self.full_at, want, now) {
            Some(next) => self.full_at = next,
            None => {
                self.full_at = refilled(self.full_at, want.tolerance, now);
                return false;
            }
        }
        true
    }
}

/// From 1 to `most`, all magnitudes alike.
fn any_magnitude(random: &mut Random, most: u64) -> u64 {
    let bits = 1 + random.below(64 - most.leading_zeros() as usize);
    (random.bits() >> (64 - bits)).clamp(1, most)
}

/// Tokens times [`UNITS`], exact.
struct Ideal {
    rate: u128,
    burst: u128,
    level: u128,
    at: u64,
}

impl Ideal {
    fn new(rate: u64, burst: u64, at: u64) -> Self {
        let burst = u128::from(burst) * u128::from(UNITS);
        Self { rate: rate.into(), burst, level: burst, at }
    }

    fn advance(&mut self, now: u64) {
        self.level = self.burst.min(self.level + self.rate * u128::from(now - self.at));
        self.at = now;
    }
}

#[test]
fn a_frame_passes_exactly_if_there_are_tokens_for_it() {
    let (mut passed, mut refused) = (0, 0);
    for seed in 0..3000 {
        let mut random = Random::new(seed);
        let rate = any_magnitude(&mut random, 1_000_000_000_000);
        let burst = any_magnitude(&mut random, 1 << 34).min(rate.saturating_mul(3600));
        let mut bucket = Bucket::new(rate, burst);
        let mut now = units(1_000_000_000_000 + random.bits() % (1 << 40));
        let mut ideal = Ideal::new(rate, burst, now);
        // What rounding up has cost since the bucket was full: less than a unit of time for each frame.
        let mut rounded = 1;
        for _ in 0..400 {
            let tokens = any_magnitude(&mut random, burst.min(MAX_TOKENS));
            // About as long as it takes to come, or none at all, or a long time.
            let due = (u128::from(tokens) * u128::from(UNITS) / u128::from(rate)) as u64;
            now += match random.below(10) {
                0..3 => 0,
                3..9 => any_magnitude(&mut random, due.max(1)) * 2,
                _ => units(any_magnitude(&mut random, 1 << 42)),
            };
            ideal.advance(now);
            if bucket.full_at <= now {
                rounded = 1;
            }
            let (wanted, unit) = (u128::from(tokens) * u128::from(UNITS), ideal.rate);
            if bucket.offer(now, tokens) {
                assert!(ideal.level + unit >= wanted, "seed {seed}: {tokens} passed too early");
                ideal.level = ideal.level.saturating_sub(wanted);
                (passed, rounded) = (passed + 1, rounded + 1);
            } else {
                assert!(ideal.level < wanted + rounded * unit, "seed {seed}: {tokens} refused too late");
                refused += 1;
            }
        }
    }
    assert!(passed > 200_000 && refused > 200_000, "{passed} passed, {refused} refused");
}

#[test]
fn in_any_window_no_more_passes_than_the_burst_and_the_rate() {
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let rate = any_magnitude(&mut random, 100_000_000_000);
        let burst = any_magnitude(&mut random, 1 << 24);
        let mut bucket = Bucket::new(rate, burst);
        let (mut now, mut times) = (units(1 << 40), Vec::new());
        for _ in 0..300 {
            let tokens = any_magnitude(&mut random, burst);
            now += any_magnitude(&mut random, 2 * (tokens * (UNITS / 1000) / rate) * 1000 + 1);
            if bucket.offer(now, tokens) {
                times.push((now, tokens));
            }
        }
        for (first, (start, _)) in times.iter().enumerate() {
            let mut sum = 0u128;
            for (end, tokens) in &times[first..] {
                sum += u128::from(*tokens);
                let allowed =
                    u128::from(burst) + u128::from(rate) * u128::from(end - start) / u128::from(UNITS);
                assert!(sum <= allowed + 2, "seed {seed}: {sum} of {allowed}");
            }
        }
    }
}

#[test]
fn under_steady_load_the_rate_is_met_to_one_in_a_hundred_thousand() {
    // Frame sizes in bits, rates from 1 Mbit/s to 400 Gbit/s, offered at twice the rate for as long as 20,000 frames take.
    for rate in [1_000_000, 100_000_000, 1_000_000_000, 10_000_000_000, 100_000_000_000, 400_000_000_000] {
        for frame in [480, 12_112, 524_288] {
            let burst = 8 * 131_072;
            let mut bucket = Bucket::new(rate, burst);
            let start = units(1 << 40);
            let gap = frame as f64 * UNITS as f64 / rate as f64 / 2.0;
            let mut sum = 0u64;
            for number in 0..40_000u64 {
                if bucket.offer(start + (number as f64 * gap) as u64, frame) {
                    sum += frame;
                }
            }
            let ideal = burst as f64 + rate as f64 * (40_000.0 * gap / UNITS as f64);
            // At 400 Gbit/s a small frame takes 1.2 ns, and a clock tick of 1/64 ns is a hundredth of it.
            let tolerance = ideal * 1e-5 + 20_000.0 * rate as f64 / UNITS as f64 + frame as f64;
            let off = (sum as f64 - ideal).abs();
            assert!(off <= tolerance, "{rate} bit/s, {frame} bits: {sum}, not {ideal}");
        }
    }
}

#[test]
fn a_clock_that_lags_behind_on_one_cpu_gives_nothing_away() {
    for seed in 0..200 {
        let mut random = Random::new(seed);
        let (rate, burst) = (1_000_000_000u64, 8 * 131_072);
        let mut bucket = Bucket::new(rate, burst);
        let (start, mut now, mut sum) = (units(1 << 40), units(1 << 40), 0u64);
        for _ in 0..5000 {
            now += units(random.below(1000) as u64);
            let lag = units(random.below(50_000) as u64);
            let tokens = 480 + random.below(12_000) as u64;
            if bucket.offer(now - lag.min(now - start), tokens) {
                sum += tokens;
            }
        }
        let allowed = burst + rate * ((now - start) / UNITS + 1);
        let exact = burst as f64 + rate as f64 * ((now - start) as f64 / UNITS as f64);
        assert!(sum <= allowed && sum as f64 <= exact + 2.0, "seed {seed}: {sum} of {exact}");
    }
}

#[test]
fn a_new_limit_holds_within_a_second_and_its_burst() {
    for seed in 0..500 {
        let mut random = Random::new(seed);
        let mut bucket =
            Bucket::new(any_magnitude(&mut random, 1 << 30), any_magnitude(&mut random, 1 << 24));
        let mut now = units(1 << 50);
        for _ in 0..50 {
            bucket.offer(now, any_magnitude(&mut random, 1 << 20));
            now += any_magnitude(&mut random, units(1 << 20));
        }
        let (rate, burst) =
            (1000 + any_magnitude(&mut random, 1 << 30), 1 + any_magnitude(&mut random, 1 << 20));
        bucket.entry = LimitEntry::new(rate, burst);
        let (start, mut sum) = (now, 0u128);
        let first = loop {
            if bucket.offer(now, 1) {
                break now;
            }
            now += UNITS / 100;
            assert!(now - start <= 2 * UNITS, "seed {seed}: still closed");
        };
        for _ in 0..2000 {
            now += any_magnitude(&mut random, 2 * UNITS / rate + 1);
            sum += u128::from(bucket.offer(now, 1));
        }
        let allowed = u128::from(burst) + u128::from(rate) * u128::from(now - first) / u128::from(UNITS);
        assert!(sum <= allowed + 2, "seed {seed}: {sum} of {allowed}");
    }
}

#[test]
fn what_cannot_be_counted_does_not_pass() {
    let mut bucket = Bucket::new(1_000_000_000_000, u64::MAX);
    let now = units(1 << 40);
    assert!(bucket.offer(now, MAX_TOKENS));
    assert!(!bucket.offer(now, MAX_TOKENS + 1) && !bucket.offer(now, u64::MAX));
    // More than the burst, however long the silence was.
    assert!(!Bucket::new(1000, 480).offer(now, 481));
    // Without a rate there is no time that would do.
    assert_eq!(LimitEntry::default().cost(1), None);
}

#[test]
fn after_years_a_bucket_is_closed_for_a_moment_at_most() {
    // The number that a bucket begins with is in the future of a clock that has come half round.
    for years in 1..10 {
        let mut bucket = Bucket::new(1000, 10);
        let now = units(1_000_000_000 * 86_400 * 365).wrapping_mul(years);
        let offered = (0..20).map(|step| bucket.offer(now.wrapping_add(step * UNITS / 10), 1));
        assert!(offered.skip(1).all(|passed| passed), "{years} years");
    }
}
