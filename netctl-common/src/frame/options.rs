//! IPv4 options (RFC 791, 3.1).

use super::{ETHERNET_LEN, Frame, IPV4_MIN_LEN};
use crate::verdict::Reason;

/// RFC 2113: the one option that hosts send by themselves, with IGMP.
const ROUTER_ALERT: u32 = 0x9404_0000;

/// Options without an effect: no-operation in all four bytes.
const NO_OPERATIONS: u32 = 0x0101_0101;

/// 32-bit words of the longest options.
const MAX_WORDS: u32 = 10;

/// Nothing but router alert, no-operations, and zeros behind the end, up to the transport header at `end`. Word by
/// word, as senders align them: options that begin anywhere would be as many states to the kernel's verifier.
// Out of line for the stack, and because hardly a packet has options.
#[inline(never)]
pub(super) fn plain<F: Frame + ?Sized>(frame: &F, end: u32) -> Result<(), Reason> {
    let mut ended = false;
    for word in 0..MAX_WORDS {
        let at = ETHERNET_LEN + IPV4_MIN_LEN + 4 * word;
        if at >= end {
            break;
        }
        let options = u32::from_be_bytes(frame.read(at).ok_or(Reason::Truncated)?);
        match options {
            0 => ended = true,
            ROUTER_ALERT | NO_OPERATIONS if !ended => {}
            0x0101_0100 | 0x0101_0000 | 0x0100_0000 if !ended => ended = true,
            _ => return Err(Reason::Ipv4Options),
        }
    }
    Ok(())
}
