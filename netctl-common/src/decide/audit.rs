//! The rules' verdict, and audit mode: what the policy would decide otherwise is let be and told.
//!
//! An audited rule is skipped: the rules behind it decide. At an audited port ([`port_flags::AUDIT`]) what the policy
//! denies is let through. Guards, and what no rule was asked about, are enforced all the same.

use super::apart::Step;
use super::judge::Judge;
use super::{Decided, Facts, Tables};
use crate::abi::{BY_DEFAULT, NO_RULE, RuleEntry, port_flags, rule_flags};
use crate::classify::{Asked, Service, first_match};
use crate::frame::Frame;
use crate::verdict::{Action, Reason, Verdict};

impl<T: Tables, F: Frame + ?Sized> Judge<'_, T, F> {
    /// The first rule that matches, or the default. [`Facts::log`]: it asks for an event.
    #[inline(always)]
    pub(super) fn first_rule(
        &self,
        (source, destination): (u32, u32),
        service: Service,
        facts: &mut Facts,
    ) -> Decided<Verdict> {
        facts.rules_asked = true;
        facts.asked = Asked { source, destination, service, audited: NO_RULE, would: Action::Deny };
        let mut verdict = self.ask(Step::Rules, facts);
        // Asked twice, one after the other and not one in the other: for the stack.
        if facts.asked.audited != NO_RULE {
            verdict = self.ask(Step::Rules, facts);
            if verdict.action != facts.asked.would && !matches!(verdict.reason, Reason::Internal) {
                facts.audited = facts.asked.audited;
                verdict.reason = if verdict.allows() { Reason::Audit } else { verdict.reason };
            }
        }
        Ok(self.let_be(verdict, facts))
    }

    /// What the policy denies at an audited port.
    #[inline(always)]
    fn let_be(&self, verdict: Verdict, facts: &mut Facts) -> Verdict {
        if self.port.flags & port_flags::AUDIT == 0 || verdict.allows() {
            return verdict;
        }
        facts.audited = match verdict.reason {
            Reason::Rule => verdict.rule,
            Reason::Default => BY_DEFAULT,
            _ => return verdict,
        };
        Verdict { action: Action::Allow, reason: Reason::Audit, ..verdict }
    }

    /// The verdict of the rules on [`Facts::asked`]. If an audited one matches first, none: the second time, the shifted classes
    /// find the chains of the rules that are enforced.
    #[inline(always)]
    pub(super) fn rules(&self, facts: &mut Facts) -> Decided<Verdict> {
        let Asked { source, destination, service, .. } = facts.asked;
        let rule = first_match(self.tables, self.root, source, destination, service)?;
        if rule == NO_RULE {
            return Ok(self.without_rule(service));
        }
        let entry = self.entry(rule)?;
        let (would, shift) = (Action::decode(entry.action), entry.enforced);
        if entry.flags & rule_flags::AUDIT == 0 {
            facts.log = entry.flags & rule_flags::LOG != 0;
            facts.more_frames = rule_flags::more_frames(entry.flags);
            return Ok(Verdict { action: would, reason: Reason::Rule, rule });
        }
        if facts.asked.audited == NO_RULE {
            facts.asked.source = source.wrapping_add(shift);
            facts.asked.destination = destination.wrapping_add(shift);
            (facts.asked.audited, facts.asked.would) = (rule, would);
        }
        Err(Reason::Internal.into())
    }

    #[inline(always)]
    fn entry(&self, rule: u32) -> Decided<&RuleEntry> {
        Ok(self.tables.rule(self.root.slot, rule).ok_or(Reason::Internal)?)
    }

    /// Frames without IP are for rules that name their ethertype only.
    #[inline(always)]
    fn without_rule(&self, service: Service) -> Verdict {
        if service.is_ip() {
            let action = Action::decode(self.root.default_action);
            Verdict { action, reason: Reason::Default, rule: NO_RULE }
        } else {
            Verdict::deny(Reason::UnknownEthertype)
        }
    }
}

/// Of a flow that was judged again: its reason, and what would have decided otherwise. A flow is told of once, however many
/// policies let it through; `before` is what would have decided otherwise when it was judged last.
#[inline(always)]
pub(super) fn told_of(before: u32, facts: &mut Facts) -> (Reason, u32) {
    let audited = facts.audited;
    if before != NO_RULE && facts.verdict.allows() {
        facts.audited = NO_RULE;
        return (Reason::Flow, audited);
    }
    (facts.verdict.reason, audited)
}
