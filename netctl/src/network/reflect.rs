//! Does the switch behind an uplink send frames back to where they came from (IEEE 802.1Qbg, reflective relay; on a
//! Linux bridge: hairpin)? Guests of a vepa network reach each other only if it does.
//!
//! Asked with a frame that is for the uplink itself, from an address that nobody has: the switch knows where the uplink
//! is, so only this port of it sees the frame, and no guest does.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::error::NetworkError;
use super::link::Interface;
use crate::config::Mac;
use crate::fd::packet::PacketSocket;

/// For local experiments (IEEE 802, 9.2.2); no stack takes it.
const ETHERTYPE: u16 = 0x88b5;

const TRIES: u32 = 3;
/// Of one try; a switch answers within microseconds, a congested one within milliseconds.
const WAIT: Duration = Duration::from_millis(150);

/// What stands in the frame, before the number that makes it this one.
const WORDS: &[u8] = b"netctl: does this switch reflect? ";

/// Whether the switch reflects. Takes up to half a second.
///
/// # Errors
/// [`NetworkError::NoLink`] where nothing can be asked, [`NetworkError::Probe`].
pub fn reflects(uplink: &Interface) -> Result<bool, NetworkError> {
    let interface = uplink.name.clone();
    let (Some(mac), true) = (uplink.mac, uplink.up && uplink.carrier) else {
        return Err(NetworkError::NoLink { interface, up: uplink.up });
    };
    let socket =
        PacketSocket::open(&interface, ETHERTYPE).map_err(|source| NetworkError::Probe { source })?;
    let failed = |source| {
        let interface = interface.clone();
        NetworkError::Probe { source: crate::fd::FdError::Packet { interface, source } }
    };
    let frame = frame(mac, number());
    for _ in 0..TRIES {
        socket.send(&frame).map_err(failed)?;
        if socket.receive(WAIT, |came| came.starts_with(&frame)).map_err(failed)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn frame(uplink: Mac, number: u64) -> Vec<u8> {
    let mut frame = [uplink.0, nobody(uplink).0].concat();
    frame.extend_from_slice(&ETHERTYPE.to_be_bytes());
    frame.extend_from_slice(WORDS);
    frame.extend_from_slice(&number.to_be_bytes());
    // The least that an Ethernet frame has, without its check sum (IEEE 802.3, 4A.4.2).
    frame.resize(frame.len().max(60), 0);
    frame
}

/// Locally administered, and no other uplink's.
fn nobody(Mac([first, rest @ ..]): Mac) -> Mac {
    let [a, b, c, d, e] = rest;
    Mac([(first | 0x02) ^ 0x40, a, b, c, d, e])
}

/// So that the answer to another process is not taken for this one's.
fn number() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.as_nanos() as u64 ^ u64::from(std::process::id()).rotate_left(32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sender_is_nobody() {
        for first in [0x00, 0x02, 0x40, 0x42, 0x52, 0xfe] {
            let uplink = Mac([first, 1, 2, 3, 4, 5]);
            let Mac([sender, rest @ ..]) = nobody(uplink);
            assert_ne!(sender, first);
            assert_eq!(sender & 0x03, 0x02, "{first:x}: locally administered, no group");
            assert_eq!(rest, [1, 2, 3, 4, 5]);
        }
    }

    #[test]
    fn a_frame_is_for_the_uplink_and_long_enough() {
        let frame = frame(Mac([2, 0, 0, 0, 0, 1]), 7);
        assert_eq!(
            (frame.len(), &frame[..6], &frame[12..14]),
            (60, &[2, 0, 0, 0, 0, 1][..], &[0x88, 0xb5][..])
        );
    }
}
