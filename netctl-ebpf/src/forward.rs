//! From a verdict to the hook's return code: the last step, and the only place with such numbers.

use aya_ebpf::bindings::{BPF_F_INGRESS, TC_ACT_SHOT, TC_ACT_UNSPEC};
use aya_ebpf::helpers::bpf_redirect;
use netctl_common::abi::port_flags;
use netctl_common::decide::Facts;
use netctl_common::host::{Received, Sent, uplink};
use netctl_common::mark;
use netctl_common::verdict::{Action, Direction, Verdict};

use crate::maps::KernelTables;
use crate::packet::Skb;
use crate::reject::answer_rejected;

/// What is denied is dropped, and what is rejected becomes the answer to its sender. What is allowed goes to the local port that it is for, or on to the next
/// program and the kernel's own forwarding (`TC_ACT_UNSPEC`, which tcx calls `TCX_NEXT`).
#[inline(always)]
pub(crate) fn act(skb: &Skb<'_>, direction: Direction, verdict: Verdict, facts: &Facts) -> i32 {
    if matches!(verdict.action, Action::Reject) {
        return answer_rejected(skb.context().skb.skb, facts, direction as u32);
    }
    if !verdict.allows()
        || (facts.host_copy != 0 && !copy_to_host(skb, facts))
        || (facts.tag != 0 && !skb.put_tag(facts.tag))
    {
        return TC_ACT_SHOT;
    }
    if let Some(mark) = mark::leaving(direction, verdict.reason, facts) {
        skb.set_mark(mark);
    }
    if facts.redirect != 0 {
        let at_ingress = facts.port_flags & port_flags::INGRESS != 0;
        let flags = if at_ingress { u64::from(BPF_F_INGRESS) } else { 0 };
        // SAFETY: the helper takes two numbers; a wrong interface index drops the frame.
        unsafe { bpf_redirect(facts.redirect, flags) as i32 }
    } else {
        TC_ACT_UNSPEC
    }
}

/// The host's copy of a group frame has the uplink's own MAC address: for a group's, the macvlan driver would hand it to
/// the other guests, who get the frame itself, or (private) back to its sender (drivers/net/macvlan.c,
/// macvlan_handle_frame). `false` if the frame must not go on.
#[inline(always)]
fn copy_to_host(skb: &Skb<'_>, facts: &Facts) -> bool {
    match uplink(&KernelTables::of(skb.context()), facts.host_copy) {
        Ok(uplink) => skb.receive_copy_for(facts.host_copy, &uplink.mac, &facts.packet.link.destination),
        Err(_) => true,
    }
}

/// Of a frame that the host sends.
#[inline(always)]
pub(crate) fn sent(skb: &Skb<'_>, sent: Sent) -> i32 {
    match sent {
        Sent::Pass => TC_ACT_UNSPEC,
        Sent::ToPort(ifindex) => {
            skb.set_mark(mark::FROM_HOST);
            // SAFETY: as in `act`.
            unsafe { bpf_redirect(ifindex, u64::from(BPF_F_INGRESS)) as i32 }
        }
        Sent::Copy => {
            skb.receive_copy(skb.ifindex(), mark::FROM_HOST);
            TC_ACT_UNSPEC
        }
    }
}

/// Of a frame that the host receives.
#[inline(always)]
pub(crate) fn received(skb: &Skb<'_>, received: Received) -> i32 {
    match received {
        Received::Drop => TC_ACT_SHOT,
        Received::Hide if !skb.hide_from_stack() => TC_ACT_SHOT,
        Received::Hide | Received::Pass => TC_ACT_UNSPEC,
    }
}
