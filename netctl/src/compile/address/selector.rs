//! The selectors of one side (`from` or `to`) turned around: for each selector, which rules name it.
//!
//! Rules with equal selectors on a side are one *list*, and a [`Signature`] is a set of lists: the 10,000
//! rules of 100 groups have signatures over 100 numbers.

use hashbrown::HashMap;
use ipnet::IpNet;

use crate::compile::error::CompileError;
use crate::compile::signature::{Signature, Signatures};
use crate::config::{Config, Rule, Selector};

/// One side of all rules. Selectors of rules whose side contains `any` do not count.
#[derive(Default)]
pub(in crate::compile) struct Side<'c> {
    /// Index: rule. `None`: any.
    pub(in crate::compile) list_of: Vec<Option<u32>>,
    /// Index: list. Its first rule.
    pub(in crate::compile) first_rule: Vec<u32>,
    pub(super) host: Signature,
    pub(super) world: Signature,
    pub(super) multicast: Signature,
    pub(super) broadcast: Signature,
    pub(super) groups: HashMap<&'c str, Signature>,
    pub(super) ports: HashMap<&'c str, Signature>,
    pub(super) sets: HashMap<&'c str, Signature>,
    pub(super) prefixes: HashMap<IpNet, Signature>,
}

impl<'c> Side<'c> {
    /// How many there are.
    pub(in crate::compile) fn lists(&self) -> usize {
        self.first_rule.len()
    }

    /// `side` picks `from` or `to`.
    pub(in crate::compile) fn new(
        config: &'c Config,
        side: fn(&Rule) -> &[Selector],
        signatures: &mut Signatures,
    ) -> Result<Self, CompileError> {
        let mut this = Self::default();
        let mut numbers: HashMap<Vec<&Selector>, u32> = HashMap::new();
        let mut selectors: Vec<&Selector> = Vec::new();
        for (rule, index) in config.policy.rules.iter().zip(0..) {
            selectors.clear();
            selectors.extend(side(rule));
            if selectors.contains(&&Selector::Any) {
                this.list_of.push(None);
                continue;
            }
            selectors.sort_unstable();
            selectors.dedup();
            let next = this.first_rule.len() as u32;
            let list = *numbers.entry_ref(selectors.as_slice()).or_insert(next);
            if list == next {
                this.first_rule.push(index);
                for selector in &selectors {
                    check_name(config, selector, rule.line)?;
                    if let Some(slot) = this.slot(selector) {
                        *slot = signatures.with(*slot, list);
                    }
                }
            }
            this.list_of.push(Some(list));
        }
        Ok(this)
    }

    fn slot(&mut self, selector: &'c Selector) -> Option<&mut Signature> {
        Some(match selector {
            Selector::Any => return None,
            Selector::Host => &mut self.host,
            Selector::World => &mut self.world,
            Selector::Multicast => &mut self.multicast,
            Selector::Broadcast => &mut self.broadcast,
            Selector::Group(name) => self.groups.entry(name).or_default(),
            Selector::Port(name) => self.ports.entry(name).or_default(),
            Selector::Set(name) => self.sets.entry(name).or_default(),
            Selector::Prefix(net) => self.prefixes.entry(*net).or_default(),
        })
    }
}

/// A selector that names nothing would match nothing, and a `deny` with it would be open.
fn check_name(config: &Config, selector: &Selector, line: u32) -> Result<(), CompileError> {
    let (kind, name, exists) = match selector {
        Selector::Group(name) => ("group", name, config.groups.contains_key(name)),
        Selector::Port(name) => ("port", name, config.ports.contains_key(name)),
        Selector::Set(name) => ("set", name, config.sets.contains_key(name)),
        _ => return Ok(()),
    };
    if exists { Ok(()) } else { Err(CompileError::Unresolved { kind, name: name.clone(), line }) }
}
