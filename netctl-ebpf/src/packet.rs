//! [`Frame`] for a socket buffer. The only place that reads packets and context fields.

use core::mem::MaybeUninit;
use core::ptr;

use aya_ebpf::bindings::BPF_F_INGRESS;
use aya_ebpf::check_bounds_signed;
use aya_ebpf::helpers::generated::{
    bpf_clone_redirect, bpf_skb_adjust_room, bpf_skb_change_tail, bpf_skb_change_type, bpf_skb_load_bytes,
    bpf_skb_store_bytes, bpf_skb_vlan_pop, bpf_skb_vlan_push,
};
use aya_ebpf::programs::TcContext;
use bytemuck::Pod;
use netctl_common::address::LinkAddress;
use netctl_common::frame::{Frame, NEAR, Tag, number};
use netctl_common::mark;
use netctl_common::reject::{Answer, MAX_LEN, MIN_LEN};

/// include/uapi/linux/if_packet.h.
const PACKET_OTHERHOST: u32 = 3;
/// include/uapi/linux/bpf.h, enum bpf_adj_room_mode.
const BPF_ADJ_ROOM_MAC: u32 = 1;
/// Bytes that a frame loses in front when it becomes an answer: more than lie before the checksum of a packet in two
/// tunnels.
const ROOM: u32 = 256;

/// A frame at a TC hook.
pub(crate) struct Skb<'a> {
    ctx: &'a TcContext,
    /// The tag that was taken out, protocol above control; 0 = none.
    tag: u32,
}

/// Bytes of a VLAN tag, and the offset of one in band.
const TAG_LEN: u32 = 4;
const TAG_AT: u32 = 12;

impl<'a> Skb<'a> {
    /// Takes the outer VLAN tag out, which is beside the frame at a tap and mostly in band at a macvtap. Makes the headers in
    /// front linear, if a guest has chosen that they are not; what then still is not there, is not
    /// in the frame.
    #[inline(always)]
    pub(crate) fn new(ctx: &'a TcContext) -> Self {
        let mut tag = 0;
        // SAFETY: as in `ifindex`.
        let (is_beside, protocol) = unsafe { ((*ctx.skb.skb).vlan_present != 0, (*ctx.skb.skb).protocol) };
        if is_beside || Tag::is_tag(u16::from_be(protocol as u16)) {
            tag = take_tag(ctx);
        }
        let near = if ctx.len() < NEAR { ctx.len() } else { NEAR };
        if ctx.data_end() - ctx.data() < near as usize {
            // A failure leaves the bytes out of reach, and the frame is denied as truncated.
            let _ = ctx.pull_data(near);
        }
        Self { ctx, tag }
    }

    /// As it is; enough for [`Frame::read`].
    #[inline(always)]
    pub(crate) fn untouched(ctx: &'a TcContext) -> Self {
        Self { ctx, tag: 0 }
    }

    #[inline(always)]
    pub(crate) fn context(&self) -> &TcContext {
        self.ctx
    }

    /// The tag that is beside the frame, protocol above control; 0 = none. Behind [`Self::new`], it is the frame's second.
    #[inline(always)]
    pub(crate) fn tag_beside(&self) -> u32 {
        let skb = self.ctx.skb.skb;
        // SAFETY: as in `ifindex`; volatile for the reason in `Frame::ingress_ifindex`.
        unsafe {
            if (&raw const (*skb).vlan_present).read_volatile() == 0 {
                return 0;
            }
            let protocol = (&raw const (*skb).vlan_proto).read_volatile();
            let control = (&raw const (*skb).vlan_tci).read_volatile();
            u32::from(u16::from_be(protocol as u16)) << 16 | control
        }
    }

    /// Puts a tag of 802.1Q on; the device puts it in band if it has to. `false` if the frame must not go on.
    #[inline(always)]
    pub(crate) fn put_tag(&self, control: u16) -> bool {
        // SAFETY: as in `ifindex`. No pointer into the packet is used after it.
        unsafe { bpf_skb_vlan_push(self.ctx.skb.skb, number::ETHERTYPE_VLAN.to_be(), control) == 0 }
    }

