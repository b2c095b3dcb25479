//! A document made ready for the decision on the host: parsed, compiled, with indexes for its interfaces.

use std::collections::BTreeMap;

use netctl::compile::{Budget, Compiled, PortIds, compile};
use netctl::document::{Document, check};
use netctl::explain::HostTables;
use netctl::kernel::publish::Publication;
use netctl_common::abi::NO_RULE;
use netctl_common::verdict::Verdict;

use super::case::{Expected, NO_PORT_INTERFACE};

#[derive(Debug)]
pub struct World {
    pub document: Document,
    pub compiled: Compiled,
    /// Port name to the index of its interface.
    pub interfaces: BTreeMap<String, u32>,
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

    /// As the next document, where ports with these ids run.
    ///
    /// # Panics
    /// If the document has errors.
    pub fn after(running: &BTreeMap<String, u32>, text: &str) -> Self {
        let document = check("case.toml", text.as_bytes().to_vec());
        let document = document.unwrap_or_else(|errors| panic!("{errors}\n{text}"));
        let ids = PortIds::assign(running, &document.config).expect("ids for a few ports");
        let compiled = compile(&document.config, &ids, &Budget::default()).expect("a small policy");
        // 1 is `lo`.
        let interfaces = document.config.ports.keys().cloned().zip(2..).collect();
        let ids = ids.iter().map(|(name, id)| (name.to_owned(), id)).collect();
        Self { document, compiled, interfaces, ids }
    }

    /// With the indexes that a host gave.
    pub fn with_interfaces(mut self, interfaces: BTreeMap<String, u32>) -> Self {
        self.interfaces = interfaces;
        self
    }

    pub fn publication(&self) -> Publication<'_> {
        Publication {
            uplinks: &[],
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

    /// Names to numbers.
    ///
    /// # Panics
    /// If no rule has the name.
    pub fn verdict(&self, expected: &Expected) -> Verdict {
        let named = |name: &str| {
            let rules = &self.document.config.policy.rules;
            let found = rules.iter().position(|rule| rule.name.as_deref() == Some(name));
            found.unwrap_or_else(|| panic!("no rule has the name {name:?}")) as u32
        };
        let rule = expected.rule.map_or(NO_RULE, named);
        Verdict { action: expected.action, reason: expected.reason, rule }
    }

    /// In words, for messages.
    pub fn describe(&self, verdict: &Verdict) -> String {
        let rule = self.document.config.policy.rules.get(verdict.rule as usize);
        let rule = rule.map_or("no rule", |rule| rule.name.as_deref().unwrap_or("a rule without a name"));
        format!("{} {} ({rule})", verdict.action.name(), verdict.reason.name())
    }
}
