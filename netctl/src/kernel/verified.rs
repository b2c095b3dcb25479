//! What the verifier had to do for each program: the instructions that it followed, over all paths.
//!
//! The kernel's bound is a million (`BPF_COMPLEXITY_LIMIT_INSNS`), and each kernel's verifier prunes otherwise.

use std::fs;

use aya::programs::{ProgramError, ProgramInfo};

use super::KernelError;
use super::ask::Twin;
use super::load::{Kernel, load_error};

/// A loaded program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    pub program: String,
    /// Followed by the verifier; 0 where the kernel does not tell.
    pub instructions: u32,
}

impl Verified {
    pub(super) fn of(program: String, info: Result<ProgramInfo, ProgramError>) -> Result<Self, KernelError> {
        let info = info.map_err(load_error)?;
        Ok(Self { program, instructions: info.verified_instruction_count().unwrap_or(0) })
    }
}

impl Kernel {
    /// Every pinned program, and every program of `explain`'s twin; sorted by name.
    pub fn verified(&self, twin: &Twin) -> Result<Vec<Verified>, KernelError> {
        let folder = self.pins.programs();
        let entries = fs::read_dir(&folder).map_err(load_error)?;
        let mut all = twin.verified()?;
        for entry in entries {
            let path = entry.map_err(load_error)?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            all.push(Verified::of(name, ProgramInfo::from_pin(&path))?);
        }
        all.sort_by(|a, b| a.program.cmp(&b.program));
        Ok(all)
    }
}
