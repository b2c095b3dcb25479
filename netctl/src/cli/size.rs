//! Sizes among the arguments.

/// Decimal, as for everything that is sent.
const UNITS: [(char, u64); 3] = [('K', 1_000), ('M', 1_000_000), ('G', 1_000_000_000)];

/// Bytes; 0 = no limit.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let unit = UNITS.into_iter().find(|(unit, _)| text.ends_with(*unit));
    let (number, size) = unit.map_or((text, 1), |(_, size)| (&text[..text.len() - 1], size));
    // `parse` takes a plus sign as well.
    let digits = number.bytes().all(|byte| byte.is_ascii_digit());
    let bytes = number.parse().ok().filter(|_| digits).and_then(|number: u64| number.checked_mul(size));
    bytes.ok_or_else(|| "write bytes, or a number with K, M or G, such as 100M".to_owned())
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn a_size_has_one_number_and_at_most_one_unit() {
        for (text, bytes) in [("0", 0), ("4096", 4096), ("100M", 100_000_000), ("2G", 2_000_000_000)] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "M", "+1", "-1", "1.5M", "1 M", "1MB", "18446744073709551615G"] {
            assert!(size(text).is_err_and(|error| error.contains("100M")), "{text}");
        }
    }
}
