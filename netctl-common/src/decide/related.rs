//! ICMP errors: about a packet of a flow of this port, which its owner sent.

use super::apart::Step;
use super::judge::{Judge, as_flow};
use super::{Decided, Facts, Tables};
use crate::abi::{NO_RULE, guards};
use crate::frame::Frame;
use crate::verdict::{Action, Direction, Reason, Verdict};

impl<T: Tables, F: Frame + ?Sized> Judge<'_, T, F> {
    /// An ICMP error belongs to the flow of the packet that it shows.
    #[inline(always)]
    pub(super) fn related(&self, facts: &mut Facts) -> Decided<Verdict> {
        // Never about, nor to, a group (RFC 1122, 3.2.2).
        if facts.packet.is_to_group() {
            return Err(Reason::UnrelatedError.into());
        }
        self.require(Step::Addresses, facts)?;
        self.require(Step::FindInner, facts)?;
        let mut verdict = self.ask(Step::FlowOfInner, facts);
        if facts.is_outdated {
            verdict = self.ask(Step::JudgeAgain, facts);
            // Told of with the flow's own frames.
            facts.audited = NO_RULE;
        } else if !matches!(verdict.reason, Reason::Related) {
            return Err(verdict);
        }
        let verdict = as_flow(verdict);
        let reason = if verdict.allows() { Reason::Related } else { verdict.reason };
        Ok(Verdict { reason, ..verdict })
    }

    /// What was decided about that flow, and whether by the running policy.
    #[inline(always)]
    pub(super) fn flow_of_inner(&self, facts: &mut Facts) -> Decided<Verdict> {
        let entry = self.flow_apart(facts)?.ok_or(Reason::UnrelatedError)?;
        let guarded = self.port.guards & guards::TCP_STATE != 0;
        let is_live = entry.is_live(facts.key.protocol, self.tables.now(), &self.root.timeouts);
        if !is_live || (guarded && !entry.was_sent(&facts.key, &facts.inner, self.direction.opposite())) {
            return Err(Reason::UnrelatedError.into());
        }
        facts.is_outdated = !entry.is_judged(self.root.generation);
        facts.opener = Direction::decode(entry.opener);
        let action = Action::decode(u32::from(entry.action));
        Ok(Verdict { action, reason: Reason::Related, rule: entry.rule })
    }

    /// The key of the flow whose packet the error shows, which must have gone the other way.
    #[inline(always)]
    pub(super) fn find_inner(&self, facts: &mut Facts) -> Decided<Verdict> {
        facts.packet.inner(self.frame, &mut facts.inner)?;
        facts.key.set(&facts.inner.tuple, self.direction.opposite());
        let tuple = &facts.packet.tuple;
        let local = if self.is_from_guest() { &tuple.source } else { &tuple.destination };
        if facts.key.local == *local {
            Ok(Verdict::allow(Reason::Related))
        } else {
            Err(Reason::UnrelatedError.into())
        }
    }
}
