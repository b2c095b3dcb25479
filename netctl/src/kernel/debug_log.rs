//! What programs that were built with the feature `bpf-log` say of each frame, by aya-log.

use std::os::fd::AsFd;
use std::sync::mpsc::{Receiver, Sender, channel};

use aya_log::EbpfLogger;
use log::{Log, Metadata, Record};
use netctl_common::verdict::Direction;

use super::load::{Kernel, load_error, program_name};
use super::{KernelError, sys};

/// The lines of all programs, which were loaded together.
pub struct DebugLog {
    logger: EbpfLogger<Lines>,
    lines: Receiver<String>,
}

struct Lines(Sender<String>);

impl Log for Lines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        // Its reader lives as long as the logger.
        let _ = self.0.send(record.args().to_string());
    }

    fn flush(&self) {}
}

impl Kernel {
    /// # Errors
    /// The programs that run say nothing: they were built without the feature.
    pub fn debug_log(&self) -> Result<DebugLog, KernelError> {
        let path = self.pins.program(program_name(Direction::FromGuest));
        let program = sys::open_pin(&path).map_err(load_error)?;
        let id = sys::program_info(program.as_fd()).map_err(load_error)?.id;
        let (sender, lines) = channel();
        match EbpfLogger::init_from_id_with_logger(id, Lines(sender)) {
            Ok(logger) => Ok(DebugLog { logger, lines }),
            Err(aya_log::Error::MapNotFound) => Err(KernelError::OlderBuild { map: "AYA_LOGS" }),
            Err(error) => Err(load_error(error)),
        }
    }
}

impl DebugLog {
    /// What was said since the last look.
    pub fn read(&mut self) -> Vec<String> {
        self.logger.flush();
        self.lines.try_iter().collect()
    }
}

impl std::fmt::Debug for DebugLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DebugLog").finish_non_exhaustive()
    }
}
