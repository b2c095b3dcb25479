//! Loads the BPF object once, pins its maps and programs, and opens them again later.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use aya::EbpfLoader;
use aya::programs::SchedClassifier;
use netctl_common::abi::maps;
use netctl_common::verdict::Direction;

use super::KernelError;
use super::pins::Pins;
use super::shapes::{OUTER, Outer};
use super::sys::{self, MapInfo};
use crate::fault::point;

pub(super) static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/netctl.bpf.o"));

/// The loaded programs and maps of this host. Cheap: everything is opened when it is needed.
#[derive(Debug)]
pub struct Kernel {
    pub(super) pins: Pins,
}

/// The program's name in the object for a direction.
pub(super) const fn program_name(direction: Direction) -> &'static str {
    match direction {
        Direction::FromGuest => "from_guest",
        Direction::ToGuest => "to_guest",
    }
}

/// On the two hooks of an uplink with `host-access`.
pub(super) const FROM_HOST: &str = "from_host";
pub(super) const TO_HOST: &str = "to_host";

/// Every program.
pub(super) const PROGRAMS: [&str; 4] =
    [program_name(Direction::FromGuest), program_name(Direction::ToGuest), FROM_HOST, TO_HOST];

/// Every map that outlives a process.
pub(super) fn pinned_maps() -> impl Iterator<Item = &'static str> {
    let single = [
        maps::JOURNAL,
        maps::JOURNAL_END,
        maps::LOG_BUDGETS,
        maps::CAPTURES,
        maps::CAPTURE_STATES,
        maps::CAPTURES_UNTIL,
        maps::EVENT_BUDGET,
        maps::REJECT_BUDGET,
        maps::STRAY_COUNTERS,
        maps::BUCKETS,
        maps::QUOTAS,
        maps::LEASES,
        maps::LEASE_BOOKS,
    ];
    OUTER.iter().map(|outer| outer.name).chain(single)
}

impl Kernel {
    /// What is loaded already; [`KernelError::NotRunning`] if nothing is.
    pub fn open(bpffs: &Path) -> Result<Self, KernelError> {
        let pins = Pins::at(bpffs)?;
        refuse_other_versions(&pins)?;
        Self::open_own(pins)
    }

