//! Puts the programs on an interface and takes them off: tcx links where the kernel has them (6.6), clsact before.
//!
//! Links are pinned, so that they outlive the process. A clsact filter belongs to the interface and stays by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;

use aya::programs::links::{FdLink, PinnedLink};
use aya::programs::tc::{NlOptions, SchedClassifierLink, TcAttachOptions, TcHandle, qdisc_add_clsact};
use aya::programs::{LinkOrder, ProgramError, SchedClassifier, TcAttachType};
use netctl_common::abi::maps;
use netctl_common::verdict::Direction;

use super::load::{Kernel, is_permission, program_name};
use super::shapes::{self, Outer};
use super::{KernelError, sys};

/// Connections that one port can have at once; the least recently used makes room.
pub const FLOWS_PER_PORT: u32 = 8192;

/// Ports whose programs are attached at the same time.
const SIDE_BY_SIDE: usize = 16;

/// A port and its interface.
#[derive(Clone, Copy, Debug)]
pub struct AttachPort<'a> {
    pub name: &'a str,
    pub id: u32,
    pub interface: &'a str,
    pub ifindex: u32,
}

/// Priority of the clsact filter: before what others may have put there.
const PRIORITY: u16 = 1;

/// Handle of the clsact filter: a second one is refused, so that attaching again changes nothing.
const HANDLE: TcHandle = TcHandle::new(0, 0x6e63);

/// Set to any value, makes netctl use clsact where the kernel has tcx too.
pub const NO_TCX: &str = "NETCTL_NO_TCX";

/// A tap hands frames from the guest to the host's ingress; the other way is its egress.
const fn tap_hook(direction: Direction) -> TcAttachType {
    match direction {
        Direction::FromGuest => TcAttachType::Ingress,
        Direction::ToGuest => TcAttachType::Egress,
    }
}

impl Kernel {
    /// Makes the tables of ports and attaches both programs to their interfaces. What is there already stays.
    ///
    /// Until a generation names an interface, the programs deny everything there. Each step waits for the kernel's
    /// readers, so that ports go side by side.
    pub fn attach(&self, ports: &[AttachPort<'_>]) -> Result<(), KernelError> {
        ports.chunks(SIDE_BY_SIDE).try_for_each(|ports| {
            std::thread::scope(|scope| {
                let steps = ports.iter().flat_map(|port| {
                    let tables = scope.spawn(|| self.make_port_tables(port.id));
                    [tables, scope.spawn(|| self.attach_programs(port))]
                });
                let steps: Vec<_> = steps.collect();
                steps.into_iter().try_for_each(joined)
            })
        })
    }

    fn attach_programs(&self, port: &AttachPort<'_>) -> Result<(), KernelError> {
        for direction in Direction::ALL {
            if !self.is_attached(port.name, port.ifindex, direction)? {
                self.attach_program(port.name, port.interface, direction)?;
            }
        }
        Ok(())
    }

    /// Whether the port's link is there and on this interface; a link of an interface that is gone is removed.
    fn is_attached(&self, port: &str, ifindex: u32, direction: Direction) -> Result<bool, KernelError> {
        let path = self.pins.link(port, program_name(direction));
        let fail = |source| KernelError::map("links", "asking about a link", source);
        let link = match sys::open_pin(&path) {
            Ok(link) => link,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(fail(error)),
        };
        if sys::link_ifindex(link.as_fd()).map_err(fail)? == ifindex {
            return Ok(true);
        }
        fs::remove_file(&path).map_err(|source| KernelError::Remove { path, source })?;
        Ok(false)
    }

    /// Frees tables and links of ports that are not among `wanted` (name and id), whatever left them behind.
    pub fn forget_ports(&self, wanted: &BTreeMap<&str, u32>) -> Result<(), KernelError> {
        let names =
            wanted.keys().flat_map(|port| Direction::ALL.map(|d| self.pins.link(port, program_name(d))));
        let names: BTreeSet<PathBuf> = names.collect();
        let links = self.pins.links();
        let fail = |source| KernelError::Remove { path: links.clone(), source };
        for entry in fs::read_dir(&links).map_err(fail)? {
            let path = entry.map_err(fail)?.path();
            if !names.contains(&path) {
                fs::remove_file(&path).map_err(|source| KernelError::Remove { path, source })?;
            }
        }
        let ids: BTreeSet<u32> = wanted.values().copied().collect();
        let tables = self.port_tables()?;
        tables.into_iter().filter(|id| !ids.contains(id)).try_for_each(|id| self.free_tables(id))
    }

    fn free_tables(&self, id: u32) -> Result<(), KernelError> {
        let free = |name: &'static str| {
            let map = self.map(name)?;
            sys::delete(map.as_fd(), &id.to_ne_bytes())
                .map(drop)
                .map_err(|e| KernelError::map(name, "freeing a port's table", e))
        };
        std::thread::scope(|scope| {
            let flows = scope.spawn(|| free(maps::FLOWS));
            free(maps::PORT_COUNTERS)?;
            joined(flows)
        })?;
        // Last: what is interrupted is found again.
        let path = self.pins.table(id);
        fs::remove_dir(&path).map_err(|source| KernelError::Remove { path, source })
    }

