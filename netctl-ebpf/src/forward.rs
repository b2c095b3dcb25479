//! From a verdict to the hook's return code: the last step, and the only place with such numbers.

use aya_ebpf::bindings::{BPF_F_INGRESS, TC_ACT_SHOT, TC_ACT_UNSPEC};
use aya_ebpf::helpers::bpf_redirect;
use netctl_common::abi::port_flags;
use netctl_common::decide::Facts;
use netctl_common::verdict::Verdict;

/// What is not allowed is dropped. What is allowed goes to the local port that it is for, or on to the next
/// program and the kernel's own forwarding (`TC_ACT_UNSPEC`, which tcx calls `TCX_NEXT`).
#[inline(always)]
pub(crate) fn act(verdict: Verdict, facts: &Facts) -> i32 {
    if !verdict.allows() {
        TC_ACT_SHOT
    } else if facts.redirect != 0 {
        let at_ingress = facts.port_flags & u32::from(port_flags::INGRESS) != 0;
        let flags = if at_ingress { u64::from(BPF_F_INGRESS) } else { 0 };
        // SAFETY: the helper takes two numbers; a wrong interface index drops the frame.
        unsafe { bpf_redirect(facts.redirect, flags) as i32 }
    } else {
        TC_ACT_UNSPEC
    }
}
