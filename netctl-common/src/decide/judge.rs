//! What the steps of one decision share: the flow that answers for a packet, the policy's verdict, the next hop.

use super::apart::Step;
use super::audit::told_of;
use super::{Decided, Facts, Tables};
use crate::abi::{
    AddressKey, Classes, FlowEntry, NO_PORT, PortEntry, PrefixKey, Root, StationKey, guards, port_flags,
};
use crate::address::{Address, LinkAddress};
use crate::classify::Service;
use crate::flow::Fit;
use crate::frame::{Frame, Packet, Tuple, number};
use crate::guard;
use crate::lease;
use crate::verdict::{Action, Direction, Reason, Verdict};

/// What all steps of one decision share.
pub struct Judge<'a, T, F: ?Sized> {
    pub(super) tables: &'a T,
    pub(super) frame: &'a F,
    pub(super) root: &'a Root,
    pub(super) port: &'a PortEntry,
    pub(super) direction: Direction,
    pub(super) ifindex: u32,
}

impl<'a, T: Tables, F: Frame + ?Sized> Judge<'a, T, F> {
    #[inline(always)]
    pub const fn new(
        tables: &'a T,
        frame: &'a F,
        port: &'a PortEntry,
        direction: Direction,
        ifindex: u32,
    ) -> Self {
        Self { tables, frame, root: &port.root, port, direction, ifindex }
    }

    #[inline(always)]
    pub const fn direction(&self) -> Direction {
        self.direction
    }

    #[inline(always)]
    pub const fn port(&self) -> &PortEntry {
        self.port
    }

    #[inline(always)]
    pub(super) fn is_from_guest(&self) -> bool {
        matches!(self.direction, Direction::FromGuest)
    }

    #[inline(always)]
    pub(super) fn station_classes(&self, mac: &LinkAddress) -> Classes {
        if *mac == LinkAddress::BROADCAST {
            return self.root.broadcast;
        }
        if mac.is_group() {
            return self.root.multicast;
        }
        let key = StationKey { network: self.port.network, mac: *mac };
        self.tables.station(self.root.slot, &key).map_or(self.root.world, |station| station.classes)
    }

    /// The verdict of the flow that the packet belongs to, if there is one.
    #[inline(always)]
    pub(super) fn known_flow(&self, facts: &mut Facts) -> Decided<Option<Verdict>> {
        if facts.packet.is_to_group() {
            return Ok(None);
        }
        facts.key.set(&facts.packet.tuple, self.direction);
        let now = self.tables.now();
        let mut entry = match self.tables.flow(self.port.id, &facts.key)? {
            Some(entry) if entry.is_live(facts.key.protocol, now, &self.root.timeouts) => entry,
            _ => return Ok(None),
        };
        let mut opener = Direction::decode(entry.opener);
        let mut is_current = entry.is_judged(self.root.generation);
        let is_rare = facts.key.protocol == number::TCP && !entry.runs_on(&facts.packet);
        let mut fit = Fit::Belongs;
        if is_rare {
            fit = entry.fit(&facts.packet, self.direction, self.port.guards & guards::TCP_STATE != 0);
            match fit {
                Fit::Strange => return Err(Reason::TcpState.into()),
                Fit::Anew => return Ok(None),
                Fit::Crosses => {
                    facts.crosses = true;
                    return Ok(None);
                }
                // What the policy says about the one who asked, it has to say again.
                Fit::Reopens => (opener, is_current) = (self.direction.opposite(), false),
                Fit::Belongs | Fit::AsksAgain => {}
            }
        }
        let origin = self.origin(&facts.packet);
        if origin != 0 && (origin != entry.origin || !is_current) {
            self.require(Step::Sender, facts)?;
            if self.tables.writes() {
                entry.origin = origin;
            }
        }
        let mut reason = Reason::Flow;
        if !is_current {
            facts.opener = opener;
            let verdict = self.ask(Step::JudgeAgain, facts);
            let audited;
            (reason, audited) = told_of(entry.audited, facts);
            if !self.tables.writes() {
                if self.is_from_guest() {
                    facts.redirect = self.next_hop(&facts.packet);
                }
                return Ok(Some(as_flow(Verdict { reason, ..verdict })));
            }
            entry.audited = audited;
            entry.action = verdict.action as u8;
            entry.rule = verdict.rule;
            entry.generation = self.root.generation;
            (entry.next_hop, entry.next_mac) = (0, LinkAddress::NONE);
        }
        if self.is_from_guest() {
            facts.redirect = self.next_hop_of_flow(&mut entry, &facts.packet);
        }
        if self.tables.writes() {
            if is_rare {
                let was_over = entry.is_over();
                entry.note_rare(&facts.packet, self.direction, fit);
                facts.ended = entry.logged != 0 && !was_over && entry.is_over();
                facts.log = facts.ended;
            } else {
                entry.note(&facts.packet, self.direction);
            }
            entry.last_seen = now;
            entry.count(&facts.packet, self.direction);
            if entry.to_tell != 0 {
                entry.to_tell -= 1;
                facts.log = true;
            }
        }
        let verdict = Verdict { action: Action::decode(u32::from(entry.action)), reason, rule: entry.rule };
        let settles = entry.settles(self.direction) && self.tables.writes();
        // Settling gives the entry back.
        drop(entry);
        if settles {
            // It decides about a place in a table, and not about the frame.
            let _ = self.ask(Step::Settle, facts);
        }
        Ok(Some(as_flow(verdict)))
    }

