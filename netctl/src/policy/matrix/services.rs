//! Sets of services as ranges of ports, ICMP messages and protocols.

use netctl_common::classify::ServiceRow;
use netctl_common::frame::number;

use super::sets::{Bits, has};
use crate::compile::Compiled;
use crate::config::{IcmpMatch, Service, print_service};

/// What has its own numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// All services of the family.
    Any,
    Tcp,
    Udp,
    Sctp,
    Icmp,
    Icmp6,
    /// IP protocols other than those.
    Protocol,
}

/// Neighbouring numbers of one kind: ports, type * 256 + code, or protocols; both ends included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub kind: Kind,
    pub first: u16,
    pub last: u16,
    /// Ranges of source ports; empty: from all.
    pub source_ports: Vec<(u16, u16)>,
}

impl Entry {
    const ANY: Self = Self { kind: Kind::Any, first: 0, last: u16::MAX, source_ports: Vec::new() };

    /// Whether it holds a service, of the numbers that [`crate::compile::reference::Wanted`] has.
    pub fn holds(&self, protocol: u8, wanted: u16, source_port: u16) -> bool {
        let kind = kind_of(protocol);
        let wanted = if kind == Kind::Protocol { u16::from(protocol) } else { wanted };
        let from = |range: &(u16, u16)| (range.0..=range.1).contains(&source_port);
        self.kind == Kind::Any
            || (self.kind == kind
                && (self.first..=self.last).contains(&wanted)
                && (self.source_ports.is_empty() || self.source_ports.iter().any(from)))
    }

    /// `tcp`, and what stands behind its `/`; empty for all.
    pub(super) fn words(&self) -> (&'static str, Vec<String>) {
        let all = (self.first, self.last) == (0, u16::MAX);
        match self.kind {
            Kind::Any => ("any", Vec::new()),
            Kind::Protocol if (self.first, self.last) == (0, 255) => ("ip", vec!["others".to_owned()]),
            Kind::Protocol => ("ip", vec![range(self.first, self.last)]),
            Kind::Icmp => ("icmp", if all { Vec::new() } else { self.messages(Service::Icmp) }),
            Kind::Icmp6 => ("icmp6", if all { Vec::new() } else { self.messages(Service::Icmp6) }),
            Kind::Tcp | Kind::Udp | Kind::Sctp => {
                let name = match self.kind {
                    Kind::Tcp => "tcp",
                    Kind::Udp => "udp",
                    _ => "sctp",
                };
                (name, if all { Vec::new() } else { vec![range(self.first, self.last)] })
            }
        }
    }

    /// Codes of the first type, whole types, codes of the last.
    fn messages(&self, service: fn(IcmpMatch) -> Service) -> Vec<String> {
        let name = |message| {
            let text = print_service(&service(message));
            text.split_once('/').map(|(_, name)| name.to_owned()).unwrap_or(text)
        };
        let (mut at, last) = (u32::from(self.first), u32::from(self.last));
        let mut words = Vec::new();
        while at <= last {
            let [kind, code] = (at as u16).to_be_bytes();
            let whole_to = (last + 1) / 256;
            if code == 0 && u32::from(kind) < whole_to {
                let whole_last = whole_to - 1;
                words.push(match whole_last == u32::from(kind) {
                    true => name(IcmpMatch::Type(kind)),
                    false => format!("{kind}-{whole_last}"),
                });
                at = whole_to * 256;
            } else {
                let end = last.min(at | 0xff);
                words.push(match end == at {
                    true => name(IcmpMatch::Code(kind, code)),
                    false => format!("{kind}/{}", range(u16::from(code), (end & 0xff) as u16)),
                });
                at = end + 1;
            }
        }
        words
    }
}

pub(super) fn range(first: u16, last: u16) -> String {
    if first == last { first.to_string() } else { format!("{first}-{last}") }
}

fn kind_of(protocol: u8) -> Kind {
    match protocol {
        number::TCP => Kind::Tcp,
        number::UDP => Kind::Udp,
        number::SCTP => Kind::Sctp,
        number::ICMP => Kind::Icmp,
        number::ICMP6 => Kind::Icmp6,
        _ => Kind::Protocol,
    }
}

