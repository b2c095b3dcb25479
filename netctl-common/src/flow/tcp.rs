//! TCP: which segments fit their connection, so that who is not on its path can neither open, nor reset, nor close it.
//!
//! What the guest sends is believed, because it can only harm its own connections; what comes to it may be forged, and
//! moves the state only where it lies in the window: from what the guest acknowledged, up to what the other side has
//! sent or [`WINDOW`] further. Segments with data are not dropped for their numbers: their receiver knows better, and
//! a middle that guesses windows breaks connections (RFC 5382, 7). Numbers are compared modulo 2^32 (RFC 9293, 3.4).

use super::seen;
use crate::abi::{FlowEntry, FlowKey};
use crate::frame::{Inner, Packet, number, tcp};
use crate::verdict::Direction;

/// Bytes past the last acknowledgment at which a reset or an end is believed although nothing in between was seen: the
/// largest window without a scale factor (RFC 7323), which a port does not keep.
const WINDOW: u32 = 65_535;

/// How a TCP segment stands to the flow with its addresses and ports.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    Belongs = 0,
    /// A SYN inside an open connection, by its opener: to be let through, so that a peer that still knows the old
    /// connection can say so (RFC 9293, 3.5.1). The connection stays as it is until the SYN is answered.
    AsksAgain = 1,
    /// A SYN of the other side, which the policy has to allow; then as [`Self::AsksAgain`].
    Crosses = 2,
    /// The answer to such a SYN: the connection begins anew.
    Reopens = 3,
    /// A SYN where the connection is over or was never answered: a new flow.
    Anew = 4,
    /// A reset outside of the window, an answer to no question.
    Strange = 5,
}

impl FlowEntry {
    /// Whether the packet is what nearly all are: data or an acknowledgment, in a connection that both sides hold.
    #[inline(always)]
    pub const fn runs_on(&self, packet: &Packet) -> bool {
        packet.tcp_flags & (tcp::SYN | tcp::RST | tcp::FIN | tcp::ACK) == tcp::ACK
            && self.seen & !seen::PICKED_UP == seen::REPLY
    }

    /// Without the guard (`guarded` is false), the flags alone decide.
    // Out of line: for the few segments that do not run on.
    #[inline(never)]
    pub fn fit(&self, packet: &Packet, direction: Direction, guarded: bool) -> Fit {
        let fit = match packet.tcp_flags & (tcp::SYN | tcp::ACK | tcp::RST) {
            tcp::SYN => self.fit_opening(packet, direction),
            flags if flags & tcp::SYN != 0 => self.fit_answer(packet, direction),
            flags if flags & tcp::RST != 0 => self.fit_reset(packet, direction),
            _ => Fit::Belongs,
        };
        match fit {
            Fit::Strange if !guarded => Fit::Belongs,
            Fit::Crosses if !guarded => Fit::Anew,
            fit => fit,
        }
    }

    #[inline(always)]
    fn fit_opening(&self, packet: &Packet, direction: Direction) -> Fit {
        if self.is_over() {
            return Fit::Anew;
        }
        if self.opener != direction as u8 {
            return Fit::Crosses;
        }
        // Unanswered, `acknowledged` of the other side is the number of the SYN.
        let first = direction.opposite().pick(&self.acknowledged);
        match self.is_answered() {
            true => Fit::AsksAgain,
            false if packet.sequence == first => Fit::Belongs,
            false => Fit::Anew,
        }
    }

    #[inline(always)]
    fn fit_answer(&self, packet: &Packet, direction: Direction) -> Fit {
        let asked = match direction {
            Direction::FromGuest => seen::PEER_SYN,
            Direction::ToGuest => seen::GUEST_SYN,
        };
        if self.seen & asked != 0 && packet.acknowledgment == self.reopening.wrapping_add(1) {
            return Fit::Reopens;
        }
        let fits = if self.is_over() {
            false
        } else if self.seen & seen::REPLY != 0 {
            // Once more, or of both sides, which opened at once: its own number was acknowledged, or not yet.
            direction.opposite().pick(&self.acknowledged).wrapping_sub(packet.sequence) <= 1
        } else {
            self.opener != direction as u8 && !self.is_answered() && self.acknowledges(packet, direction)
        };
        if fits { Fit::Belongs } else { Fit::Strange }
    }

