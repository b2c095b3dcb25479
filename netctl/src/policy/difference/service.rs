//! The services that neither policy tells apart, from the rows of both.

use std::collections::BTreeSet;

use hashbrown::HashMap;
use netctl_common::classify::{SERVICE_ROW_LEN, ServiceRow};
use netctl_common::frame::number;

use super::{Both, Family};
use crate::compile::Compiled;

/// A class of services of both policies.
pub(super) struct Joint {
    pub(super) classes: Both<u32>,
    families: u8,
    /// What a guest asks for before it has an address: UDP from port 68 to port 67.
    pub(super) is_dhcp_request: bool,
}

impl Joint {
    pub(super) const fn is_of(&self, family: Family) -> bool {
        self.families & family.bit() != 0
    }
}

/// Positions of a row that are one class, whatever the source port.
pub(super) struct Run {
    pub(super) row: ServiceRow,
    pub(super) first: u16,
    pub(super) last: u16,
    line: u32,
}

/// All of them.
pub(super) struct Services {
    pub(super) all: Vec<Joint>,
    /// The joint classes of each class.
    pub(super) of_class: Both<HashMap<u32, Vec<u32>>>,
    pub(super) runs: Vec<Run>,
    /// First and last source port, and the class.
    pub(super) sources: Vec<(u16, u16, u32)>,
    pub(super) source_classes: u32,
    /// The joint class, by line and class of source ports.
    index: Vec<u32>,
}

const ROWS: [ServiceRow; 7] = [
    ServiceRow::Tcp,
    ServiceRow::Udp,
    ServiceRow::Sctp,
    ServiceRow::Icmp,
    ServiceRow::Icmp6,
    ServiceRow::Protocol,
    ServiceRow::Ethertype,
];

impl Services {
    pub(super) fn new(policies: Both<&Compiled>) -> Self {
        let (sources, source_of) = source_ports(policies);
        let mut this = Self {
            all: Vec::new(),
            of_class: [HashMap::new(), HashMap::new()],
            runs: Vec::new(),
            sources,
            source_classes: source_of.len() as u32,
            index: Vec::new(),
        };
        let mut lines = HashMap::new();
        let mut joints = HashMap::new();
        for row in ROWS {
            let mut last = None;
            let rows = policies.map(|policy| &policy.services[row as usize]);
            for (position, at) in (0..=u16::MAX).zip(0..SERVICE_ROW_LEN) {
                if !is_judged(row, position) {
                    continue;
                }
                let is_server = row as u32 == ServiceRow::Udp as u32 && position == number::DHCP_SERVER;
                let line = (rows.map(|row| row[at]), families(row), has_ports(row), is_server);
                if last == Some(line) {
                    if let Some(run) = this.runs.last_mut() {
                        run.last = position;
                    }
                    continue;
                }
                last = Some(line);
                let next = lines.len() as u32;
                let number = *lines.entry(line).or_insert(next);
                this.runs.push(Run { row, first: position, last: position, line: number });
                if number == next {
                    this.join(policies, line, &source_of, &mut joints);
                }
            }
        }
        this
    }

    fn join(
        &mut self,
        policies: Both<&Compiled>,
        (of, families, has_ports, is_server): (Both<u16>, u8, bool, bool),
        source_of: &[(Both<u16>, bool)],
        joints: &mut HashMap<(Both<u32>, u8, bool), u32>,
    ) {
        for (source_classes, is_client) in source_of {
            let source_classes = if has_ports { *source_classes } else { [0; 2] };
            let is_dhcp_request = is_server && *is_client;
            let class = |which: usize| class_of(policies[which], of[which], source_classes[which]);
            let classes = [class(0), class(1)];
            let next = self.all.len() as u32;
            let joint = *joints.entry((classes, families, is_dhcp_request)).or_insert(next);
            if joint == next {
                self.all.push(Joint { classes, families, is_dhcp_request });
                for (of_class, class) in self.of_class.iter_mut().zip(classes) {
                    of_class.entry(class).or_default().push(joint);
                }
            }
            self.index.push(joint);
        }
    }

    /// The class of a run with source ports of a class.
    pub(super) fn at(&self, run: &Run, source: u32) -> u32 {
        self.index[(run.line * self.source_classes + source) as usize]
    }

    pub(super) fn of_family(&self, family: Family) -> BTreeSet<u32> {
        (0..).zip(&self.all).filter(|(_, joint)| joint.is_of(family)).map(|(number, _)| number).collect()
    }
}

/// As the data path does it.
fn class_of(policy: &Compiled, class: u16, source: u16) -> u32 {
    if policy.source_services <= 1 {
        return u32::from(class);
    }
    let at = u32::from(class) * policy.source_services + u32::from(source);
    policy.service_pairs.get(at as usize).copied().unwrap_or_default()
}

/// Runs of source ports with their class, and of each class those of both policies.
type SourcePorts = (Vec<(u16, u16, u32)>, Vec<(Both<u16>, bool)>);

fn source_ports(policies: Both<&Compiled>) -> SourcePorts {
    let rows = policies.map(|policy| policy.services.get(ServiceRow::UdpSource as usize));
    let (mut runs, mut classes): SourcePorts = Default::default();
    for (position, at) in (0..=u16::MAX).zip(0..SERVICE_ROW_LEN) {
        let class = (rows.map(|row| row.map_or(0, |row| row[at])), position == number::DHCP_CLIENT);
        let known = classes.iter().position(|known| *known == class);
        let number = known.unwrap_or(classes.len());
        if known.is_none() {
            classes.push(class);
        }
        match runs.last_mut() {
            Some((_, last, run)) if *run == number as u32 => *last = position,
            _ => runs.push((position, position, number as u32)),
        }
    }
    (runs, classes)
}

pub(super) const fn has_ports(row: ServiceRow) -> bool {
    matches!(row, ServiceRow::Tcp | ServiceRow::Udp | ServiceRow::Sctp)
}

const fn families(row: ServiceRow) -> u8 {
    match row {
        ServiceRow::Icmp => Family::Ipv4.bit(),
        ServiceRow::Icmp6 => Family::Ipv6.bit(),
        ServiceRow::Ethertype => Family::Frames.bit(),
        _ => Family::Ipv4.bit() | Family::Ipv6.bit(),
    }
}

/// Whether rules are asked at all: not about ICMP errors and neighbor discovery, nor about what has a row of its own.
pub(super) fn is_judged(row: ServiceRow, position: u16) -> bool {
    let kind = position >> 8;
    match row {
        ServiceRow::Icmp => !matches!(kind, 3 | 11 | 12),
        ServiceRow::Icmp6 => !matches!(kind, 1..=4 | 133..=137),
        ServiceRow::Protocol => position <= 255 && !matches!(position, 1 | 6 | 17 | 58 | 132),
        ServiceRow::Ethertype => {
            !matches!(position, 0..0x600 | 0x0800 | 0x0806 | 0x86dd | 0x8100 | 0x88a8 | 0x9100)
        }
        _ => true,
    }
}
