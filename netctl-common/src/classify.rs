//! Which rule decides: the look-ups, whatever the number of rules.
//!
//! The compiler resolves "first match wins" into three families of chains, so that a new flow costs the
//! same at 10 rules and at 100,000:
//!
//! - *destination chains*: rules whose `from` is `any`, by the class of the destination;
//! - *source chains*: rules whose `to` is `any` (and whose `from` is not), by the class of the source;
//! - *pair chains*: the others, by both classes.
//!
//! Each chain answers with the lowest index of its rules that take the service; the lowest of the three
//! answers is the first match. Splitting off `any` keeps the number of pairs at what the rules name,
//! where one table of all (source, destination) pairs would grow with their product.
//!
//! A policy with audited rules has each chain twice: of all rules, and, for the same class shifted
//! ([`crate::abi::RuleEntry::enforced`]), of the rules that are enforced. The second is asked only where the first
//! answers with an audited rule.

/// One row of 65,536 service classes in the map `services`; the index in the row is the service's number.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServiceRow {
    /// Index: destination port.
    Tcp = 0,
    Udp = 1,
    Sctp = 2,
    /// Index: type * 256 + code.
    Icmp = 3,
    Icmp6 = 4,
    /// IP protocols without a row of their own. Index: protocol number.
    Protocol = 5,
    /// Frames without IP. Index: ethertype.
    Ethertype = 6,
    /// Classes of source ports; only where a rule asks for them.
    TcpSource = 7,
    UdpSource = 8,
    SctpSource = 9,
}

/// Rows that always exist.
pub const SERVICE_ROWS: u32 = 7;
/// Rows where a rule asks for a source port.
pub const SERVICE_ROWS_WITH_SOURCE: u32 = 10;
/// Elements of a row.
pub const SERVICE_ROW_LEN: usize = 65536;

use crate::abi::{ChainEntry, EMPTY_CHAIN, NO_RULE, PairKey, Root, VerdictKey};
use crate::decide::{Decided, Tables};
use crate::frame::{Tuple, number};
use crate::verdict::{Action, Reason};

/// What a flow asks for, as the numbers of the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Service {
    pub row: ServiceRow,
    pub index: u16,
    /// Row of the source port; [`Self::row`] where the protocol has none. Not an `Option`: what a `None` leaves undefined
    /// would be copied with the rest, which the kernel's verifier refuses.
    pub source_row: ServiceRow,
    /// 0 where there is none.
    pub source_port: u16,
}

impl Service {
    /// Of the first packet of a flow.
    #[inline(always)]
    pub const fn of(tuple: &Tuple) -> Self {
        let (row, source_row) = match tuple.protocol {
            number::TCP => (ServiceRow::Tcp, ServiceRow::TcpSource),
            number::UDP => (ServiceRow::Udp, ServiceRow::UdpSource),
            number::SCTP => (ServiceRow::Sctp, ServiceRow::SctpSource),
            number::ICMP => (ServiceRow::Icmp, ServiceRow::Icmp),
            number::ICMP6 => (ServiceRow::Icmp6, ServiceRow::Icmp6),
            _ => (ServiceRow::Protocol, ServiceRow::Protocol),
        };
        let has_source = row as u32 != source_row as u32;
        let index = match row {
            ServiceRow::Protocol => tuple.protocol as u16,
            _ => tuple.destination_port,
        };
        Self { row, index, source_row, source_port: if has_source { tuple.source_port } else { 0 } }
    }

    /// Of a frame without IP.
    #[inline(always)]
    pub const fn ethertype(ethertype: u16) -> Self {
        let row = ServiceRow::Ethertype;
        Self { row, index: ethertype, source_row: row, source_port: 0 }
    }

    #[inline(always)]
    pub(crate) const fn is_ip(&self) -> bool {
        !matches!(self.row, ServiceRow::Ethertype)
    }
}

/// A question to the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    pub source: u32,
    pub destination: u32,
    pub service: Service,
    /// The audited rule that matched first, or [`NO_RULE`]; then the classes find the chains of the rules that are enforced.
    pub audited: u32,
    /// What it would do.
    pub would: Action,
}

impl Asked {
    pub const NONE: Self = Self {
        source: 0,
        destination: 0,
        service: Service::ethertype(0),
        audited: NO_RULE,
        would: Action::Deny,
    };
}

/// Index of the first rule that matches, or [`NO_RULE`]. An error is a table that is not there.
#[inline(always)]
pub fn first_match<T: Tables>(
    tables: &T,
    root: &Root,
    source: u32,
    destination: u32,
    service: Service,
) -> Decided<u32> {
    let slot = root.slot;
    let class = service_class(tables, root, service)?;
    let by_destination = tables.destination_chain(slot, destination).ok_or(Reason::Internal)?;
    let mut first = in_chain(tables, slot, by_destination, class, service)?;
    let by_source = tables.source_chain(slot, source).ok_or(Reason::Internal)?;
    first = first.min(in_chain(tables, slot, by_source, class, service)?);
    let by_pair = tables.pair_chain(slot, &PairKey { source, destination })?.unwrap_or(ChainEntry::EMPTY);
    Ok(first.min(in_chain(tables, slot, by_pair, class, service)?))
}

/// What [`first_match`] finds on its way: the class of the service, and the first rule of each of the three chains.
#[inline(always)]
pub(crate) fn found<T: Tables>(
    tables: &T,
    root: &Root,
    (source, destination): (u32, u32),
    service: Service,
    chains: &mut [u32; 3],
) -> Decided<u32> {
    let slot = root.slot;
    let class = service_class(tables, root, service)?;
    let by_destination = tables.destination_chain(slot, destination).ok_or(Reason::Internal)?;
    chains[0] = in_chain(tables, slot, by_destination, class, service)?;
    let by_source = tables.source_chain(slot, source).ok_or(Reason::Internal)?;
    chains[1] = in_chain(tables, slot, by_source, class, service)?;
    let by_pair = tables.pair_chain(slot, &PairKey { source, destination })?.unwrap_or(ChainEntry::EMPTY);
    chains[2] = in_chain(tables, slot, by_pair, class, service)?;
    Ok(class)
}

#[inline(always)]
fn service_class<T: Tables>(tables: &T, root: &Root, service: Service) -> Decided<u32> {
    let slot = root.slot;
    let class = tables.service(slot, service.row, service.index).ok_or(Reason::Internal)?;
    if root.source_services <= 1 {
        return Ok(u32::from(class));
    }
    let source = if service.source_row == service.row {
        0
    } else {
        tables.service(slot, service.source_row, service.source_port).ok_or(Reason::Internal)?
    };
    let pair = u32::from(class) * root.source_services + u32::from(source);
    Ok(tables.service_pair(slot, pair).ok_or(Reason::Internal)?)
}

/// Rules that take any service take any IP packet; a frame without IP needs a rule that names its ethertype.
#[inline(always)]
fn in_chain<T: Tables>(
    tables: &T,
    slot: u32,
    chain: ChainEntry,
    class: u32,
    service: Service,
) -> Decided<u32> {
    let otherwise = if service.is_ip() { chain.otherwise } else { NO_RULE };
    if chain.chain == EMPTY_CHAIN {
        return Ok(otherwise);
    }
    let exact = tables.verdict(slot, &VerdictKey { chain: chain.chain, service: class })?;
    Ok(exact.unwrap_or(NO_RULE).min(otherwise))
}
