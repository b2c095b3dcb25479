//! How long a silent flow is one.

use super::seen;
use crate::frame::number;

/// A tick has 2 to the power of this nanoseconds.
pub const TICK_BITS: u32 = 24;

/// The time of flows: `CLOCK_MONOTONIC` in units of 2^24 ns (16.8 ms). It comes round after 834 days.
#[inline(always)]
pub const fn tick(nanoseconds: u64) -> u32 {
    (nanoseconds >> TICK_BITS) as u32
}

/// Ticks as seconds.
pub fn seconds(ticks: u32) -> f64 {
    f64::from(ticks) * (1u32 << 24) as f64 / 1e9
}

/// A second, in ticks, rounded up.
const SECOND: u32 = 60;

/// What a flow's silence is measured by; index of [`crate::abi::Root::timeouts`].
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timeout {
    TcpOpening = 0,
    TcpEstablished = 1,
    /// One side has closed.
    TcpHalfClosed = 2,
    TcpClosed = 3,
    TcpReset = 4,
    /// UDP and SCTP.
    UdpUnanswered = 5,
    UdpAnswered = 6,
    Icmp = 7,
    OtherUnanswered = 8,
    OtherAnswered = 9,
    /// How long later fragments may follow their first one.
    Fragment = 10,
}

pub const TIMEOUTS: usize = 11;

/// In seconds; the words are those in a document. TCP: RFC 5382 asks for at least 2 h 4 min when established; UDP: RFC
/// 4787 for 2 min.
pub const DEFAULT_TIMEOUTS: [(&str, u32); TIMEOUTS] = [
    ("tcp-opening", 60),
    ("tcp-established", 6 * 3600),
    ("tcp-half-closed", 300),
    ("tcp-closed", 30),
    ("tcp-reset", 10),
    ("udp-unanswered", 30),
    ("udp-answered", 180),
    ("icmp", 30),
    ("other-unanswered", 30),
    ("other-answered", 180),
    ("fragment", 30),
];

/// Ticks of a number of seconds, rounded up.
pub const fn ticks(seconds: u32) -> u32 {
    seconds.saturating_mul(SECOND)
}

/// Which of [`crate::abi::Root::timeouts`] applies.
#[inline(always)]
pub const fn timeout(protocol: u8, flags: u8) -> Timeout {
    let answered = flags & seen::ANSWERED != 0;
    match protocol {
        // What a killed connection's ends still say to each other does not make it shorter.
        number::TCP if flags & seen::KILLED != 0 => Timeout::TcpEstablished,
        number::TCP if flags & seen::RST != 0 => Timeout::TcpReset,
        number::TCP if flags & seen::BOTH_FINS == seen::BOTH_FINS => Timeout::TcpClosed,
        number::TCP if flags & seen::BOTH_FINS != 0 => Timeout::TcpHalfClosed,
        number::TCP if answered => Timeout::TcpEstablished,
        number::TCP => Timeout::TcpOpening,
        number::UDP | number::SCTP if answered => Timeout::UdpAnswered,
        number::UDP | number::SCTP => Timeout::UdpUnanswered,
        number::ICMP | number::ICMP6 => Timeout::Icmp,
        _ if answered => Timeout::OtherAnswered,
        _ => Timeout::OtherUnanswered,
    }
}

/// Seen by people: the words of `netctl flows`.
pub const fn state_name(protocol: u8, flags: u8) -> &'static str {
    let answered = flags & seen::ANSWERED != 0;
    match protocol {
        _ if flags & seen::KILLED != 0 => "killed",
        number::TCP if flags & seen::RST != 0 => "reset",
        number::TCP if flags & seen::BOTH_FINS == seen::BOTH_FINS => "closed",
        number::TCP if flags & seen::BOTH_FINS != 0 => "closing",
        number::TCP if answered => "established",
        number::TCP => "opening",
        _ if answered => "answered",
        _ => "unanswered",
    }
}
