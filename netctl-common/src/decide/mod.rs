//! The whole decision about one frame at one port, in order: parse, guards, flow, rules.
//!
//! Generic over the frame and the tables, so that the BPF programs, the tests and `explain` run the same code.
//! A path that cannot decide denies.

mod answer;
mod apart;
mod audit;
mod fragments;
mod judge;
mod learn;
mod limits;
mod origin;
mod related;
mod settle;
mod steps;
mod told;
mod vlan;

use core::ops::DerefMut;

pub use apart::Step;
pub use judge::Judge;
pub use learn::Wanted;

use crate::abi::{
    AddressEntry, AddressKey, ChainEntry, Classes, FlowEntry, FlowKey, LearnedKey, LearnerEntry, LeaseBook,
    LeaseEntry, LeasePrefix, LimitsEntry, NO_PORT, NO_RULE, PairKey, PortEntry, PrefixKey, QuotaKey,
    RuleEntry, StationEntry, StationKey, VerdictKey, VlanSet, port_flags,
};
use crate::classify::{Asked, ServiceRow};
use crate::frame::{Frame, Inner, Packet, Part};
use crate::guard::{self, Claim};
use crate::lease::{self, Told};
use crate::limit::Buckets;
use crate::mark;
use crate::verdict::{Direction, Reason, Verdict};

/// The maps, as a host of the decision has them. `Err` and, for arrays, `None` mean that a table is not there.
pub trait Tables {
    /// A flow that can be written to.
    type Flow<'a>: DerefMut<Target = FlowEntry>
    where
        Self: 'a;

