//! The limits of ports in `netctl port list`, and in `netctl stats` with what they have dropped.

use netctl_common::abi::Counter;
use netctl_common::limit::Limit;
use netctl_common::verdict::{Direction, REASONS};
use serde::Serialize;

use crate::config::{Amount, Limits, Rate};
use crate::output::Row;

/// A limit of the running document.
#[derive(Serialize)]
pub(super) struct LimitRate {
    direction: &'static str,
    limit: &'static str,
    /// Per second: bits, packets or flows.
    rate: u64,
    /// What may come at once; of bits, in bytes.
    burst: u64,
}

impl LimitRate {
    fn new(direction: Direction, limit: Limit, rate: Rate) -> Self {
        let (direction, burst) = (direction.name(), rate.burst_of(limit));
        Self { direction, limit: limit.name(), rate: rate.per_second, burst }
    }

    /// Of one port.
    pub(super) fn all(limits: &Limits) -> Vec<Self> {
        limits.each().map(|(direction, limit, rate)| Self::new(direction, limit, rate)).collect()
    }
}

#[derive(Serialize)]
pub(super) struct LimitRow {
    port: String,
    #[serde(flatten)]
    rate: LimitRate,
    dropped_packets: u64,
    dropped_bytes: u64,
}

impl Row for LimitRow {
    const HEADS: &'static [&'static str] =
        &["PORT", "DIRECTION", "LIMIT", "RATE", "BURST", "DROPPED", "BYTES"];
    fn cells(&self) -> Vec<String> {
        let LimitRate { direction, limit, rate, burst } = self.rate;
        let [rate, burst] = [rate, burst].map(|number| Amount(number).to_string().replace('"', ""));
        let [packets, bytes] = [self.dropped_packets, self.dropped_bytes].map(|number| number.to_string());
        vec![self.port.clone(), direction.to_owned(), limit.to_owned(), rate, burst, packets, bytes]
    }
}

/// Of one port. Drops are counted since the port exists, by whatever limits it had.
pub(super) fn rows(port: &str, limits: &Limits, counters: &[Counter]) -> Vec<LimitRow> {
    let each = limits.each().map(|(direction, limit, rate)| {
        let index = direction as usize * REASONS + limit.reason() as usize;
        let dropped = counters.get(index).copied().unwrap_or_default();
        LimitRow {
            port: port.to_owned(),
            rate: LimitRate::new(direction, limit, rate),
            dropped_packets: dropped.packets,
            dropped_bytes: dropped.bytes,
        }
    });
    each.collect()
}