    /// `skb->mark`.
    #[inline(always)]
    pub(crate) fn set_mark(&self, mark: u32) {
        // SAFETY: as in `ifindex`; a classifier may write this field.
        unsafe { (*self.ctx.skb.skb).mark = mark };
    }

    /// Makes the host's stack leave the frame alone, as one for someone else. The macvlan driver does not ask.
    #[inline(always)]
    pub(crate) fn hide_from_stack(&self) -> bool {
        // SAFETY: as in `ifindex`.
        unsafe { bpf_skb_change_type(self.ctx.skb.skb, PACKET_OTHERHOST) == 0 }
    }

    /// Lets a copy with another mark come in at an interface.
    #[inline(always)]
    pub(crate) fn receive_copy(&self, ifindex: u32, mark: u32) {
        let before = self.mark();
        self.set_mark(mark);
        // SAFETY: as in `ifindex`. No pointer into the packet is used after it.
        let _ = unsafe { bpf_clone_redirect(self.ctx.skb.skb, ifindex, u64::from(BPF_F_INGRESS)) };
        self.set_mark(before);
    }

    /// Lets a copy come in at an interface, addressed to `mac`. `false` if the frame could not be put back as it was.
    ///
    /// Out of line: rare, and it must not cost the frames that pass.
    #[inline(never)]
    pub(crate) fn receive_copy_for(
        &self,
        ifindex: u32,
        mac: &LinkAddress,
        destination: &LinkAddress,
    ) -> bool {
        let skb = self.ctx.skb.skb;
        let len = size_of::<LinkAddress>() as u32;
        // SAFETY: the helpers check the packet's bounds, the addresses are ours to read, and no pointer into the packet
        // is used after them. The copy shares no header with the frame: both helpers make it writable first.
        unsafe {
            if bpf_skb_store_bytes(skb.cast(), 0, ptr::from_ref(mac).cast(), len, 0) == 0 {
                let _ = bpf_clone_redirect(skb, ifindex, u64::from(BPF_F_INGRESS));
            }
            bpf_skb_store_bytes(skb.cast(), 0, ptr::from_ref(destination).cast(), len, 0) == 0
        }
    }

    /// Makes the frame another one, marked as netctl's answer. `false` if it has to be dropped, as it may be half of both.
    ///
    /// The answer has complete checksums, but the frame may be one whose checksum a device was to complete, wherever the
    /// guest said that it is, or one of many segments. The first helper makes it linear and no longer of many segments
    /// (net/core/filter.c, __bpf_skb_change_tail). The second takes [`ROOM`] bytes out from behind the Ethernet
    /// header; a checksum that was to be completed among them is forgotten (skb_postpull_rcsum).
    #[inline(always)]
    pub(crate) fn become_answer(&self, answer: &Answer) -> bool {
        let (skb, len) = (self.ctx.skb.skb, answer.len);
        // Where the verifier sees it: "R4 invalid zero-sized read", Linux 6.18.
        if !check_bounds_signed(i64::from(len), i64::from(MIN_LEN), i64::from(MAX_LEN)) {
            return false;
        }
        let bytes = ptr::from_ref(&answer.words).cast();
        // SAFETY: the helpers check the packet's bounds, `bytes` has `len` of them, and no pointer into the packet is used
        // after them.
        let replaced = unsafe {
            bpf_skb_change_tail(skb, len + ROOM, 0) == 0
                && bpf_skb_adjust_room(skb, -(ROOM as i32), BPF_ADJ_ROOM_MAC, 0) == 0
                && self.ctx.skb.len() == len
                && bpf_skb_store_bytes(skb.cast(), 0, bytes, len, 0) == 0
        };
        self.set_mark(mark::ANSWER);
        replaced
    }

    /// The interface whose hook runs, on either side of it.
    #[inline(always)]
    pub(crate) fn ifindex(&self) -> u32 {
        // SAFETY: the context of a classifier is a valid `__sk_buff` while the program runs.
        unsafe { (*self.ctx.skb.skb).ifindex }
    }
}

