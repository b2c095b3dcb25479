//! Which VLAN a frame is in, and whether the port is in it.
//!
//! Between ports and on the wire, frames have the tag of their VLAN; the guest's side of an access VLAN has none.

use super::judge::Judge;
use super::{Decided, Facts, Tables};
use crate::abi::{PortEntry, port_flags};
use crate::frame::{Frame, Packet, Tag, number};
use crate::verdict::{Reason, Verdict};

/// Whether a frame has to do with VLANs at all.
#[inline(always)]
pub(super) fn concerns(packet: &Packet, port: &PortEntry) -> bool {
    packet.tag != 0 || port.vlan != 0 || port.flags & port_flags::TAGGED_ONLY != 0
}

impl<T: Tables, F: Frame + ?Sized> Judge<'_, T, F> {
    /// Finds the frame's VLAN on the network, and the tag that it goes on with.
    #[inline(always)]
    pub(super) fn vlan(&self, facts: &mut Facts) -> Decided<Verdict> {
        let tag = Tag::unpacked(facts.packet.tag);
        // A priority tag is none (IEEE 802.1Q, 6.9.1), and is not put back.
        let vlan = tag.map_or(0, Tag::vlan);
        // Of a frame that is denied for it, what its tag says.
        facts.packet.vlan = vlan;
        if tag.is_some_and(|tag| tag.protocol != number::ETHERTYPE_VLAN) || !self.is_in(vlan) {
            return Err(Reason::VlanTag.into());
        }
        let (on_network, goes_on) = match (self.is_from_guest(), vlan) {
            (true, 0) => (self.port.vlan, self.port.vlan),
            (false, vlan) if vlan == self.port.vlan => (vlan, 0),
            (_, vlan) => (vlan, vlan),
        };
        facts.packet.vlan = on_network;
        facts.tag = match (goes_on, tag) {
            (0, _) => 0,
            (vlan, Some(tag)) => tag.control_in(vlan),
            (vlan, None) => vlan,
        };
        Ok(Verdict::allow(Reason::Flow))
    }

    /// Whether frames of the VLAN (0: without a tag) come to the port on this side.
    #[inline(always)]
    fn is_in(&self, vlan: u16) -> bool {
        let flags = self.port.flags;
        let untagged = if self.is_from_guest() { 0 } else { self.port.vlan };
        if vlan == untagged {
            return flags & port_flags::TAGGED_ONLY == 0;
        }
        vlan != 0
            && flags & port_flags::TRUNK != 0
            && self.tables.trunk(self.root.slot, self.port.id).is_some_and(|trunk| trunk.contains(vlan))
    }
}
