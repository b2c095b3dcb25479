//! Captures: frames with what was decided about them, for those who look. A reader takes a slot with a ring of its own, and keeps it by
//! moving its time on; nothing is left to clean up behind one that was killed.

use bytemuck::{Pod, Zeroable};

/// Captures that can go on at once.
pub const CAPTURE_SLOTS: u32 = 8;

/// What one capture wants; written by user space only. Map `captures`; index: slot.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct CaptureEntry {
    /// `CLOCK_MONOTONIC`, nanoseconds, by which it is over unless its reader comes back; 0 = the slot is free.
    pub until: u64,
    /// Port id; [`ANY_PORT`] = all, and interfaces that are no ports.
    pub port: u32,
    /// A bit for each [`crate::verdict::Action`].
    pub actions: u32,
    /// A bit for each [`crate::verdict::Direction`].
    pub directions: u32,
    /// Bytes of a frame that are kept at most.
    pub snap: u32,
    /// Frames per second and CPU in the long run, and at once; 0 = no limit.
    pub rate: u32,
    pub reserved: u32,
}

/// [`CaptureEntry::port`] of a capture at all ports.
pub const ANY_PORT: u32 = u32::MAX;

/// Per CPU. Map `capture_states`; index: slot.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct CaptureState {
    /// See [`crate::limit`].
    pub tokens: u64,
    pub refilled: u64,
    /// Frames that were left out: over the rate; with the ring full, or unreadable.
    pub over_rate: u64,
    pub ring_full: u64,
}

/// One frame in a ring of `capture_rings`; its bytes follow.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Captured {
    /// `CLOCK_MONOTONIC`, nanoseconds.
    pub time: u64,
    pub ifindex: u32,
    /// Port id, or [`super::NO_PORT`].
    pub port: u32,
    pub generation: u32,
    pub rule: u32,
    /// See [`super::FlowEntry::audited`].
    pub audited: u32,
    /// Bytes of the frame without its tags.
    pub length: u32,
    /// Bytes of it that follow.
    pub captured: u32,
    /// Payload of its segments; 0 = it is not to be cut (TSO, USO).
    pub segment: u16,
    /// The VLAN on the network; 0 = untagged.
    pub vlan: u16,
    /// [`crate::verdict::Direction`].
    pub direction: u8,
    /// [`crate::verdict::Action`].
    pub action: u8,
    /// [`crate::verdict::Reason`].
    pub reason: u8,
    pub reserved: u8,
    /// Tags that the frame came with, as [`crate::frame::Tag::packed`], the outer one first; 0 = none. They are not among the bytes.
    pub tags: [u32; 2],
    pub reserved_2: u32,
}

/// Room for bytes of a frame, by the size of what is captured: the kernel wants a constant. The largest holds whatever a device
/// may be given at once (`GSO_LEGACY_MAX_SIZE` and an Ethernet header with a tag).
pub const CAPTURE_ROOM: [usize; 4] = [128, 1600, 9216, 65_560];

const _: () = {
    assert!(size_of::<CaptureEntry>() == 32);
    assert!(size_of::<Captured>() == 56);
};
