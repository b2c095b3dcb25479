//! `netctl run`: opens a guest's descriptors and becomes its VMM.
//!
//! The process is replaced, so no netctl stays behind, and the VMM's parent, terminal and exit code are as if it
//! had been started by hand. It inherits the descriptors that its arguments or LISTEN_FDS name, and, as from any program
//! that execs, those that netctl itself was started with; of what netctl opens for itself, nothing.

use std::convert::Infallible;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use super::listen::{self, ListenError, Reserved};
use super::open::{self, OpenError, Opened};
use super::program;
use super::relay::{Relay, RelayError};
use super::template::{Needs, Template, TemplateError};
use super::user::{Account, UserError};
use super::{RunPort, Vmm, socket};
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
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error(transparent)]
    User(#[from] UserError),
    #[error("no program `{program}`; give its path, or a name that is in PATH")]
    NoProgram { program: String },
    #[error("cannot hand the descriptors over")]
    HandOver(#[source] io::Error),
    #[error("cannot run `{program}`")]
    Exec { program: String, source: io::Error },
}

/// What is to be started.
#[derive(Debug, Default)]
pub struct Launch {
    /// The program and its arguments, with placeholders for the ports.
    pub command: Vec<OsString>,
    /// Whose syntax `{port}` becomes; `None`: that of the program, by its name.
    pub vmm: Option<Vmm>,
    /// `Some`: descriptors as a service manager passes them, beside any placeholders.
    pub listen: Option<Reserved>,
    /// `Some`: the VMM is this user's, and has no rights that netctl has.
    pub user: Option<Account>,
}

/// A VMM that is ready to be started; its descriptors are open, and close if it is dropped.
#[derive(Debug)]
#[must_use = "nothing runs until `exec`"]
pub struct Ready {
    /// The program and its arguments.
    pub arguments: Vec<OsString>,
    /// What the user did not ask for: ports that fall back from vhost, and why.
    pub notes: Vec<String>,
    /// Set for the program, beside what netctl was started with.
    pub environment: Vec<(&'static str, OsString)>,
    fds: Vec<OwnedFd>,
    relays: Vec<Relay>,
    user: Option<Account>,
}

/// Opens what the command names of `ports`, and fills it in.
///
/// # Errors
/// Everything that is wrong with the command is found before anything is opened.
pub async fn prepare(netlink: &Netlink, ports: &[RunPort], mut launch: Launch) -> Result<Ready, RunError> {
    let template = Template::parse(&launch, ports)?;
    if let Some(reserved) = &launch.listen {
        listen::check_names(ports)?;
        reserved.check(ports)?;
    }
    let (mut opened, mut relays) = (Vec::new(), Vec::new());
    for (index, port) in ports.iter().enumerate() {
        let mut port = match template.socket(index) {
            None => open_needed(netlink, port, template.needs(index)).await?,
            Some(kind) => {
                let (socket, relay) = socket::open(netlink, port, kind).await?;
                relays.push(relay);
                socket
            }
        };
        if let Some(reserved) = &mut launch.listen {
            reserved.place(&mut port)?;
        }
        opened.push(port);
    }
    let mut environment = Vec::new();
    environment.extend(launch.user.iter().flat_map(Account::environment));
    if launch.listen.is_some() {
        environment.extend(listen::environment(&opened));
    }
    let notes = opened.iter().filter_map(Opened::note).collect();
    let arguments = template.fill(&opened.iter().map(Opened::describe).collect::<Vec<_>>())?;
    let fds = opened.into_iter().flat_map(Opened::into_fds);
    Ok(Ready { arguments, notes, environment, fds: fds.collect(), relays, user: launch.user })
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
/// Those of both, and [`Launch::check_program`].
pub async fn run(netlink: &Netlink, ports: &[RunPort], launch: Launch) -> Result<Infallible, RunError> {
    launch.check_program()?;
    Err(prepare(netlink, ports, launch).await?.exec())
}

impl Launch {
    /// Whether there is a program to start: to be asked before anything is opened for it.
    ///
    /// # Errors
    /// [`RunError::NoProgram`].
    pub fn check_program(&self) -> Result<(), RunError> {
        match self.command.first() {
            Some(program) if !program::exists(program) => {
                Err(RunError::NoProgram { program: program.to_string_lossy().into_owned() })
            }
            _ => Ok(()),
        }
    }
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
        if let Some(Err(e)) = self.user.as_ref().map(Account::assume) {
            return e.into();
        }
        let source = Command::new(program).args(arguments).envs(self.environment).exec();
        RunError::Exec { program: program.to_string_lossy().into_owned(), source }
    }
}
