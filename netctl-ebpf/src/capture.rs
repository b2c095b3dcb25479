//! Copies of frames, with their verdicts, for those who capture.

use aya_ebpf::bindings::__sk_buff;
use aya_ebpf::helpers::bpf_ktime_get_ns;
use aya_ebpf::helpers::generated::{bpf_ktime_get_coarse_ns, bpf_skb_load_bytes};
use aya_ebpf::programs::TcContext;
use netctl_common::abi::{ANY_PORT, CAPTURE_ROOM, CAPTURE_SLOTS, CaptureEntry, Captured};
use netctl_common::decide::Facts;
use netctl_common::frame::Frame;
use netctl_common::limit;
use netctl_common::verdict::Direction;

use crate::maps::{self, CAPTURE_RINGS, CAPTURE_STATES, CAPTURES};
use crate::packet::Skb;

/// Where nobody captures, one look at one word.
#[inline(always)]
pub(crate) fn frame(skb: &Skb<'_>, facts: &Facts, direction: Direction) {
    if maps::captures_until() != 0 {
        capture_frame(skb.context().skb.skb, facts, direction as u32);
    }
}

/// Out of line and global, as what follows: rare; see [`crate::steps`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn capture_frame(skb: *mut __sk_buff, facts: *const Facts, direction: u32) -> u32 {
    // SAFETY: the helper has no arguments.
    if unsafe { bpf_ktime_get_coarse_ns() } > maps::captures_until() {
        maps::end_captures();
        return 0;
    }
    for slot in 0..CAPTURE_SLOTS {
        capture_into(skb, facts, direction, slot);
    }
    0
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn capture_into(skb: *mut __sk_buff, facts: *const Facts, direction: u32, slot: u32) -> u32 {
    // SAFETY: as in `crate::steps`; volatile for the same reason.
    let Some(facts) = (unsafe {
        let _ = (&raw const (*skb).len).read_volatile();
        facts.as_ref()
    }) else {
        return 0;
    };
    let (Some(entry), Some(state)) = (CAPTURES.get(slot), CAPTURE_STATES.get_ptr_mut(slot)) else { return 0 };
    if !wants(entry, facts, direction) {
        return 0;
    }
    // SAFETY: per CPU, and only one program of netctl runs on a CPU at a time.
    let state = unsafe { &mut *state };
    // SAFETY: the helper has no arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    if entry.until < now {
        return 0;
    }
    if entry.rate != 0 {
        let rate = u64::from(entry.rate);
        let (tokens, refilled, may_pass) = limit::take(state.tokens, state.refilled, now, rate, rate);
        (state.tokens, state.refilled) = (tokens, refilled);
        if !may_pass {
            state.over_rate += 1;
            return 0;
        }
    }
    let ctx = TcContext::new(skb);
    if !copy(&Skb::untouched(&ctx), facts, (direction, slot, entry.snap, now)) {
        state.ring_full += 1;
    }
    0
}

#[inline(always)]
fn wants(entry: &CaptureEntry, facts: &Facts, direction: u32) -> bool {
    entry.until != 0
        && (entry.port == ANY_PORT || entry.port == facts.port)
        && entry.directions & (1 << (direction & 31)) != 0
        && entry.actions & (1 << (facts.verdict.action as u32 & 31)) != 0
}

/// `false` if the ring has no room, or there is none.
#[inline(always)]
fn copy(skb: &Skb<'_>, facts: &Facts, (direction, slot, snap, now): (u32, u32, u32, u64)) -> bool {
    let inner_tag = skb.tag_beside();
    // Tags are not among the bytes that can be read.
    let length = skb.context().skb.len();
    let wanted = if length < snap { length } else { snap };
    let captured = Captured {
        time: now,
        ifindex: skb.ifindex(),
        port: facts.port,
        generation: facts.generation,
        rule: facts.verdict.rule,
        audited: facts.audited,
        length,
        captured: wanted,
        segment: skb.segment_size() as u16,
        vlan: facts.packet.vlan,
        direction: direction as u8,
        action: facts.verdict.action as u8,
        reason: facts.verdict.reason as u8,
        reserved: 0,
        tags: [facts.packet.tag, inner_tag],
        reserved_2: 0,
    };
    const ROOM: [u32; 4] =
        [CAPTURE_ROOM[0] as u32, CAPTURE_ROOM[1] as u32, CAPTURE_ROOM[2] as u32, CAPTURE_ROOM[3] as u32];
    match wanted {
        0 => true,
        _ if wanted <= ROOM[0] => put::<{ CAPTURE_ROOM[0] }>(skb, slot, captured),
        _ if wanted <= ROOM[1] => put::<{ CAPTURE_ROOM[1] }>(skb, slot, captured),
        _ if wanted <= ROOM[2] => put::<{ CAPTURE_ROOM[2] }>(skb, slot, captured),
        _ => put::<{ CAPTURE_ROOM[3] }>(skb, slot, captured),
    }
}

#[repr(C)]
struct Record<const ROOM: usize> {
    head: Captured,
    bytes: [u8; ROOM],
}

/// `head.captured` is at least 1; what is more than the room is cut off.
#[inline(always)]
fn put<const ROOM: usize>(skb: &Skb<'_>, slot: u32, head: Captured) -> bool {
    let Some(ring) = CAPTURE_RINGS.get(slot) else { return false };
    let Some(mut record) = ring.reserve_untyped::<Record<ROOM>>(0) else { return false };
    let to = record.as_mut_ptr();
    // At least 1, in words that Linux 6.1 understands: it learns nothing from a comparison with 0.
    let last = core::hint::black_box(head.captured.wrapping_sub(1));
    let len = if last >= ROOM as u32 { ROOM as u32 } else { last + 1 };
    // SAFETY: the record is ours until it is submitted and has `ROOM` bytes behind its head; the helper writes all of the `len` bytes
    // or fails, and reads no further than the frame.
    let is_read = unsafe {
        (&raw mut (*to).head).write(Captured { captured: len, ..head });
        bpf_skb_load_bytes(skb.context().skb.skb.cast(), 0, (&raw mut (*to).bytes).cast(), len) == 0
    };
    if is_read {
        record.submit(0)
    } else {
        record.discard(0)
    }
    is_read
}