    #[inline(always)]
    fn fit_reset(&self, packet: &Packet, direction: Direction) -> Fit {
        let fits = if self.is_answered() {
            self.is_in_window(packet, direction)
        } else if matches!(direction, Direction::FromGuest) {
            true
        } else if self.opener == direction as u8 {
            let first = direction.opposite().pick(&self.acknowledged);
            packet.sequence.wrapping_sub(first) <= WINDOW
        } else {
            // RFC 9293, 3.10.7.3.
            packet.tcp_flags & tcp::ACK != 0 && self.acknowledges(packet, direction)
        };
        if fits { Fit::Belongs } else { Fit::Strange }
    }

    /// Whether the packet that an error is about may have been sent in `direction` and be on its way still. The reference
    /// is Linux's own (`tcp_v4_err`).
    #[inline(always)]
    pub fn was_sent(&self, key: &FlowKey, inner: &Inner, direction: Direction) -> bool {
        let sent = direction.pick(&self.sequence);
        let expected = direction.opposite().pick(&self.acknowledged);
        key.protocol != number::TCP || sent.wrapping_sub(inner.sequence) <= sent.wrapping_sub(expected)
    }

    /// Whether it acknowledges something that the other side sent and that was not acknowledged before.
    #[inline(always)]
    const fn acknowledges(&self, packet: &Packet, direction: Direction) -> bool {
        let sent = direction.opposite().pick(&self.sequence);
        sent.wrapping_sub(packet.acknowledgment) < sent.wrapping_sub(direction.pick(&self.acknowledged))
    }

    /// Whether the receiver may expect the segment.
    #[inline(always)]
    const fn is_in_window(&self, packet: &Packet, direction: Direction) -> bool {
        let expected = direction.opposite().pick(&self.acknowledged);
        let in_flight = direction.pick(&self.sequence).wrapping_sub(expected) as i32;
        let room = if in_flight > WINDOW as i32 { in_flight } else { WINDOW as i32 };
        packet.sequence_end.wrapping_sub(expected) as i32 >= 0
            && packet.sequence.wrapping_sub(expected) as i32 <= room
    }

    /// The first segment of the flow.
    #[inline(always)]
    pub(super) const fn begin(&mut self, packet: &Packet, direction: Direction) {
        if packet.tcp_flags & tcp::SYN == 0 {
            return self.adopt(packet, direction);
        }
        self.sequence[direction as usize] = packet.sequence_end;
        self.acknowledged[direction.opposite() as usize] = packet.sequence;
    }

    /// From one segment of a connection, what both sides have sent.
    #[inline(always)]
    const fn adopt(&mut self, packet: &Packet, direction: Direction) {
        let (own, other) = (direction as usize, direction.opposite() as usize);
        self.sequence[own] = packet.sequence_end;
        self.acknowledged[own] = packet.acknowledgment;
        self.sequence[other] = packet.acknowledgment;
        self.acknowledged[other] = packet.sequence;
    }

    /// Takes note of a segment that [runs on](Self::runs_on).
    #[inline(always)]
    pub(super) const fn advance(&mut self, packet: &Packet, direction: Direction) {
        let (own, other) = (direction as usize, direction.opposite() as usize);
        if matches!(direction, Direction::FromGuest) {
            if is_behind(self.sequence[own], packet.sequence_end) {
                self.sequence[own] = packet.sequence_end;
            }
            if is_behind(self.acknowledged[own], packet.acknowledgment) {
                self.acknowledged[own] = packet.acknowledgment;
            }
            if is_behind(self.sequence[other], packet.acknowledgment) {
                self.sequence[other] = packet.acknowledgment;
            }
            return;
        }
        if is_behind(self.sequence[own], packet.sequence_end) && self.is_in_window(packet, direction) {
            self.sequence[own] = packet.sequence_end;
        }
        if self.acknowledges(packet, direction) {
            self.acknowledged[own] = packet.acknowledgment;
        }
    }

