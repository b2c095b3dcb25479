//! State of one connection at one port, as pure functions on its table entry.
//!
//! A flow is found by the same key in both directions; `local` is the guest's end. TCP is tracked by flags and sequence
//! numbers (`flow/tcp.rs`), all else by who spoke. An entry whose time has run out is as good as none.

mod entry;
mod fragment;
mod key;
mod opening;
pub mod quota;
mod tcp;
mod timeout;

pub use key::Role;
pub use opening::{Opening, opening};
pub use tcp::Fit;
pub use timeout::{
    DEFAULT_TIMEOUTS, TICK_BITS, TIMEOUTS, Timeout, seconds, state_name, tick, ticks, timeout,
};

/// Bits of [`crate::abi::FlowEntry::seen`]. "Opener" is the side that sent the first frame.
pub mod seen {
    /// A frame from the side that did not open the flow.
    pub const REPLY: u8 = 1;
    pub const OPENER_FIN: u8 = 2;
    pub const REPLY_FIN: u8 = 4;
    pub const RST: u8 = 8;
    /// Taken up in the middle: the opening was not seen.
    pub const PICKED_UP: u8 = 16;
    /// TCP: a SYN inside the open connection, from the guest; its sequence number is in `reopening`.
    pub const GUEST_SYN: u8 = 32;
    /// Likewise, from the other side.
    pub const PEER_SYN: u8 = 64;
    /// Ended by an operator: denied until it is idle, whatever the policy says then. Only a SYN opens it anew.
    pub const KILLED: u8 = 128;

    pub(super) const BOTH_FINS: u8 = OPENER_FIN | REPLY_FIN;
    pub(super) const ANSWERED: u8 = REPLY | PICKED_UP;
}
