//! Steps that a host may run apart from the rest of the decision.
//!
//! The kernel's verifier follows every path through a program together with all that lies behind it. A step that the kernel
//! side has made a function of its own ("global": Documentation/bpf/verifier.rst and kernel/bpf/verifier.c, do_check_subprogs)
//! is followed once, for whatever it is called with, so that what it costs is added and not multiplied. So a step gets nothing but
//! what stands in [`Facts`], and leaves its verdict there.

use super::judge::Judge;
use super::{Decided, Facts, Tables};
use crate::frame::Frame;
use crate::verdict::Verdict;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Vlan,
    Fragment,
    WithoutFlow,
    Sender,
    Arp,
    Ethertype,
    Neighbor,
    LinkLayer,
    Related,
    FindInner,
    FlowOfInner,
    Group,
    Portless,
    Opens,
    Addresses,
    Policy,
    Rules,
    TakeFlow,
    Keep,
    Settle,
    JudgeAgain,
    TakeFrame,
    LeaveFragment,
    Learn,
    LearnOption,
    Acquire,
    TakePlace,
    PutLease,
    Advertise,
}

/// A verdict that allows, where another one ends the decision. As large as a verdict: see [`Decided`].
pub(super) struct Allowed {
    _verdict: Verdict,
}

impl<T: Tables, F: Frame + ?Sized> Judge<'_, T, F> {
    /// The step's verdict, which is [`Facts::verdict`] then.
    #[inline(always)]
    pub(super) fn ask(&self, step: Step, facts: &mut Facts) -> Verdict {
        self.tables.apart(step, self, facts);
        facts.verdict
    }

    /// Ends the decision where the step does not allow.
    #[inline(always)]
    pub(super) fn require(&self, step: Step, facts: &mut Facts) -> Decided<Allowed> {
        let verdict = self.ask(step, facts);
        if verdict.allows() { Ok(Allowed { _verdict: verdict }) } else { Err(verdict) }
    }

    /// The flow of [`Facts::key`], in a step: the facts are no longer a map's value to the verifier then, but memory, and
    /// Linux 6.1 takes no key from there ("R2 type=mem expected=fp, pkt, pkt_meta, map_key, map_value").
    #[inline(always)]
    pub(super) fn flow_apart(&self, facts: &Facts) -> Decided<Option<T::Flow<'_>>> {
        let key = facts.key;
        Ok(self.tables.flow(self.port.id, &key)?)
    }

    /// Runs a step here.
    #[inline(always)]
    pub fn run(&self, step: Step, facts: &mut Facts) {
        facts.verdict = match self.result(step, facts) {
            Ok(verdict) => verdict,
            Err(verdict) => verdict,
        };
    }

    #[inline(always)]
    fn result(&self, step: Step, facts: &mut Facts) -> Decided<Verdict> {
        match step {
            Step::Vlan => self.vlan(facts),
            Step::Fragment => self.fragment(facts),
            Step::WithoutFlow => self.without_flow(facts),
            Step::Sender => self.sender(&facts.packet),
            Step::Arp => self.arp(&mut facts.packet),
            Step::Ethertype => self.ethertype(facts),
            Step::Neighbor => self.neighbor(facts),
            Step::LinkLayer => self.link_layer(facts),
            Step::Related => self.related(facts),
            Step::FindInner => self.find_inner(facts),
            Step::FlowOfInner => self.flow_of_inner(facts),
            Step::Group => self.group(facts),
            Step::Portless => self.portless(facts),
            Step::Opens => self.opens(facts),
            Step::Addresses => self.addresses(&facts.packet),
            Step::Policy => self.policy(facts),
            Step::Rules => self.rules(facts),
            Step::TakeFlow => self.take_flow(facts),
            Step::Keep => self.keep(facts),
            Step::Settle => self.settle(facts),
            Step::JudgeAgain => self.judge_again(facts),
            Step::TakeFrame => self.take_frame(facts),
            Step::LeaveFragment => self.leave_fragment(facts),
            Step::Learn => self.learn(facts),
            Step::LearnOption => self.learn_option(facts),
            Step::Acquire => self.acquire(facts),
            Step::TakePlace => self.take_place(facts),
            Step::PutLease => self.put_lease(facts),
            Step::Advertise => self.advertise(facts),
        }
    }
}
