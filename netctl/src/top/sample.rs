//! One look at the counters.

use std::collections::BTreeMap;

use netctl_common::abi::{Counter, FlowKey};
use netctl_common::verdict::{Direction, REASONS, Reason};

use crate::names::RuleName;
use crate::told::Told;

#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// `CLOCK_MONOTONIC`, nanoseconds.
    pub time: u64,
    pub generation: u32,
    /// By name.
    pub ports: BTreeMap<String, PortSample>,
    /// In the order of the document.
    pub rules: Vec<RuleSample>,
    /// By port and key.
    pub flows: BTreeMap<(String, FlowKey), FlowSample>,
    /// Denials since the sample before, oldest first.
    pub denials: Vec<Told>,
}

/// All since the port exists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortSample {
    /// Frames that came; index: [`Direction`].
    pub came: [Counter; 2],
    /// Frames that were denied for a reason that always denies, or by the default.
    pub denied: u64,
    /// Frames that rules decided: denied ones and allowed ones.
    pub ruled: u64,
    /// Denials that could not be told, over the rate of events.
    pub untold: u64,
    /// Entries in the flow tables, how many there is room for, and how many gave way to new ones.
    pub entries: u64,
    pub size: u64,
    pub evicted: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleSample {
    pub rule: RuleName,
    pub action: &'static str,
    pub counter: Counter,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowSample {
    /// Of who opened it.
    pub opener: Direction,
    /// In both directions.
    pub counter: Counter,
}

/// What both have counted.
pub fn sum([a, b]: [Counter; 2]) -> Counter {
    Counter { packets: a.packets.wrapping_add(b.packets), bytes: a.bytes.wrapping_add(b.bytes) }
}

impl PortSample {
    /// From the counters of a port, by direction and reason. `default_denies`: what no rule matches.
    pub fn counted(counters: &[Counter], default_denies: bool) -> Self {
        let mut sample = Self::default();
        for direction in Direction::ALL {
            for reason in Reason::ALL {
                let index = direction as usize * REASONS + *reason as usize;
                let counter = counters.get(index).copied().unwrap_or_default();
                let came = &mut sample.came[direction as usize];
                *came = sum([*came, counter]);
                match reason {
                    Reason::Rule => sample.ruled += counter.packets,
                    Reason::Default if !default_denies => {}
                    Reason::Flow
                    | Reason::Related
                    | Reason::Arp
                    | Reason::NeighborDiscovery
                    | Reason::Audit
                    | Reason::Answer => {}
                    _ => sample.denied += counter.packets,
                }
            }
        }
        sample
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_told_apart_by_what_they_do() {
        let mut counters = vec![Counter::default(); 2 * REASONS];
        for (place, counter) in counters.iter_mut().enumerate() {
            *counter = Counter { packets: 1, bytes: 100 + place as u64 };
        }
        let denying = PortSample::counted(&counters, true);
        let all = REASONS as u64;
        assert_eq!(denying.came.map(|counter| counter.packets), [all, all]);
        // But for a rule, a flow, an error about one, ARP, neighbor discovery, audit and an answer.
        assert_eq!((denying.denied, denying.ruled), (2 * (all - 7), 2));
        assert_eq!(PortSample::counted(&counters, false).denied, 2 * (all - 8));
    }
}
