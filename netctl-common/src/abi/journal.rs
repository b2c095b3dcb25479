//! The journal: the last events of the host, in a ring that every reader sees whole. The data path writes what it decided,
//! netctl what it changed. Nobody waits for a reader; what a reader was too slow for shows by its number.

use bytemuck::{Pod, Zeroable};

use crate::address::{Address, LinkAddress};

/// Events that are kept. A power of two: the event with number n is at (n - 1) modulo this.
pub const JOURNAL_LEN: u32 = 16_384;

/// One event. Map `journal`, whose memory readers map.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Event {
    /// Counted from 1 in the order in which events began to be written; written last. Another number than the reader asks for:
    /// still being written (a lower one), or written over (a higher one).
    pub number: u64,
    /// `CLOCK_MONOTONIC`, nanoseconds.
    pub time: u64,
    pub ifindex: u32,
    /// Port id, or [`super::NO_PORT`].
    pub port: u32,
    pub generation: u32,
    pub rule: u32,
    /// Bytes of the frame as the interface counts them; of a change, the process that made it.
    pub length: u32,
    /// Events of the port that could not be told since the one before on the same CPU.
    pub untold: u32,
    pub source_port: u16,
    pub destination_port: u16,
    pub source: Address,
    pub destination: Address,
    pub source_mac: LinkAddress,
    pub destination_mac: LinkAddress,
    pub ethertype: u16,
    pub protocol: u8,
    /// [`crate::verdict::Direction`].
    pub direction: u8,
    /// [`crate::verdict::Action`]; of a change, [`Change`].
    pub action: u8,
    /// [`crate::verdict::Reason`].
    pub reason: u8,
    /// Bits of [`event_flags`].
    pub flags: u8,
    /// See [`event_kind`].
    pub kind: u8,
    /// The VLAN on the network; 0 = untagged.
    pub vlan: u16,
    pub reserved: [u16; 3],
}

/// Bits of [`Event::flags`].
pub mod event_flags {
    /// `source` and `destination` are set: the frame carries IP, or ARP's protocol addresses.
    pub const ADDRESSES: u8 = 1;
    /// But for audit mode, `rule` would have decided otherwise; the default, if it is [`super::super::NO_RULE`].
    pub const AUDIT: u8 = 2;
    /// The frame belongs to a flow that an earlier event told of.
    pub const CONTINUES: u8 = 4;
}

/// Values of [`Event::kind`].
pub mod event_kind {
    /// A frame that was denied, or whose rule asks for it.
    pub const FRAME: u8 = 0;
    /// The frame with which a flow ended.
    pub const END: u8 = 1;
    /// netctl changed something: see [`super::Change`].
    pub const CHANGE: u8 = 2;
}

/// What netctl did to what is enforced.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The generation began to decide.
    Published = 1,
    /// Another build's programs decide, by the same generation.
    Upgraded = 2,
}

impl Change {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Upgraded => "upgraded",
        }
    }

    pub const fn decode(value: u8) -> Option<Self> {
        match value {
            1 => Some(Self::Published),
            2 => Some(Self::Upgraded),
            _ => None,
        }
    }
}

/// How many events a rule may still cause. Per CPU. Map `log_budgets`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct LogBudget {
    /// See [`crate::limit`].
    pub tokens: u64,
    pub refilled: u64,
}

const _: () = {
    assert!(size_of::<Event>() == 104);
    assert!(JOURNAL_LEN.is_power_of_two());
};
