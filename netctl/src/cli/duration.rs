//! Durations among the arguments, as in documents.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::config::duration::{DAY, FORMS, parse_seconds};
use crate::config::print_seconds;

/// Any; 0 too.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    let seconds = parse_seconds(text).ok_or_else(|| format!("write {FORMS}, such as 10m"))?;
    Ok(Duration::from_secs(seconds.into()))
}

/// How long a document may run that nobody has confirmed.
pub(super) fn limit(text: &str) -> Result<Duration, String> {
    const LIMITS: RangeInclusive<u32> = 1..=DAY;
    match parse_seconds(text).filter(|seconds| LIMITS.contains(seconds)) {
        Some(seconds) => Ok(Duration::from_secs(seconds.into())),
        None => {
            let [first, last] = [*LIMITS.start(), *LIMITS.end()].map(print_seconds);
            Err(format!("write {FORMS}, such as 5m, from {first} to {last}"))
        }
    }
}

/// Between two looks.
pub(super) fn interval(text: &str) -> Result<Duration, String> {
    match parse_seconds(text).filter(|seconds| (1..=60).contains(seconds)) {
        Some(seconds) => Ok(Duration::from_secs(seconds.into())),
        None => Err(format!("write {FORMS}, such as 2s, from 1s to 1m")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_from_a_second_to_a_day() {
        let seconds = |text| limit(text).map(|limit| limit.as_secs()).ok();
        assert_eq!(["1", "60s", "24h", "1d"].map(seconds), [Some(1), Some(60), Some(86_400), Some(86_400)]);
        assert_eq!(["0", "25h", "2d", "86401", "5 m"].map(seconds), [None; 5]);
        assert_eq!(time("0"), Ok(Duration::ZERO));
    }

    #[test]
    fn errors_name_the_forms() {
        let forms = "write seconds, or a number with s, m, h or d, such as ";
        assert_eq!(time("soon").unwrap_err(), format!("{forms}10m"));
        assert_eq!(limit("2d").unwrap_err(), format!("{forms}5m, from 1s to 1d"));
    }
}
