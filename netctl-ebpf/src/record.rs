//! What a verdict leaves behind: counters on every frame, an event on denials and where a rule asks for it.

use aya_ebpf::helpers::generated::bpf_get_smp_processor_id;
use netctl_common::abi::{Counter, FLOWS_MADE, FlowKey, NO_RULE};
use netctl_common::decide::{Facts, opened};
use netctl_common::verdict::{Direction, REASONS, Reason, Verdict};

use crate::journal::report;
use crate::maps::{self, ANSWER, KernelTables};

#[inline(always)]
pub(crate) fn record(direction: Direction, ifindex: u32, verdict: Verdict, facts: &Facts) {
    let index = direction as u32 * REASONS as u32 + verdict.reason as u32;
    count(maps::port_counter(facts.port, index), facts.packet.length);
    if facts.opened != 0 {
        count_opened(maps::port_counter(facts.port, FLOWS_MADE), facts.opened);
    }
    let is_of_flow = matches!(verdict.reason, Reason::Flow);
    if is_of_flow && !facts.log {
        return;
    }
    // Frames of a flow are counted in its entry; a rule counts what it decided itself.
    if !is_of_flow && verdict.rule != NO_RULE {
        count_rule(verdict.rule, facts);
    }
    if (!verdict.allows() || facts.log || facts.audited != NO_RULE) && !maps::is_quiet() {
        report(facts, direction as u32, ifindex);
    }
}

#[inline(always)]
pub(crate) fn count_rule(rule: u32, facts: &Facts) {
    // SAFETY: the helper has no arguments.
    let cpu = unsafe { bpf_get_smp_processor_id() };
    count(maps::rule_counter(facts.slot, facts.rules, rule, cpu), facts.packet.length);
}

#[inline(always)]
fn count(counter: Option<*mut Counter>, length: u32) {
    if let Some(counter) = counter {
        // SAFETY: the element is this CPU's own, and no other program runs on it meanwhile.
        unsafe {
            (*counter).packets += 1;
            (*counter).bytes += u64::from(length);
        }
    }
}

#[inline(always)]
fn count_opened(counter: Option<*mut Counter>, bits: u8) {
    if let Some(counter) = counter {
        // SAFETY: as in `count`.
        unsafe {
            (*counter).packets +=
                u64::from(bits & opened::FLOW != 0) + u64::from(bits & opened::FRAGMENT != 0);
            (*counter).bytes += u64::from(bits & opened::AGAIN != 0);
        }
    }
}

/// The twin's only trace.
#[inline(always)]
pub(crate) fn answer(ifindex: u32, facts: &mut Facts) -> i32 {
    if tell_answer(facts, ifindex) == 1 { 0 } else { aya_ebpf::bindings::TC_ACT_SHOT }
}

/// Global: see [`crate::steps`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn tell_answer(facts: *mut Facts, ifindex: u32) -> u32 {
    // SAFETY: as in `crate::steps`; the element is the map's own, and one question is asked at a time.
    let (Some(facts), Some(answer)) = (unsafe { facts.as_mut() }, ANSWER.get_ptr_mut(0)) else { return 0 };
    // SAFETY: as above.
    unsafe { &mut *answer }.tell(facts, ifindex, &KernelTables::of_no_frame());
    // Nothing else clears it for the next question.
    facts.key = FlowKey::NONE;
    1
}
