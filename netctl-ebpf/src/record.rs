//! What a verdict leaves behind: counters on every frame, an event on denials and where a rule asks for it.

use aya_ebpf::helpers::bpf_ktime_get_ns;
use aya_ebpf::helpers::generated::bpf_get_smp_processor_id;
use netctl_common::abi::{
    Answer, BY_DEFAULT, Counter, Event, FLOWS_MADE, MAX_PORTS, NO_PORT, NO_RULE, event_flags,
};
use netctl_common::decide::{Facts, opened};
use netctl_common::frame::{Layer, Packet};
use netctl_common::limit;
use netctl_common::verdict::{Direction, REASONS, Reason, Verdict};

use crate::maps::{self, ANSWER, EVENT_BUDGET, EVENTS};

/// Events per second and CPU that one port may send in the long run, and at once.
const EVENT_RATE: u64 = 200;
const EVENT_BURST: u64 = 400;

#[inline(always)]
pub(crate) fn record(direction: Direction, ifindex: u32, verdict: Verdict, facts: &Facts) {
    let index = direction as u32 * REASONS as u32 + verdict.reason as u32;
    count(maps::port_counter(facts.port, index), facts.packet.length);
    if facts.opened != 0 {
        count_opened(maps::port_counter(facts.port, FLOWS_MADE), facts.opened);
    }
    if matches!(verdict.reason, Reason::Flow) {
        return;
    }
    // Frames of a flow are counted in its entry; a rule counts what it decided itself.
    if verdict.rule != NO_RULE {
        count_rule(verdict.rule, facts);
    }
    if !verdict.allows() || facts.log || facts.audited != NO_RULE {
        report(facts, direction as u32, ifindex);
    }
}

#[inline(always)]
fn count_rule(rule: u32, facts: &Facts) {
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

/// Out of line: rare, and it must not cost the frames that pass; global: see [`crate::steps`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn report(facts: *const Facts, direction: u32, ifindex: u32) -> u32 {
    // SAFETY: as in `crate::steps`.
    if let Some(facts) = unsafe { facts.as_ref() } {
        tell(facts, Direction::decode(direction as u8), ifindex);
    }
    0
}

#[inline(always)]
fn tell(facts: &Facts, direction: Direction, ifindex: u32) {
    let verdict = facts.verdict;
    // What an audited rule would have decided counts with it.
    if facts.audited < facts.rules && facts.audited != verdict.rule {
        count_rule(facts.audited, facts);
    }
    // SAFETY: the helper has no arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    // Interfaces that are no ports share the slot behind the last port.
    let slot = if facts.port == NO_PORT { MAX_PORTS } else { facts.port };
    let Some(budget) = EVENT_BUDGET.get_ptr_mut(slot) else { return };
    // SAFETY: per CPU, as in `count`.
    let budget = unsafe { &mut *budget };
    let (tokens, refilled, may_pass) =
        limit::take(budget.tokens, budget.refilled, now, EVENT_RATE, EVENT_BURST);
    budget.tokens = tokens;
    budget.refilled = refilled;
    if !may_pass {
        budget.suppressed += 1;
        return;
    }
    let Some(mut entry) = EVENTS.reserve(0) else {
        budget.overflowed += 1;
        return;
    };
    entry.write(event(direction, ifindex, verdict, facts, now));
    entry.submit(0);
}

#[inline(always)]
fn event(direction: Direction, ifindex: u32, verdict: Verdict, facts: &Facts, time: u64) -> Event {
    let Packet { tuple, .. } = &facts.packet;
    let has_addresses = !matches!(facts.packet.layer, Layer::Other);
    let rule = match facts.audited {
        NO_RULE => verdict.rule,
        BY_DEFAULT => NO_RULE,
        audited => audited,
    };
    let audit = if facts.audited == NO_RULE { 0 } else { event_flags::AUDIT };
    Event {
        time,
        ifindex,
        port: facts.port,
        generation: facts.generation,
        rule,
        length: facts.packet.length,
        source_port: tuple.source_port,
        destination_port: tuple.destination_port,
        source: tuple.source,
        destination: tuple.destination,
        source_mac: facts.packet.link.source,
        destination_mac: facts.packet.link.destination,
        ethertype: facts.packet.ethertype,
        protocol: tuple.protocol,
        direction: direction as u8,
        action: verdict.action as u8,
        reason: verdict.reason as u8,
        flags: audit | if has_addresses { event_flags::ADDRESSES } else { 0 },
        reserved: 0,
        vlan: facts.packet.vlan,
        reserved_2: 0,
    }
}

/// The twin's only trace.
#[inline(always)]
pub(crate) fn answer(verdict: Verdict, facts: &Facts) -> i32 {
    let answer = Answer {
        answered: 1,
        action: verdict.action as u32,
        reason: verdict.reason as u32,
        rule: verdict.rule,
        generation: facts.generation,
        redirect: facts.redirect,
        audited: facts.audited,
    };
    match ANSWER.set(0, answer, 0) {
        Ok(()) => 0,
        Err(_) => aya_ebpf::bindings::TC_ACT_SHOT,
    }
}
