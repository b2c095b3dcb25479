//! What the steps of one decision share: the flow that answers for a packet, the policy's verdict, the next hop.

use super::steps::out_of_line;
use super::{Decided, Facts, Tables};
use crate::abi::{
    AddressEntry, AddressKey, Classes, FlowEntry, FlowKey, NO_RULE, PortEntry, PrefixKey, Root, StationKey,
    port_flags, rule_flags,
};
use crate::address::{Address, LinkAddress};
use crate::classify::{Service, first_match};
use crate::frame::{Packet, Tuple};
use crate::guard;
use crate::verdict::{Action, Direction, Reason, Verdict};

/// What all steps of one decision share.
pub(super) struct Judge<'a, T> {
    pub tables: &'a T,
    pub root: &'a Root,
    pub port: &'a PortEntry,
    pub direction: Direction,
    pub ifindex: u32,
}

impl<T: Tables> Judge<'_, T> {
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
        if is_to_group(&facts.packet) {
            return Ok(None);
        }
        facts.key.set(&facts.packet.tuple, self.direction);
        let now = self.tables.now();
        match self.tables.flow(self.port.id, &facts.key)? {
            Some(mut entry) if entry.is_live(facts.key.protocol, now) => {
                if entry.is_reopened_by(&facts.packet, self.direction) {
                    return Ok(None);
                }
                if entry.generation != self.root.generation {
                    let opener = Direction::decode(entry.opener);
                    out_of_line(facts, |facts| self.judge_again(&facts.key, opener));
                    if !self.tables.writes() {
                        if self.is_from_guest() {
                            facts.redirect = self.next_hop(&facts.packet);
                        }
                        return Ok(Some(as_flow(facts.verdict)));
                    }
                    entry.action = facts.verdict.action as u8;
                    entry.rule = facts.verdict.rule;
                    entry.generation = self.root.generation;
                    (entry.next_hop, entry.next_mac) = (0, LinkAddress::NONE);
                }
                if self.is_from_guest() {
                    facts.redirect = self.next_hop_of_flow(&mut entry, &facts.packet);
                }
                if self.tables.writes() {
                    entry.note(&facts.packet, self.direction, now);
                }
                let action = Action::decode(u32::from(entry.action));
                Ok(Some(as_flow(Verdict { action, reason: Reason::Flow, rule: entry.rule })))
            }
            _ => Ok(None),
        }
    }

    /// The running policy's verdict about the first packet of a flow.
    #[inline(always)]
    pub(super) fn judge_again(&self, key: &FlowKey, opener: Direction) -> Decided<Verdict> {
        let own = guard::is_own(self.tables, self.root, self.port, &key.local)?;
        if !own {
            return Ok(Verdict::deny(Reason::Revoked));
        }
        // No new flow: nothing to tell about.
        self.policy(&key.opening(opener), opener, &mut false)
    }

    /// The rules' verdict about the first packet of a flow that is opened in `direction`.
    #[inline(always)]
    pub(super) fn policy(&self, tuple: &Tuple, direction: Direction, log: &mut bool) -> Decided<Verdict> {
        let classes = match direction {
            Direction::FromGuest => (
                self.local_classes(&tuple.source)?.source,
                self.remote(&tuple.destination)?.classes.destination,
            ),
            Direction::ToGuest => (
                self.remote(&tuple.source)?.classes.source,
                self.local_classes(&tuple.destination)?.destination,
            ),
        };
        self.first_rule(classes, Service::of(tuple), log)
    }

    /// The first rule that matches, or the default; `log` is whether it asks for an event.
    #[inline(always)]
    pub(super) fn first_rule(
        &self,
        (source, destination): (u32, u32),
        service: Service,
        log: &mut bool,
    ) -> Decided<Verdict> {
        let rule = first_match(self.tables, self.root, source, destination, service)?;
        if rule == NO_RULE {
            let action = Action::decode(self.root.default_action);
            return Ok(Verdict { action, reason: Reason::Default, rule });
        }
        self.ruling(rule, log)
    }

    #[inline(always)]
    pub(super) fn ruling(&self, rule: u32, log: &mut bool) -> Decided<Verdict> {
        let entry = self.tables.rule(self.root.slot, rule).ok_or(Reason::Internal)?;
        *log = entry.flags & rule_flags::LOG != 0;
        Ok(Verdict { action: Action::decode(entry.action), reason: Reason::Rule, rule })
    }

    /// The guest's own end: the port itself where the address is not listed (`addresses = "any"`, DHCP).
    #[inline(always)]
    pub(super) fn local_classes(&self, address: &Address) -> Decided<Classes> {
        let key = AddressKey { zone: self.port.zone, address: *address };
        let entry = self.tables.address(self.root.slot, &key)?;
        Ok(match entry {
            Some(entry) if entry.port == self.port.id => entry.classes,
            _ => self.port.classes,
        })
    }

    /// The other end: who has the address, or the longest prefix that a rule knows it by.
    #[inline(always)]
    pub(super) fn remote(&self, address: &Address) -> Decided<AddressEntry> {
        let zone = self.port.zone;
        if let Some(entry) = self.tables.address(self.root.slot, &AddressKey { zone, address: *address })? {
            return Ok(*entry);
        }
        let key = PrefixKey { zone_be: zone.to_be_bytes(), address: *address };
        Ok(*self.tables.prefix(self.root.slot, &key)?.ok_or(Reason::Internal)?)
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
            // What a guest may not be handed by redirect (vepa, private), the host may.
            Some(station) if station.is_guest() && !to_guests => 0,
            Some(station) if station.ifindex != self.ifindex => station.ifindex,
            _ => 0,
        }
    }
}

/// To more than one receiver, on the link or by address.
#[inline(always)]
pub(super) fn is_to_group(packet: &Packet) -> bool {
    packet.is_group_frame() || packet.tuple.destination.is_group()
}

/// A flow's verdict: allowed as a flow, or denied although it was allowed once.
#[inline(always)]
pub(super) const fn as_flow(verdict: Verdict) -> Verdict {
    let reason = if verdict.allows() { Reason::Flow } else { Reason::Revoked };
    Verdict { reason, ..verdict }
}
