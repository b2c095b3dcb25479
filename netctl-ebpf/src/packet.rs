//! [`Frame`] for a socket buffer. The only place that reads packets and context fields.

use core::mem::MaybeUninit;

use aya_ebpf::helpers::bpf_skb_load_bytes;
use aya_ebpf::programs::TcContext;
use bytemuck::Pod;
use netctl_common::frame::{Frame, NEAR};

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
