//! Puts the programs on an interface: tcx links where the kernel has them (6.6), clsact before.
//!
//! Links are pinned, so that they outlive the process. A clsact filter belongs to the interface and stays by itself.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;

use aya::programs::links::{FdLink, PinnedLink};
use aya::programs::tc::{SchedClassifierLink, TcAttachOptions};
use aya::programs::{LinkOrder, ProgramError, SchedClassifier, TcAttachType};
use netctl_common::abi::maps;
use netctl_common::verdict::Direction;

use super::load::{FROM_HOST, Kernel, TO_HOST, is_permission, program_name};
use super::pins::{Entry, Mark};
use super::shapes::{self, Outer};
use super::{KernelError, clsact, sys};
use crate::config::PortKind;
use crate::fault::point;

/// Settled connections that one port can have at once; the least recently used makes room.
pub const FLOWS_PER_PORT: u32 = 8192;

/// Of flows that have not settled, besides those.
pub const OPENINGS_PER_PORT: u32 = 4096;

/// Ports whose programs are attached at the same time.
const SIDE_BY_SIDE: usize = 16;

/// A port and its interface.
#[derive(Clone, Copy, Debug)]
pub struct AttachPort<'a> {
    pub name: &'a str,
    pub id: u32,
    pub interface: &'a str,
    pub ifindex: u32,
    pub kind: PortKind,
}

/// The uplink of a network with `host-access`.
#[derive(Clone, Copy, Debug)]
pub struct AttachUplink<'a> {
    /// Name of the network.
    pub network: &'a str,
    pub interface: &'a str,
    pub ifindex: u32,
}

/// The name that the links of an uplink are pinned by; no port's, which begins with a letter or digit.
pub fn uplink_owner(network: &str) -> String {
    format!("@{network}")
}

/// An interface, and whose programs are on it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    /// The name that the links are pinned by.
    pub owner: &'a str,
    pub interface: &'a str,
    pub ifindex: u32,
}

impl Place<'_> {
    pub(super) fn refused(&self, source: ProgramError) -> KernelError {
        if is_permission(&source) {
            return KernelError::Permission;
        }
        KernelError::Attach { interface: self.interface.to_owned(), source: Box::new(source) }
    }
}

/// Set to any value, makes netctl use clsact where the kernel has tcx too.
pub const NO_TCX: &str = "NETCTL_NO_TCX";

