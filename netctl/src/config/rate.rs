//! Rates and bursts: what they may be, what a burst is where none is given, and how they are written.

use std::fmt;
use std::ops::RangeInclusive;

use netctl_common::limit::Limit;

use super::guarding::{DirectionLimits, Limits, Rate};

/// Decimal, as for everything that is sent.
const UNITS: [(char, u64); 3] = [('G', 1_000_000_000), ('M', 1_000_000), ('K', 1000)];

/// No bucket takes longer to fill, in seconds.
const SLOWEST: u64 = 3600;

/// A frame of 64 KiB that is cut into segments of 1448 bytes has 45 of them; with their headers it has 68,500 bytes.
const SEGMENTS: u64 = 64;
const SEGMENTED: u64 = 70_000;

impl Rate {
    /// Tokens per second; below 1 kbit/s one frame would take minutes.
    pub(super) const fn rates(limit: Limit) -> RangeInclusive<u64> {
        match limit {
            Limit::Bits => 1000..=1_000_000_000_000,
            _ => 1..=1_000_000_000,
        }
    }

    /// In bytes for [`Limit::Bits`]. The largest frame has to fit: what does not fit never passes.
    pub(super) const fn bursts(limit: Limit) -> RangeInclusive<u64> {
        match limit {
            Limit::Bits => SEGMENTED..=4_000_000_000,
            Limit::Packets => SEGMENTS..=1_000_000_000,
            _ => 1..=1_000_000_000,
        }
    }

    /// What may come at once; bytes for [`Limit::Bits`]. Where the document does not say: what comes in 20 ms, at least
    /// 128 KiB (two frames that TSO has not cut yet); of packets and flows what comes in 100 ms, at least 64.
    pub fn burst_of(&self, limit: Limit) -> u64 {
        self.burst.unwrap_or(match limit {
            Limit::Bits => (self.per_second / 8 / 50).max(128 * 1024),
            _ => (self.per_second / 10).max(SEGMENTS),
        })
    }

    /// Whether the burst comes together within the hour.
    pub(super) fn fills(&self, limit: Limit) -> bool {
        let tokens =
            if limit == Limit::Bits { self.burst_of(limit).saturating_mul(8) } else { self.burst_of(limit) };
        tokens <= self.per_second.saturating_mul(SLOWEST)
    }
}

impl DirectionLimits {
    pub const fn of(&self, limit: Limit) -> Option<Rate> {
        match limit {
            Limit::Bits => self.bits,
            Limit::Packets => self.packets,
            Limit::Broadcast => self.broadcast,
            Limit::Multicast => self.multicast,
            Limit::UnknownUnicast => self.unknown_unicast,
            Limit::NewFlows => self.new_flows,
        }
    }

    pub(super) const fn of_mut(&mut self, limit: Limit) -> &mut Option<Rate> {
        match limit {
            Limit::Bits => &mut self.bits,
            Limit::Packets => &mut self.packets,
            Limit::Broadcast => &mut self.broadcast,
            Limit::Multicast => &mut self.multicast,
            Limit::UnknownUnicast => &mut self.unknown_unicast,
            Limit::NewFlows => &mut self.new_flows,
        }
    }
}

/// As in a document; nothing where there are no limits.
impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let directions = [("from-guest", &self.from_guest), ("to-guest", &self.to_guest)];
        let directions = directions.into_iter().filter(|(_, limits)| **limits != DirectionLimits::default());
        let texts: Vec<String> =
            directions.map(|(name, limits)| format!("{name} = {{ {limits} }}")).collect();
        if texts.is_empty() { Ok(()) } else { write!(f, "{{ {} }}", texts.join(", ")) }
    }
}

impl fmt::Display for DirectionLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = Limit::ALL
            .into_iter()
            .filter_map(|limit| Some(format!("{} = {}", limit.name(), self.of(limit)?)))
            .collect();
        f.write_str(&texts.join(", "))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = Amount(self.per_second);
        match self.burst {
            None => write!(f, "{rate}"),
            Some(burst) => write!(f, "{{ rate = {rate}, burst = {} }}", Amount(burst)),
        }
    }
}

/// A number as a document says it: with the largest unit that it is a multiple of.
#[derive(Clone, Copy, Debug)]
pub struct Amount(pub u64);

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match UNITS.into_iter().find(|(_, size)| self.0 != 0 && self.0.is_multiple_of(*size)) {
            Some((unit, size)) => write!(f, "\"{}{unit}\"", self.0 / size),
            None => write!(f, "{}", self.0),
        }
    }
}

/// A number with a unit, such as `100M` or `2.5G`.
pub(super) fn amount(text: &str) -> Option<u64> {
    let unit = UNITS.into_iter().find(|(unit, _)| text.ends_with(*unit));
    let (number, size) = unit.map_or((text, 1), |(_, size)| (&text[..text.len() - 1], size));
    let (whole, part) = number.split_once('.').map_or((number, None), |(whole, part)| (whole, Some(part)));
    let digits = |text: &str| {
        let all = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if all { text.parse::<u64>().ok() } else { None }
    };
    let whole = digits(whole)?.checked_mul(size)?;
    let Some(part) = part else { return Some(whole) };
    let scale = 10u64.checked_pow(u32::try_from(part.len()).ok()?)?;
    // No more digits than the unit has.
    let part = if size.is_multiple_of(scale) { digits(part)? * (size / scale) } else { return None };
    whole.checked_add(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_decimal() {
        for (text, value) in [
            ("0", Some(0)),
            ("1500", Some(1500)),
            ("256K", Some(256_000)),
            ("100M", Some(100_000_000)),
            ("2.5G", Some(2_500_000_000)),
            ("0.125K", Some(125)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("18446744074G", None),
            ("1.0001K", None),
            ("1.5", None),
            ("1.G", None),
            (".5G", None),
            ("G", None),
            ("", None),
            ("-1", None),
            ("+1", None),
            ("1k", None),
            ("1 M", None),
            ("1Mbit", None),
            ("1.00000000000000000000G", None),
        ] {
            assert_eq!(amount(text), value, "{text}");
        }
    }

    #[test]
    fn the_default_burst_holds_the_largest_frame_and_fills() {
        for limit in Limit::ALL {
            let (rates, bursts) = (Rate::rates(limit), Rate::bursts(limit));
            for per_second in [*rates.start(), 1_000_000, *rates.end()] {
                let rate = Rate { per_second, burst: None };
                assert!(bursts.contains(&rate.burst_of(limit)) && rate.fills(limit), "{limit:?} {rate}");
            }
        }
    }
}
