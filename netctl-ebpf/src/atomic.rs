//! Two atomic operations that `core` has not for this target, because it has them only together with compare-and-swap. Both are
//! full barriers (Documentation/bpf/standardization/instruction-set.rst, "Atomic operations").

use core::arch::asm;

/// Adds to the number at `place`, and returns what it was.
///
/// # Safety
/// `place` is aligned and valid for reads and writes; others access it by atomic operations only.
#[inline(always)]
pub(crate) unsafe fn fetch_add(place: *mut u64, count: u64) -> u64 {
    let mut value = count;
    // SAFETY: one instruction on the caller's place.
    unsafe {
        asm!("{value} = atomic_fetch_add((u64 *)({place} + 0), {value})",
            value = inout(reg) value, place = in(reg) place, options(nostack));
    }
    value
}

/// Puts a number into `place`, and returns what was there.
///
/// # Safety
/// As [`fetch_add`].
#[inline(always)]
pub(crate) unsafe fn exchange(place: *mut u64, new: u64) -> u64 {
    let mut value = new;
    // SAFETY: as in `fetch_add`.
    unsafe {
        asm!("{value} = xchg_64({place} + 0, {value})",
            value = inout(reg) value, place = in(reg) place, options(nostack));
    }
    value
}
