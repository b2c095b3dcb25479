//! The services of rules as spans of one line of positions: the rows of the map `services`, end to end.

use std::ops::RangeInclusive;

use hashbrown::HashMap;
use netctl_common::classify::{SERVICE_ROW_LEN, ServiceRow};

use crate::config::{IcmpMatch, PortRange, Rule, Service};

/// First and last position, both included.
pub(in crate::compile) type Span = (u32, u32);

const ALL_PORTS: Span = (0, u16::MAX as u32);

const TCP: u8 = 6;
const UDP: u8 = 17;
const SCTP: u8 = 132;
const ICMP: u8 = 1;
const ICMP6: u8 = 58;

/// The first position of a row.
pub(in crate::compile) const fn row_start(row: ServiceRow) -> u32 {
    row as u32 * SERVICE_ROW_LEN as u32
}

/// What the rules with equal services and source ports take.
#[derive(Debug, Default)]
pub(in crate::compile) struct ServiceList {
    /// Takes every IP packet.
    pub(in crate::compile) any: bool,
    /// Sorted, apart from each other; empty where `any` says it all.
    pub(in crate::compile) ip: Vec<Span>,
    pub(in crate::compile) frames: Vec<Span>,
    /// Source ports, sorted, apart from each other. `None`: whatever they are.
    pub(in crate::compile) source: Option<Vec<Span>>,
}

/// The different lists, and which one each rule has.
#[derive(Default)]
pub(in crate::compile) struct ServiceLists {
    pub(in crate::compile) list_of: Vec<u32>,
    pub(in crate::compile) lists: Vec<ServiceList>,
}

impl ServiceLists {
    pub(in crate::compile) fn new(rules: &[Rule]) -> Self {
        let mut this = Self::default();
        let mut numbers: HashMap<(Vec<&Service>, &[RangeInclusive<u16>]), u32> = HashMap::new();
        for rule in rules {
            let mut services: Vec<&Service> = rule.services.iter().collect();
            services.sort_unstable();
            services.dedup();
            let next = this.lists.len() as u32;
            let list = *numbers.entry((services, &rule.source_ports)).or_insert(next);
            if list == next {
                this.lists.push(ServiceList::new(&rule.services, &rule.source_ports));
            }
            this.list_of.push(list);
        }
        this
    }
}

impl ServiceList {
    fn new(services: &[Service], source_ports: &[RangeInclusive<u16>]) -> Self {
        let with_source = !source_ports.is_empty();
        let any = !with_source && services.contains(&Service::Any);
        let mut list = Self { any, ..Self::default() };
        for service in services {
            match service {
                Service::Ethertype(_) if with_source => {}
                Service::Ethertype(number) => list.frames.push(at(ServiceRow::Ethertype, *number, *number)),
                Service::Any if with_source => list.ip.extend([TCP, UDP, SCTP].map(protocol)),
                _ if any => {}
                Service::Any => {}
                service => list.ip.extend(span(service).filter(|span| !with_source || has_ports(*span))),
            }
        }
        list.ip = joined(list.ip);
        list.frames = joined(list.frames);
        if with_source {
            let ranges = source_ports.iter().map(|r| (u32::from(*r.start()), u32::from(*r.end())));
            list.source = Some(joined(ranges.collect())).filter(|ranges| *ranges != [ALL_PORTS]);
        }
        list
    }
}

fn at(row: ServiceRow, first: u16, last: u16) -> Span {
    (row_start(row) + u32::from(first), row_start(row) + u32::from(last))
}

/// Where an IP service lies; `None` for those that are not one place.
fn span(service: &Service) -> Option<Span> {
    let ports = |row, range: &PortRange| at(row, range.first, range.last);
    Some(match service {
        Service::Tcp(range) => ports(ServiceRow::Tcp, range),
        Service::Udp(range) => ports(ServiceRow::Udp, range),
        Service::Sctp(range) => ports(ServiceRow::Sctp, range),
        Service::Icmp(icmp) => message(ServiceRow::Icmp, *icmp),
        Service::Icmp6(icmp) => message(ServiceRow::Icmp6, *icmp),
        Service::Protocol(number) => protocol(*number),
        Service::Any | Service::Ethertype(_) => return None,
    })
}

fn message(row: ServiceRow, icmp: IcmpMatch) -> Span {
    match icmp {
        IcmpMatch::All => at(row, 0, u16::MAX),
        IcmpMatch::Type(kind) => at(row, u16::from_be_bytes([kind, 0]), u16::from_be_bytes([kind, 0xff])),
        IcmpMatch::Code(kind, code) => {
            at(row, u16::from_be_bytes([kind, code]), u16::from_be_bytes([kind, code]))
        }
    }
}

fn protocol(number: u8) -> Span {
    match number {
        TCP => at(ServiceRow::Tcp, 0, u16::MAX),
        UDP => at(ServiceRow::Udp, 0, u16::MAX),
        SCTP => at(ServiceRow::Sctp, 0, u16::MAX),
        ICMP => at(ServiceRow::Icmp, 0, u16::MAX),
        ICMP6 => at(ServiceRow::Icmp6, 0, u16::MAX),
        number => at(ServiceRow::Protocol, number.into(), number.into()),
    }
}

fn has_ports((first, _): Span) -> bool {
    first < row_start(ServiceRow::Icmp)
}

/// Sorted, and joined where they touch; those that end before they begin hold nothing.
fn joined(mut spans: Vec<Span>) -> Vec<Span> {
    spans.retain(|(first, last)| first <= last);
    spans.sort_unstable();
    spans.dedup_by(|(first, last), (_, end)| {
        let touches = *first <= *end + 1;
        if touches {
            *end = (*end).max(*last);
        }
        touches
    });
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_that_touch_or_overlap_are_joined() {
        assert_eq!(
            joined(vec![(5, 9), (1, 2), (3, 3), (20, 10), (8, 12), (30, 31)]),
            [(1, 3), (5, 12), (30, 31)]
        );
    }

    #[test]
    fn source_ports_leave_only_protocols_that_have_them() {
        let services = [
            Service::Protocol(UDP),
            Service::Protocol(47),
            Service::Icmp(IcmpMatch::All),
            Service::Ethertype(1),
        ];
        let list = ServiceList::new(&services, &[7..=9]);
        assert_eq!(list.ip, [at(ServiceRow::Udp, 0, u16::MAX)]);
        assert_eq!(list.frames, []);
        assert_eq!(list.source, Some(vec![(7, 9)]));
        let any = ServiceList::new(&[Service::Any], &[7..=9]);
        assert!(!any.any);
        assert_eq!(any.ip, [(row_start(ServiceRow::Tcp), row_start(ServiceRow::Icmp) - 1)]);
    }
}
