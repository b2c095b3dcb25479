//! A document made ready for the decision on the host: parsed, compiled, with indexes for its interfaces.

use std::collections::BTreeMap;

use netctl::compile::{Budget, Compiled, PortIds, compile};
use netctl::document::{Document, check};
use netctl::explain::HostTables;
use netctl::kernel::publish::Publication;
use netctl_common::abi::{BY_DEFAULT, NO_RULE};
use netctl_common::frame::Arrived;
use netctl_common::mark;
use netctl_common::verdict::Verdict;

use super::case::{At, Came, Expected, NO_PORT_INTERFACE, Would};

#[derive(Debug)]
pub struct World {
    pub document: Document,
    pub compiled: Compiled,
    /// Port name to the index of its interface.
    pub interfaces: BTreeMap<String, u32>,
    /// Number of a network to the index of its bridge.
    pub bridges: BTreeMap<u16, u32>,
    /// Port name to its id.
    pub ids: BTreeMap<String, u32>,
}

impl World {
    /// As the first document of a host.
    ///
    /// # Panics
    /// If the document has errors.
    pub fn new(text: &str) -> Self {
        Self::after(&BTreeMap::new(), text)
    }

    /// As [`Self::new`], with these guards of all ports off (bits of `abi::guards`).
    ///
    /// # Panics
    /// If the document has errors.
    pub fn without_guards(text: &str, guards: u32) -> Self {
        let document = check("case.toml", text.as_bytes().to_vec());
        let mut document = document.unwrap_or_else(|errors| panic!("{errors}\n{text}"));
        for port in document.config.ports.values_mut() {
            port.guards.0 &= !guards;
        }
        Self::of(&BTreeMap::new(), document)
    }

    /// As the next document, where ports with these ids run.
    ///
    /// # Panics
    /// If the document has errors.
    pub fn after(running: &BTreeMap<String, u32>, text: &str) -> Self {
        let document = check("case.toml", text.as_bytes().to_vec());
        Self::of(running, document.unwrap_or_else(|errors| panic!("{errors}\n{text}")))
    }

    fn of(running: &BTreeMap<String, u32>, document: Document) -> Self {
        let ids = PortIds::assign(running, &document.config).expect("ids for a few ports");
        let compiled = compile(&document.config, &ids, &Budget::default()).expect("a small policy");
        // 1 is `lo`.
        let interfaces = document.config.ports.keys().cloned().zip(2..).collect();
        let ids = ids.iter().map(|(name, id)| (name.to_owned(), id)).collect();
        let bridges = compiled.host_stations.iter().map(|host| host.network).zip(1000..).collect();
        Self { document, compiled, interfaces, bridges, ids }
    }

    /// With the indexes that a host gave: of ports, and of bridges by their names.
    pub fn with_interfaces(mut self, interfaces: BTreeMap<String, u32>, index: impl Fn(&str) -> u32) -> Self {
        self.interfaces = interfaces;
        let bridges = self.compiled.host_stations.iter();
        self.bridges = bridges.map(|host| (host.network, index(&host.interface))).collect();
        self
    }

    pub fn publication(&self) -> Publication<'_> {
        Publication {
            uplinks: &[],
            bridges: &self.bridges,
            compiled: &self.compiled,
            interfaces: &self.interfaces,
            document: &self.document.text,
            namespace: 0,
        }
    }

    pub fn tables(&self, generation: u32) -> HostTables<'_> {
        HostTables::new(&self.publication(), generation)
    }

    /// # Panics
    /// If there is no such port.
    pub fn ifindex(&self, port: &str) -> u32 {
        if port == NO_PORT_INTERFACE { 1 } else { self.interfaces[port] }
    }

    /// A frame as the kernel has it there.
    ///
    /// # Panics
    /// If there is no such port, or it is not on a bridge.
    pub fn arrived<'a>(&self, at: &At, bytes: &'a [u8]) -> Arrived<'a> {
        let (mark, ingress_ifindex) = match at.came {
            Came::Unseen => (at.mark, 0),
            Came::By(port) => (mark::from_port(self.ids[port]), self.interfaces[port]),
            Came::Outside => (at.mark, self.ifindex(NO_PORT_INTERFACE)),
            Came::Bridge => {
                let port = self.compiled.ports.iter().find(|port| port.name == at.port);
                (at.mark, port.map_or(0, |port| self.bridges[&port.network]))
            }
        };
        Arrived { bytes, mark, ingress_ifindex }
    }

    /// Names to numbers.
    ///
    /// # Panics
    /// If no rule has the name.
    pub fn verdict(&self, expected: &Expected) -> Verdict {
        let rule = expected.rule.map_or(NO_RULE, |name| self.rule(name));
        Verdict { action: expected.action, reason: expected.reason, rule }
    }

    /// [`netctl_common::decide::Facts::audited`].
    ///
    /// # Panics
    /// If no rule has the name.
    pub fn audited(&self, expected: &Expected) -> u32 {
        match expected.audited {
            None => NO_RULE,
            Some(Would::Default) => BY_DEFAULT,
            Some(Would::Rule(name)) => self.rule(name),
        }
    }

    fn rule(&self, name: &str) -> u32 {
        let rules = &self.document.config.policy.rules;
        let found = rules.iter().position(|rule| rule.name.as_deref() == Some(name));
        found.unwrap_or_else(|| panic!("no rule has the name {name:?}")) as u32
    }

    /// In words, for messages.
    pub fn describe(&self, verdict: &Verdict) -> String {
        let rule = self.document.config.policy.rules.get(verdict.rule as usize);
        let rule = rule.map_or("no rule", |rule| rule.name.as_deref().unwrap_or("a rule without a name"));
        format!("{} {} ({rule})", verdict.action.name(), verdict.reason.name())
    }
}
