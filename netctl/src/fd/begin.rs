//! How a process that was forked and [confined](super::confine) tells the one that forked it that it has begun, or why not.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;

use super::confine::Step;
use super::process::exit_now;

/// Exit status of a process that could not begin.
const FAILED: i32 = 2;

/// In the child: it has dropped everything, and begins.
pub fn done(control: &UnixStream) {
    tell(control, 0, 0);
}

/// In the child, which ends: a step of its confinement, or the fork before, failed.
pub fn give_up(control: &UnixStream, step: Option<Step>, error: &io::Error) -> ! {
    tell(control, step.map_or(0, |step| step as u8), error.raw_os_error().unwrap_or(libc::EAGAIN));
    exit_now(FAILED)
}

/// The step that failed, or 0, with the error's number, or 0.
fn tell(control: &UnixStream, step: u8, error: i32) {
    let [a, b, c, d] = error.to_le_bytes();
    // The parent takes silence for a failure.
    let _ = (&*control).write_all(&[step, a, b, c, d]);
}

/// In the parent: waits until the child has begun.
///
/// # Errors
/// What it could not do, and why.
pub fn wait(mut control: &UnixStream) -> Result<(), (&'static str, io::Error)> {
    let mut told = [0; 5];
    control.read_exact(&mut told).map_err(|e| ("say that it has started", e))?;
    let [step, error @ ..] = told;
    let error = i32::from_le_bytes(error);
    if (step, error) == (0, 0) {
        return Ok(());
    }
    let step = Step::ALL.into_iter().find(|known| *known as u8 == step);
    Err((step.map_or("be forked", Step::describe), io::Error::from_raw_os_error(error)))
}
