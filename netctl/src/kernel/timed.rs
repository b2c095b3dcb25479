//! How long the programs take for a frame, with and without telling of it: for the measurement of what events cost.

use std::io;
use std::time::Duration;

use aya::Ebpf;
use aya::programs::{TestRun, TestRunOptions};
use netctl_common::verdict::Direction;

use super::KernelError;
use super::ask::SkBuff;
use super::load::{Kernel, OBJECT, classifier, load_error, program_name};

/// Programs beside those that run, over the same maps.
pub struct Timed {
    object: Ebpf,
    name: &'static str,
}

impl Kernel {
    /// The program of a direction; where it `tells`, as the pinned one is, else without events.
    ///
    /// # Errors
    /// The kernel refuses it.
    pub fn timed(&self, direction: Direction, tells: bool) -> Result<Timed, KernelError> {
        let mut loader = self.loader(false);
        let quiet = u8::from(!tells);
        loader.override_global("QUIET", &quiet, true);
        let mut object = loader.load(OBJECT).map_err(load_error)?;
        let name = program_name(direction);
        classifier(&mut object, name)?.load().map_err(load_error)?;
        Ok(Timed { object, name })
    }
}

impl Timed {
    /// Lets a frame come `count` times at the interface, and returns how long each took on average; the kernel rounds to
    /// nanoseconds. What frames leave behind, these do.
    ///
    /// # Errors
    /// The kernel does not run the program.
    pub fn run(&mut self, ifindex: u32, frame: &[u8], count: u32) -> Result<Duration, KernelError> {
        let context = SkBuff::at(ifindex);
        let mut options = TestRunOptions::new();
        options.data_in = Some(frame);
        options.ctx_in = Some(bytemuck::bytes_of(&context));
        options.repeat = count;
        let program = classifier(&mut self.object, self.name)?;
        let result = program.test_run(options).map_err(|e| KernelError::TestRun(io::Error::other(e)))?;
        Ok(result.duration)
    }
}

impl std::fmt::Debug for Timed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Timed").field("name", &self.name).finish_non_exhaustive()
    }
}
