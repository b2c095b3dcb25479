//! `netctl run`: opens a guest's descriptors and becomes its VMM.
//!
//! The process is replaced, so no netctl stays behind, and the VMM's parent, terminal and exit code are as if it
//! had been started by hand.

use std::convert::Infallible;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use super::template::{Template, TemplateError};
use super::{OpenPort, RunPort};
use crate::config::PortKind;
use crate::fd::{FdError, hand_over, macvtap, tap, vhost};
use crate::network::{Netlink, NetworkError, queues_in_use};

/// Why a guest could not be started.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error(transparent)]
    Template(#[from] TemplateError),
    #[error("port `{port}`")]
    Open { port: String, source: FdError },
    #[error("port `{port}`")]
    Network { port: String, source: NetworkError },
    #[error("port `{port}` is in use by another process; stop the guest that holds `{interface}`")]
    InUse { port: String, interface: String },
    #[error("cannot hand the descriptors over")]
    HandOver(#[source] io::Error),
    #[error("cannot run `{program}`")]
    Exec { program: String, source: io::Error },
}

/// A VMM that is ready to be started; its descriptors are open, and close if it is dropped.
#[derive(Debug)]
#[must_use = "nothing runs until `exec`"]
pub struct Ready {
    /// The program and its arguments.
    pub arguments: Vec<OsString>,
    /// What the user did not ask for: ports that fall back from vhost, and why.
    pub notes: Vec<String>,
    fds: Vec<OwnedFd>,
}

/// Opens the queues and vhost descriptors of `ports`, and fills them into `command`.
///
/// # Errors
/// Everything that is wrong with `command` is found before anything is opened.
pub async fn prepare(netlink: &Netlink, ports: &[RunPort], command: &[OsString]) -> Result<Ready, RunError> {
    let template = Template::parse(command, ports)?;
    let mut notes = Vec::new();
    let mut opened = Vec::new();
    for port in ports {
        let queues = match port.kind {
            PortKind::Tap => open_tap(netlink, port).await?,
            PortKind::Macvtap => open_macvtap(port)?,
        };
        opened.push((port, queues, open_vhost(port, &mut notes)?));
    }
    let open: Vec<_> = opened.iter().map(|(port, queues, vhost)| describe(port, queues, vhost)).collect();
    let arguments = template.fill(&open)?;
    let fds = opened.into_iter().flat_map(|(_, queues, vhost)| queues.into_iter().chain(vhost.into_fds()));
    Ok(Ready { arguments, notes, fds: fds.collect() })
}

/// [`prepare`] and [`Ready::exec`].
///
/// # Errors
/// Those of both.
pub async fn run(netlink: &Netlink, ports: &[RunPort], command: &[OsString]) -> Result<Infallible, RunError> {
    Err(prepare(netlink, ports, command).await?.exec())
}

impl Ready {
    /// Replaces this process. Returns only if that fails.
    ///
    /// The descriptors become inheritable here; `std` restores SIGPIPE and the signal mask for the program.
    pub fn exec(self) -> RunError {
        let Some((program, arguments)) = self.arguments.split_first() else {
            return TemplateError::NoCommand.into();
        };
        for fd in &self.fds {
            if let Err(e) = hand_over(fd.as_fd()) {
                return RunError::HandOver(e);
            }
        }
        let source = Command::new(program).args(arguments).exec();
        RunError::Exec { program: program.to_string_lossy().into_owned(), source }
    }
}

/// A single-queue tap refuses a second process by itself. A multi-queue tap takes further queues, and the
/// kernel would give them a part of the running guest's frames: so this looks before, and again after, when
/// nobody can have come in between unseen.
async fn open_tap(netlink: &Netlink, port: &RunPort) -> Result<Vec<OwnedFd>, RunError> {
    let network = |source| RunError::Network { port: port.name.clone(), source };
    let open = |source| RunError::Open { port: port.name.clone(), source };
    let in_use = || RunError::InUse { port: port.name.clone(), interface: port.interface.clone() };
    if queues_in_use(netlink, &port.interface).await.map_err(network)? > 0 {
        return Err(in_use());
    }
    let queues = tap::open(&port.interface, port.queues, tap::Header::Virtio).map_err(|e| match e {
        FdError::InUse { .. } => in_use(),
        other => open(other),
    })?;
    if queues_in_use(netlink, &port.interface).await.map_err(network)? > u32::from(port.queues) {
        return Err(in_use());
    }
    Ok(queues)
}

/// A macvtap refuses nobody: it takes further queues, and gives them a part of the running guest's frames. So this
/// looks before and after, too.
fn open_macvtap(port: &RunPort) -> Result<Vec<OwnedFd>, RunError> {
    let open = |source| RunError::Open { port: port.name.clone(), source };
    let unused = || match macvtap::holders(&port.interface).map_err(open)?.first() {
        None => Ok(()),
        Some(_) => Err(RunError::InUse { port: port.name.clone(), interface: port.interface.clone() }),
    };
    unused()?;
    let queues = macvtap::open(&port.interface, port.queues, tap::Header::Virtio).map_err(open)?;
    unused()?;
    Ok(queues)
}

fn open_vhost(port: &RunPort, notes: &mut Vec<String>) -> Result<vhost::Opened, RunError> {
    let opened = vhost::open(port.vhost, port.queues)
        .map_err(|source| RunError::Open { port: port.name.clone(), source })?;
    if let (vhost::Opened::Unavailable(_), Some(reason)) = (&opened, opened.absence()) {
        notes.push(format!("port `{}` runs without vhost: {reason}", port.name));
    }
    Ok(opened)
}

fn describe<'a>(port: &'a RunPort, queues: &[OwnedFd], vhost: &vhost::Opened) -> OpenPort<'a> {
    let vhost_fds = match vhost.absence() {
        None => Ok(numbers(vhost.fds())),
        Some(reason) => Err(reason),
    };
    OpenPort { port, fds: numbers(queues), vhost_fds }
}

fn numbers(fds: &[OwnedFd]) -> Vec<i32> {
    fds.iter().map(AsRawFd::as_raw_fd).collect()
}