/// A tap hands frames from the guest to the host's ingress; the other way is its egress. A macvtap transmits what
/// the guest sends, as any interface on top of another: its hooks are the other way round.
pub(super) const fn hook(kind: PortKind, direction: Direction) -> TcAttachType {
    match (kind, direction) {
        (PortKind::Tap, Direction::FromGuest) | (PortKind::Macvtap, Direction::ToGuest) => {
            TcAttachType::Ingress
        }
        (PortKind::Tap, Direction::ToGuest) | (PortKind::Macvtap, Direction::FromGuest) => {
            TcAttachType::Egress
        }
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
        let place = Place { owner: port.name, interface: port.interface, ifindex: port.ifindex };
        Direction::ALL.into_iter().try_for_each(|direction| {
            self.attach_once(&place, program_name(direction), hook(port.kind, direction))
        })
    }

    /// Puts the programs of `host-access` on an uplink. Until a generation names it, they let everything pass.
    pub fn attach_uplink(&self, uplink: &AttachUplink<'_>) -> Result<(), KernelError> {
        let owner = uplink_owner(uplink.network);
        let place = Place { owner: &owner, interface: uplink.interface, ifindex: uplink.ifindex };
        self.attach_once(&place, FROM_HOST, TcAttachType::Egress)?;
        self.attach_once(&place, TO_HOST, TcAttachType::Ingress)
    }

    fn attach_once(
        &self,
        place: &Place<'_>,
        program: &'static str,
        hook: TcAttachType,
    ) -> Result<(), KernelError> {
        if self.is_attached(place, program)? { Ok(()) } else { self.attach_program(place, program, hook) }
    }

    /// Whether the owner's link is there and on this interface. A link of an interface that is gone is removed; one
    /// that enforces on another stays, under another name, until [`Kernel::detach_others`] after the switch.
    fn is_attached(&self, place: &Place<'_>, program: &str) -> Result<bool, KernelError> {
        let path = self.pins.link(place.owner, program);
        let fail = |source| KernelError::map("links", "asking about a link", source);
        let link = match sys::open_pin(&path) {
            Ok(link) => link,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(fail(error)),
        };
        let set_aside = match sys::link_ifindex(link.as_fd()).map_err(fail)? {
            0 => {
                point("remove link of no interface");
                fs::remove_file(&path)
            }
            there if there == place.ifindex => return Ok(true),
            there => {
                point("set link aside");
                fs::rename(&path, self.pins.former_link(place.owner, program, there))
            }
        };
        set_aside.map_err(|source| KernelError::Remove { path, source })?;
        Ok(false)
    }

    /// Frees the tables of all ports but those with the ids `wanted`, whatever left them behind.
    pub fn free_tables_of_others(&self, wanted: &BTreeSet<u32>) -> Result<(), KernelError> {
        let tables = self.port_tables()?;
        tables.into_iter().filter(|id| !wanted.contains(id)).try_for_each(|id| self.free_tables(id))
    }

    fn free_tables(&self, id: u32) -> Result<(), KernelError> {
        let free = |name: &'static str| {
            let map = self.map(name)?;
            sys::delete(map.as_fd(), &id.to_ne_bytes())
                .map(drop)
                .map_err(|e| KernelError::map(name, "freeing a port's table", e))
        };
        std::thread::scope(|scope| {
            let flows = scope.spawn(|| free(maps::FLOWS).and_then(|()| free(maps::OPENINGS)));
            free(maps::PORT_COUNTERS)?;
            joined(flows)
        })?;
        // Last: what is interrupted is found again.
        let path = self.pins.table(id);
        point("remove mark of port tables");
        fs::remove_dir(&path).map_err(|source| KernelError::Remove { path, source })
    }

    pub(super) fn make_port_tables(&self, id: u32) -> Result<(), KernelError> {
        let path = self.pins.table(id);
        point("mark port tables");
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
            let flows = scope.spawn(|| make(shapes::FLOWS).and_then(|()| make(shapes::OPENINGS)));
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

    fn attach_program(
        &self,
        place: &Place<'_>,
        name: &'static str,
        hook: TcAttachType,
    ) -> Result<(), KernelError> {
        let fail = |source| place.refused(source);
        let mut program = SchedClassifier::from_pin(self.pins.program(name)).map_err(fail)?;
        // Where a filter is already, a link beside it would judge each frame twice.
        let is_filter = self.pins.mark(Mark::Filter, place.ifindex).exists();
        if is_filter || std::env::var_os(NO_TCX).is_some() {
            return clsact::attach(&self.pins, program, place, hook);
        }
        let tcx = TcAttachOptions::TcxOrder(LinkOrder::first());
        point("attach link");
        let id = match program.attach_with_options(place.interface, hook, tcx) {
            Ok(id) => id,
            // The interface had another port's name before: its program is on it already.
            Err(error) if has_errno(&error, libc::EEXIST) => {
                return if self.take_link(place, name)? { Ok(()) } else { Err(fail(error)) };
            }
            // Before 6.6, and where CONFIG_NET_XGRESS is off.
            Err(error) if is_unsupported(&error) => return clsact::attach(&self.pins, program, place, hook),
            Err(error) => return Err(fail(error)),
        };
        let link = program.take_link(id).map_err(fail)?;
        pin(link, place.interface, self.pins.link(place.owner, name))
    }
}

impl Kernel {
    /// Pins the link by which the program is on the interface already under the owner's name, too. The other name goes with
    /// [`Kernel::detach_others`]. `false` if there is none.
    fn take_link(&self, place: &Place<'_>, name: &'static str) -> Result<bool, KernelError> {
        let fail = |source| KernelError::map("links", "asking about a link", source);
        let program = sys::open_pin(&self.pins.program(name)).map_err(fail)?;
        let wanted = sys::program_info(program.as_fd()).map_err(fail)?.id;
        // Another port's thread may be giving a link another name meanwhile.
        for _ in 0..3 {
            for entry in self.pins.entries()? {
                let Entry::Link { path, .. } = entry else { continue };
                let Ok(link) = sys::open_pin(&path) else { continue };
                let is_it = sys::link_program(link.as_fd()).map_err(fail)? == wanted
                    && sys::link_ifindex(link.as_fd()).map_err(fail)? == place.ifindex;
                if is_it {
                    let path = self.pins.link(place.owner, name);
                    return sys::pin(link.as_fd(), &path).map(|()| true).map_err(fail);
                }
            }
        }
        Ok(false)
    }
}

fn pin(link: SchedClassifierLink, interface: &str, path: PathBuf) -> Result<(), KernelError> {
    let fail = |source: Box<dyn std::error::Error + Send + Sync>| KernelError::PinLink {
        interface: interface.to_owned(),
        path: path.clone(),
        source,
    };
    let link = FdLink::try_from(link).map_err(|e| fail(Box::new(e)))?;
    point("pin link");
    let _: PinnedLink = link.pin(&path).map_err(|e| fail(Box::new(e)))?;
    Ok(())
}

fn is_unsupported(error: &ProgramError) -> bool {
    has_errno(error, libc::EINVAL)
}

pub(super) fn has_errno(error: &(dyn std::error::Error + 'static), errno: i32) -> bool {
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
