//! `netctl fd inspect` and `netctl fd reset`.

use std::io::{self, Write};
use std::os::fd::{OwnedFd, RawFd};
use std::path::Path;

use serde::Serialize;

use crate::cli::{FdInspectArgs, FdResetArgs, FdTarget};
use crate::config::{Config, TapOptions};
use crate::error::{Error, Outcome};
use crate::fd::inspect::{self, Facts, Held, InspectError, Kind, Namespace, Queue};
use crate::fd::reuse::Returned;
use crate::output::{printable, write_json};
use crate::state::State;

/// A descriptor, and what the running document calls its interface.
#[derive(Serialize)]
struct Described {
    /// `None` for a descriptor of netctl's own.
    pid: Option<u32>,
    fd: RawFd,
    #[serde(flatten)]
    facts: Facts,
    port: Option<String>,
    network: Option<String>,
}

pub(super) fn inspect(bpffs: &Path, args: &FdInspectArgs, out: &mut impl Write) -> Result<Outcome, Error> {
    // Before anything is opened: a number that was closed would be taken by it.
    let own = args.targets.iter().map(own_copy).collect::<Result<Vec<_>, _>>()?;
    let mut all = Vec::new();
    for (target, copy) in args.targets.iter().zip(own) {
        all.extend(look(*target, copy)?);
    }
    // Without a policy, or the right to see it, a descriptor is still what it is.
    if let Ok(state) = State::read(bpffs) {
        all.iter_mut().for_each(|described| described.name(&state.config));
    }
    let written = if args.json { write_json(out, &all) } else { all.iter().try_for_each(|it| it.write(out)) };
    written.map_err(Error::Output)?;
    Ok(Outcome::Yes)
}

fn own_copy(target: &FdTarget) -> Result<Option<OwnedFd>, InspectError> {
    match target {
        FdTarget::Own(number) => inspect::inherited(*number).map(Some),
        FdTarget::Process(_) | FdTarget::OfProcess(..) => Ok(None),
    }
}

fn look(target: FdTarget, copy: Option<OwnedFd>) -> Result<Vec<Described>, InspectError> {
    match (target, copy) {
        (FdTarget::Own(fd), Some(copy)) => {
            let facts =
                inspect::own(copy).map_err(|source| InspectError::Descriptor { number: fd, source })?;
            Ok(vec![Described::new(None, fd, facts)])
        }
        (FdTarget::Own(number), None) => Err(InspectError::NotInherited { number }),
        (FdTarget::OfProcess(pid, fd), _) => Ok(vec![Described::of(pid, inspect::of_process(pid, fd)?)]),
        (FdTarget::Process(pid), _) => {
            let held = all_of(pid)?;
            if held.is_empty() {
                eprintln!("netctl: process {pid} holds no network descriptor");
            }
            Ok(held.into_iter().map(|held| Described::of(pid, held)).collect())
        }
    }
}

/// The network descriptors of a process; what it closes meanwhile is none.
fn all_of(pid: u32) -> Result<Vec<Held>, InspectError> {
    let mut all = Vec::new();
    for number in inspect::descriptors(pid)? {
        match inspect::of_process(pid, number) {
            Ok(held) if held.facts.kind.is_network() => all.push(held),
            Ok(_) | Err(InspectError::NotOpen { .. }) => {}
            Err(other) => return Err(other),
        }
    }
    Ok(all)
}

impl Described {
    fn new(pid: Option<u32>, fd: RawFd, facts: Facts) -> Self {
        Self { pid, fd, facts, port: None, network: None }
    }

    fn of(pid: u32, held: Held) -> Self {
        Self::new(Some(pid), held.number, held.facts)
    }

    /// Ports and networks by their interfaces, which are those of this network namespace.
    fn name(&mut self, config: &Config) {
        let (Some(interface), Some(Namespace::This)) = (&self.facts.interface, self.facts.namespace) else {
            return;
        };
        let mut ports = config.ports.iter();
        if let Some((name, port)) =
            ports.find(|(_, port)| port.interface == *interface && port.device.is_filtered())
        {
            (self.port, self.network) = (Some(name.clone()), Some(port.network.clone()));
            return;
        }
        let mut networks = config.networks.iter();
        let found = networks.find(|(_, it)| it.interface == *interface || it.uplinks.contains(interface));
        self.network = found.map(|(name, _)| name.clone());
    }

