//! To whom the bridge helper gave a port, as an alternative name of its interface: `netctl-user-INDEX-UID`.
//!
//! Only who has CAP_NET_ADMIN can write it, and it goes with the interface; that makes it fit to count by. It says who
//! was the last; whether the port is held now, the kernel says.

use super::error::NetworkError;
use super::link::Interface;
use super::netlink::{Netlink, refused};

impl Interface {
    /// uid of the last user whom the helper gave this port.
    pub fn user(&self) -> Option<u32> {
        self.user_tags().next().map(|(_, uid)| uid)
    }

    fn user_tags(&self) -> impl Iterator<Item = (&String, u32)> {
        self.alternative_names.iter().filter_map(|name| Some((name, read(name, self.index)?)))
    }
}

/// `None` for any other name, and for a mark that another interface carried.
fn read(name: &str, index: u32) -> Option<u32> {
    let (own, uid) = name.strip_prefix("netctl-user-")?.split_once('-')?;
    if own.parse() == Ok(index) { uid.parse().ok() } else { None }
}

/// Writes down that `uid` has the port now. The connection has to be of a process with CAP_NET_ADMIN.
///
/// # Errors
/// [`NetworkError::NotPermitted`], [`NetworkError::Refused`].
pub async fn set_user(netlink: &Netlink, port: &Interface, uid: u32) -> Result<(), NetworkError> {
    let what = format!("write down the user of `{}`", port.name);
    let wanted = format!("netctl-user-{}-{uid}", port.index);
    let links = || netlink.handle.link();
    for (name, _) in port.user_tags().filter(|(name, _)| **name != wanted) {
        let gone = links().property_del(port.index).alt_ifname(&[name]).execute().await;
        gone.map_err(|e| refused(&what, &port.name, e))?;
    }
    if port.alternative_names.contains(&wanted) {
        return Ok(());
    }
    let added = links().property_add(port.index).alt_ifname(&[&wanted]).execute().await;
    added.map_err(|e| refused(&what, &port.name, e))
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn a_mark_counts_on_its_own_interface_only() {
        assert_eq!(read("netctl-user-7-1000", 7), Some(1000));
        for other in
            ["netctl-user-8-1000", "netctl-user-7-", "netctl-user-7-x", "netctl-user-7", "user-7-1000"]
        {
            assert_eq!(read(other, 7), None, "{other}");
        }
    }
}
