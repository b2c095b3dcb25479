//! What is told of frames: an event for what is denied, what audit mode lets be, and what a rule asks to be told of.

use aya_ebpf::helpers::bpf_ktime_get_ns;
use aya_ebpf::helpers::generated::bpf_ktime_get_coarse_ns;
use netctl_common::abi::{
    BY_DEFAULT, Event, LogBudget, MAX_PORTS, NO_PORT, NO_RULE, event_flags, event_kind, rule_flags,
};
use netctl_common::decide::Facts;
use netctl_common::frame::{Layer, Packet};
use netctl_common::limit;
use netctl_common::verdict::{Direction, Reason};

use crate::maps::{self, EVENT_BUDGET, LOG_BUDGETS, RULES};
use crate::record::count_rule;

/// Events per second and CPU that one port may cause in the long run, and at once.
const RATE: u64 = 200;
const BURST: u64 = 400;

/// Out of line: rare, and it must not cost the frames that pass; global: see [`crate::steps`].
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn report(facts: *const Facts, direction: u32, ifindex: u32) -> u32 {
    // SAFETY: as in `crate::steps`.
    if let Some(facts) = unsafe { facts.as_ref() } {
        tell(facts, direction, ifindex);
    }
    0
}

#[inline(always)]
fn tell(facts: &Facts, direction: u32, ifindex: u32) {
    // What an audited rule would have decided counts with it.
    if facts.audited < facts.rules && facts.audited != facts.verdict.rule {
        count_rule(facts.audited, facts);
    }
    // Interfaces that are no ports share the slot behind the last port.
    let slot = if facts.port == NO_PORT { MAX_PORTS } else { facts.port };
    let Some(budget) = EVENT_BUDGET.get_ptr_mut(slot) else { return };
    // SAFETY: per CPU, and only one program of netctl runs on a CPU at a time.
    let budget = unsafe { &mut *budget };
    // SAFETY: the helper has no arguments. Coarse: in a flood, nearly all frames come no further.
    let now = unsafe { bpf_ktime_get_coarse_ns() };
    let (tokens, refilled, may_pass) = limit::take(budget.tokens, budget.refilled, now, RATE, BURST);
    budget.tokens = tokens;
    budget.refilled = refilled;
    if !may_pass || !is_within_rate(facts, now) {
        budget.suppressed += 1;
        budget.since += 1;
        return;
    }
    if maps::journal(&event(facts, direction, ifindex, budget.since as u32)).is_some() {
        budget.since = 0;
    }
}

/// Of the rule that decided, if it has one. Its bucket holds as much as comes in a second.
#[inline(always)]
fn is_within_rate(facts: &Facts, now: u64) -> bool {
    // On the stack, as the key below: see `lease_holder` in `crate::steps`.
    let index = core::hint::black_box(facts.verdict.rule);
    let Some(rule) = RULES.get_value(facts.slot, &index) else { return true };
    let rate = u64::from(rule_flags::log_rate(rule.flags));
    if rate == 0 {
        return true;
    }
    let identity = rule.identity;
    let Some(budget) = LOG_BUDGETS.get_ptr_mut(&identity) else {
        let (tokens, refilled, _) = limit::take(0, 0, now, rate, rate);
        // Where it does not fit, the rule has no rate for now; the port has.
        let _ = LOG_BUDGETS.insert(&identity, &LogBudget { tokens, refilled }, 0);
        return true;
    };
    // SAFETY: per CPU, and only one program of netctl runs on a CPU at a time.
    let budget = unsafe { &mut *budget };
    let (tokens, refilled, may_pass) = limit::take(budget.tokens, budget.refilled, now, rate, rate);
    (budget.tokens, budget.refilled) = (tokens, refilled);
    may_pass
}

#[inline(always)]
fn event(facts: &Facts, direction: u32, ifindex: u32, untold: u32) -> Event {
    let Packet { tuple, .. } = &facts.packet;
    let has_addresses = !matches!(facts.packet.layer, Layer::Other);
    let rule = match facts.audited {
        NO_RULE => facts.verdict.rule,
        BY_DEFAULT => NO_RULE,
        audited => audited,
    };
    let audit = if facts.audited == NO_RULE { 0 } else { event_flags::AUDIT };
    let is_of_flow = matches!(facts.verdict.reason, Reason::Flow);
    let (kind, continues) = match (facts.ended, is_of_flow) {
        (true, _) => (event_kind::END, 0),
        (false, true) => (event_kind::FRAME, event_flags::CONTINUES),
        (false, false) => (event_kind::FRAME, 0),
    };
    Event {
        number: 0,
        // SAFETY: the helper has no arguments.
        time: unsafe { bpf_ktime_get_ns() },
        ifindex,
        port: facts.port,
        generation: facts.generation,
        rule,
        length: facts.packet.length,
        untold,
        source_port: tuple.source_port,
        destination_port: tuple.destination_port,
        source: tuple.source,
        destination: tuple.destination,
        source_mac: facts.packet.link.source,
        destination_mac: facts.packet.link.destination,
        ethertype: facts.packet.ethertype,
        protocol: tuple.protocol,
        direction: Direction::decode(direction as u8) as u8,
        action: facts.verdict.action as u8,
        reason: facts.verdict.reason as u8,
        flags: audit | continues | if has_addresses { event_flags::ADDRESSES } else { 0 },
        kind,
        vlan: facts.packet.vlan,
        reserved: [0; 3],
    }
}
