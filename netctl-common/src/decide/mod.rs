//! The whole decision about one frame at one port, in order: parse, guards, flow, rules.
//!
//! Generic over the frame and the tables, so that the BPF programs, the tests and `explain` run the same code.
//! A path that cannot decide denies.

mod judge;
mod steps;

use core::ops::DerefMut;

use judge::Judge;
use steps::without_flow;

use crate::abi::{
    AddressEntry, AddressKey, ChainEntry, FlowEntry, FlowKey, NO_PORT, PairKey, PortEntry, PrefixKey,
    RuleEntry, StationEntry, StationKey, VerdictKey, port_flags,
};
use crate::classify::ServiceRow;
use crate::frame::{Frame, Packet, Tuple};
use crate::guard;
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
    /// In ticks, see [`crate::flow::tick`].
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
    /// Uplink at which the host gets a copy of an allowed frame; 0 = none.
    pub host_copy: u32,
    /// Bits of [`crate::abi::port_flags`].
    pub port_flags: u32,
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
            host_copy: 0,
            port_flags: 0,
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
    if port.flags & port_flags::UPLINK != 0 {
        return Err(Reason::UnknownPort.into());
    }
    let root = &port.root;
    facts.port = port.id;
    facts.port_flags = u32::from(port.flags);
    facts.slot = root.slot;
    facts.rules = root.rules;
    facts.generation = root.generation;
    facts.packet.parse(frame)?;
    guard::link(&facts.packet, port, direction)?;
    guard::strangers(tables, root, port, &facts.packet, direction)?;
    let judge = Judge { tables, root, port, direction, ifindex };
    if facts.packet.is_ip()
        && let Some(verdict) = judge.known_flow(facts)?
    {
        return Ok(verdict);
    }
    without_flow(&judge, frame, facts);
    if facts.verdict.allows() && judge.is_from_guest() {
        if facts.packet.is_group_frame() {
            facts.host_copy = port.uplink;
        } else {
            facts.redirect = judge.next_hop(&facts.packet);
        }
    }
    Ok(facts.verdict)
}
