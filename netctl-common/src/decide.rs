//! The whole decision about one frame at one port, in order: parse, guards, flow, rules.
//!
//! Generic over the frame and the tables, so that the BPF programs, the tests and `explain` run the same code.
//! A path that cannot decide denies.

use core::ops::DerefMut;

use crate::abi::{
    AddressEntry, AddressKey, ChainEntry, Classes, FlowEntry, FlowKey, NO_PORT, NO_RULE, PairKey, PortEntry,
    PrefixKey, Root, RuleEntry, StationEntry, StationKey, VerdictKey, port_flags, rule_flags,
};
use crate::address::{Address, LinkAddress};
use crate::classify::{Service, ServiceRow, first_match};
use crate::flow::{self, Opening, seen};
use crate::frame::{Frame, Layer, Packet, Tuple, number};
use crate::guard;
use crate::verdict::{Action, Direction, Reason, Verdict};

/// The maps, as a host of the decision has them. `Err` and, for arrays, `None` mean that a table is not there.
pub trait Tables {
    /// A flow that can be written to.
    type Flow<'a>: DerefMut<Target = FlowEntry>
    where
        Self: 'a;

    /// The port of an interface, in the running generation, which is with it: read once per frame.
    fn port(&self, ifindex: u32) -> Result<&PortEntry, Reason>;
    fn station(&self, slot: u32, key: &StationKey) -> Option<&StationEntry>;
    fn address(&self, slot: u32, key: &AddressKey) -> Result<Option<&AddressEntry>, Reason>;
    fn prefix(&self, slot: u32, key: &PrefixKey) -> Result<Option<&AddressEntry>, Reason>;
    fn service(&self, slot: u32, row: ServiceRow, index: u16) -> Option<u16>;
    fn service_pair(&self, slot: u32, index: u32) -> Option<u32>;
    fn source_chain(&self, slot: u32, class: u32) -> Option<ChainEntry>;
    fn destination_chain(&self, slot: u32, class: u32) -> Option<ChainEntry>;
    fn pair_chain(&self, slot: u32, key: &PairKey) -> Result<Option<ChainEntry>, Reason>;
    fn verdict(&self, slot: u32, key: &VerdictKey) -> Result<Option<u32>, Reason>;
    fn rule(&self, slot: u32, index: u32) -> Option<&RuleEntry>;
    fn flow(&self, port: u32, key: &FlowKey) -> Result<Option<Self::Flow<'_>>, Reason>;
    /// `false` if the table did not take it.
    fn insert_flow(&self, port: u32, key: &FlowKey, entry: &FlowEntry) -> bool;
    /// In ticks, see [`flow::tick`].
    fn now(&self) -> u32;
    /// Whether the decision leaves traces (flows). `explain` asks without leaving any.
    fn writes(&self) -> bool;
}

/// A step's result, or the verdict that ends the decision. Not a [`Reason`]: both sides of the `Result` are as
/// large, so that no half of it is undefined, which LLVM would copy and the kernel's verifier refuses to read.
pub type Decided<T> = Result<T, Verdict>;

/// What was found out about the frame on the way; for counters, events and forwarding.
///
/// The kernel side keeps it in a map: with the packet in it, it would take a third of a program's stack.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    pub packet: Packet,
    pub verdict: Verdict,
    /// Port id, or [`NO_PORT`].
    pub port: u32,
    pub generation: u32,
    pub slot: u32,
    /// Rules of the generation.
    pub rules: u32,
    /// Interface to redirect an allowed frame to; 0 = the kernel's own forwarding.
    pub redirect: u32,
    /// The rule asks for an event.
    pub log: bool,
    /// Of the flow that the packet belongs to or may open; for an ICMP error, of the one that it is about.
    /// Written before it is read, as is what follows.
    pub key: FlowKey,
    /// The packet that an ICMP error is about.
    pub inner: Tuple,
}

impl Default for Facts {
    fn default() -> Self {
        Self {
            packet: Packet::default(),
            verdict: Verdict::deny(Reason::Internal),
            port: NO_PORT,
            generation: 0,
            slot: 0,
            rules: 0,
            redirect: 0,
            log: false,
            key: FlowKey::NONE,
            inner: Tuple::default(),
        }
    }
}

