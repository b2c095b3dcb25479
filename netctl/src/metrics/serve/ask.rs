//! What the two processes say to each other: one byte asks for the metrics in a form, and they come behind their length.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;

use crate::metrics::text::Encoding;

/// What the asked process has.
#[derive(Debug)]
pub(super) enum Answer {
    Metrics(Vec<u8>),
    /// Why there are none.
    Words(Vec<u8>),
}

const METRICS: u8 = 1;
const WORDS: u8 = 0;

/// In the confined process; waits.
///
/// # Errors
/// The other process is gone.
pub(super) fn ask(mut control: &UnixStream, encoding: Encoding) -> io::Result<Answer> {
    control.write_all(&[encoding as u8])?;
    let mut head = [0; 5];
    control.read_exact(&mut head)?;
    let [kind, length @ ..] = head;
    let mut bytes = vec![0; u32::from_le_bytes(length) as usize];
    control.read_exact(&mut bytes)?;
    Ok(if kind == METRICS { Answer::Metrics(bytes) } else { Answer::Words(bytes) })
}

/// In the other one: the next question, `None` if nobody asks any more. All that it reads of the confined process is this byte.
///
/// # Errors
/// What read(2) says.
pub(super) fn question(mut control: &UnixStream) -> io::Result<Option<Encoding>> {
    let mut byte = [0];
    Ok(match control.read(&mut byte)? {
        0 => None,
        _ if byte[0] == Encoding::OpenMetrics as u8 => Some(Encoding::OpenMetrics),
        _ => Some(Encoding::Prometheus),
    })
}

/// # Errors
/// What write(2) says.
pub(super) fn reply(mut control: &UnixStream, answer: &Result<String, String>) -> io::Result<()> {
    let (kind, text) = match answer {
        Ok(text) => (METRICS, text),
        Err(words) => (WORDS, words),
    };
    let length = u32::try_from(text.len()).map_err(io::Error::other)?;
    control.write_all(&[kind])?;
    control.write_all(&length.to_le_bytes())?;
    control.write_all(text.as_bytes())
}
