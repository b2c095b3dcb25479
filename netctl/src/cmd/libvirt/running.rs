//! The running document, edited by a hook under the lock of every other edit: once for all interfaces of a domain.

use std::path::Path;

use crate::apply;
use crate::cmd::block_on;
use crate::config::escape::quoted;
use crate::config::{Diagnostics, Severity};
use crate::document;
use crate::error::Error;
use crate::kernel::KernelError;
use crate::kernel::attach::AttachPort;
use crate::kernel::lock::Lock;
use crate::kernel::pins::Pins;
use crate::libvirt::Edit;
use crate::network::{self, Consent, Netlink, Observed};
use crate::state::State;

/// What runs, which nobody else changes meanwhile.
pub(super) struct Running<'a> {
    bpffs: &'a Path,
    lock: Lock,
    pub(super) state: State,
    pub(super) observed: Observed,
}

impl<'a> Running<'a> {
    /// `None` if nothing was applied.
    ///
    /// # Errors
    /// What runs cannot be read, as of another version: then it is not known whose the interfaces are.
    pub(super) fn begin(bpffs: &'a Path) -> Result<Option<Self>, Error> {
        match Pins::at(bpffs) {
            Err(KernelError::NoBpffs(_)) => return Ok(None),
            other => drop(other?),
        }
        let lock = Lock::take(bpffs)?;
        let state = match State::read(bpffs) {
            Err(Error::Kernel(KernelError::NotRunning(_))) => return Ok(None),
            other => other?,
        };
        let observed = block_on(async { network::observe(&Netlink::connect()?).await })??;
        Ok(Some(Self { bpffs, lock, state, observed }))
    }

    /// Whether the programs are on the interface that the port has now.
    pub(super) fn is_filtered(&self, name: &str) -> bool {
        let Some(port) = self.state.config.ports.get(name) else { return false };
        let Some(network) = self.state.config.networks.get(&port.network) else { return false };
        let Some(running) = self.state.ports.iter().find(|running| running.name() == name) else {
            return false;
        };
        let (id, interface, ifindex) = (running.entry.id, port.interface.as_str(), running.ifindex);
        let kind = network.kind.port_kind();
        self.observed.named(interface).is_some_and(|found| found.index == ifindex)
            && self.state.kernel.enforces(&AttachPort { name, id, interface, ifindex, kind }).unwrap_or(false)
    }

    /// Checks the edited document as any other, and applies it.
    ///
    /// # Errors
    /// The document does not take the ports, or cannot be applied; what ran still runs.
    pub(super) fn apply(&self, change: &Edit, domain: &str) -> Result<(), Error> {
        if change.is_empty() {
            return Ok(());
        }
        let text = change.of(&self.state.document)?;
        let document = document::parse_text("the running document, edited", text)
            .map_err(|found| Error::Edit(sentence(domain, &found)))?;
        block_on(apply::apply_locked(self.bpffs, &document, Consent::NotGiven, &self.lock))??;
        Ok(())
    }
}

/// libvirt shows words in the middle of a sentence of its own.
fn sentence(domain: &str, found: &Diagnostics) -> String {
    let errors = found.iter().filter(|finding| finding.severity == Severity::Error);
    let told: Vec<String> =
        errors.map(|error| format!("line {}: {}; {}", error.line, error.message, error.help)).collect();
    format!("the running document does not take the ports of domain {}: {}", quoted(domain), told.join("; "))
}