    fn make_port_tables(&self, id: u32) -> Result<(), KernelError> {
        let path = self.pins.table(id);
        let may_be_there = match fs::create_dir(&path) {
            Ok(()) => false,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => true,
            Err(source) => return Err(KernelError::PinDirectory { path, source }),
        };
        let make = |of: Outer| {
            let is_there = may_be_there && self.has_port_table(of.name, id)?;
            if is_there { Ok(()) } else { self.make_port_table(of, id) }
        };
        std::thread::scope(|scope| {
            let flows = scope.spawn(|| make(shapes::FLOWS));
            make(shapes::PORT_COUNTER_TABLES)?;
            joined(flows)
        })
    }

    fn has_port_table(&self, name: &str, id: u32) -> Result<bool, KernelError> {
        let mut inner = [0; 4];
        sys::lookup(self.map(name)?.as_fd(), &id.to_ne_bytes(), &mut inner)
            .map_err(|e| KernelError::map(name, "looking up a port's table", e))
    }

    fn make_port_table(&self, of: Outer, id: u32) -> Result<(), KernelError> {
        let name = of.name;
        let outer = self.map(name)?;
        let fail = |operation| move |e| KernelError::map(name, operation, e);
        let table = sys::create(name, &of.inner).map_err(fail("making a port's table"))?;
        super::publish::set_inner(&outer, name, id, &table)
    }

    fn attach_program(&self, port: &str, interface: &str, direction: Direction) -> Result<(), KernelError> {
        let name = program_name(direction);
        let path = self.pins.link(port, name);
        let fail = |source: ProgramError| {
            if is_permission(&source) {
                return KernelError::Permission;
            }
            KernelError::Attach { program: name, interface: interface.to_owned(), source: Box::new(source) }
        };
        let mut program = SchedClassifier::from_pin(self.pins.program(name)).map_err(fail)?;
        if std::env::var_os(NO_TCX).is_some() {
            return attach_clsact(program, interface, direction).map_err(fail);
        }
        let tcx = TcAttachOptions::TcxOrder(LinkOrder::first());
        let id = match program.attach_with_options(interface, tap_hook(direction), tcx) {
            Ok(id) => id,
            // Before 6.6, and where CONFIG_NET_XGRESS is off.
            Err(error) if is_unsupported(&error) => {
                return attach_clsact(program, interface, direction).map_err(fail);
            }
            Err(error) => return Err(fail(error)),
        };
        let link = program.take_link(id).map_err(fail)?;
        pin(link, interface, path)
    }
}

fn pin(link: SchedClassifierLink, interface: &str, path: PathBuf) -> Result<(), KernelError> {
    let fail = |source: Box<dyn std::error::Error + Send + Sync>| KernelError::PinLink {
        interface: interface.to_owned(),
        path: path.clone(),
        source,
    };
    let link = FdLink::try_from(link).map_err(|e| fail(Box::new(e)))?;
    let _: PinnedLink = link.pin(&path).map_err(|e| fail(Box::new(e)))?;
    Ok(())
}

fn attach_clsact(
    mut program: SchedClassifier,
    interface: &str,
    direction: Direction,
) -> Result<(), ProgramError> {
    match qdisc_add_clsact(interface) {
        Ok(()) => {}
        Err(error) if has_errno(&error, libc::EEXIST) => {}
        Err(error) => return Err(error.into()),
    }
    let options =
        TcAttachOptions::Netlink(NlOptions { priority: PRIORITY, handle: HANDLE, ..NlOptions::default() });
    match program.attach_with_options(interface, tap_hook(direction), options) {
        Ok(id) => {
            // The filter stays with the interface; only aya's wish to detach it on drop has to go.
            std::mem::forget(program.take_link(id)?);
            Ok(())
        }
        Err(error) if has_errno(&error, libc::EEXIST) => Ok(()),
        Err(error) => Err(error),
    }
}

fn is_unsupported(error: &ProgramError) -> bool {
    has_errno(error, libc::EINVAL)
}

fn has_errno(error: &(dyn std::error::Error + 'static), errno: i32) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return io.raw_os_error() == Some(errno);
        }
        next = error.source();
    }
    false
}

/// Runs steps that each wait for the kernel's readers, so that they wait once.
pub(super) fn joined<T>(
    thread: std::thread::ScopedJoinHandle<'_, Result<T, KernelError>>,
) -> Result<T, KernelError> {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