/// The rows of services, as runs of one class.
pub(super) struct Runs<'c> {
    compiled: &'c Compiled,
    runs: Vec<Run>,
    /// Of source ports, where rules tell them apart.
    sources: Vec<Run>,
}

struct Run {
    kind: Kind,
    first: u16,
    last: u16,
    class: u32,
}

impl<'c> Runs<'c> {
    pub(super) fn new(compiled: &'c Compiled) -> Self {
        let rows = [
            (ServiceRow::Tcp, Kind::Tcp),
            (ServiceRow::Udp, Kind::Udp),
            (ServiceRow::Sctp, Kind::Sctp),
            (ServiceRow::Icmp, Kind::Icmp),
            (ServiceRow::Icmp6, Kind::Icmp6),
        ];
        let row =
            |row: ServiceRow| compiled.services.get(row as usize).map(Vec::as_slice).unwrap_or_default();
        let mut runs: Vec<Run> =
            rows.iter().flat_map(|(of, kind)| runs_of(*kind, row(*of), |_| true)).collect();
        let of_its_own = |protocol: u16| u8::try_from(protocol).is_ok_and(|it| kind_of(it) == Kind::Protocol);
        runs.extend(runs_of(Kind::Protocol, row(ServiceRow::Protocol), of_its_own));
        let sources = if compiled.source_services > 1 {
            runs_of(Kind::Tcp, row(ServiceRow::TcpSource), |_| true)
        } else {
            Vec::new()
        };
        Self { compiled, runs, sources }
    }

    /// What a set holds of a family.
    pub(super) fn entries(&self, set: &Bits, is_v4: bool) -> Vec<Entry> {
        let other = if is_v4 { Kind::Icmp6 } else { Kind::Icmp };
        let mut entries: Vec<Entry> = Vec::new();
        let mut is_all = true;
        let mut protocols_are_all = true;
        for run in self.runs.iter().filter(|run| run.kind != other) {
            let Some(source_ports) = self.source_ports(set, run) else {
                is_all = false;
                protocols_are_all &= run.kind != Kind::Protocol;
                continue;
            };
            is_all &= source_ports.is_empty();
            let (kind, first, last) = (run.kind, run.first, run.last);
            match entries.last_mut() {
                Some(before)
                    if before.kind == kind
                        && before.last.checked_add(1) == Some(first)
                        && before.source_ports == source_ports =>
                {
                    before.last = last;
                }
                _ => entries.push(Entry { kind, first, last, source_ports }),
            }
        }
        if is_all {
            return vec![Entry::ANY];
        }
        if protocols_are_all {
            entries.retain(|entry| entry.kind != Kind::Protocol);
            entries.push(Entry { kind: Kind::Protocol, first: 0, last: 255, source_ports: Vec::new() });
        }
        entries
    }

    /// From which source ports a run is in the set: empty is all, `None` is none.
    fn source_ports(&self, set: &Bits, run: &Run) -> Option<Vec<(u16, u16)>> {
        if self.compiled.source_services <= 1 {
            return has(set, run.class).then(Vec::new);
        }
        let class = |source: u32| {
            let place = run.class * self.compiled.source_services + source;
            self.compiled.service_pairs.get(place as usize).copied().unwrap_or(u32::MAX)
        };
        if !matches!(run.kind, Kind::Tcp | Kind::Udp | Kind::Sctp) {
            return has(set, class(0)).then(Vec::new);
        }
        let mut ranges: Vec<(u16, u16)> = Vec::new();
        for source in self.sources.iter().filter(|source| has(set, class(source.class))) {
            match ranges.last_mut() {
                Some((_, last)) if last.checked_add(1) == Some(source.first) => *last = source.last,
                _ => ranges.push((source.first, source.last)),
            }
        }
        match ranges.as_slice() {
            [] => None,
            [(0, u16::MAX)] => Some(Vec::new()),
            _ => Some(ranges),
        }
    }
}

fn runs_of(kind: Kind, row: &[u16], counts: impl Fn(u16) -> bool) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (number, class) in (0..=u16::MAX).zip(row).filter(|(number, _)| counts(*number)) {
        let class = u32::from(*class);
        match runs.last_mut() {
            Some(run) if run.class == class && run.last.checked_add(1) == Some(number) => run.last = number,
            _ => runs.push(Run { kind, first: number, last: number, class }),
        }
    }
    runs
}
