//! The steps of a frame that no flow answers for: ARP, neighbor discovery, group addresses, ICMP errors, and the
//! packets that open flows.

use super::judge::Judge;
use super::{Decided, Facts, Tables, opened};
use crate::abi::{AddressKey, FlowEntry, NO_RULE, guards};
use crate::classify::Service;
use crate::flow::{self, Opening};
use crate::frame::{Frame, Layer, Packet, number};
use crate::guard;
use crate::verdict::{Action, Direction, Reason, Verdict};

/// The steps of a frame that no flow answers for. Out of line, and its parts too: a BPF program and all that
/// it calls share 512 bytes of stack, and only what is called last should pay for its own needs.
#[inline(never)]
pub(super) fn without_flow<F: Frame + ?Sized, T: Tables>(judge: &Judge<'_, T>, frame: &F, facts: &mut Facts) {
    if judge.origin(&facts.packet) != 0 {
        out_of_line(facts, |facts| judge.sender(&facts.packet));
        if !facts.verdict.allows() {
            return;
        }
    }
    let packet = &facts.packet;
    match packet.layer {
        _ if judge.is_link_control(packet) => facts.verdict = Reason::LinkControl.into(),
        Layer::Arp => out_of_line(facts, |facts| judge.arp(frame, &mut facts.packet)),
        Layer::Other => out_of_line(facts, |facts| judge.ethertype(facts)),
        _ if guard::is_neighbor_discovery(packet) => {
            out_of_line(facts, |facts| judge.neighbor(frame, &facts.packet))
        }
        _ if is_icmp_error(packet) => out_of_line(facts, |facts| judge.related(frame, facts)),
        _ if packet.is_to_group() => out_of_line(facts, |facts| judge.group(facts)),
        _ if judge.has_no_ports(packet) => out_of_line(facts, |facts| judge.portless(facts)),
        // Not out of line itself: below it are the deepest calls.
        _ => in_line(facts, |facts| judge.opens(facts)),
    }
}

#[inline(never)]
pub(super) fn out_of_line(facts: &mut Facts, step: impl FnOnce(&mut Facts) -> Decided<Verdict>) {
    in_line(facts, step);
}

#[inline(always)]
fn in_line(facts: &mut Facts, step: impl FnOnce(&mut Facts) -> Decided<Verdict>) {
    facts.verdict = match step(facts) {
        Ok(verdict) => verdict,
        Err(verdict) => verdict,
    };
}

