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
        facts.asked = Asked { source, destination, service };
        Ok(self.ask(Step::Rules, facts))
    }

    /// The verdict of all rules on [`Facts::asked`].
    #[inline(always)]
    pub(super) fn rules(&self, facts: &mut Facts) -> Decided<Verdict> {
        let Asked { source, destination, service } = facts.asked;
        let rule = first_match(self.tables, self.root, source, destination, service)?;
        let verdict = if rule == NO_RULE {
            self.without_rule(service)
        } else {
            let entry = self.entry(rule)?;
            if entry.flags & rule_flags::AUDIT != 0 {
                self.audited((rule, entry), facts)?
            } else {
                facts.log = entry.flags & rule_flags::LOG != 0;
                ruled(rule, entry)
            }
        };
        if self.port.flags & port_flags::AUDIT == 0 || verdict.allows() {
            return Ok(verdict);
        }
        let audited = match verdict.reason {
            Reason::Rule => verdict.rule,
            Reason::Default => BY_DEFAULT,
            _ => return Ok(verdict),
        };
        facts.audited = audited;
        Ok(Verdict { action: Action::Allow, reason: Reason::Audit, ..verdict })
    }

    /// An audited rule matches first: those that are enforced decide, and a difference is told.
    #[inline(always)]
    fn audited(&self, (rule, entry): (u32, &RuleEntry), facts: &mut Facts) -> Decided<Verdict> {
        let (would, shift) = (Action::decode(entry.action), entry.enforced);
        facts.asked.source = facts.asked.source.wrapping_add(shift);
        facts.asked.destination = facts.asked.destination.wrapping_add(shift);
        let verdict = self.ask(Step::EnforcedRules, facts);
        if verdict.action == would || matches!(verdict.reason, Reason::Internal) {
            return Ok(verdict);
        }
        facts.audited = rule;
        let reason = if verdict.allows() { Reason::Audit } else { verdict.reason };
        Ok(Verdict { reason, ..verdict })
    }

    /// The verdict of the rules that are not audited, whose chains the shifted classes of [`Facts::asked`] find.
    #[inline(always)]
    pub(super) fn enforced_rules(&self, facts: &mut Facts) -> Decided<Verdict> {
        let Asked { source, destination, service } = facts.asked;
        let rule = first_match(self.tables, self.root, source, destination, service)?;
        if rule == NO_RULE {
            return Ok(self.without_rule(service));
        }
        let entry = self.entry(rule)?;
        if entry.flags & rule_flags::AUDIT != 0 {
            return Err(Reason::Internal.into());
        }
        facts.log = entry.flags & rule_flags::LOG != 0;
        Ok(ruled(rule, entry))
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

#[inline(always)]
fn ruled(rule: u32, entry: &RuleEntry) -> Verdict {
    Verdict { action: Action::decode(entry.action), reason: Reason::Rule, rule }
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
