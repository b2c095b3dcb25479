//! `netctl run`: opens a guest's descriptors and becomes its VMM.
//!
//! The process is replaced, so no netctl stays behind, and the VMM's parent, terminal and exit code are as if it
//! had been started by hand.

use std::convert::Infallible;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use super::open::{self, OpenError, Opened};
use super::relay::{Relay, RelayError};
use super::socket::{self, SocketPort};
use super::template::{Needs, Template, TemplateError};
use super::{OpenPort, RunPort, Vmm};
use crate::config::Vhost;
use crate::fd::hand_over;
use crate::network::Netlink;

/// Why a guest could not be started.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error(transparent)]
    Template(#[from] TemplateError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Relay(#[from] RelayError),
    #[error("cannot hand the descriptors over")]
    HandOver(#[source] io::Error),
    #[error("cannot run `{program}`")]
    Exec { program: String, source: io::Error },
}

/// What is to be started.
#[derive(Clone, Debug, Default)]
pub struct Launch {
    /// The program and its arguments, with placeholders for the ports.
    pub command: Vec<OsString>,
    /// Whose syntax `{port}` becomes; `None`: that of the program, by its name.
    pub vmm: Option<Vmm>,
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
    relays: Vec<Relay>,
}

/// A port as the command asks for it.
enum Handed {
    Queues(Opened),
    Socket(SocketPort),
}

impl Handed {
    fn describe(&self) -> OpenPort<'_> {
        match self {
            Self::Queues(opened) => opened.describe(),
            Self::Socket(socket) => socket.describe(),
        }
    }

    fn note(&self) -> Option<String> {
        match self {
            Self::Queues(opened) => opened.note(),
            Self::Socket(_) => None,
        }
    }
}

/// Opens what the command names of `ports`, and fills it in.
///
/// # Errors
/// Everything that is wrong with the command is found before anything is opened.
pub async fn prepare(netlink: &Netlink, ports: &[RunPort], launch: &Launch) -> Result<Ready, RunError> {
    let template = Template::parse(&launch.command, ports, launch.vmm)?;
    let mut opened = Vec::new();
    for (index, port) in ports.iter().enumerate() {
        opened.push(match template.socket(index) {
            None => Handed::Queues(open_needed(netlink, port, template.needs(index)).await?),
            Some(kind) => Handed::Socket(socket::open(netlink, port, kind).await?),
        });
    }
    let notes = opened.iter().filter_map(Handed::note).collect();
    let arguments = template.fill(&opened.iter().map(Handed::describe).collect::<Vec<_>>())?;
    let mut ready = Ready { arguments, notes, fds: Vec::new(), relays: Vec::new() };
    for handed in opened {
        match handed {
            Handed::Queues(opened) => ready.fds.extend(opened.into_fds()),
            Handed::Socket(socket) => {
                ready.fds.push(socket.fd);
                ready.relays.push(socket.relay);
            }
        }
    }
    Ok(ready)
}

/// A port that the VMM opens itself, by its name, is opened and closed again: so it is there, free, and as new.
async fn open_needed(netlink: &Netlink, port: &RunPort, needs: Needs) -> Result<Opened, OpenError> {
    let vhost = if needs.vhost { port.vhost } else { Vhost::Off };
    let mut opened = open::open(netlink, &RunPort { vhost, ..port.clone() }).await?;
    if !needs.queues {
        opened.queues.clear();
    }
    Ok(opened)
}

/// [`prepare`] and [`Ready::exec`].
///
/// # Errors
/// Those of both.
pub async fn run(netlink: &Netlink, ports: &[RunPort], launch: &Launch) -> Result<Infallible, RunError> {
    Err(prepare(netlink, ports, launch).await?.exec())
}

impl Ready {
    /// Replaces this process. Returns only if that fails.
    ///
    /// The descriptors become inheritable here; `std` restores SIGPIPE and the signal mask for the program.
    pub fn exec(self) -> RunError {
        let Some((program, arguments)) = self.arguments.split_first() else {
            return TemplateError::NoCommand.into();
        };
        // If the exec fails, their other ends close with this process, and they end.
        for relay in self.relays {
            if let Err(e) = relay.detach() {
                return e.into();
            }
        }
        for fd in &self.fds {
            if let Err(e) = hand_over(fd.as_fd()) {
                return RunError::HandOver(e);
            }
        }
        let source = Command::new(program).args(arguments).exec();
        RunError::Exec { program: program.to_string_lossy().into_owned(), source }
    }
}
