//! [`Frame`] for a socket buffer. The only place that reads packets and context fields.

use core::mem::MaybeUninit;
use core::ptr;

use aya_ebpf::bindings::BPF_F_INGRESS;
use aya_ebpf::helpers::generated::{
    bpf_clone_redirect, bpf_skb_change_type, bpf_skb_load_bytes, bpf_skb_store_bytes,
};
use aya_ebpf::programs::TcContext;
use bytemuck::Pod;
use netctl_common::address::LinkAddress;
use netctl_common::frame::{Frame, NEAR};

/// include/uapi/linux/if_packet.h.
const PACKET_OTHERHOST: u32 = 3;

/// A frame at a TC hook.
pub(crate) struct Skb<'a> {
    ctx: &'a TcContext,
}

impl<'a> Skb<'a> {
    /// Makes the headers in front linear, if a guest has chosen that they are not; what then still is not there, is not
    /// in the frame.
    #[inline(always)]
    pub(crate) fn new(ctx: &'a TcContext) -> Self {
        let near = if ctx.len() < NEAR { ctx.len() } else { NEAR };
        if ctx.data_end() - ctx.data() < near as usize {
            // A failure leaves the bytes out of reach, and the frame is denied as truncated.
            let _ = ctx.pull_data(near);
        }
        Self { ctx }
    }

    /// As it is; enough for [`Frame::read`].
    #[inline(always)]
    pub(crate) fn untouched(ctx: &'a TcContext) -> Self {
        Self { ctx }
    }

    /// `skb->mark`.
    #[inline(always)]
    pub(crate) fn mark(&self) -> u32 {
        // SAFETY: as in `ifindex`.
        unsafe { (*self.ctx.skb.skb).mark }
    }

    #[inline(always)]
    fn set_mark(&self, mark: u32) {
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

    /// The interface whose hook runs, on either side of it.
    #[inline(always)]
    pub(crate) fn ifindex(&self) -> u32 {
        // SAFETY: the context of a classifier is a valid `__sk_buff` while the program runs.
        unsafe { (*self.ctx.skb.skb).ifindex }
    }
}

impl Frame for Skb<'_> {
    #[inline(always)]
    fn len(&self) -> u32 {
        self.ctx.skb.len()
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
    fn has_vlan_metadata(&self) -> bool {
        // SAFETY: as in `ifindex`.
        unsafe { (*self.ctx.skb.skb).vlan_present != 0 }
    }
}
