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

    /// The flow as an operator ends it. As if both sides had spoken: the longest of its protocol's timeouts holds, and no SYN
    /// that was on its way is answered. Among the settled ones, which new flows push out last.
    pub const fn killed(mut self) -> Self {
        self.action = Action::Deny as u8;
        self.rule = NO_RULE;
        self.audited = NO_RULE;
        self.seen = seen::REPLY | seen::KILLED;
        self.settled = 1;
        self
    }

    #[inline(always)]
    pub const fn is_killed(&self) -> bool {
        self.seen & seen::KILLED != 0
    }

    /// Whether the running policy has judged it, or need not.
    #[inline(always)]
    pub const fn is_judged(&self, generation: u32) -> bool {
        self.generation == generation || self.is_killed()
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

    #[test]
    fn a_killed_flow_is_denied_for_the_longest_time_and_needs_no_judgement() {
        let open = FlowEntry {
            seen: seen::OPENER_FIN | seen::GUEST_SYN,
            ..FlowEntry::open(Direction::ToGuest, 1, 7, 1)
        };
        let killed = open.killed();
        assert!(killed.is_killed() && !open.is_killed());
        assert!(killed.is_judged(2) && !open.is_judged(2));
        assert_eq!((killed.action, killed.rule, killed.settled), (Action::Deny as u8, NO_RULE, 1));
        assert!(!killed.settles(Direction::ToGuest));
        for more in [0, seen::RST, seen::OPENER_FIN, seen::OPENER_FIN | seen::REPLY_FIN] {
            assert_eq!(timeout(number::TCP, killed.seen | more), crate::flow::Timeout::TcpEstablished);
        }
        assert_eq!(timeout(number::UDP, killed.seen), crate::flow::Timeout::UdpAnswered);
    }
}