    /// [`Self::open`] of the version of `pins`, whatever else is there.
    pub(super) fn open_own(pins: Pins) -> Result<Self, KernelError> {
        // Programs are pinned last.
        for name in PROGRAMS {
            match fs::symlink_metadata(pins.program(name)) {
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                    return Err(KernelError::Permission);
                }
                Err(_) => return Err(KernelError::NotRunning(pins.version())),
            }
        }
        let kernel = Self { pins };
        kernel.check_layout()?;
        Ok(kernel)
    }

    /// [`Self::open`], or loads and pins. What an interrupted call pinned is used.
    pub fn open_or_load(bpffs: &Path) -> Result<Self, KernelError> {
        let pins = Pins::at(bpffs)?;
        pins.sweep()?;
        match Self::open(bpffs) {
            Err(KernelError::NotRunning(_)) => Self::load_own(pins),
            other => other,
        }
    }

    /// Loads and pins this build's programs and maps. What an interrupted call pinned is used.
    pub(super) fn load_own(pins: Pins) -> Result<Self, KernelError> {
        pins.create()?;
        let kernel = Self { pins };
        kernel.load()?;
        kernel.check_layout()?;
        Ok(kernel)
    }

    fn load(&self) -> Result<(), KernelError> {
        OUTER.iter().try_for_each(|outer| outer.ensure(&self.pins))?;
        point("load object");
        let mut object = self.loader(false).load(OBJECT).map_err(load_error)?;
        for name in PROGRAMS {
            let program = classifier(&mut object, name)?;
            program.load().map_err(|source| verifier_error(name, source))?;
            point("pin program");
            program.pin(self.pins.program(name)).or_else(already_pinned).map_err(load_error)?;
        }
        Ok(())
    }

    /// A loader that takes the pinned maps where they exist and pins them where they don't.
    pub(super) fn loader(&self, answers: bool) -> EbpfLoader<'static> {
        let mut loader = EbpfLoader::new();
        for name in pinned_maps() {
            loader.map_pin_path(name, self.pins.map(name));
        }
        if answers {
            loader.override_global("ANSWERS", &1u8, true);
        }
        loader
    }

    pub(super) fn map(&self, name: &str) -> Result<OwnedFd, KernelError> {
        sys::open_pin(&self.pins.map(name)).map_err(|e| KernelError::map(name, "opening its pin", e))
    }

    /// [`Self::map`] of one that builds of the same ABI version did not always have.
    pub(super) fn map_of_this_build(&self, name: &'static str) -> Result<OwnedFd, KernelError> {
        match self.map(name) {
            Err(KernelError::Map { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                Err(KernelError::OlderBuild { map: name })
            }
            map => map,
        }
    }

    /// aya takes pinned maps as they are; maps of another shape would be read as something else.
    fn check_layout(&self) -> Result<(), KernelError> {
        let not_there =
            |outer: &&Outer| outer.name == maps::CAPTURE_RINGS && !self.pins.map(outer.name).exists();
        // An older build's programs have none.
        OUTER
            .iter()
            .filter(|outer| !not_there(outer))
            .try_for_each(|outer| self.expect(outer.name, outer.layout()))
    }

    fn expect(&self, name: &str, want: MapInfo) -> Result<(), KernelError> {
        let found =
            sys::info(self.map(name)?.as_fd()).map_err(|e| KernelError::map(name, "asking about it", e))?;
        let same = (found.kind, found.key_size, found.value_size, found.max_entries)
            == (want.kind, want.key_size, want.value_size, want.max_entries);
        if same {
            return Ok(());
        }
        Err(KernelError::Layout { map: name.to_owned(), path: self.pins.version() })
    }

    pub fn pins(&self) -> &Pins {
        &self.pins
    }
}

/// Layouts of another version are not reinterpreted: [`super::upgrade`] moves to this one.
fn refuse_other_versions(pins: &Pins) -> Result<(), KernelError> {
    let ours = pins.number();
    match pins.of_other_versions()?.last() {
        None => Ok(()),
        Some(other) if other.number() > ours => {
            Err(KernelError::NewerVersion { path: other.version(), ours })
        }
        Some(other) => Err(KernelError::OtherVersion { path: other.version(), ours }),
    }
}

pub(super) fn classifier<'a>(
    object: &'a mut aya::Ebpf,
    name: &'static str,
) -> Result<&'a mut SchedClassifier, KernelError> {
    let program = object
        .program_mut(name)
        .ok_or_else(|| load_error(std::io::Error::other(format!("the object has no program `{name}`"))))?;
    program.try_into().map_err(load_error)
}

pub(super) fn load_error(source: impl std::error::Error + Send + Sync + 'static) -> KernelError {
    if is_permission(&source) { KernelError::Permission } else { KernelError::Load(Box::new(source)) }
}

pub(super) fn verifier_error(program: &'static str, source: aya::programs::ProgramError) -> KernelError {
    if is_permission(&source) {
        return KernelError::Permission;
    }
    KernelError::Verifier { program, source: Box::new(source) }
}

/// Whether an errno at the end of the chain is EPERM: aya's own text does not show it.
pub(super) fn is_permission(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            return io.raw_os_error() == Some(libc::EPERM);
        }
        next = error.source();
    }
    false
}

fn already_pinned(error: aya::pin::PinError) -> Result<(), aya::pin::PinError> {
    match &error {
        aya::pin::PinError::SyscallError(e) if e.io_error.raw_os_error() == Some(libc::EEXIST) => Ok(()),
        _ => Err(error),
    }
}
