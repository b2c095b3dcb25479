//! Descriptors as a service manager passes them (sd_listen_fds(3)): from number 3 on, in order, with names.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use nix::fcntl::OFlag;
use nix::unistd::dup3;

use super::RunPort;
use super::open::Opened;
use crate::fd::vhost;

/// SD_LISTEN_FDS_START
pub const FIRST: RawFd = 3;

/// Why descriptors cannot be passed so.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    #[error(
        "descriptor {number} is taken: netctl was started with it, and LISTEN_FDS needs it; \
         close it for netctl (`{number}>&-` in a shell)"
    )]
    Taken { number: RawFd },
    #[error(
        "ports `{port}` and `{port}-vhost` would share a name in LISTEN_FDNAMES; start their guests apart"
    )]
    Names { port: String },
    #[error("cannot give a descriptor number {number}")]
    Move { number: RawFd, source: io::Error },
}

/// The numbers from [`FIRST`] on, held until descriptors take them.
///
/// To be made before anything else is opened, as everything that is opened takes the lowest number that is free.
#[derive(Debug)]
pub struct Reserved {
    held: VecDeque<OwnedFd>,
    next: RawFd,
}

impl Reserved {
    /// Numbers for the queues and vhost descriptors of `ports` ports, as far as they are free.
    pub fn for_ports(ports: usize) -> Self {
        let most = ports.saturating_mul(2 * usize::from(crate::config::MAX_QUEUES));
        let mut held = VecDeque::new();
        let numbers = (FIRST..).take(most);
        for number in numbers {
            match File::open("/dev/null") {
                Ok(file) if file.as_raw_fd() == number => held.push_back(file.into()),
                // The number is taken, or there are no more: who needs it is told.
                _ => break,
            }
        }
        Self { held, next: FIRST }
    }

    /// Whether there are numbers for the queues of `ports`: to be asked before any is opened.
    ///
    /// # Errors
    /// [`ListenError::Taken`].
    pub fn check(&self, ports: &[RunPort]) -> Result<(), ListenError> {
        let queues: usize = ports.iter().map(|port| usize::from(port.queues)).sum();
        let missing = (FIRST..).nth(self.held.len()).filter(|_| self.held.len() < queues);
        missing.map_or(Ok(()), |number| Err(ListenError::Taken { number }))
    }

    /// Moves a port's descriptors to the next numbers.
    ///
    /// # Errors
    /// [`ListenError::Taken`], [`ListenError::Move`].
    pub fn place(&mut self, opened: &mut Opened) -> Result<(), ListenError> {
        for fd in &mut opened.queues {
            self.move_one(fd)?;
        }
        if let vhost::Opened::Queues(fds) = &mut opened.vhost {
            for fd in fds {
                self.move_one(fd)?;
            }
        }
        Ok(())
    }

    fn move_one(&mut self, fd: &mut OwnedFd) -> Result<(), ListenError> {
        let number = self.next;
        let mut held = self.held.pop_front().ok_or(ListenError::Taken { number })?;
        dup3(&*fd, &mut held, OFlag::O_CLOEXEC)
            .map_err(|e| ListenError::Move { number, source: e.into() })?;
        *fd = held;
        self.next += 1;
        Ok(())
    }
}

/// LISTEN_FDS, LISTEN_FDNAMES and LISTEN_PID for this process, which is to become the VMM. Each queue is called by its port,
/// each vhost descriptor by its port and `-vhost`.
pub fn environment(opened: &[Opened]) -> Vec<(&'static str, OsString)> {
    let mut names = Vec::new();
    for it in opened {
        let port = &it.port.name;
        names.extend(it.queues.iter().map(|_| port.clone()));
        names.extend(it.vhost.fds().iter().map(|_| format!("{port}-vhost")));
    }
    vec![
        ("LISTEN_PID", std::process::id().to_string().into()),
        ("LISTEN_FDS", names.len().to_string().into()),
        // No name holds a colon: ports are called by letters, digits and `-._`.
        ("LISTEN_FDNAMES", names.join(":").into()),
    ]
}

/// # Errors
/// [`ListenError::Names`].
pub fn check_names(ports: &[RunPort]) -> Result<(), ListenError> {
    let is = |name: &str| ports.iter().any(|port| port.name == name);
    match ports.iter().find(|port| is(&format!("{}-vhost", port.name))) {
        Some(port) => Err(ListenError::Names { port: port.name.clone() }),
        None => Ok(()),
    }
}
