//! Which flows of a port new ones cannot push out of its memory: those that both sides keep up, within the quota of the guest
//! that opened them. All others wait in a table of their own.

use super::judge::Judge;
use super::{Decided, Facts, Tables};
use crate::abi::{FlowKey, NO_PORT, QuotaKey};
use crate::flow::quota;
use crate::frame::Frame;
use crate::guard;
use crate::verdict::{Reason, Verdict};

impl<T: Tables, F: Frame + ?Sized> Judge<'_, T, F> {
    /// For a frame of the flow's opener ([`crate::abi::FlowEntry::settles`]).
    #[inline(always)]
    pub(super) fn settle(&self, facts: &mut Facts) -> Decided<Verdict> {
        let verdict = Verdict::allow(Reason::Flow);
        // A copy, for Linux 6.1: see `flow_apart`.
        let key = facts.key;
        if !self.is_within_quota(&key)? {
            return Ok(verdict);
        }
        let Some(entry) = self.tables.flow(self.port.id, &key)? else { return Ok(verdict) };
        let mut settled = *entry;
        drop(entry);
        settled.settled = 1;
        if self.tables.insert_flow(self.port.id, &key, &settled) {
            self.tables.forget_opening(self.port.id, &key);
        }
        Ok(verdict)
    }

    /// A guest has its own table to itself; the world is one another's competitor, for nobody knows who it is.
    #[inline(always)]
    fn is_within_quota(&self, key: &FlowKey) -> Decided<bool> {
        if self.is_from_guest() {
            return Ok(true);
        }
        let owner = guard::owner(self.tables, self.root, self.port, &key.remote)?;
        let opener = owner.map_or(NO_PORT, |owner| owner.port);
        if opener == NO_PORT {
            return Ok(true);
        }
        let key = QuotaKey { port: self.port.id, opener };
        let left = quota::take(self.tables.quota(&key), self.tables.now());
        if let Some(full_at) = left {
            self.tables.set_quota(&key, full_at);
        }
        Ok(left.is_some())
    }
}