    /// The running policy's verdict about the first packet of a flow.
    #[inline(always)]
    pub(super) fn judge_again(&self, facts: &mut Facts) -> Decided<Verdict> {
        let opener = facts.opener;
        let own = guard::may_have(self.tables, self.root, self.port, &facts.key.local, opener)?;
        if !own {
            return Ok(Verdict::deny(Reason::Revoked));
        }
        let tuple = facts.key.opening(opener);
        let verdict = self.first_rule(self.classes(&tuple, opener)?, Service::of(&tuple), facts);
        // No new flow: nothing to tell about.
        facts.log = false;
        verdict
    }

    /// The rules' verdict about the packet, which opens a flow.
    #[inline(always)]
    pub(super) fn policy(&self, facts: &mut Facts) -> Decided<Verdict> {
        let tuple = &facts.packet.tuple;
        let (classes, service) = (self.classes(tuple, self.direction)?, Service::of(tuple));
        self.first_rule(classes, service, facts)
    }

    /// Of source and destination of the first packet of a flow that is opened in `direction`.
    #[inline(always)]
    fn classes(&self, tuple: &Tuple, direction: Direction) -> Decided<(u32, u32)> {
        Ok(match direction {
            Direction::FromGuest => {
                (self.local_classes(&tuple.source)?.source, self.remote(&tuple.destination)?.destination)
            }
            Direction::ToGuest => {
                (self.remote(&tuple.source)?.source, self.local_classes(&tuple.destination)?.destination)
            }
        })
    }

    /// The guest's own end: the port itself where the address is not its own (`addresses = "any"`, DHCP).
    #[inline(always)]
    pub(super) fn local_classes(&self, address: &Address) -> Decided<Classes> {
        let key = AddressKey { zone: self.port.zone, address: *address };
        Ok(match self.tables.address(self.root.slot, &key)? {
            Some(entry) if entry.port == self.port.id => entry.classes,
            None if guard::holder(self.tables, self.root, self.port, &key) == self.port.id => {
                self.learned(&key, self.port.id)?
            }
            _ => self.port.classes,
        })
    }

    /// The other end: who has the address, or the longest prefix that a rule knows it by.
    #[inline(always)]
    pub(super) fn remote(&self, address: &Address) -> Decided<Classes> {
        let key = AddressKey { zone: self.port.zone, address: *address };
        if let Some(entry) = self.tables.address(self.root.slot, &key)? {
            return Ok(entry.classes);
        }
        match guard::holder(self.tables, self.root, self.port, &key) {
            NO_PORT => {
                let key = PrefixKey { zone_be: self.port.zone.to_be_bytes(), address: *address };
                Ok(self.tables.prefix(self.root.slot, &key)?.ok_or(Reason::Internal)?.classes)
            }
            id => self.learned(&key, id),
        }
    }

    /// Of an address that the port of this id has learned.
    #[inline(always)]
    fn learned(&self, key: &AddressKey, id: u32) -> Decided<Classes> {
        match lease::unpacked(self.tables.classes_of(self.root.slot, id, key)) {
            lease::NO_CLASSES => Err(Reason::Internal.into()),
            classes => Ok(classes),
        }
    }

    /// [`Self::next_hop`], looked up once for a flow and destination.
    #[inline(always)]
    pub(super) fn next_hop_of_flow(&self, entry: &mut FlowEntry, packet: &Packet) -> u32 {
        if entry.next_mac == packet.link.destination {
            return entry.next_hop;
        }
        let next_hop = self.next_hop(packet);
        if self.tables.writes() {
            (entry.next_hop, entry.next_mac) = (next_hop, packet.link.destination);
        }
        next_hop
    }

    /// The interface of the local port that the frame is for, or the uplink at which it comes to the host.
    #[inline(always)]
    pub(super) fn next_hop(&self, packet: &Packet) -> u32 {
        let to_guests = self.port.flags & port_flags::REDIRECT != 0;
        if packet.is_group_frame() || (!to_guests && self.port.uplink == 0) {
            return 0;
        }
        let key = StationKey { network: self.port.network, mac: packet.link.destination };
        match self.tables.station(self.root.slot, &key) {
            // The host's own interface is for untagged frames; a VLAN's is found by the kernel.
            Some(station) if !station.is_guest() && packet.vlan != 0 => 0,
            // What a guest may not be handed by redirect (vepa, private), the host may.
            Some(station) if station.is_guest() && !to_guests => 0,
            Some(station) if station.ifindex != self.ifindex => station.ifindex,
            _ => 0,
        }
    }
}

/// A flow's verdict: allowed as a flow or by audit mode, or denied although it was allowed once.
#[inline(always)]
pub(super) const fn as_flow(verdict: Verdict) -> Verdict {
    let reason = match verdict.reason {
        _ if !verdict.allows() => Reason::Revoked,
        Reason::Audit => Reason::Audit,
        _ => Reason::Flow,
    };
    Verdict { reason, ..verdict }
}
