//! Who answers: the running programs, or the same code in user space over a document that does not run.

use std::collections::BTreeMap;
use std::net::IpAddr;

use netctl_common::abi::Answer;
use netctl_common::decide::{Facts, decide};
use netctl_common::flow::TIMEOUTS;
use netctl_common::frame::Arrived;
use netctl_common::verdict::Direction;

use super::tables::HostTables;
use crate::apply::ApplyError;
use crate::compile::{self, Budget, Compiled, PortIds};
use crate::config::{Addresses, Config};
use crate::document::Document;
use crate::error::Error;
use crate::fd::interface;
use crate::kernel::ask::{Answered, Flows, Twin};
use crate::kernel::publish::Publication;
use crate::names::Names;
use crate::state::State;

/// A host of the decision that can be asked without a trace.
pub(super) trait Host {
    /// Where learned addresses stand as listed ones.
    fn config(&self) -> &Config;
    fn names(&self) -> &Names;
    /// The port's interface and id; `None` = it has none here.
    fn interface(&self, port: &str) -> Option<(u32, u32)>;
    /// The port of an interface.
    fn port_at(&self, ifindex: u32) -> Option<String>;
    /// Ticks; index: [`netctl_common::flow::Timeout`].
    fn timeouts(&self) -> [u32; TIMEOUTS];
    /// Running generation, where one runs.
    fn generation(&self) -> Option<u32>;
    fn ask(&mut self, direction: Direction, ifindex: u32, frame: &Arrived<'_>) -> Result<Answered, Error>;
}

/// The running programs, by their twins.
pub(super) struct Running<'a> {
    state: &'a State,
    config: Config,
    twin: Twin,
}

impl<'a> Running<'a> {
    /// For questions in these directions.
    pub(super) fn new(state: &'a State, directions: &[Direction], flows: Flows) -> Result<Self, Error> {
        let twin = state.kernel.twin_of(directions, flows)?;
        Ok(Self { state, config: state.config_as_learned(), twin })
    }
}

impl Host for Running<'_> {
    fn config(&self) -> &Config {
        &self.config
    }

    fn names(&self) -> &Names {
        &self.state.names
    }

    fn interface(&self, port: &str) -> Option<(u32, u32)> {
        let found = self.state.ports.iter().find(|running| running.name() == port)?;
        // One that is gone, or that someone made anew, has no programs to ask.
        let interface = &self.config.ports.get(port)?.interface;
        (interface::index(interface) == Some(found.ifindex)).then_some((found.ifindex, found.entry.id))
    }

    fn port_at(&self, ifindex: u32) -> Option<String> {
        self.state.ports.iter().find(|running| running.ifindex == ifindex).map(|running| running.name())
    }

    fn timeouts(&self) -> [u32; TIMEOUTS] {
        self.state.root.timeouts
    }

    fn generation(&self) -> Option<u32> {
        Some(self.state.root.generation)
    }

    fn ask(&mut self, direction: Direction, ifindex: u32, frame: &Arrived<'_>) -> Result<Answered, Error> {
        Ok(self.twin.ask_arrived(direction, ifindex, frame)?)
    }
}

/// A document that does not run. Interfaces get made-up indexes.
pub(super) struct OfDocument<'a> {
    config: Config,
    names: Names,
    interfaces: &'a BTreeMap<String, u32>,
    ids: &'a BTreeMap<String, u32>,
    timeouts: [u32; TIMEOUTS],
    tables: HostTables<'a>,
}

/// What `ask` returns, with the document's tables. A port that learns is taken to have learned what it is asked about.
pub(super) fn with_document<R>(
    document: &Document,
    learned: &[(&str, IpAddr)],
    ask: impl FnOnce(&mut OfDocument<'_>) -> Result<R, Error>,
) -> Result<R, Error> {
    let config = &document.config;
    let interfaces: BTreeMap<String, u32> = config.ports.keys().cloned().zip(1..).collect();
    let ids = PortIds::assign(&BTreeMap::new(), config).map_err(ApplyError::from)?;
    let compiled = compile::compile(config, &ids, &Budget::default()).map_err(ApplyError::from)?;
    let publication = publication(document, &compiled, &interfaces);
    let mut tables = HostTables::new(&publication, 1);
    tables.writes = false;
    let mut config = config.clone();
    for (port, address) in learned {
        tables.assume_learned(port, *address);
        list(&mut config, port, *address);
    }
    let ids: BTreeMap<String, u32> =
        config.ports.keys().filter_map(|name| Some((name.clone(), ids.get(name)?))).collect();
    let names = Names::new(&[], &document.config, &document.text);
    let timeouts = compiled.timeouts;
    ask(&mut OfDocument { config, names, interfaces: &interfaces, ids: &ids, timeouts, tables })
}

fn publication<'a>(
    document: &'a Document,
    compiled: &'a Compiled,
    interfaces: &'a BTreeMap<String, u32>,
) -> Publication<'a> {
    const NO_BRIDGES: &BTreeMap<u16, u32> = &BTreeMap::new();
    let bridges = NO_BRIDGES;
    Publication { compiled, interfaces, uplinks: &[], bridges, document: &document.text, namespace: 0 }
}

/// As if the document had the address that a port learns.
fn list(config: &mut Config, port: &str, address: IpAddr) {
    match config.ports.get_mut(port).map(|port| &mut port.addresses) {
        Some(addresses @ Addresses::Learned) => *addresses = Addresses::Listed([address].into()),
        Some(Addresses::Any | Addresses::Listed(_)) | None => {}
    }
}

impl Host for OfDocument<'_> {
    fn config(&self) -> &Config {
        &self.config
    }

    fn names(&self) -> &Names {
        &self.names
    }

    fn interface(&self, port: &str) -> Option<(u32, u32)> {
        Some((*self.interfaces.get(port)?, *self.ids.get(port)?))
    }

    fn port_at(&self, ifindex: u32) -> Option<String> {
        self.interfaces.iter().find(|(_, index)| **index == ifindex).map(|(name, _)| name.clone())
    }

    fn timeouts(&self) -> [u32; TIMEOUTS] {
        self.timeouts
    }

    fn generation(&self) -> Option<u32> {
        None
    }

    fn ask(&mut self, direction: Direction, ifindex: u32, frame: &Arrived<'_>) -> Result<Answered, Error> {
        let mut facts = Facts::default();
        let verdict = decide(direction, ifindex, frame, &self.tables, &mut facts);
        let seen = Answer::of(&facts, ifindex, &self.tables);
        let Facts { generation, redirect, audited, .. } = facts;
        Ok(Answered { verdict, generation, redirect, audited, seen })
    }
}
