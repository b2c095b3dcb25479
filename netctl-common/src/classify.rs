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
