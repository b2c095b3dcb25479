//! One host in a sandbox: a document that was applied for real, its twin and its live programs, and the same
//! document on the host's tables with the same flows.

use std::path::Path;

use netctl::explain::HostTables;
use netctl::kernel::Kernel;
use netctl::kernel::ask::{Live, Twin};
use netctl::kernel::journal::Journal;
use netctl::kernel::running::now;
use netctl::network::Consent;
use netctl_common::abi::{Event, event_kind};
use netctl_common::decide::Tables;
use netctl_tests::cases::World;
use tokio::runtime::{Builder, Runtime};

pub(crate) use netctl::kernel::ask::fits as can_run;

pub(crate) fn bpffs() -> &'static Path {
    Path::new("/sys/fs/bpf")
}

pub(crate) struct Lab {
    journal: Journal,
    runtime: Runtime,
    pub(crate) kernel: Kernel,
    pub(crate) twin: Twin,
    pub(crate) live: Live,
    /// Lives as long as the test: the tables of the next document take the flows of these.
    pub(crate) world: &'static World,
    pub(crate) tables: HostTables<'static>,
    pub(crate) generation: u32,
}

impl Lab {
    /// Applies the first document.
    pub(crate) fn new(text: &str) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let world = World::new(text);
        let applied =
            runtime.block_on(netctl::apply::apply(bpffs(), &world.document, Consent::NotGiven)).unwrap();
        let kernel = Kernel::open(bpffs()).unwrap();
        let world = settled(&kernel, world);
        let journal = kernel.journal().unwrap();
        let (twin, live) = (kernel.twin().unwrap(), kernel.live().unwrap());
        let tables = world.tables(applied.generation);
        set_clock(&tables);
        let generation = applied.generation;
        let mut lab = Self { journal, runtime, twin, live, tables, world, generation, kernel };
        // What was there before the first frame of the test is none of its traces.
        lab.events();
        lab
    }

    /// Applies the next document.
    pub(crate) fn apply(&mut self, text: &str) {
        let world = World::after(&self.world.ids, text);
        self.generation = self
            .runtime
            .block_on(netctl::apply::apply(bpffs(), &world.document, Consent::NotGiven))
            .unwrap()
            .generation;
        self.world = settled(&self.kernel, world);
        let next = self.world.tables(self.generation);
        next.take_flows(&self.tables);
        self.tables = next;
    }

    /// Ends all flows, on both hosts.
    pub(crate) fn kill_flows(&mut self) {
        let root = self.kernel.running().unwrap();
        for id in self.world.ids.values() {
            let keys: Vec<_> = self.kernel.flows(*id).unwrap().into_iter().map(|(key, _)| key).collect();
            let count = keys.len() as u64;
            assert_eq!(self.kernel.kill_flows(*id, &root, keys).unwrap(), count);
        }
        for ((port, key), entry) in self.tables.flows() {
            assert!(self.tables.insert_flow(port, &key, &entry.killed()));
        }
    }

    /// What was sent since the last call.
    pub(crate) fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.journal.ready()).filter(|event| event.kind == event_kind::FRAME).collect()
    }

    /// Both hosts must have as many flows, and the kernel must have counted them.
    pub(crate) fn compare_flows(&self) -> Result<(), String> {
        let ids = self.world.ids.values();
        let in_kernel: usize = ids.map(|id| self.kernel.flows(*id).unwrap().len()).sum();
        let on_host = self.tables.flow_count();
        let made: u64 = self.world.ids.values().map(|id| self.kernel.flows_made(*id).unwrap().packets).sum();
        if in_kernel == on_host && made == on_host as u64 {
            Ok(())
        } else {
            Err(format!("{in_kernel} flows in the kernel, which made {made}; {on_host} on the host"))
        }
    }
}

/// Both hosts have the same time.
pub(crate) fn set_clock(tables: &HostTables<'_>) {
    tables.now.set(now());
}

fn index(interface: &str) -> u32 {
    std::fs::read_to_string(format!("/sys/class/net/{interface}/ifindex")).unwrap().trim().parse().unwrap()
}

/// The world with the interfaces of the running generation.
fn settled(kernel: &Kernel, world: World) -> &'static World {
    let ports = kernel.ports().unwrap();
    let interfaces = ports.iter().map(|port| (port.name(), port.ifindex)).collect();
    assert_eq!(kernel.port_ids().unwrap(), world.ids);
    Box::leak(Box::new(world.with_interfaces(interfaces, index)))
}
