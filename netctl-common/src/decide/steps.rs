//! The steps of a frame that no flow answers for: ARP, neighbor discovery, group addresses, ICMP errors, and the
//! packets that open flows.

use super::judge::{Judge, as_flow, is_to_group};
use super::{Decided, Facts, Tables};
use crate::abi::{AddressKey, FlowEntry, NO_RULE};
use crate::classify::{Service, first_match};
use crate::flow::{self, Opening, seen};
use crate::frame::{Frame, Layer, Packet, number};
use crate::guard;
use crate::verdict::{Action, Direction, Reason, Verdict};

/// The steps of a frame that no flow answers for. Out of line, and its parts too: a BPF program and all that
/// it calls share 512 bytes of stack, and only what is called last should pay for its own needs.
#[inline(never)]
pub(super) fn without_flow<F: Frame + ?Sized, T: Tables>(judge: &Judge<'_, T>, frame: &F, facts: &mut Facts) {
    let packet = &facts.packet;
    match packet.layer {
        Layer::Arp => out_of_line(facts, |facts| judge.arp(frame, &mut facts.packet)),
        Layer::Other => out_of_line(facts, |facts| judge.ethertype(facts)),
        _ if guard::is_neighbor_discovery(packet) => {
            out_of_line(facts, |facts| judge.neighbor(frame, &facts.packet))
        }
        _ if is_icmp_error(packet) => out_of_line(facts, |facts| judge.related(frame, facts)),
        _ if is_to_group(packet) => out_of_line(facts, |facts| judge.group(facts)),
        _ => out_of_line(facts, |facts| judge.opens(facts)),
    }
}

#[inline(never)]
pub(super) fn out_of_line(facts: &mut Facts, step: impl FnOnce(&mut Facts) -> Decided<Verdict>) {
    facts.verdict = match step(facts) {
        Ok(verdict) => verdict,
        Err(verdict) => verdict,
    };
}

impl<T: Tables> Judge<'_, T> {
    #[inline(always)]
    fn arp<F: Frame + ?Sized>(&self, frame: &F, packet: &mut Packet) -> Decided<Verdict> {
        let arp = packet.arp(frame)?;
        if self.is_from_guest() {
            guard::arp(self.tables, self.root, self.port, &arp)?;
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
        let service = Service::ethertype(packet.ethertype);
        let rule = first_match(self.tables, self.root, source, destination, service)?;
        if rule == NO_RULE { Err(Reason::UnknownEthertype.into()) } else { self.ruling(rule, &mut facts.log) }
    }

    /// A packet that may open a flow.
    #[inline(always)]
    fn opens(&self, facts: &mut Facts) -> Decided<Verdict> {
        let packet = &facts.packet;
        self.addresses(packet)?;
        let opening = flow::opening(packet);
        if matches!(opening, Opening::Stray) {
            return Err(Reason::NoFlow.into());
        }
        out_of_line(facts, |facts| self.policy(&facts.packet.tuple, self.direction, &mut facts.log));
        let (verdict, packet) = (facts.verdict, &facts.packet);
        if !verdict.allows() {
            let stray = matches!(opening, Opening::PickUp) && verdict.rule == NO_RULE;
            return if stray { Err(Reason::NoFlow.into()) } else { Ok(verdict) };
        }
        if self.tables.writes() {
            let now = self.tables.now();
            let mut entry = FlowEntry::open(self.direction, self.root.generation, verdict.rule, now);
            if matches!(opening, Opening::PickUp) {
                entry.seen = seen::PICKED_UP;
            }
            entry.note(packet, self.direction, now);
            if !self.tables.insert_flow(self.port.id, &facts.key, &entry) {
                return Err(Reason::FlowTable.into());
            }
        }
        Ok(verdict)
    }

    /// Guards on the IP addresses of a packet without a flow.
    #[inline(always)]
    fn addresses(&self, packet: &Packet) -> Decided<()> {
        guard::martian(packet)?;
        if self.is_from_guest() {
            guard::source(self.tables, self.root, self.port, packet)?;
            return Ok(guard::router(packet)?);
        }
        if guard::is_own(self.tables, self.root, self.port, &packet.tuple.destination)? {
            Ok(())
        } else {
            Err(Reason::WrongDestination.into())
        }
    }

    #[inline(always)]
    fn neighbor<F: Frame + ?Sized>(&self, frame: &F, packet: &Packet) -> Decided<Verdict> {
        guard::neighbor_header(packet)?;
        guard::martian(packet)?;
        if self.is_from_guest() {
            guard::neighbor(self.tables, self.root, self.port, packet, frame)?;
        }
        Ok(Verdict::allow(Reason::NeighborDiscovery))
    }

    /// To a group there is no flow: no reply can come from it. Each frame is judged by itself.
    #[inline(always)]
    fn group(&self, facts: &mut Facts) -> Decided<Verdict> {
        let packet = &facts.packet;
        guard::martian(packet)?;
        if self.is_from_guest() {
            guard::source(self.tables, self.root, self.port, packet)?;
            guard::router(packet)?;
        }
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
        self.first_rule((source, destination), Service::of(&packet.tuple), &mut facts.log)
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

    /// An ICMP error belongs to the flow of the packet that it shows.
    #[inline(always)]
    fn related<F: Frame + ?Sized>(&self, frame: &F, facts: &mut Facts) -> Decided<Verdict> {
        let packet = &facts.packet;
        // Never about, nor to, a group (RFC 1122, 3.2.2).
        if is_to_group(packet) {
            return Err(Reason::UnrelatedError.into());
        }
        self.addresses(packet)?;
        out_of_line(facts, |facts| self.find_inner(frame, facts));
        if !facts.verdict.allows() {
            return Err(facts.verdict);
        }
        let entry = self.tables.flow(self.port.id, &facts.key)?.ok_or(Reason::UnrelatedError)?;
        if !entry.is_live(facts.key.protocol, self.tables.now()) {
            return Err(Reason::UnrelatedError.into());
        }
        let current = entry.generation == self.root.generation;
        let (opener, action, rule) =
            (Direction::decode(entry.opener), Action::decode(u32::from(entry.action)), entry.rule);
        drop(entry);
        if current {
            facts.verdict = Verdict { action, reason: Reason::Related, rule };
        } else {
            out_of_line(facts, |facts| self.judge_again(&facts.key, opener));
        }
        let verdict = as_flow(facts.verdict);
        let reason = if verdict.allows() { Reason::Related } else { verdict.reason };
        Ok(Verdict { reason, ..verdict })
    }

    /// The key of the flow whose packet the error shows, which must have gone the other way.
    #[inline(always)]
    fn find_inner<F: Frame + ?Sized>(&self, frame: &F, facts: &mut Facts) -> Decided<Verdict> {
        facts.packet.inner(frame, &mut facts.inner)?;
        facts.key.set(&facts.inner, self.direction.opposite());
        let tuple = &facts.packet.tuple;
        let local = if self.is_from_guest() { &tuple.source } else { &tuple.destination };
        if facts.key.local == *local {
            Ok(Verdict::allow(Reason::Related))
        } else {
            Err(Reason::UnrelatedError.into())
        }
    }
}

/// Errors that report on another packet (RFC 792; RFC 4443, 2.1).
#[inline(always)]
const fn is_icmp_error(packet: &Packet) -> bool {
    match packet.tuple.protocol {
        number::ICMP => matches!(packet.icmp_type(), 3 | 11 | 12),
        number::ICMP6 => packet.icmp_type() >= 1 && packet.icmp_type() <= 4,
        _ => false,
    }
}
