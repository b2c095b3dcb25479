//! Puts this build's programs in the place of others, on interfaces that are up and in use: of another ABI version with
//! the maps of its own ([`Kernel::take_over`]), or of the same one on the same maps ([`Kernel::replace_programs`]).
//!
//! Each hook changes between one frame and the next, and is never without a program. A link is first pinned in this
//! version's folder and then changed, so that whatever an interrupted upgrade has begun is found there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use aya::programs::TcAttachType;
use netctl_common::abi::{Change, Counter, FlowEntry, FlowKey, maps};
use netctl_common::verdict::{Direction, REASONS};

use super::attach::{AttachPort, AttachUplink, hook};
use super::clsact;
use super::former::Former;
use super::load::{FROM_HOST, Kernel, PROGRAMS, TO_HOST, classifier, load_error, program_name};
use super::pins::{Entry, Mark, Pins};
use super::publish::Publication;
use super::{KernelError, bytes, sys};
use crate::fault::point;

/// Which program belongs on which hook of an interface.
#[derive(Clone, Debug)]
pub struct Hooks {
    interface: String,
    programs: [(TcAttachType, &'static str); 2],
}

/// By the index of the interface.
pub type Placed = BTreeMap<u32, Hooks>;

/// Where the programs of these ports and uplinks belong.
pub fn placed(ports: &[AttachPort<'_>], uplinks: &[AttachUplink<'_>]) -> Placed {
    let ports = ports.iter().map(|port| {
        let programs = [Direction::FromGuest, Direction::ToGuest]
            .map(|direction| (hook(port.kind, direction), program_name(direction)));
        (port.ifindex, Hooks { interface: port.interface.to_owned(), programs })
    });
    let uplinks = uplinks.iter().map(|uplink| {
        let programs = [(TcAttachType::Egress, FROM_HOST), (TcAttachType::Ingress, TO_HOST)];
        (uplink.ifindex, Hooks { interface: uplink.interface.to_owned(), programs })
    });
    ports.chain(uplinks).collect()
}

/// How far an upgrade from another version has come.
#[derive(Debug)]
pub enum Stage {
    /// Nothing is attached to this version's programs.
    Fresh(Kernel),
    /// Some hooks have them, and the generation runs.
    Begun(Kernel),
}

impl Kernel {
    /// This version's maps and programs, beside those of another version that run.
    ///
    /// # Errors
    /// They cannot be loaded.
    pub fn beside(bpffs: &Path) -> Result<Stage, KernelError> {
        let pins = Pins::at(bpffs)?;
        if !pins.entries()?.is_empty() {
            return Self::open_own(pins).map(Stage::Begun);
        }
        // Half made, or of an upgrade that was interrupted before its first hook: the flows have gone on since.
        pins.remove_version()?;
        Self::load_own(pins).map(Stage::Fresh)
    }

    /// Makes the tables of ports, copies what the former version counted, and publishes the generation that continues its
    /// own. No frame sees it before [`Self::take_over`].
    pub fn continue_from(&self, former: &Former, publication: &Publication<'_>) -> Result<(), KernelError> {
        let named: BTreeSet<u32> = publication.compiled.ports.iter().map(|port| port.id).collect();
        for port in former.ports.values().filter(|port| named.contains(&port.id)) {
            self.make_port_tables(port.id)?;
            self.copy_counters(former, port.id)?;
        }
        let filled = self.fill_after(publication, None, former.generation())?;
        self.switch(filled).map(drop)
    }

    /// Moves every hook of the former version to this one's programs, port by port.
    ///
    /// A flow that opens between the change of a port's two hooks is known to one of them only; its answers are denied
    /// until it is copied, some microseconds later.
    pub fn take_over(&self, former: &Former, placed: &Placed) -> Result<(), KernelError> {
        let programs = Programs::pinned(&self.pins)?;
        for (name, port) in &former.ports {
            let begun = self.has_link_of(name)?;
            // What this version has seen since is newer.
            self.copy_flows(former, port.id, if begun { NOEXIST } else { ANY })?;
            self.move_links(former, &programs, Some(name))?;
            self.move_mark(former, &programs, port.ifindex, placed)?;
            self.copy_flows(former, port.id, NOEXIST)?;
        }
        self.move_links(former, &programs, None)?;
        for entry in former.kernel.pins.entries()? {
            if let Entry::Mark { ifindex, .. } = entry {
                self.move_mark(former, &programs, ifindex, placed)?;
            }
        }
        // A link that was moved and not changed.
        programs.replace_all(&self.pins, placed)
    }

    /// Takes the former version's pins away, whose programs are on no hook any more.
    pub fn retire(former: &Former) -> Result<(), KernelError> {
        former.kernel.pins.retire()
    }

    /// Puts this build's programs in the place of those of another build with the same layouts. `false` if they are the
    /// same by their tags.
    pub fn replace_programs(&self, placed: &Placed) -> Result<bool, KernelError> {
        // Those that the other build did not have.
        super::shapes::OUTER.iter().try_for_each(|outer| outer.ensure(&self.pins))?;
        let mut object = self.loader(false).load(super::load::OBJECT).map_err(load_error)?;
        let mut differs = false;
        let mut loaded = Vec::new();
        for name in PROGRAMS {
            let program = classifier(&mut object, name)?;
            program.load().map_err(load_error)?;
            let tag = tag(program.fd().map_err(load_error)?.as_fd())?;
            differs |= tag != tag_of_pin(&self.pins.program(name))?;
            loaded.push(name);
        }
        if !differs && Programs::pinned(&self.pins)?.are_everywhere(&self.pins)? {
            // An upgrade that was interrupted while it gave them their names.
            PROGRAMS.iter().try_for_each(|name| remove_if_there(&self.pins.next_program(name)))?;
            return Ok(false);
        }
        for name in loaded {
            let path = self.pins.next_program(name);
            remove_if_there(&path)?;
            let program = classifier(&mut object, name)?;
            sys::pin(program.fd().map_err(load_error)?.as_fd(), &path)
                .map_err(|source| moved(&path, source))?;
        }
        Programs::next(&self.pins)?.replace_all(&self.pins, placed)?;
        for name in PROGRAMS {
            let path = self.pins.next_program(name);
            point("name program");
            fs::rename(&path, self.pins.program(name)).map_err(|source| moved(&path, source))?;
        }
        self.announce(Change::Upgraded, self.running()?.generation);
        Ok(true)
    }

    fn has_link_of(&self, owner: &str) -> Result<bool, KernelError> {
        let is_its = |entry: &Entry| matches!(entry, Entry::Link { owner: of, .. } if of == owner);
        Ok(self.pins.entries()?.iter().any(is_its))
    }

    /// The links of one owner, or of everyone.
    fn move_links(
        &self,
        former: &Former,
        programs: &Programs,
        only: Option<&str>,
    ) -> Result<(), KernelError> {
        for entry in former.kernel.pins.entries()? {
            let Entry::Link { owner, path } = entry else { continue };
            let Some(name) = path.file_name().filter(|_| only.is_none_or(|only| only == owner)) else {
                continue;
            };
            let to = self.pins.links().join(name);
            point("move link");
            fs::rename(&path, &to).map_err(|source| moved(&path, source))?;
            programs.put_on(&to)?;
        }
        Ok(())
    }

    fn move_mark(
        &self,
        former: &Former,
        programs: &Programs,
        ifindex: u32,
        placed: &Placed,
    ) -> Result<(), KernelError> {
        let there: Vec<Mark> =
            (Mark::ALL.into_iter()).filter(|mark| former.kernel.pins.mark(*mark, ifindex).exists()).collect();
        there.iter().try_for_each(|mark| clsact::mark(self.pins.mark(*mark, ifindex)))?;
        if there.contains(&Mark::Filter) {
            programs.replace_filters(ifindex, placed)?;
        }
        there.into_iter().try_for_each(|mark| clsact::unmark(former.kernel.pins.mark(mark, ifindex)))
    }

    fn copy_flows(&self, former: &Former, port: u32, flags: u64) -> Result<(), KernelError> {
        let fail = |e| KernelError::map(maps::FLOWS, "copying a flow", e);
        let [settled, openings] = [self.inner(maps::FLOWS, port)?, self.inner(maps::OPENINGS, port)?];
        let flows: Vec<(FlowKey, FlowEntry)> = former.flows(port)?;
        point("copy flows");
        for (key, entry) in flows {
            let table = if entry.settled != 0 { &settled } else { &openings };
            match sys::write(table.as_fd(), bytemuck::bytes_of(&key), bytemuck::bytes_of(&entry), flags) {
                Err(error) if flags == NOEXIST && error.raw_os_error() == Some(libc::EEXIST) => {}
                result => result.map_err(fail)?,
            }
        }
        Ok(())
    }

    /// Into the row of the first CPU: the programs do not count there yet.
    fn copy_counters(&self, former: &Former, port: u32) -> Result<(), KernelError> {
        let fail = |e| KernelError::map(maps::PORT_COUNTERS, "carrying counters over", e);
        let table = self.inner(maps::PORT_COUNTERS, port)?;
        let cpus = super::publish::possible_cpus();
        point("copy counters");
        for (direction, counters) in former.port_counters(port)?.into_iter().enumerate() {
            let counted = counters.iter().enumerate().filter(|(_, counter)| **counter != Counter::default());
            for (reason, counter) in counted {
                let mut values = vec![0; cpus * bytes::per_cpu_size(size_of::<Counter>())];
                values[..size_of::<Counter>()].copy_from_slice(bytemuck::bytes_of(counter));
                let index = (direction * REASONS + reason) as u32;
                sys::write(table.as_fd(), &index.to_ne_bytes(), &values, ANY).map_err(fail)?;
            }
        }
        Ok(())
    }
}

/// `BPF_ANY`, `BPF_NOEXIST`.
const ANY: u64 = 0;
const NOEXIST: u64 = 1;

/// The programs that hooks are to have.
struct Programs {
    by_name: BTreeMap<&'static str, (OwnedFd, u32, PathBuf)>,
}

impl Programs {
    fn pinned(pins: &Pins) -> Result<Self, KernelError> {
        Self::open(|name| pins.program(name))
    }

    fn next(pins: &Pins) -> Result<Self, KernelError> {
        Self::open(|name| pins.next_program(name))
    }

    fn open(path: impl Fn(&str) -> PathBuf) -> Result<Self, KernelError> {
        let mut by_name = BTreeMap::new();
        for name in PROGRAMS {
            let path = path(name);
            let program = sys::open_pin(&path).map_err(|source| moved(&path, source))?;
            let id = sys::program_info(program.as_fd()).map_err(|source| moved(&path, source))?.id;
            by_name.insert(name, (program, id, path));
        }
        Ok(Self { by_name })
    }

    /// Every link and filter of this version that has another program.
    fn replace_all(&self, pins: &Pins, placed: &Placed) -> Result<(), KernelError> {
        for entry in pins.entries()? {
            match entry {
                Entry::Link { path, .. } => self.put_on(&path)?,
                Entry::Mark { mark: Mark::Filter, ifindex } => self.replace_filters(ifindex, placed)?,
                Entry::Mark { mark: Mark::Qdisc, .. } => {}
            }
        }
        Ok(())
    }

    fn are_everywhere(&self, pins: &Pins) -> Result<bool, KernelError> {
        for entry in pins.entries()? {
            let Entry::Link { path, .. } = entry else { continue };
            let Some((_, wanted, _)) = self.of_link(&path) else { continue };
            let link = sys::open_pin(&path).map_err(|source| moved(&path, source))?;
            if sys::link_program(link.as_fd()).map_err(|source| moved(&path, source))? != *wanted {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The program that the name of a link says: `OWNER+PROGRAM`, or `OWNER+PROGRAM+IFINDEX` for one that is set aside.
    fn of_link(&self, path: &Path) -> Option<&(OwnedFd, u32, PathBuf)> {
        let name = path.file_name()?.to_str()?;
        name.rsplit('+').take(2).find_map(|part| self.by_name.get(part))
    }

    fn put_on(&self, path: &Path) -> Result<(), KernelError> {
        let fail = |source| moved(path, source);
        let Some((program, id, _)) = self.of_link(path) else { return Ok(()) };
        let link = sys::open_pin(path).map_err(fail)?;
        if sys::link_program(link.as_fd()).map_err(fail)? == *id {
            return Ok(());
        }
        match sys::update_link(link.as_fd(), program.as_fd()) {
            // Its interface is gone: there is nothing to enforce.
            Err(error) if error.raw_os_error() == Some(libc::ENOLINK) => Ok(()),
            result => result.map_err(fail),
        }
    }

    /// Those of an interface that nothing is known of are left to the next apply, which takes them off.
    fn replace_filters(&self, ifindex: u32, placed: &Placed) -> Result<(), KernelError> {
        let Some(hooks) = placed.get(&ifindex) else { return Ok(()) };
        for (hook, program) in hooks.programs {
            if let Some((_, _, path)) = self.by_name.get(program) {
                clsact::replace(path, (&hooks.interface, ifindex), hook)?;
            }
        }
        Ok(())
    }
}

fn tag(program: std::os::fd::BorrowedFd<'_>) -> Result<[u8; 8], KernelError> {
    Ok(sys::program_info(program).map_err(load_error)?.tag)
}

fn tag_of_pin(path: &Path) -> Result<[u8; 8], KernelError> {
    let program = sys::open_pin(path).map_err(|source| moved(path, source))?;
    tag(program.as_fd())
}

fn remove_if_there(path: &Path) -> Result<(), KernelError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(moved(path, source)),
        _ => Ok(()),
    }
}

fn moved(path: &Path, source: io::Error) -> KernelError {
    KernelError::Move { path: path.to_owned(), source }
}
