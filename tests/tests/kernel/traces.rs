//! Everything that frames leave behind in the kernel, to compare before and after.

use netctl_common::abi::{Counter, FlowEntry, FlowKey};

use crate::lab::Lab;

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Traces {
    ports: Vec<PortTraces>,
    strays: Vec<Counter>,
    rules: Vec<Counter>,
    events: usize,
}

#[derive(Debug, PartialEq, Eq)]
struct PortTraces {
    counters: Vec<Counter>,
    flows: Vec<(FlowKey, FlowEntry)>,
    untold: u64,
}

impl Traces {
    /// Counts the events since the last look.
    pub(crate) fn of(lab: &mut Lab) -> Self {
        let events = lab.events().len();
        let kernel = &lab.kernel;
        let port = |id: &u32| PortTraces {
            counters: kernel.port_counters(*id).unwrap(),
            flows: kernel.flows(*id).unwrap(),
            untold: kernel.untold_events(*id).unwrap(),
        };
        let root = kernel.running().unwrap();
        Self {
            ports: lab.world.ids.values().map(port).collect(),
            strays: kernel.stray_counters().unwrap(),
            rules: kernel.rules(&root).unwrap().into_iter().map(|(_, counter)| counter).collect(),
            events,
        }
    }
}
