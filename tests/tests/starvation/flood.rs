//! What a hostile guest sends: everything that makes work or takes room.

use netctl_tests::frame::{BROADCAST, Build, Carrier, Mac, eth};
use netctl_tests::tap::{Tap, VnetHeader};

use super::victims::{FLOODER, PEER, ROUTER, VICTIM};

/// A header is in front of each frame.
const HEADER_LEN: usize = 12;
/// Source port of UDP and TCP over IPv4.
const PORT: usize = HEADER_LEN + 34;

/// Frames in turn; the source port of each is another one every time, so that it is another flow.
#[derive(Clone, Debug)]
pub(crate) struct Flood {
    frames: Vec<Vec<u8>>,
    turn: u16,
}

impl Flood {
    pub(crate) fn new() -> Self {
        let own = |to: Mac| eth(FLOODER.mac, to);
        let everyone = "255.255.255.255";
        let frames = [
            // New flows that are allowed, and new connections to the others that are not.
            own(ROUTER).ipv4(FLOODER.address, "192.0.2.1").udp(0, 53).frame(),
            own(ROUTER).ipv4(FLOODER.address, "192.0.2.2").udp(0, 53).frame(),
            own(VICTIM.mac).ipv4(FLOODER.address, VICTIM.address).tcp(0, 22).frame(),
            own(PEER.mac).ipv4(FLOODER.address, PEER.address).tcp(0, 80).frame(),
            own(BROADCAST).ipv4(FLOODER.address, everyone).udp(0, 67).frame(),
            own(BROADCAST).arp_request(FLOODER.address, VICTIM.address).frame(),
            // In the others' names.
            own(PEER.mac).ipv4(VICTIM.address, PEER.address).udp(0, 53).frame(),
            eth(VICTIM.mac, PEER.mac).ipv4(VICTIM.address, PEER.address).udp(0, 53).frame(),
            own(BROADCAST).arp_gratuitous(VICTIM.address).frame(),
        ];
        let header = VnetHeader::default().to_bytes();
        Self { frames: frames.map(|frame| [&header[..], &frame].concat()).into(), turn: 0 }
    }

    /// Each frame once.
    pub(crate) fn send(&mut self, tap: &Tap) {
        self.turn = self.turn.wrapping_add(1);
        for frame in &mut self.frames {
            if frame[HEADER_LEN + 12..][..2] == [8, 0] {
                frame[PORT..PORT + 2].copy_from_slice(&self.turn.to_be_bytes());
            }
            // A full send buffer is what a flood comes to.
            let _ = tap.send_raw(frame);
        }
    }
}