/// Decides about `frame`, which travels in `direction` through the interface `ifindex`. `facts` must be new;
/// [`Facts::verdict`] is the result.
#[inline(always)]
pub fn decide<F: Frame + ?Sized, T: Tables>(
    direction: Direction,
    ifindex: u32,
    frame: &F,
    tables: &T,
    facts: &mut Facts,
) -> Verdict {
    facts.verdict = match judge(direction, ifindex, frame, tables, facts) {
        Ok(verdict) => verdict,
        Err(verdict) => verdict,
    };
    facts.verdict
}

#[inline(always)]
fn judge<F: Frame + ?Sized, T: Tables>(
    direction: Direction,
    ifindex: u32,
    frame: &F,
    tables: &T,
    facts: &mut Facts,
) -> Decided<Verdict> {
    // Frames at no port are counted too.
    facts.packet.length = frame.len();
    let port = tables.port(ifindex)?;
    let root = &port.root;
    facts.port = port.id;
    facts.slot = root.slot;
    facts.rules = root.rules;
    facts.generation = root.generation;
    facts.packet.parse(frame)?;
    guard::link(&facts.packet, port, direction)?;
    let judge = Judge { tables, root, port, direction, ifindex };
    if facts.packet.is_ip()
        && let Some(verdict) = judge.known_flow(facts)?
    {
        return Ok(verdict);
    }
    without_flow(&judge, frame, facts);
    if facts.verdict.allows() && judge.is_from_guest() {
        facts.redirect = judge.next_hop(&facts.packet);
    }
    Ok(facts.verdict)
}

/// The steps of a frame that no flow answers for. Out of line, and its parts too: a BPF program and all that
/// it calls share 512 bytes of stack, and only what is called last should pay for its own needs.
#[inline(never)]
fn without_flow<F: Frame + ?Sized, T: Tables>(judge: &Judge<'_, T>, frame: &F, facts: &mut Facts) {
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
fn out_of_line(facts: &mut Facts, step: impl FnOnce(&mut Facts) -> Decided<Verdict>) {
    facts.verdict = match step(facts) {
        Ok(verdict) => verdict,
        Err(verdict) => verdict,
    };
}

/// What all steps of one decision share.
struct Judge<'a, T> {
    tables: &'a T,
    root: &'a Root,
    port: &'a PortEntry,
    direction: Direction,
    ifindex: u32,
}

