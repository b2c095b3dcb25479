//! The argument vector of qemu-bridge-helper: `[--use-vnet] --br=NAME --fd=N`, in any order; the last of two counts.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use super::refusal::Refusal;

/// What QEMU or libvirt asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Arguments {
    /// Frames behind a virtio header.
    pub use_vnet: bool,
    /// A network or a port; any bytes.
    pub bridge: Vec<u8>,
    /// Number of the caller's end of a socket.
    pub fd: i32,
}

/// # Errors
/// [`Refusal::Usage`].
pub(super) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Arguments, Refusal> {
    let (mut use_vnet, mut bridge, mut fd) = (false, None, -1);
    for argument in arguments {
        let argument = argument.into_vec();
        if argument == b"--use-vnet" {
            use_vnet = true;
        } else if let Some(name) = argument.strip_prefix(b"--br=") {
            bridge = Some(name.to_vec());
        } else if let Some(number) = argument.strip_prefix(b"--fd=") {
            fd = atoi(number);
        } else {
            return Err(Refusal::Usage);
        }
    }
    match bridge {
        Some(bridge) if fd != -1 => Ok(Arguments { use_vnet, bridge, fd }),
        _ => Err(Refusal::Usage),
    }
}

/// As atoi(3): white space, a sign, digits, and whatever follows; 0 without digits. What does not fit is a descriptor that
/// nobody has.
fn atoi(text: &[u8]) -> i32 {
    let start = text.iter().position(|b| !is_space(*b)).unwrap_or(text.len());
    let (sign, digits) = match &text[start..] {
        [b'-', rest @ ..] => (-1, rest),
        [b'+', rest @ ..] => (1, rest),
        rest => (1, rest),
    };
    let digits = digits.iter().take_while(|b| b.is_ascii_digit());
    let number =
        digits.fold(0i64, |number, digit| (number * 10 + i64::from(digit - b'0')).min(i64::from(i32::MAX)));
    i32::try_from(sign * number).unwrap_or(i32::MAX)
}

/// isspace(3) in the C locale.
const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Result<Arguments, Refusal> {
        parse(words.iter().map(OsString::from))
    }

    #[test]
    fn any_order_is_taken_and_the_last_of_two_counts() {
        let wanted = Arguments { use_vnet: true, bridge: b"lab".to_vec(), fd: 8 };
        for words in [
            &["--use-vnet", "--fd=8", "--br=lab"][..],
            &["--br=lab", "--fd=8", "--use-vnet", "--use-vnet"],
            &["--fd=3", "--br=x", "--br=lab", "--fd= 8x", "--use-vnet"],
        ] {
            assert_eq!(parsed(words).ok(), Some(wanted.clone()), "{words:?}");
        }
    }

    #[test]
    fn what_is_missing_or_unknown_is_a_usage_error() {
        for words in
            [&[][..], &["--br=lab"], &["--fd=8"], &["--br=lab", "--fd=-1"], &["lab"], &["--br", "lab"]]
        {
            assert!(matches!(parsed(words), Err(Refusal::Usage)), "{words:?}");
        }
    }

    #[test]
    fn numbers_are_read_as_c_reads_them() {
        for (text, number) in
            [("7", 7), (" +7", 7), ("-7", -7), ("abc", 0), ("", 0), ("99999999999999999999", i32::MAX)]
        {
            assert_eq!(atoi(text.as_bytes()), number, "{text}");
        }
    }
}
