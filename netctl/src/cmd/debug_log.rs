//! `netctl debug-log`, in builds with the feature `bpf-log`: what their programs say of each frame.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use super::block_on;
use crate::error::{Error, Outcome};
use crate::kernel::Kernel;

const PAUSE: Duration = Duration::from_millis(50);

/// Until ^C.
pub(super) fn run(bpffs: &Path, out: &mut impl Write) -> Result<Outcome, Error> {
    let mut log = Kernel::open(bpffs)?.debug_log()?;
    block_on(async {
        loop {
            for line in log.read() {
                writeln!(out, "{line}").map_err(Error::Output)?;
            }
            out.flush().map_err(Error::Output)?;
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                _ = tokio::signal::ctrl_c() => return Ok(Outcome::Yes),
            }
        }
    })?
}
