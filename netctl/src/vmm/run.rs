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
use super::template::{Template, TemplateError};
use super::{RunPort, socket};
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

/// Opens the queues and vhost descriptors of `ports`, and fills them into `command`.
///
/// # Errors
/// Everything that is wrong with `command` is found before anything is opened.
pub async fn prepare(netlink: &Netlink, ports: &[RunPort], command: &[OsString]) -> Result<Ready, RunError> {
    let template = Template::parse(command, ports)?;
    let (mut opened, mut relays) = (Vec::new(), Vec::new());
    for (index, port) in ports.iter().enumerate() {
        opened.push(match template.socket(index) {
            None => open::open(netlink, port).await?,
            Some(kind) => {
                let (socket, relay) = socket::open(netlink, port, kind).await?;
                relays.push(relay);
                socket
            }
        });
    }
    let notes = opened.iter().filter_map(Opened::note).collect();
    let arguments = template.fill(&opened.iter().map(Opened::describe).collect::<Vec<_>>())?;
    let fds = opened.into_iter().flat_map(Opened::into_fds);
    Ok(Ready { arguments, notes, fds: fds.collect(), relays })
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