impl<T: Tables> Judge<'_, T> {
    /// STP has no ethertype, and is what a guest's frame is denied for rather than its form.
    #[inline(always)]
    pub(super) fn malformed(&self, packet: &Packet, reason: Reason) -> Verdict {
        if self.is_link_control(packet) { Reason::LinkControl.into() } else { reason.into() }
    }

    #[inline(always)]
    fn is_link_control(&self, packet: &Packet) -> bool {
        self.is_from_guest() && self.port.has_guard(guards::LINK_CONTROL) && guard::is_link_control(packet)
    }

    #[inline(always)]
    fn arp<F: Frame + ?Sized>(&self, frame: &F, packet: &mut Packet) -> Decided<Verdict> {
        let arp = packet.arp(frame)?;
        guard::arp(self.tables, self.root, self.port, (&arp, self.direction))?;
        if !self.is_from_guest() {
            self.claims(packet, &arp.sender)?;
        }
        Ok(Verdict::allow(Reason::Arp))
    }

    /// A frame without IP: identities come from the interface and from the MAC addresses.
    #[inline(always)]
    fn ethertype(&self, facts: &mut Facts) -> Decided<Verdict> {
        let packet = &facts.packet;
        let (own, source, destination) = (self.port.classes, &packet.link.source, &packet.link.destination);
        let (source, destination) = if self.is_from_guest() {
            (own.source, self.station_classes(destination).destination)
        } else if packet.is_group_frame() {
            (self.station_classes(source).source, self.station_classes(destination).destination)
        } else {
            (self.station_classes(source).source, own.destination)
        };
        self.first_rule((source, destination), Service::ethertype(packet.ethertype), facts)
    }

    /// A packet that may open a flow.
    #[inline(always)]
    fn opens(&self, facts: &mut Facts) -> Decided<Verdict> {
        out_of_line(facts, |facts| {
            self.addresses(&facts.packet)?;
            Ok(Verdict::allow(Reason::Flow))
        });
        let opening = flow::opening(&facts.packet);
        if !facts.verdict.allows() {
            return Err(facts.verdict);
        }
        if matches!(opening, Opening::Stray) {
            return Err(Reason::NoFlow.into());
        }
        out_of_line(facts, |facts| self.policy(facts));
        let verdict = facts.verdict;
        if !verdict.allows() {
            let denied = matches!(verdict.action, Action::Deny) && verdict.rule == NO_RULE;
            let stray = matches!(opening, Opening::PickUp) && denied;
            return if stray { Err(Reason::NoFlow.into()) } else { Ok(verdict) };
        }
        out_of_line(facts, |facts| {
            self.take_flow()?;
            Ok(facts.verdict)
        });
        if !facts.verdict.allows() {
            return Err(facts.verdict);
        }
        if self.tables.writes() {
            out_of_line(facts, |facts| self.keep(facts, matches!(opening, Opening::PickUp)));
        }
        Ok(facts.verdict)
    }

    /// A flow that the policy allows.
    #[inline(always)]
    fn keep(&self, facts: &mut Facts, picked_up: bool) -> Decided<Verdict> {
        let known = match self.tables.flow(self.port.id, &facts.key)? {
            Some(mut entry) if facts.crosses => {
                entry.asks_again(&facts.packet, self.direction);
                return Ok(facts.verdict);
            }
            entry => entry.is_some(),
        };
        let now = self.tables.now();
        let entry = FlowEntry::open(self.direction, self.root.generation, facts.verdict.rule, now);
        let mut entry = entry.open_by(&facts.packet, self.direction, picked_up);
        entry.audited = facts.audited;
        entry.origin = self.origin(&facts.packet);
        self.insert(facts, &entry, if known { opened::AGAIN } else { opened::FLOW })?;
        Ok(facts.verdict)
    }

    /// The one place where the flow table grows; `opened` is how.
    #[inline(always)]
    pub(super) fn insert(&self, facts: &mut Facts, entry: &FlowEntry, opened: u8) -> Decided<()> {
        if !self.tables.insert_flow(self.port.id, &facts.key, entry) {
            return Err(Reason::FlowTable.into());
        }
        facts.opened |= opened;
        Ok(())
    }

    /// Guards on the IP addresses of a packet without a flow.
    #[inline(always)]
    pub(super) fn addresses(&self, packet: &Packet) -> Decided<()> {
        guard::martian(packet, self.port)?;
        if self.is_from_guest() {
            guard::source(self.tables, self.root, self.port, packet)?;
        }
        self.receiver(packet)?;
        Ok(guard::server(packet, self.port, self.direction)?)
    }

    /// Unicast to a guest is for an address of its own.
    #[inline(always)]
    fn receiver(&self, packet: &Packet) -> Decided<()> {
        let (tables, address) = (self.tables, &packet.tuple.destination);
        if self.is_from_guest() || guard::may_have(tables, self.root, self.port, address, Direction::ToGuest)?
        {
            Ok(())
        } else {
            Err(Reason::WrongDestination.into())
        }
    }

    #[inline(always)]
    fn neighbor<F: Frame + ?Sized>(&self, frame: &F, packet: &Packet) -> Decided<Verdict> {
        guard::neighbor_header(packet)?;
        guard::martian(packet, self.port)?;
        if self.is_from_guest() && !packet.tuple.source.is_unspecified() {
            guard::source(self.tables, self.root, self.port, packet)?;
        } else if !self.is_from_guest()
            && let Some(target) = guard::advertised(packet, frame)?
        {
            self.claims(packet, &target)?;
        }
        if !packet.tuple.destination.is_group() {
            self.receiver(packet)?;
        }
        guard::server(packet, self.port, self.direction)?;
        guard::neighbor((self.tables, self.root, self.port), (packet, self.direction), frame)?;
        Ok(Verdict::allow(Reason::NeighborDiscovery))
    }

    /// To a group there is no flow: no reply can come from it. Each frame is judged by itself.
    #[inline(always)]
    fn group(&self, facts: &mut Facts) -> Decided<Verdict> {
        let packet = &facts.packet;
        guard::martian(packet, self.port)?;
        if self.is_from_guest() {
            guard::source(self.tables, self.root, self.port, packet)?;
        }
        guard::server(packet, self.port, self.direction)?;
        let source = if self.is_from_guest() {
            self.local_classes(&packet.tuple.source)?.source
        } else if packet.tuple.source.is_unspecified() {
            self.station_classes(&packet.link.source).source
        } else {
            self.remote(&packet.tuple.source)?.classes.source
        };
        let destination = if packet.tuple.destination.is_group() {
            self.remote(&packet.tuple.destination)?.classes.destination
        } else {
            self.directed_broadcast(packet)?
        };
        self.first_rule((source, destination), Service::of(&packet.tuple), facts)
    }

    /// A unicast address in a broadcast frame can only be the broadcast address of a subnet; anyone's own
    /// address there would get round the rules about it (RFC 1122, 3.3.6).
    #[inline(always)]
    fn directed_broadcast(&self, packet: &Packet) -> Decided<u32> {
        let ipv4_broadcast = packet.is_broadcast_frame() && matches!(packet.layer, Layer::Ipv4);
        let key = AddressKey { zone: self.port.zone, address: packet.tuple.destination };
        let owned = self.tables.address(self.root.slot, &key)?.is_some();
        if ipv4_broadcast && !owned {
            Ok(self.root.broadcast.destination)
        } else {
            Err(Reason::WrongDestination.into())
        }
    }
}

/// Errors that report on another packet (RFC 792; RFC 4443, 2.1).
#[inline(always)]
pub(super) const fn is_icmp_error(packet: &Packet) -> bool {
    match packet.tuple.protocol {
        number::ICMP => matches!(packet.icmp_type(), 3 | 11 | 12),
        number::ICMP6 => packet.icmp_type() >= 1 && packet.icmp_type() <= 4,
        _ => false,
    }
}
