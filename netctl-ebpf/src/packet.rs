//! [`Frame`] for a socket buffer. The only place that reads packets and context fields.

use core::mem::MaybeUninit;

use aya_ebpf::helpers::bpf_skb_load_bytes;
use aya_ebpf::programs::TcContext;
use bytemuck::Pod;
use netctl_common::frame::Frame;

/// A frame at a TC hook.
pub(crate) struct Skb<'a> {
    ctx: &'a TcContext,
}

impl<'a> Skb<'a> {
    #[inline(always)]
    pub(crate) fn new(ctx: &'a TcContext) -> Self {
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

    #[inline(always)]
    fn read_to<T: Pod>(&self, at: u32, place: &mut T) -> bool {
        // SAFETY: as in `read`; any bytes are a value of a `Pod`.
        let result = unsafe {
            bpf_skb_load_bytes(self.ctx.skb.skb.cast(), at, (&raw mut *place).cast(), size_of::<T>() as u32)
        };
        result == 0
    }

    #[inline(always)]
    fn has_vlan_metadata(&self) -> bool {
        // SAFETY: as in `ifindex`.
        unsafe { (*self.ctx.skb.skb).vlan_present != 0 }
    }
}
