//! What a process without root's rights has to know of a port, as alternative names of its interface: to whom the bridge
//! helper gave it (`netctl-user-INDEX-UID`), and which programs are to be on it (`netctl-programs-INDEX-FROM-TO`).
//!
//! Only who has CAP_NET_ADMIN can write them, and they go with the interface. They say what was done last; whether it
//! is still so, the kernel says.

use super::error::NetworkError;
use super::link::Interface;
use super::netlink::{Netlink, refused};

const USER: &str = "user";
const PROGRAMS: &str = "programs";

impl Interface {
    /// uid of the last user whom the helper gave this port.
    pub fn user(&self) -> Option<u32> {
        self.marks(USER).find_map(|(_, value)| value.parse().ok())
    }

    /// Identities of the programs that netctl put on the tcx hooks: from the guest, to the guest. `None` where they are
    /// clsact filters.
    pub fn programs(&self) -> Option<[u32; 2]> {
        self.marks(PROGRAMS).find_map(|(_, value)| {
            let (from, to) = value.split_once('-')?;
            Some([from.parse().ok()?, to.parse().ok()?])
        })
    }

    /// Names of a kind with their values; none that another interface carried.
    fn marks(&self, kind: &str) -> impl Iterator<Item = (&str, &str)> {
        let start = start(self.index, kind);
        let names = self.alternative_names.iter();
        names.filter_map(move |name| Some((name.as_str(), name.strip_prefix(&start)?)))
    }
}

/// Alternative names are unique in a network namespace, hence the index.
fn start(index: u32, kind: &str) -> String {
    format!("netctl-{kind}-{index}-")
}

/// Writes down that `uid` has the port now. The connection has to be of a process with CAP_NET_ADMIN.
///
/// # Errors
/// [`NetworkError::NotPermitted`], [`NetworkError::Refused`].
pub async fn set_user(netlink: &Netlink, port: &Interface, uid: u32) -> Result<(), NetworkError> {
    replace(netlink, port, (USER, &uid.to_string())).await
}

/// Writes down which programs are on the port's hooks, as [`Interface::programs`].
///
/// # Errors
/// As [`set_user`].
pub async fn set_programs(
    netlink: &Netlink,
    port: &Interface,
    [from, to]: [u32; 2],
) -> Result<(), NetworkError> {
    replace(netlink, port, (PROGRAMS, &format!("{from}-{to}"))).await
}

async fn replace(
    netlink: &Netlink,
    port: &Interface,
    (kind, value): (&str, &str),
) -> Result<(), NetworkError> {
    let what = format!("write down the {kind} of `{}`", port.name);
    let wanted = start(port.index, kind) + value;
    let links = || netlink.handle.link();
    for (name, _) in port.marks(kind).filter(|(name, _)| **name != wanted) {
        let gone = links().property_del(port.index).alt_ifname(&[name]).execute().await;
        gone.map_err(|e| refused(&what, &port.name, e))?;
    }
    if port.alternative_names.contains(&wanted) {
        return Ok(());
    }
    let added = links().property_add(port.index).alt_ifname(&[&wanted]).execute().await;
    added.map_err(|e| refused(&what, &port.name, e))
}
