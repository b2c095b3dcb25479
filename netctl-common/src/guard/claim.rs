//! Who may say, towards a guest, that an IP address is at a MAC address.

use crate::abi::{NO_PORT, PortEntry, Root, StationKey};
use crate::address::{Address, LinkAddress};
use crate::decide::Tables;
use crate::verdict::Reason;

/// A local port's address is at that port's MAC address, or at the host's, which may answer for it (proxy ARP,
/// RFC 1027; RFC 4861, 7.2.8). What nobody here has, anyone outside may have.
#[inline(always)]
pub(super) fn is_true<T: Tables>(
    tables: &T,
    root: &Root,
    port: &PortEntry,
    (address, mac): (&Address, &LinkAddress),
) -> Result<bool, Reason> {
    let Some(owner) = super::owner(tables, root, port, address)? else { return Ok(true) };
    if owner.port == NO_PORT || *mac == owner.mac {
        return Ok(true);
    }
    if owner.port == port.id {
        return Ok(false);
    }
    let station = tables.station(root.slot, &StationKey { network: port.network, mac: *mac });
    Ok(station.is_some_and(|station| !station.is_guest()))
}
