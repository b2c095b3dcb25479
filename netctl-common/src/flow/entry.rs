//! What is remembered of a flow, for all protocols.

use super::{TIMEOUTS, seen, timeout};
use crate::abi::{Counter, FlowEntry, NO_RULE};
use crate::address::LinkAddress;
use crate::frame::{Packet, number};
use crate::verdict::{Action, Direction};

impl FlowEntry {
    /// A flow that nothing is known about but who opened it.
    #[inline(always)]
    pub const fn open(direction: Direction, generation: u32, rule: u32, now: u32) -> Self {
        Self {
            counters: [Counter { packets: 0, bytes: 0 }; 2],
            generation,
            rule,
            last_seen: now,
            created: now,
            next_hop: 0,
            next_mac: LinkAddress::NONE,
            seen: 0,
            opener: direction as u8,
            action: Action::Allow as u8,
            settled: 0,
            logged: 0,
            to_tell: 0,
            origin: 0,
            sequence: [0; 2],
            acknowledged: [0; 2],
            audited: NO_RULE,
            reopening: 0,
            reserved_2: 0,
        }
    }

    /// A flow that `packet` opens, or takes up in the middle.
    #[inline(always)]
    pub const fn open_by(mut self, packet: &Packet, direction: Direction, picked_up: bool) -> Self {
        if picked_up {
            self.seen = seen::PICKED_UP;
        }
        if packet.tuple.protocol == number::TCP {
            self.begin(packet, direction);
        }
        self.count(packet, direction);
        self
    }

    /// Whether the entry still stands for a connection.
    #[inline(always)]
    pub const fn is_live(&self, protocol: u8, now: u32, timeouts: &[u32; TIMEOUTS]) -> bool {
        now.wrapping_sub(self.last_seen) < timeouts[timeout(protocol, self.seen) as usize]
    }

    /// Whether the frame shows that both sides keep the flow up: its opener speaks again, after the other side has answered.
    #[inline(always)]
    pub const fn settles(&self, direction: Direction) -> bool {
        const OVER: u8 = seen::RST | seen::BOTH_FINS;
        self.settled == 0
            && self.opener == direction as u8
            && self.seen & (seen::REPLY | OVER) == seen::REPLY
            && self.action == Action::Allow as u8
    }

    /// Takes note of a frame of the flow. Of TCP, only if it [runs on](Self::runs_on).
    #[inline(always)]
    pub const fn note(&mut self, packet: &Packet, direction: Direction) {
        if packet.tuple.protocol == number::TCP {
            self.advance(packet, direction);
        } else if self.opener != direction as u8 && self.seen & seen::REPLY == 0 {
            self.seen |= seen::REPLY;
        }
    }

    #[inline(always)]
    pub const fn count(&mut self, packet: &Packet, direction: Direction) {
        // Not atomic: two queues of one guest may lose a count, never a state.
        let counter = if matches!(direction, Direction::FromGuest) {
            &mut self.counters[0]
        } else {
            &mut self.counters[1]
        };
        counter.packets += 1;
        counter.bytes += packet.length as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_settles_when_its_opener_speaks_again_after_an_answer() {
        let opened = FlowEntry::open(Direction::ToGuest, 1, NO_RULE, 1);
        assert!(!opened.settles(Direction::ToGuest), "not answered");
        let answered = FlowEntry { seen: seen::REPLY, ..opened };
        assert!(answered.settles(Direction::ToGuest));
        assert!(!answered.settles(Direction::FromGuest), "the answer itself");
        for over in [seen::RST, seen::OPENER_FIN, seen::REPLY_FIN] {
            let over = FlowEntry { seen: seen::REPLY | over, ..opened };
            assert!(!over.settles(Direction::ToGuest), "{:#x}", over.seen);
        }
        let revoked = FlowEntry { action: Action::Deny as u8, ..answered };
        assert!(!revoked.settles(Direction::ToGuest));
        assert!(!FlowEntry { settled: 1, ..answered }.settles(Direction::ToGuest), "it has");
    }
}
