//! The limits in `netctl stats`, with what they have dropped.

use netctl_common::abi::Counter;
use netctl_common::limit::Limit;
use netctl_common::verdict::{Direction, REASONS};
use serde::Serialize;

use crate::config::{Amount, Limits};
use crate::output::Row;

/// A limit of the running document.
#[derive(Serialize)]
pub(super) struct LimitRow {
    port: String,
    direction: &'static str,
    limit: &'static str,
    /// Per second: bits, packets or flows.
    rate: u64,
    /// What may come at once; of bits, in bytes.
    burst: u64,
    dropped_packets: u64,
    dropped_bytes: u64,
}

impl Row for LimitRow {
    const HEADS: &'static [&'static str] =
        &["PORT", "DIRECTION", "LIMIT", "RATE", "BURST", "DROPPED", "BYTES"];
    fn cells(&self) -> Vec<String> {
        let [rate, burst] = [self.rate, self.burst].map(|number| Amount(number).to_string().replace('"', ""));
        let [packets, bytes] = [self.dropped_packets, self.dropped_bytes].map(|number| number.to_string());
        vec![self.port.clone(), self.direction.to_owned(), self.limit.to_owned(), rate, burst, packets, bytes]
    }
}

/// Of one port. Drops are counted since the port exists, by whatever limits it had.
pub(super) fn rows(port: &str, limits: &Limits, counters: &[Counter]) -> Vec<LimitRow> {
    let sides = [(Direction::FromGuest, &limits.from_guest), (Direction::ToGuest, &limits.to_guest)];
    let each = sides.into_iter().flat_map(|(direction, limits)| {
        Limit::ALL.into_iter().filter_map(move |limit| Some((direction, limit, limits.of(limit)?)))
    });
    each.map(|(direction, limit, rate)| {
        let index = direction as usize * REASONS + limit.reason() as usize;
        let dropped = counters.get(index).copied().unwrap_or_default();
        LimitRow {
            port: port.to_owned(),
            direction: direction.name(),
            limit: limit.name(),
            rate: rate.per_second,
            burst: rate.burst_of(limit),
            dropped_packets: dropped.packets,
            dropped_bytes: dropped.bytes,
        }
    })
    .collect()
}