    /// Takes note of any other segment that fits.
    // Out of line, as `fit`.
    #[inline(never)]
    pub fn note_rare(&mut self, packet: &Packet, direction: Direction, fit: Fit) {
        match fit {
            Fit::AsksAgain => return self.asks_again(packet, direction),
            Fit::Reopens => return self.reopen(packet, direction),
            _ => {}
        }
        match packet.tcp_flags & (tcp::SYN | tcp::ACK | tcp::RST) {
            flags if flags & tcp::RST != 0 => self.seen |= seen::RST,
            flags if flags == tcp::SYN | tcp::ACK => self.note_answer(packet, direction),
            tcp::ACK => self.note_rare_data(packet, direction),
            // A SYN once more, or a later fragment.
            _ => {}
        }
    }

    /// A SYN inside the connection, which may be answered.
    #[inline(always)]
    pub const fn asks_again(&mut self, packet: &Packet, direction: Direction) {
        self.reopening = packet.sequence;
        self.seen = self.seen & !(seen::GUEST_SYN | seen::PEER_SYN) | asking(direction);
    }

    #[inline(always)]
    const fn reopen(&mut self, packet: &Packet, direction: Direction) {
        self.adopt(packet, direction);
        self.opener = direction.opposite() as u8;
        self.seen = seen::REPLY;
    }

    #[inline(always)]
    const fn note_answer(&mut self, packet: &Packet, direction: Direction) {
        if self.seen & seen::REPLY == 0 && self.opener != direction as u8 {
            // What the opener sent stays: data with the SYN need not be acknowledged at once (RFC 7413).
            self.sequence[direction as usize] = packet.sequence_end;
            self.acknowledged[direction as usize] = packet.acknowledgment;
            self.acknowledged[direction.opposite() as usize] = packet.sequence;
            self.seen |= seen::REPLY;
        }
    }

    #[inline(always)]
    const fn note_rare_data(&mut self, packet: &Packet, direction: Direction) {
        let from_guest = matches!(direction, Direction::FromGuest);
        let replies = self.opener != direction as u8;
        let reply = if replies { seen::REPLY } else { 0 };
        if !self.is_answered() {
            // In the middle of a connection that was not seen to open. From the other side it may be forged.
            if from_guest {
                self.adopt(packet, direction);
                self.seen |= seen::PICKED_UP | reply;
            }
            return;
        }
        let ends = packet.tcp_flags & tcp::FIN != 0 && (from_guest || self.is_in_window(packet, direction));
        let before = direction.pick(&self.sequence);
        if self.seen & seen::REPLY == 0 && replies && from_guest {
            self.adopt(packet, direction);
        } else {
            self.advance(packet, direction);
        }
        let own_fin = if replies { seen::REPLY_FIN } else { seen::OPENER_FIN };
        if ends {
            self.seen |= own_fin;
        } else if direction.pick(&self.sequence) != before {
            // Who sends more had not ended: the FIN was forged.
            self.seen &= !own_fin;
        }
        self.seen = self.seen & !(seen::RST | asking(direction)) | reply;
    }

    /// Reset, closed by both sides, or ended by an operator.
    #[inline(always)]
    pub(crate) const fn is_over(&self) -> bool {
        self.seen & (seen::RST | seen::KILLED) != 0 || self.seen & seen::BOTH_FINS == seen::BOTH_FINS
    }

    #[inline(always)]
    const fn is_answered(&self) -> bool {
        self.seen & seen::ANSWERED != 0
    }
}

#[inline(always)]
const fn asking(direction: Direction) -> u8 {
    match direction {
        Direction::FromGuest => seen::GUEST_SYN,
        Direction::ToGuest => seen::PEER_SYN,
    }
}

#[inline(always)]
const fn is_behind(number: u32, other: u32) -> bool {
    (other.wrapping_sub(number) as i32) > 0
}