impl Frame for Skb<'_> {
    #[inline(always)]
    fn ingress_ifindex(&self) -> u32 {
        // SAFETY: as in `ifindex`. Never in one branch with a read of `mark` in the other: LLVM makes one load of the two, at
        // either offset, also of volatile ones, which the verifier refuses ("dereference of modified ctx ptr", Linux 6.18).
        unsafe { (*self.ctx.skb.skb).ingress_ifindex }
    }

    #[inline(always)]
    fn mark(&self) -> u32 {
        // SAFETY: as in `ifindex`.
        unsafe { (&raw const (*self.ctx.skb.skb).mark).read_volatile() }
    }

    #[inline(always)]
    fn len(&self) -> u32 {
        // With a second tag, beside the frame.
        self.ctx.skb.len() + TAG_LEN * u32::from(self.has_vlan_metadata())
    }

    /// Not by direct packet access: a guest chooses how many bytes of a frame are linear.
    #[inline(always)]
    fn read<T: Pod>(&self, at: u32) -> Option<T> {
        let mut header = MaybeUninit::<T>::uninit();
        // SAFETY: `header` has room for the bytes; the helper checks the packet's bounds and writes all or fails.
        unsafe {
            let result = bpf_skb_load_bytes(
                self.ctx.skb.skb.cast(),
                at,
                header.as_mut_ptr().cast(),
                size_of::<T>() as u32,
            );
            if result == 0 { Some(header.assume_init()) } else { None }
        }
    }

    /// Directly: [`Skb::new`] made these bytes linear. A helper that copies costs more than all the rest of parsing.
    #[inline(always)]
    fn read_near<const AT: u32, T: Pod>(&self) -> Option<T> {
        const { assert!(AT + size_of::<T>() as u32 <= NEAR && align_of::<T>() <= 2) };
        let start = self.ctx.data() + AT as usize;
        if start + size_of::<T>() > self.ctx.data_end() {
            return None;
        }
        // SAFETY: the header lies in the linear part, as was just checked and the verifier checks again; frames start
        // at even addresses (NET_IP_ALIGN is 0 or 2), and so does what is at an even offset in them.
        Some(unsafe { *(start as *const T) })
    }

    #[inline(always)]
    fn tag(&self) -> Option<Tag> {
        let (protocol, control) = ((self.tag >> 16) as u16, self.tag as u16);
        if protocol == 0 { None } else { Some(Tag { protocol, control }) }
    }

    #[inline(always)]
    fn segment_size(&self) -> u32 {
        // SAFETY: as in `ifindex`.
        unsafe { (*self.ctx.skb.skb).gso_size }
    }

    #[inline(always)]
    fn has_vlan_metadata(&self) -> bool {
        // SAFETY: as in `ifindex`.
        unsafe { (*self.ctx.skb.skb).vlan_present != 0 }
    }
}

/// Takes the outer tag out; what it was, as in [`Skb::tag`]. A tag behind it comes to lie beside the frame. 0 where that
/// fails, also where the outer tag is gone by then and only the one behind it was cut short: a tag is in the frame in
/// any case, and it is denied for that (net/core/skbuff.c, skb_vlan_pop()).
///
/// Out of line: rare, and it must not cost the frames without a tag.
#[inline(never)]
fn take_tag(ctx: &TcContext) -> u32 {
    let skb = ctx.skb.skb;
    // SAFETY: as in `Skb::ifindex`; the header is ours to write, and no pointer into the packet is used after the helpers.
    unsafe {
        let tag = if (*skb).vlan_present != 0 {
            u32::from(u16::from_be((*skb).vlan_proto as u16)) << 16 | (*skb).vlan_tci & 0xffff
        } else {
            let mut in_band = [0u16; 2];
            let len = size_of_val(&in_band) as u32;
            if bpf_skb_load_bytes(skb.cast(), TAG_AT, in_band.as_mut_ptr().cast(), len) != 0 {
                return 0;
            }
            let [protocol, control] = in_band.map(u16::from_be);
            // What the sender said of the frame and what is in it can differ (packet sockets of the host).
            if !Tag::is_tag(protocol) {
                return 0;
            }
            u32::from(protocol) << 16 | u32::from(control)
        };
        if bpf_skb_vlan_pop(skb) == 0 { tag } else { 0 }
    }
}
