//! Privilege: all of it is dropped at the start, but three capabilities that stay permitted and are raised one at a time
//! around the one call that needs it.
//!
//! Installed with file capabilities (`setcap cap_net_admin+p`), nothing is effective even before. Installed set-uid root,
//! the process becomes its caller first, as the stock helper does.

use std::io;

use caps::{CapSet, Capability, CapsHashSet, errors::CapsError};
use nix::sys::prctl;
use nix::unistd::{getegid, geteuid, getgid, getuid, setresgid, setresuid};

/// All that the helper ever uses; CAP_NET_ADMIN is enough for taps.
const WANTED: [Capability; 3] =
    [Capability::CAP_NET_ADMIN, Capability::CAP_DAC_OVERRIDE, Capability::CAP_SYS_PTRACE];

/// What stays permitted.
#[derive(Debug)]
pub(super) struct Privileges {
    kept: CapsHashSet,
}

/// Why privilege could not be dropped or raised.
#[derive(Debug, thiserror::Error)]
pub(super) enum PrivilegeError {
    #[error("failed to drop privileges: {0}")]
    Caps(#[from] CapsError),
    #[error("failed to drop privileges: {0}")]
    Io(#[from] io::Error),
}

impl From<nix::Error> for PrivilegeError {
    fn from(error: nix::Error) -> Self {
        Self::Io(error.into())
    }
}

impl Privileges {
    /// # Errors
    /// Any failure is one: nothing may go on with more than it needs.
    pub(super) fn drop_all() -> Result<Self, PrivilegeError> {
        // Needs CAP_SETPCAP, which file capabilities do not give; no_new_privs makes up for it.
        let _ = caps::clear(None, CapSet::Bounding);
        become_caller()?;
        let permitted = caps::read(None, CapSet::Permitted)?;
        let kept: CapsHashSet = WANTED.into_iter().filter(|wanted| permitted.contains(wanted)).collect();
        for set in [CapSet::Effective, CapSet::Inheritable, CapSet::Ambient] {
            caps::clear(None, set)?;
        }
        caps::set(None, CapSet::Permitted, &kept)?;
        prctl::set_no_new_privs()?;
        // The caller has the same uid: it is not to attach a debugger.
        prctl::set_dumpable(false)?;
        Ok(Self { kept })
    }

    /// Does `work` with a capability that is there; without it, otherwise.
    ///
    /// # Errors
    /// If it cannot be raised or dropped again.
    pub(super) fn with<T>(
        &self,
        capabilities: &[Capability],
        work: impl FnOnce() -> T,
    ) -> Result<T, PrivilegeError> {
        let raised: CapsHashSet = capabilities.iter().copied().filter(|wanted| self.has(*wanted)).collect();
        caps::set(None, CapSet::Effective, &raised)?;
        let done = work();
        caps::clear(None, CapSet::Effective)?;
        Ok(done)
    }

    pub(super) fn has(&self, capability: Capability) -> bool {
        self.kept.contains(&capability)
    }
}

/// A set-uid or set-gid program goes back to its caller's identity; the permitted capabilities stay (prctl(2),
/// PR_SET_KEEPCAPS), the effective ones go.
fn become_caller() -> Result<(), PrivilegeError> {
    let (uid, gid) = (getuid(), getgid());
    if geteuid() != uid {
        prctl::set_keepcaps(true)?;
    }
    if getegid() != gid {
        setresgid(gid, gid, gid)?;
    }
    if geteuid() != uid {
        setresuid(uid, uid, uid)?;
        prctl::set_keepcaps(false)?;
    }
    Ok(())
}