    /// A line for the kind, and an indented one for each thing that is known.
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let holder = self.pid.map_or_else(String::new, |pid| format!(" of process {pid}"));
        writeln!(out, "descriptor {}{holder}: {}", self.fd, self.facts.kind.name())?;
        for (name, text) in self.lines() {
            writeln!(out, "  {name:<11} {}", printable(&text))?;
        }
        Ok(())
    }

    fn lines(&self) -> Vec<(&'static str, String)> {
        let facts = &self.facts;
        let words = |words: &[&str]| (!words.is_empty()).then(|| words.join(" "));
        let mut lines = vec![
            ("interface", facts.interface.clone()),
            ("port", self.port.clone()),
            ("network", self.network.clone()),
            ("flags", words(&facts.flags)),
            ("queue", facts.queue.map(|queue| queue_word(queue).to_owned())),
            ("header", facts.header_bytes.map(|bytes| format!("{bytes} bytes"))),
            ("sndbuf", facts.sndbuf.map(|bytes| format!("{bytes} bytes"))),
            ("features", words(&facts.features)),
            ("features", facts.vhost_features.map(|bits| format!("{bits:#x}"))),
            (
                "device",
                facts.vdpa_device.map(|id| if id == 1 { "a NIC".to_owned() } else { format!("virtio {id}") }),
            ),
        ];
        lines.extend(self.socket_lines());
        lines.extend([
            ("namespace", facts.namespace.map(|namespace| namespace_word(namespace).to_owned())),
            ("file", facts.file.clone()),
            ("note", facts.note.clone()),
        ]);
        lines.into_iter().filter_map(|(name, text)| Some((name, text?))).collect()
    }

    fn socket_lines(&self) -> Vec<(&'static str, Option<String>)> {
        let Some(socket) = &self.facts.socket else { return Vec::new() };
        let peer = match (&socket.peer, socket.peer_pid) {
            (peer, Some(pid)) => {
                Some(format!("{} of process {pid}", peer.as_deref().unwrap_or("without a name,")))
            }
            (peer, None) => peer.clone(),
        };
        let listening = if socket.listening { ", listening" } else { "" };
        let interface = match (self.facts.kind, &self.facts.interface) {
            (Kind::PacketSocket, None) => Some("all of its namespace".to_owned()),
            _ => None,
        };
        vec![
            ("interface", interface),
            ("type", Some(format!("{}{listening}", socket.kind))),
            ("ethertype", socket.ethertype.map(|number| format!("{number:#06x}"))),
            ("local", socket.local.clone()),
            ("peer", peer),
        ]
    }
}

pub(super) fn reset(bpffs: &Path, args: &FdResetArgs, out: &mut impl Write) -> Result<Outcome, Error> {
    // All of them before anything else is opened, and before any is changed.
    let copies = args.numbers.iter().map(|number| Ok((*number, inspect::inherited(*number)?)));
    let copies = copies.collect::<Result<Vec<_>, InspectError>>()?;
    let queues = copies.into_iter().map(|(number, copy)| Returned::new(number, copy));
    let queues = queues.collect::<Result<Vec<_>, _>>()?;
    let state = State::read(bpffs).ok();
    for queue in &queues {
        let options = state.as_ref().map_or_else(TapOptions::default, |state| options(&state.config, queue));
        if !args.dry_run {
            queue.reset(&options)?;
        }
        let was = if queue.is_detached() == Some(true) { "was detached" } else { "is as new" };
        let (number, kind, interface) = (queue.number, queue.facts.kind.name(), queue.interface());
        writeln!(out, "~ descriptor {number}: {kind} of {interface}, {was}").map_err(Error::Output)?;
    }
    Ok(Outcome::Yes)
}

/// As the port of the queue's interface is opened.
fn options(config: &Config, queue: &Returned) -> TapOptions {
    let here = queue.facts.namespace == Some(Namespace::This);
    let mut ports = config.ports.values().filter(|_| here);
    ports
        .find(|port| port.interface == queue.interface())
        .map_or_else(TapOptions::default, |it| it.tap.clone())
}

const fn queue_word(queue: Queue) -> &'static str {
    match queue {
        Queue::Attached => "attached",
        Queue::Detached => "detached: it gets no frames; `netctl fd reset` attaches it",
    }
}

const fn namespace_word(namespace: Namespace) -> &'static str {
    match namespace {
        Namespace::This => "this one",
        Namespace::Another => "another network namespace",
    }
}
