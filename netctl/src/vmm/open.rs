//! Opens a port's descriptors, for whoever hands them over: nobody else may hold the port then.

use std::collections::BTreeSet;
use std::os::fd::{AsRawFd, OwnedFd};

use super::{OpenPort, RunPort};
use crate::config::PortKind;
use crate::fd::tap::{Header, Options};
use crate::fd::{FdError, macvtap, tap, vhost};
use crate::network::{Netlink, NetworkError, queues_in_use};

/// Why a port could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("port `{port}`")]
    Fd { port: String, source: FdError },
    #[error("port `{port}`")]
    Network { port: String, source: NetworkError },
    #[error("port `{port}` is a vDPA device, which has no queues; `netctl run` hands it to QEMU")]
    NoQueues { port: String },
    #[error("port `{port}` is in use by another process; stop the guest that holds `{interface}`")]
    InUse { port: String, interface: String },
}

/// A port whose descriptors are open, close-on-exec; they close if it is dropped.
#[derive(Debug)]
#[must_use = "the port is free again when this is dropped"]
pub struct Opened {
    pub port: RunPort,
    /// Of the tap or macvtap; one for each queue pair. Or the VMM's end of a socket in their place.
    pub queues: Vec<OwnedFd>,
    pub vhost: vhost::Opened,
}

/// The queues of a port, set up as it asks for, and vhost as it asks for.
///
/// # Errors
/// [`OpenError::InUse`] where another process holds the port; no descriptor stays open then.
pub async fn open(netlink: &Netlink, port: &RunPort) -> Result<Opened, OpenError> {
    if let Some(number) = port.vdpa {
        let device = vhost::open_vdpa(number).map_err(|source| port.failed(source))?;
        return Ok(Opened {
            port: port.clone(),
            queues: Vec::new(),
            vhost: vhost::Opened::Queues(vec![device]),
        });
    }
    let queues = open_queues(netlink, port, port.tap.header).await?;
    let vhost = vhost::open(port.vhost, port.queues).map_err(|source| port.failed(source))?;
    Ok(Opened { port: port.clone(), queues, vhost })
}

/// The queues alone; without a virtio header where the port has none or `header` says so.
///
/// # Errors
/// As [`open`].
pub async fn open_queues(
    netlink: &Netlink,
    port: &RunPort,
    header: Header,
) -> Result<Vec<OwnedFd>, OpenError> {
    match port.kind {
        // An interface of the port's name would be another's.
        _ if port.vdpa.is_some() => Err(OpenError::NoQueues { port: port.name.clone() }),
        PortKind::Tap => open_tap(netlink, port, &port.options(header)).await,
        PortKind::Macvtap => open_macvtap(port, &port.options(header)),
    }
}

impl Opened {
    /// What the user has to hear: that the port falls back from vhost, and why; that nothing filters it.
    pub fn note(&self) -> Option<String> {
        if let Some(number) = self.port.vdpa {
            let name = &self.port.name;
            return Some(format!(
                "port `{name}` is not filtered: /dev/vhost-vdpa-{number} moves its frames past the host"
            ));
        }
        match (&self.vhost, self.vhost.absence()) {
            (vhost::Opened::Unavailable(_), Some(reason)) => {
                Some(format!("port `{}` runs without vhost: {reason}", self.port.name))
            }
            _ => None,
        }
    }

    /// As the VMM will see it.
    pub fn describe(&self) -> OpenPort<'_> {
        let vhost_fds = match self.vhost.absence() {
            None => Ok(numbers(self.vhost.fds())),
            Some(reason) => Err(reason),
        };
        OpenPort { port: &self.port, fds: numbers(&self.queues), vhost_fds }
    }

    /// Queues first, then vhost.
    pub fn into_fds(self) -> impl Iterator<Item = OwnedFd> {
        self.queues.into_iter().chain(self.vhost.into_fds())
    }
}

impl RunPort {
    /// Without a header there is nothing that could describe offloads.
    fn options(&self, header: Header) -> Options {
        match header {
            Header::None => Options { header, offloads: BTreeSet::new(), ..self.tap.clone() },
            Header::Virtio => self.tap.clone(),
        }
    }

    fn failed(&self, source: FdError) -> OpenError {
        match source {
            FdError::InUse { .. } => self.in_use(),
            source => OpenError::Fd { port: self.name.clone(), source },
        }
    }

    fn in_use(&self) -> OpenError {
        OpenError::InUse { port: self.name.clone(), interface: self.interface.clone() }
    }
}

/// A single-queue tap refuses a second process by itself. A multi-queue tap takes further queues, and the
/// kernel would give them a part of the running guest's frames: so this looks before, and again after, when
/// nobody can have come in between unseen.
async fn open_tap(netlink: &Netlink, port: &RunPort, options: &Options) -> Result<Vec<OwnedFd>, OpenError> {
    let network = |source| OpenError::Network { port: port.name.clone(), source };
    if queues_in_use(netlink, &port.interface).await.map_err(network)? > 0 {
        return Err(port.in_use());
    }
    let queues = tap::open(&port.interface, port.queues, options).map_err(|e| port.failed(e))?;
    if queues_in_use(netlink, &port.interface).await.map_err(network)? > u32::from(port.queues) {
        return Err(port.in_use());
    }
    Ok(queues)
}

/// A macvtap refuses nobody: it takes further queues, and gives them a part of the running guest's frames. So this
/// looks before and after, too.
fn open_macvtap(port: &RunPort, options: &Options) -> Result<Vec<OwnedFd>, OpenError> {
    let unused = || match macvtap::holders(&port.interface).map_err(|e| port.failed(e))?.first() {
        None => Ok(()),
        Some(_) => Err(port.in_use()),
    };
    unused()?;
    let queues = macvtap::open(&port.interface, port.queues, options).map_err(|e| port.failed(e))?;
    unused()?;
    Ok(queues)
}

fn numbers(fds: &[OwnedFd]) -> Vec<i32> {
    fds.iter().map(AsRawFd::as_raw_fd).collect()
}
