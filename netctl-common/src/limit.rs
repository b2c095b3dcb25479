//! Token bucket as pure functions.

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
