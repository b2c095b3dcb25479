//! A document that does not run, compiled once for any number of questions. Its interfaces get made-up indexes.

use std::collections::BTreeMap;
use std::net::IpAddr;

use netctl_common::abi;
use netctl_common::decide::{Facts, decide};
use netctl_common::flow::TIMEOUTS;
use netctl_common::frame::Arrived;
use netctl_common::verdict::Direction;

use super::answer::{Answer, answer};
use super::host::Host;
use super::question::Question;
use super::tables::HostTables;
use crate::apply::ApplyError;
use crate::compile::{self, Budget, Compiled, PortIds};
use crate::config::{Addresses, Config};
use crate::error::Error;
use crate::kernel::ask::Answered;
use crate::kernel::publish::Publication;
use crate::names::Names;

/// The tables that a document would have.
#[derive(Debug)]
pub struct Rehearsal<'d> {
    config: &'d Config,
    text: &'d str,
    interfaces: BTreeMap<String, u32>,
    bridges: BTreeMap<u16, u32>,
    ids: PortIds,
    compiled: Compiled,
    names: Names,
}

impl<'d> Rehearsal<'d> {
    /// `text` is what `config` was parsed from.
    ///
    /// # Errors
    /// What the compiler says against the document.
    pub fn new(config: &'d Config, text: &'d str) -> Result<Self, ApplyError> {
        let ids = PortIds::assign(&BTreeMap::new(), config)?;
        Ok(Self {
            interfaces: config.ports.keys().cloned().zip(1..).collect(),
            bridges: BTreeMap::new(),
            compiled: compile::compile(config, &ids, &Budget::default())?,
            names: Names::new(&[], config, text),
            config,
            text,
            ids,
        })
    }

    pub fn asking(&self) -> Asking<'_> {
        let publication = Publication {
            compiled: &self.compiled,
            interfaces: &self.interfaces,
            uplinks: &[],
            bridges: &self.bridges,
            document: self.text,
            namespace: 0,
        };
        let mut tables = HostTables::new(&publication, 1);
        tables.writes = false;
        Asking { rehearsal: self, tables, as_learned: None }
    }
}

/// Answers questions. None of them leaves anything behind for the next.
#[derive(Debug)]
pub struct Asking<'r> {
    rehearsal: &'r Rehearsal<'r>,
    tables: HostTables<'r>,
    /// The document with what ports that learn are taken to have learned, where the question is about one.
    as_learned: Option<Config>,
}

impl Asking<'_> {
    /// # Errors
    /// [`Error::Kernel`] if a port that is asked has no interface in the document.
    pub fn answer(&mut self, question: &Question) -> Result<Answer, Error> {
        self.tables.forget_learned();
        self.as_learned = None;
        // A question about a port that learns is about the time when it has.
        for end in [&question.from, &question.to] {
            if let Some(port) = &end.port {
                self.tables.assume_learned(port, end.address);
                self.list(port, end.address);
            }
        }
        answer(self, question, "user space")
    }

    /// As if the document had the address that a port learns.
    fn list(&mut self, port: &str, address: IpAddr) {
        let learns =
            |config: &Config| config.ports.get(port).is_some_and(|port| port.addresses == Addresses::Learned);
        if learns(self.rehearsal.config) {
            let config = self.as_learned.get_or_insert_with(|| self.rehearsal.config.clone());
            if let Some(port) = config.ports.get_mut(port) {
                port.addresses = Addresses::Listed([address].into());
            }
        }
    }
}

impl Host for Asking<'_> {
    fn config(&self) -> &Config {
        self.as_learned.as_ref().unwrap_or(self.rehearsal.config)
    }

    fn names(&self) -> &Names {
        &self.rehearsal.names
    }

    fn interface(&self, port: &str) -> Option<(u32, u32)> {
        Some((*self.rehearsal.interfaces.get(port)?, self.rehearsal.ids.get(port)?))
    }

    fn port_at(&self, ifindex: u32) -> Option<String> {
        let ports = &self.rehearsal.interfaces;
        ports.iter().find(|(_, index)| **index == ifindex).map(|(name, _)| name.clone())
    }

    fn timeouts(&self) -> [u32; TIMEOUTS] {
        self.rehearsal.compiled.timeouts
    }

    fn generation(&self) -> Option<u32> {
        None
    }

    fn ask(&mut self, direction: Direction, ifindex: u32, frame: &Arrived<'_>) -> Result<Answered, Error> {
        let mut facts = Facts::default();
        let verdict = decide(direction, ifindex, frame, &self.tables, &mut facts);
        let seen = abi::Answer::of(&facts, ifindex, &self.tables);
        let Facts { generation, redirect, audited, .. } = facts;
        Ok(Answered { verdict, generation, redirect, audited, seen })
    }
}
