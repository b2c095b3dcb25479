//! A rejected frame becomes the answer to its sender, which goes back through the port's other hook.

use aya_ebpf::bindings::{__sk_buff, BPF_F_INGRESS, TC_ACT_SHOT};
use aya_ebpf::helpers::{bpf_ktime_get_ns, bpf_redirect};
use aya_ebpf::programs::TcContext;
use netctl_common::decide::Facts;
use netctl_common::limit;
use netctl_common::reject::{BURST, RATE, enters_at_ingress};
use netctl_common::verdict::Direction;

use crate::maps;
use crate::packet::Skb;

/// Drops the frame where there is no answer. Out of line: rare, and it must not cost the frames that pass; global: see
/// [`crate::steps`].
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn answer_rejected(skb: *mut __sk_buff, facts: *const Facts, direction: u32) -> i32 {
    // SAFETY: as in `crate::steps`.
    let Some(facts) = (unsafe { facts.as_ref() }) else { return TC_ACT_SHOT };
    answer(&Skb::untouched(&TcContext::new(skb)), Direction::decode(direction as u8), facts)
}

#[inline(always)]
fn answer(skb: &Skb<'_>, direction: Direction, facts: &Facts) -> i32 {
    let Some((answer, budget)) = maps::reject_answer(facts.port) else { return TC_ACT_SHOT };
    if !answer.write(skb, &facts.packet) {
        return TC_ACT_SHOT;
    }
    // SAFETY: the helper has no arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    let (tokens, refilled, may_pass) = limit::take(budget.tokens, budget.refilled, now, RATE, BURST);
    budget.tokens = tokens;
    budget.refilled = refilled;
    if !may_pass || !skb.become_answer(answer) {
        budget.unanswered += 1;
        return TC_ACT_SHOT;
    }
    budget.answered += 1;
    let at_ingress = enters_at_ingress(direction, facts.port_flags);
    let flags = if at_ingress { u64::from(BPF_F_INGRESS) } else { 0 };
    // SAFETY: the helper takes two numbers; the interface is the one whose hook runs.
    unsafe { bpf_redirect(skb.ifindex(), flags) as i32 }
}
