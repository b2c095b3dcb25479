//! Fragments: the first one is judged as its packet would be, and those that follow it as the first one.

use super::apart::Step;
use super::judge::Judge;
use super::steps::is_icmp_error;
use super::{Decided, Facts, Tables, opened};
use crate::abi::{FlowEntry, guards};
use crate::frame::{Frame, Packet};
use crate::guard;
use crate::verdict::{Reason, Verdict};

impl<T: Tables, F: Frame + ?Sized> Judge<'_, T, F> {
    /// A later fragment that is judged by itself, because the guard is off.
    #[inline(always)]
    pub(super) fn has_no_ports(&self, packet: &Packet) -> bool {
        packet.is_later_fragment() && self.port.guards & guards::FRAGMENTS == 0
    }

    /// What any fragment has to be, before it goes the way of its packet; a later one gets the ports of the first.
    #[inline(always)]
    pub(super) fn fragment(&self, facts: &mut Facts) -> Decided<Verdict> {
        if self.has_no_ports(&facts.packet) {
            return Ok(Verdict::allow(Reason::Default));
        }
        if facts.packet.is_later_fragment() {
            facts.key.set_fragment(&facts.packet, self.direction);
            let entry = self.flow_apart(facts)?.ok_or(Reason::StrayFragment)?;
            if !entry.is_awaited(self.tables.now(), &self.root.timeouts) {
                return Err(Reason::StrayFragment.into());
            }
            if !entry.continues(facts.packet.fragment.at, &mut facts.packet.tuple) {
                return Err(Reason::OverlappingFragment.into());
            }
        }
        // They fit into one packet, and are looked into: neighbor discovery (RFC 6980), errors (RFC 4443, 2.4 c).
        if guard::is_neighbor_discovery(&facts.packet) || is_icmp_error(&facts.packet) {
            return Err(Reason::Fragment.into());
        }
        Ok(Verdict::allow(Reason::Flow))
    }

    /// A first fragment that may pass: the others may, too.
    #[inline(always)]
    pub(super) fn leave_fragment(&self, facts: &mut Facts) -> Decided<Verdict> {
        if self.tables.writes() && self.port.guards & guards::FRAGMENTS != 0 {
            facts.key.set_fragment(&facts.packet, self.direction);
            let entry = FlowEntry::first_fragment(&facts.packet, self.direction, self.tables.now());
            let known = self.flow_apart(facts)?.is_some();
            self.insert(facts, &entry, if known { 0 } else { opened::FRAGMENT })?;
        }
        Ok(facts.verdict)
    }

    /// A packet without ports. No flow keeps it, so that only one that has ports 0 itself answers for it.
    #[inline(always)]
    pub(super) fn portless(&self, facts: &mut Facts) -> Decided<Verdict> {
        self.require(Step::Addresses, facts)?;
        self.policy(facts)
    }
}
