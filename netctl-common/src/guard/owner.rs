//! Who has an address: by the document, or because it was learned.

use crate::abi::{AddressEntry, AddressKey, LearnerEntry, NO_PORT, PortEntry, Root, port_flags};
use crate::address::Address;
use crate::decide::Tables;
use crate::verdict::Reason;

/// The local port or the host that has the address in the port's zone; `None` = nobody here. The document comes first.
#[inline(always)]
pub fn owner<'t, T: Tables>(
    tables: &'t T,
    root: &Root,
    port: &PortEntry,
    address: &Address,
) -> Result<Option<&'t AddressEntry>, Reason> {
    let key = AddressKey { zone: port.zone, address: *address };
    if let Some(entry) = tables.address(root.slot, &key)? {
        return Ok(Some(entry));
    }
    Ok(learner(tables, root, port, &key)?.map(|learner| &learner.owner))
}

/// The local port that has learned an address which the document gives to nobody. Nothing is asked in a zone where no port
/// learns.
#[inline(always)]
fn learner<'t, T: Tables>(
    tables: &'t T,
    root: &Root,
    port: &PortEntry,
    key: &AddressKey,
) -> Result<Option<&'t LearnerEntry>, Reason> {
    match holder(tables, root, port, key) {
        NO_PORT => Ok(None),
        id => tables.learner(root.slot, id),
    }
}

/// The id of the local port that has learned an address, or [`NO_PORT`].
#[inline(always)]
pub fn holder<T: Tables>(tables: &T, root: &Root, port: &PortEntry, key: &AddressKey) -> u32 {
    if port.flags & port_flags::LEARNERS == 0 { NO_PORT } else { tables.holder(root.slot, key) }
}
