//! The steps of a frame that no flow answers for: ARP, neighbor discovery, group addresses, ICMP errors, and the
//! packets that open flows.

use super::apart::Step;
use super::judge::Judge;
use super::{Decided, Facts, Tables, opened};
use crate::abi::{FlowEntry, NO_RULE, guards, port_flags};
use crate::classify::Service;
use crate::flow::{self, Opening};
use crate::frame::{Frame, Layer, Packet, number};
use crate::guard;
use crate::lease::{self, Lesson};
use crate::verdict::{Action, Direction, Reason, Verdict};

impl<T: Tables, F: Frame + ?Sized> Judge<'_, T, F> {
    /// By what the frame is.
    #[inline(always)]
    pub(super) fn without_flow(&self, facts: &mut Facts) -> Decided<Verdict> {
        if self.origin(&facts.packet) != 0 {
            self.require(Step::Sender, facts)?;
        }
        let packet = &facts.packet;
        let step = match packet.layer {
            _ if self.is_link_control(packet) => return Err(Reason::LinkControl.into()),
            Layer::Arp => Step::Arp,
            Layer::Other => Step::Ethertype,
            _ if guard::is_neighbor_discovery(packet) => Step::Neighbor,
            _ if is_icmp_error(packet) => Step::Related,
            _ if packet.is_to_group() => Step::Group,
            _ if self.has_no_ports(packet) => Step::Portless,
            _ => Step::Opens,
        };
        Ok(self.ask(step, facts))
    }

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
    pub(super) fn arp(&self, packet: &mut Packet) -> Decided<Verdict> {
        let arp = packet.arp(self.frame)?;
        guard::arp(self.tables, self.root, self.port, (&arp, self.direction))?;
        if !self.is_from_guest() {
            self.claims(packet, &arp.sender)?;
        }
        Ok(Verdict::allow(Reason::Arp))
    }

    /// A frame without IP: identities come from the interface and from the MAC addresses.
    #[inline(always)]
    pub(super) fn ethertype(&self, facts: &mut Facts) -> Decided<Verdict> {
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
    pub(super) fn opens(&self, facts: &mut Facts) -> Decided<Verdict> {
        self.require(Step::Addresses, facts)?;
        let opening = flow::opening(&facts.packet);
        if matches!(opening, Opening::Stray) {
            return Err(Reason::NoFlow.into());
        }
        let verdict = self.ask(Step::Policy, facts);
        if !verdict.allows() {
            let denied = matches!(verdict.action, Action::Deny) && verdict.rule == NO_RULE;
            let stray = matches!(opening, Opening::PickUp) && denied;
            return Err(if stray { Reason::NoFlow.into() } else { verdict });
        }
        self.require(Step::TakeFlow, facts)?;
        if !self.tables.writes() {
            return Ok(facts.verdict);
        }
        facts.picked_up = matches!(opening, Opening::PickUp);
        Ok(self.ask(Step::Keep, facts))
    }

    /// A flow that the policy allows.
    #[inline(always)]
    pub(super) fn keep(&self, facts: &mut Facts) -> Decided<Verdict> {
        // Not an `Option`: see `Decided`.
        let (opened, settled) = match self.flow_apart(facts)? {
            Some(mut entry) if facts.crosses => {
                entry.asks_again(&facts.packet, self.direction);
                return Ok(facts.verdict);
            }
            Some(entry) => (opened::AGAIN, entry.settled),
            None => (opened::FLOW, 0),
        };
        let now = self.tables.now();
        let entry = FlowEntry::open(self.direction, self.root.generation, facts.verdict.rule, now);
        let mut entry = entry.open_by(&facts.packet, self.direction, facts.picked_up);
        entry.audited = facts.audited;
        entry.origin = self.origin(&facts.packet);
        // In the place of the one that is over.
        entry.settled = settled;
        if facts.log {
            (entry.logged, entry.to_tell) = (1, facts.more_frames);
        }
        self.insert(facts, &entry, opened)?;
        Ok(facts.verdict)
    }

    /// The one place where the flow tables grow; `opened` is how.
    #[inline(always)]
    pub(super) fn insert(&self, facts: &mut Facts, entry: &FlowEntry, opened: u8) -> Decided<()> {
        let key = facts.key;
        if !self.tables.insert_flow(self.port.id, &key, entry) {
            return Err(Reason::FlowTable.into());
        }
        facts.opened |= opened;
        Ok(())
    }

    /// Guards on the IP addresses of a packet without a flow.
    #[inline(always)]
    pub(super) fn addresses(&self, packet: &Packet) -> Decided<Verdict> {
        guard::martian(packet, self.port)?;
        if self.is_from_guest() {
            guard::source(self.tables, self.root, self.port, packet)?;
        }
        self.receiver(packet)?;
        guard::server(packet, self.port, self.direction)?;
        Ok(Verdict::allow(Reason::Flow))
    }

    /// Unicast to a guest is for an address of its own.
    #[inline(always)]
    fn receiver(&self, packet: &Packet) -> Decided<()> {
        let (tables, address) = (self.tables, &packet.tuple.destination);
        if self.is_from_guest()
            || guard::may_have(tables, self.root, self.port, address, Direction::ToGuest)?
            || self.offers_address(packet)
        {
            Ok(())
        } else {
            Err(Reason::WrongDestination.into())
        }
    }

    /// A DHCP server sends to the address that it is giving, before the guest has it (RFC 2131, 4.1).
    #[inline(always)]
    fn offers_address(&self, packet: &Packet) -> bool {
        self.port.flags & port_flags::LEARN != 0
            && matches!(lease::lesson(packet, self.direction), Some(Lesson::Dhcp4))
    }

    #[inline(always)]
    pub(super) fn neighbor(&self, facts: &mut Facts) -> Decided<Verdict> {
        let packet = &facts.packet;
        guard::neighbor_header(packet)?;
        guard::martian(packet, self.port)?;
        if self.is_from_guest() && !packet.tuple.source.is_unspecified() {
            guard::source(self.tables, self.root, self.port, packet)?;
        } else if !self.is_from_guest()
            && let Some(target) = guard::advertised(packet, self.frame)?
        {
            self.claims(packet, &target)?;
        }
        if !packet.tuple.destination.is_group() {
            self.receiver(packet)?;
        }
        guard::server(packet, self.port, self.direction)?;
        facts.claim =
            guard::neighbor((self.tables, self.root, self.port), (packet, self.direction), self.frame)?;
        if facts.claim.options != 0 {
            return Ok(self.ask(Step::LinkLayer, facts));
        }
        Ok(Verdict::allow(Reason::NeighborDiscovery))
    }

    /// The options of neighbor discovery.
    #[inline(always)]
    pub(super) fn link_layer(&self, facts: &Facts) -> Decided<Verdict> {
        let host = (self.tables, self.root, self.port);
        guard::link_layer(host, (&facts.packet, self.direction), self.frame, &facts.claim)?;
        Ok(Verdict::allow(Reason::NeighborDiscovery))
    }

    /// To a group there is no flow: no reply can come from it. Each frame is judged by itself.
    #[inline(always)]
    pub(super) fn group(&self, facts: &mut Facts) -> Decided<Verdict> {
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
            self.remote(&packet.tuple.source)?.source
        };
        let destination = if packet.tuple.destination.is_group() {
            self.remote(&packet.tuple.destination)?.destination
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
        let address = &packet.tuple.destination;
        let owned = guard::owner(self.tables, self.root, self.port, address)?.is_some();
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