impl<T: Tables> Judge<'_, T> {
    #[inline(always)]
    fn is_from_guest(&self) -> bool {
        matches!(self.direction, Direction::FromGuest)
    }

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
        let (own, source, destination) = (self.port.classes, &packet.source_mac, &packet.destination_mac);
        let (source, destination) = if self.is_from_guest() {
            (own.source, self.station_classes(destination).destination)
        } else if packet.is_group_frame() {
            (self.station_classes(source).source, self.station_classes(destination).destination)
        } else {
            (self.station_classes(source).source, own.destination)
        };
        let service = Service::ethertype(packet.ethertype);
        let rule = first_match(self.tables, self.root, source, destination, service)?;
        if rule == NO_RULE { Err(Reason::UnknownEthertype.into()) } else { self.apply_rule(rule, facts) }
    }

    #[inline(always)]
    fn station_classes(&self, mac: &LinkAddress) -> Classes {
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
    fn known_flow(&self, facts: &mut Facts) -> Decided<Option<Verdict>> {
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
    fn judge_again(&self, key: &FlowKey, opener: Direction) -> Decided<Verdict> {
        let own = guard::is_own(self.tables, self.root, self.port, &key.local)?;
        if !own {
            return Ok(Verdict::deny(Reason::Revoked));
        }
        self.policy(&key.opening(opener), opener)
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
        out_of_line(facts, |facts| self.policy(&facts.packet.tuple, self.direction));
        let (verdict, packet) = (facts.verdict, &facts.packet);
        if !verdict.allows() {
            let stray = matches!(opening, Opening::PickUp) && verdict.rule == NO_RULE;
            return if stray { Err(Reason::NoFlow.into()) } else { self.logged(verdict, facts) };
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
        self.logged(verdict, facts)
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
            self.station_classes(&packet.source_mac).source
        } else {
            self.remote(&packet.tuple.source)?.classes.source
        };
        let destination = if packet.tuple.destination.is_group() {
            self.remote(&packet.tuple.destination)?.classes.destination
        } else {
            self.directed_broadcast(packet)?
        };
        let verdict = self.first_rule(source, destination, Service::of(&packet.tuple))?;
        self.logged(verdict, facts)
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

    /// The rules' verdict about the first packet of a flow that is opened in `direction`.
    #[inline(always)]
    fn policy(&self, tuple: &Tuple, direction: Direction) -> Decided<Verdict> {
        let (source, destination) = match direction {
            Direction::FromGuest => (
                self.local_classes(&tuple.source)?.source,
                self.remote(&tuple.destination)?.classes.destination,
            ),
            Direction::ToGuest => (
                self.remote(&tuple.source)?.classes.source,
                self.local_classes(&tuple.destination)?.destination,
            ),
        };
        self.first_rule(source, destination, Service::of(tuple))
    }

    #[inline(always)]
    fn first_rule(&self, source: u32, destination: u32, service: Service) -> Decided<Verdict> {
        let rule = first_match(self.tables, self.root, source, destination, service)?;
        if rule == NO_RULE {
            let action = Action::decode(self.root.default_action);
            return Ok(Verdict { action, reason: Reason::Default, rule });
        }
        let entry = self.tables.rule(self.root.slot, rule).ok_or(Reason::Internal)?;
        Ok(Verdict { action: Action::decode(entry.action), reason: Reason::Rule, rule })
    }

    #[inline(always)]
    fn apply_rule(&self, rule: u32, facts: &mut Facts) -> Decided<Verdict> {
        let entry = self.tables.rule(self.root.slot, rule).ok_or(Reason::Internal)?;
        facts.log = entry.flags & rule_flags::LOG != 0;
        Ok(Verdict { action: Action::decode(entry.action), reason: Reason::Rule, rule })
    }

    #[inline(always)]
    fn logged(&self, verdict: Verdict, facts: &mut Facts) -> Decided<Verdict> {
        if verdict.rule != NO_RULE {
            let entry = self.tables.rule(self.root.slot, verdict.rule).ok_or(Reason::Internal)?;
            facts.log = entry.flags & rule_flags::LOG != 0;
        }
        Ok(verdict)
    }

    /// The guest's own end: the port itself where the address is not listed (`addresses = "any"`, DHCP).
    #[inline(always)]
    fn local_classes(&self, address: &Address) -> Decided<Classes> {
        let key = AddressKey { zone: self.port.zone, address: *address };
        let entry = self.tables.address(self.root.slot, &key)?;
        Ok(match entry {
            Some(entry) if entry.port == self.port.id => entry.classes,
            _ => self.port.classes,
        })
    }

    /// The other end: who has the address, or the longest prefix that a rule knows it by.
    #[inline(always)]
    fn remote(&self, address: &Address) -> Decided<AddressEntry> {
        let zone = self.port.zone;
        if let Some(entry) = self.tables.address(self.root.slot, &AddressKey { zone, address: *address })? {
            return Ok(*entry);
        }
        let key = PrefixKey { zone_be: zone.to_be_bytes(), address: *address };
        Ok(*self.tables.prefix(self.root.slot, &key)?.ok_or(Reason::Internal)?)
    }

    /// [`Self::next_hop`], looked up once for a flow and destination.
    #[inline(always)]
    fn next_hop_of_flow(&self, entry: &mut FlowEntry, packet: &Packet) -> u32 {
        if entry.next_mac == packet.destination_mac {
            return entry.next_hop;
        }
        let next_hop = self.next_hop(packet);
        if self.tables.writes() {
            (entry.next_hop, entry.next_mac) = (next_hop, packet.destination_mac);
        }
        next_hop
    }

    /// The interface of the local port that the frame is for.
    #[inline(always)]
    fn next_hop(&self, packet: &Packet) -> u32 {
        if packet.is_group_frame() || self.port.flags & port_flags::REDIRECT == 0 {
            return 0;
        }
        let key = StationKey { network: self.port.network, mac: packet.destination_mac };
        match self.tables.station(self.root.slot, &key) {
            Some(station) if station.ifindex != self.ifindex => station.ifindex,
            _ => 0,
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

/// To more than one receiver, on the link or by address.
#[inline(always)]
fn is_to_group(packet: &Packet) -> bool {
    packet.is_group_frame() || packet.tuple.destination.is_group()
}

/// A flow's verdict: allowed as a flow, or denied although it was allowed once.
#[inline(always)]
const fn as_flow(verdict: Verdict) -> Verdict {
    let reason = if verdict.allows() { Reason::Flow } else { Reason::Revoked };
    Verdict { reason, ..verdict }
}
