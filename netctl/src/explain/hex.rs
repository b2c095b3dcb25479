//! A frame as hexadecimal digits: with blanks, colons, `0x`, and the offsets of `tcpdump -xx`, `-XX` and `xxd`.

use crate::error::Error;

/// No frame is longer: 64 KiB and its headers.
const LONGEST: usize = 1 << 17;

/// # Errors
/// What is no digit, an odd number of them, or no frame at all.
pub(super) fn parse(text: &str) -> Result<Vec<u8>, Error> {
    let mut digits = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let bytes = of_line(line);
        for c in bytes.chars().filter(|c| !c.is_whitespace() && !matches!(c, ':' | '-' | '.')) {
            let digit = c.to_digit(16).ok_or_else(|| {
                Error::Question(format!("`{}` on line {number} is no hexadecimal digit", c.escape_default()))
            })?;
            digits.push(digit as u8);
        }
        if digits.len() > 2 * LONGEST {
            return Err(Error::Question(format!("a frame has at most {LONGEST} bytes")));
        }
    }
    match digits.as_chunks::<2>() {
        ([], []) => Err(Error::Question("there are no hexadecimal digits to make a frame of".to_owned())),
        (pairs, []) => Ok(pairs.iter().map(|[high, low]| high << 4 | low).collect()),
        _ => Err(Error::Question(format!("{} hexadecimal digits are half a byte too many", digits.len()))),
    }
}

/// Without the offset in front and the text behind.
fn of_line(line: &str) -> &str {
    let line = line.trim();
    let bytes = match line.split_once(": ") {
        // `0x0010:  5254 …`, `00000010: 5254 …`.
        Some((offset, rest)) if is_offset(offset) => rest.trim_start(),
        _ => line.strip_prefix("0x").unwrap_or(line),
    };
    // Two blanks separate the bytes from what they are in ASCII.
    bytes.split_once("  ").map_or(bytes, |(bytes, _)| bytes)
}

fn is_offset(word: &str) -> bool {
    let digits = word.strip_prefix("0x").unwrap_or(word);
    digits.len() >= 4 && digits.chars().all(|c| c.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_as_tools_print_them() {
        let expected = [0x52, 0x54, 0x00, 0x00, 0x08, 0x00];
        for text in [
            "525400000800",
            "0x525400000800",
            "52 54 00 00 08 00",
            "52:54:00:00:08:00",
            "\t0x0000:  5254 0000 0800",
            "\t0x0000:  5254 0000  RT..\n\t0x0004:  0800  ..\n",
            "00000000: 5254 0000 0800                           RT....",
            "5254\n0000\n0800\n",
        ] {
            assert_eq!(parse(text).unwrap(), expected, "{text:?}");
        }
    }

    #[test]
    fn what_is_no_frame_is_told() {
        for (text, told) in [
            ("52540", "half a byte"),
            ("52 5g", "`g` on line 1"),
            ("", "no hexadecimal digits"),
            (" \n\t\n", "no hexadecimal digits"),
            ("52\u{1b}", "`\\u{1b}`"),
        ] {
            assert!(parse(text).unwrap_err().to_string().contains(told), "{text:?}");
        }
        assert!(parse(&"00".repeat(LONGEST + 1)).is_err());
    }
}
