//! Two policies by meaning: the flows whose verdict changes, whatever the documents look like.
//!
//! Both policies are compiled, and what is compared is their tables, as the data path asks them. `space` and `party`
//! find the ends of flows that neither policy tells apart, `service` the services; `cells` compares what a policy
//! answers (`answer`) for all of them; `words` and `row` say it in the words of the documents.
//!
//! Compared is what rules decide. Guards stand before the rules: what changes about them, and about ports, is told
//! beside ([`PortChange`]). Out are ICMP errors and neighbor discovery, about which rules are not asked, and addresses
//! that no frame may have.

mod answer;
mod cells;
mod party;
mod port;
mod row;
mod service;
mod service_words;
mod space;
mod words;

use std::collections::BTreeMap;

use serde::Serialize;

use self::answer::{Comparison, Policy};
use self::party::{Names, layers};
pub use self::port::PortChange;
pub use self::row::{Row, Verdict};
use self::service::Services;
use self::space::Space;
pub use self::words::End;
use crate::compile::{self, Budget, CompileError, Compiled, PortIds};
use crate::config::Config;

/// Of the policy before and the one after.
type Both<T> = [T; 2];

/// A compiled policy with its document.
#[derive(Debug)]
pub struct Side {
    pub config: Config,
    /// The document.
    pub text: String,
    compiled: Compiled,
}

impl Side {
    /// # Errors
    /// What keeps the policy from being compiled.
    pub fn new(config: Config, text: String) -> Result<Self, CompileError> {
        let ids = PortIds::assign(&BTreeMap::new(), &config)?;
        let compiled = compile::compile(&config, &ids, &Budget::default())?;
        Ok(Self { config, text, compiled })
    }
}

/// What a flow is between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// Both of the following.
    Ip,
    Ipv4,
    Ipv6,
    /// MAC addresses: frames without IP.
    Frames,
}

impl Family {
    const fn bit(self) -> u8 {
        match self {
            Self::Ip => 3,
            Self::Ipv4 => 1,
            Self::Ipv6 => 2,
            Self::Frames => 4,
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Ip => "ip",
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::Frames => "frames",
        }
    }
}

/// Bounds on the work, and on what is told.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Ends of flows that rules tell apart. Default 2,097,152.
    pub parties: u64,
    /// Comparisons and look-ups of some 10 ns. Default 536,870,912.
    pub steps: u64,
    /// Numbers kept of what was found, of 4 to 8 bytes. Default 33,554,432.
    pub kept: u64,
    /// Rows. Those that are left out are counted. Default 1,000.
    pub rows: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { parties: 1 << 21, steps: 1 << 29, kept: 1 << 25, rows: 1000 }
    }
}

/// Why two policies are not compared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the policies differ too much to be compared: at least {found} {what}, and the limit is {limit}; compare them in \
     smaller steps, such as one section of the rules after the other"
)]
pub struct TooMuch {
    pub what: &'static str,
    pub found: u64,
    pub limit: u64,
}

impl TooMuch {
    const fn check(what: &'static str, found: u64, limit: u64) -> Result<(), Self> {
        if found > limit { Err(Self { what, found, limit }) } else { Ok(()) }
    }
}

/// Counts what [`Limits`] bound.
struct Meter {
    steps: u64,
    kept: u64,
    limits: Limits,
}

impl Meter {
    fn spend(&mut self, steps: u64) -> Result<(), TooMuch> {
        self.steps += steps + 1;
        TooMuch::check("comparisons of what rules tell apart", self.steps, self.limits.steps)
    }

    fn keep(&mut self, numbers: u64) -> Result<(), TooMuch> {
        self.kept += numbers;
        TooMuch::check("differences to keep in memory", self.kept, self.limits.kept)
    }
}

/// All that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Whether nothing does.
    pub same: bool,
    /// Ports of one policy only, and those that are held to something else.
    pub ports: Vec<PortChange>,
    /// The flows whose verdict changes.
    pub flows: Vec<Row>,
    /// Rows that were left out.
    pub omitted: usize,
}

/// Compares two policies.
///
/// # Errors
/// If they differ so much that it would take too long, or too much memory.
pub fn difference(before: &Side, after: &Side, limits: &Limits) -> Result<Difference, TooMuch> {
    let sides = [before, after];
    let compiled = sides.map(|side| &side.compiled);
    let mut meter = Meter { steps: 0, kept: 0, limits: limits.clone() };
    let (space, services) = (Space::new(compiled), Services::new(compiled));
    let names = Names::new(sides, &space);
    let policies = compiled.map(Policy::new);
    let policies = [&policies[0], &policies[1]];
    let mut rows = row::Rows::new(sides, limits.rows);
    for layer in layers(sides, &names, &space, limits.parties)? {
        let mut comparison = Comparison::new(policies, &services, layer.family);
        let (found, omitted) = cells::rectangles(&layer, &mut comparison, &mut meter)?;
        rows.add(&layer, (&names, &space, &services), &comparison.sets.all, (&found, omitted));
    }
    let ports = port::changes(before, after);
    let (flows, omitted) = rows.finish();
    Ok(Difference { same: ports.is_empty() && flows.is_empty(), ports, flows, omitted })
}
