//! Durations as people write them, in documents and on the command line: whole seconds, or a number with one unit.

/// Suffixes and what they stand for, in seconds.
const UNITS: [(char, u32); 4] = [('s', 1), ('m', MINUTE), ('h', HOUR), ('d', DAY)];

const MINUTE: u32 = 60;
const HOUR: u32 = 60 * MINUTE;
/// In seconds.
pub(crate) const DAY: u32 = 24 * HOUR;

/// For messages about what [`parse_seconds`] does not take.
pub(crate) const FORMS: &str = "seconds, or a number with s, m, h or d";

/// `90`, `30s`, `10m`, `2h` or `1d` in seconds.
pub(crate) fn parse_seconds(text: &str) -> Option<u32> {
    let unit = UNITS.into_iter().find(|(unit, _)| text.ends_with(*unit));
    let (number, size) = unit.map_or((text, 1), |(_, size)| (&text[..text.len() - 1], size));
    // `parse` takes a plus sign as well.
    let digits = number.bytes().all(|byte| byte.is_ascii_digit());
    let number: u32 = if digits { number.parse().ok()? } else { return None };
    number.checked_mul(size)
}

/// With the largest unit that divides it.
pub fn print_seconds(seconds: u32) -> String {
    let unit = UNITS.into_iter().rev().find(|(_, unit)| seconds.is_multiple_of(*unit));
    let (unit, size) = unit.unwrap_or(('s', 1));
    format!("{}{unit}", seconds / size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_one_number_and_at_most_one_unit() {
        for (text, seconds) in
            [("0", 0), ("45", 45), ("30s", 30), ("10m", 600), ("2h", 7200), ("7d", 604_800)]
        {
            assert_eq!(parse_seconds(text), Some(seconds), "{text}");
        }
        for text in
            ["", "s", "1h30m", "-1s", "+1s", "+1", "1.5s", "1 m", "1M", "1ms", "1w", "99999999999s", "49711d"]
        {
            assert_eq!(parse_seconds(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_printed_is_read_as_the_same() {
        for seconds in [1, 59, 60, 90, 3600, 5400, DAY, DAY + 1, 7 * DAY] {
            assert_eq!(parse_seconds(&print_seconds(seconds)), Some(seconds), "{seconds}");
        }
    }
}