    /// The port of an interface, in the running generation, which is with it: read once per frame.
    fn port(&self, ifindex: u32) -> Result<&PortEntry, Reason>;
    fn station(&self, slot: u32, key: &StationKey) -> Option<&StationEntry>;
    /// The tagged VLANs of a port, if it is a trunk.
    fn trunk(&self, slot: u32, port: u32) -> Option<&VlanSet>;
    fn address(&self, slot: u32, key: &AddressKey) -> Result<Option<&AddressEntry>, Reason>;
    fn prefix(&self, slot: u32, key: &PrefixKey) -> Result<Option<&AddressEntry>, Reason>;
    /// A port that learns its addresses.
    fn learner(&self, slot: u32, port: u32) -> Result<Option<&LearnerEntry>, Reason>;
    fn learned_classes(&self, slot: u32, key: &LearnedKey) -> Result<Option<Classes>, Reason>;
    /// What has been learned, be it over, or [`LeaseEntry::NONE`]. Not an `Option`: see [`Decided`].
    fn lease(&self, key: &AddressKey) -> LeaseEntry;
    /// By its place in the port's book; [`LeasePrefix::NONE`] where there is no book.
    fn lease_prefix(&self, port: u32, place: u32) -> LeasePrefix;
    /// See [`lease::holder`], which a host may run apart.
    #[inline(always)]
    fn holder(&self, slot: u32, key: &AddressKey) -> u32
    where
        Self: Sized,
    {
        lease::holder(self, slot, key)
    }
    /// See [`lease::classes_of`].
    #[inline(always)]
    fn classes_of(&self, slot: u32, port: u32, key: &AddressKey) -> u64
    where
        Self: Sized,
    {
        lease::classes_of(self, slot, port, key)
    }
    /// `false` if the table did not take it.
    fn put_lease(&self, key: &AddressKey, entry: &LeaseEntry) -> bool;
    fn forget_lease(&self, key: &AddressKey);
    /// What `step` returns, which has the book of a port that learns for itself and calls nothing; `None` where there is none.
    fn with_book<R>(&self, port: u32, step: impl FnOnce(&mut LeaseBook) -> R) -> Option<R>;
    fn service(&self, slot: u32, row: ServiceRow, index: u16) -> Option<u16>;
    fn service_pair(&self, slot: u32, index: u32) -> Option<u32>;
    fn source_chain(&self, slot: u32, class: u32) -> Option<ChainEntry>;
    fn destination_chain(&self, slot: u32, class: u32) -> Option<ChainEntry>;
    fn pair_chain(&self, slot: u32, key: &PairKey) -> Result<Option<ChainEntry>, Reason>;
    fn verdict(&self, slot: u32, key: &VerdictKey) -> Result<Option<u32>, Reason>;
    fn rule(&self, slot: u32, index: u32) -> Option<&RuleEntry>;
    fn flow(&self, port: u32, key: &FlowKey) -> Result<Option<Self::Flow<'_>>, Reason>;
    /// Into the table that [`FlowEntry::settled`] names; `false` if it did not take it.
    fn insert_flow(&self, port: u32, key: &FlowKey, entry: &FlowEntry) -> bool;
    /// That the flow has settled: its other entry is not needed any more.
    fn forget_opening(&self, port: u32, key: &FlowKey);
    /// See [`crate::flow::quota`].
    fn quota(&self, key: &QuotaKey) -> Option<u32>;
    fn set_quota(&self, key: &QuotaKey, full_at: u32);
    /// The limits of a port that has some.
    fn limits(&self, slot: u32, port: u32) -> Result<Option<&LimitsEntry>, Reason>;
    /// What `step` returns, which has the buckets of a port for itself and calls nothing; `None` where there are none.
    fn with_buckets<R>(
        &self,
        port: u32,
        direction: Direction,
        step: impl FnOnce(&mut Buckets) -> R,
    ) -> Option<R>;
    /// In ticks, see [`crate::flow::tick`].
    fn now(&self) -> u32;
    /// `CLOCK_MONOTONIC`; finer than [`Self::now`], and dearer.
    fn nanoseconds(&self) -> u64;
    /// Runs a step of the decision, which leaves its verdict in `facts`; see [`Step`].
    #[inline(always)]
    fn apart<F: Frame + ?Sized>(&self, step: Step, judge: &Judge<'_, Self, F>, facts: &mut Facts)
    where
        Self: Sized,
    {
        judge.run(step, facts);
    }
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
    /// Uplink at which the host gets a copy of an allowed frame; 0 = none.
    pub host_copy: u32,
    /// Bits of [`crate::abi::port_flags`].
    pub port_flags: u32,
    /// Priority and VLAN of the tag that an allowed frame goes on with; 0 = without a tag.
    pub tag: u16,
    /// What would have decided otherwise but for audit mode, to be told; see [`FlowEntry::audited`].
    pub audited: u32,
    /// See [`PortEntry::uplink`].
    pub uplink: u32,
    /// The rule asks for an event.
    pub log: bool,
    /// How many more frames of the flow it wants to be told of.
    pub more_frames: u8,
    /// The flow ended with the frame.
    pub ended: bool,
    /// What the frame did to the flow table of its port: bits of [`opened`].
    pub opened: u8,
    /// Of the frame, where a step is run apart.
    pub direction: u32,
    /// Who opened the flow that is judged again.
    pub opener: Direction,
    /// The flow that an ICMP error is about was last judged by another policy.
    pub is_outdated: bool,
    /// The flow is taken up in the middle.
    pub picked_up: bool,
    /// A SYN of the side that did not open the flow, inside of it: see [`crate::flow::Fit::Crosses`].
    pub crosses: bool,
    /// [`Self::asked`] was.
    pub rules_asked: bool,
    /// Of the flow that the packet belongs to or may open; for an ICMP error, of the one that it is about.
    /// Written before it is read, as is what follows.
    pub key: FlowKey,
    /// The packet that an ICMP error is about.
    pub inner: Inner,
    /// What a message of neighbor discovery claims.
    pub claim: Claim,
    /// What the rules that are enforced are asked where an audited one comes first.
    pub asked: Asked,
    /// What the message says about addresses, and which of them the port is to have.
    pub told: Told,
    pub wanted: Wanted,
}

/// Bits of [`Facts::opened`].
pub mod opened {
    /// A flow in a new entry, which may have taken the place of the one that was silent for longest.
    pub const FLOW: u8 = 1;
    /// A first fragment in a new entry.
    pub const FRAGMENT: u8 = 2;
    /// A flow in the entry of one with the same key that was over.
    pub const AGAIN: u8 = 4;
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
            host_copy: 0,
            port_flags: 0,
            tag: 0,
            audited: NO_RULE,
            uplink: 0,
            log: false,
            more_frames: 0,
            ended: false,
            opened: 0,
            direction: 0,
            opener: Direction::FromGuest,
            is_outdated: false,
            picked_up: false,
            crosses: false,
            rules_asked: false,
            key: FlowKey::NONE,
            inner: Inner::default(),
            claim: Claim::NONE,
            asked: Asked::NONE,
            told: Told::NONE,
            wanted: Wanted::NONE,
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
    if port.flags & port_flags::UPLINK != 0 {
        return Err(Reason::UnknownPort.into());
    }
    let root = &port.root;
    facts.port = port.id;
    facts.port_flags = port.flags;
    facts.uplink = port.uplink;
    facts.slot = root.slot;
    facts.rules = root.rules;
    facts.generation = root.generation;
    let parsed = facts.packet.parse(frame, port.guards);
    let judge = Judge::new(tables, frame, port, direction, ifindex);
    // As its guest would send it or get it, without a tag.
    if facts.packet.mark == mark::ANSWER && parsed.is_ok() {
        return Ok(judge.answer(facts));
    }
    // Before what is wrong with the frame otherwise: one of another VLAN is not the port's business.
    if vlan::concerns(&facts.packet, port) {
        judge.require(Step::Vlan, facts)?;
    }
    if let Err(reason) = parsed {
        return Err(judge.malformed(&facts.packet, reason));
    }
    guard::link(&facts.packet, port, direction)?;
    guard::strangers(tables, root, port, &facts.packet, direction)?;
    if facts.packet.is_fragment() {
        judge.require(Step::Fragment, facts)?;
    }
    facts.verdict = decide_flow(&judge, facts)?;
    if facts.verdict.allows() && judge.is_lesson(facts) {
        let verdict = facts.verdict;
        judge.require(Step::Learn, facts)?;
        facts.verdict = verdict;
    }
    if facts.verdict.allows() && judge.has_limits() {
        judge.require(Step::TakeFrame, facts)?;
    }
    if facts.verdict.allows() && matches!(facts.packet.fragment.part, Part::First) {
        judge.require(Step::LeaveFragment, facts)?;
    }
    Ok(facts.verdict)
}

/// By the flow, or without one.
#[inline(always)]
fn decide_flow<F: Frame + ?Sized, T: Tables>(judge: &Judge<'_, T, F>, facts: &mut Facts) -> Decided<Verdict> {
    if facts.packet.is_ip()
        && let Some(verdict) = judge.known_flow(facts)?
    {
        return Ok(verdict);
    }
    let verdict = judge.ask(Step::WithoutFlow, facts);
    if verdict.allows() && judge.is_from_guest() {
        if facts.packet.is_group_frame() {
            facts.host_copy = if facts.packet.vlan == 0 { judge.port.uplink } else { 0 };
        } else {
            facts.redirect = judge.next_hop(&facts.packet);
        }
    }
    Ok(verdict)
}
