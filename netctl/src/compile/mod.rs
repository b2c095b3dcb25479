//! Config to the exact contents of the kernel's tables. Pure: no kernel, no clock, no randomness.
//!
//! [`mod@reference`] says what a policy means, rule by rule. [`compile`] resolves it: selectors to classes of
//! addresses (`address`), services to classes (`service`), pairs of classes to chains and their verdicts
//! (`chain`); both are tested against each other. [`lint()`] finds rules that never match, [`notes`] others to look at.

mod address;
mod budget;
mod chain;
mod compiled;
mod error;
mod grouped;
mod ids;
mod limits;
mod lint;
mod memory;
pub mod reference;
mod resolved;
mod service;
mod signature;
mod tables;

pub use budget::Budget;
pub use compiled::*;
pub use error::{CompileError, OverBudget, Resource};
pub use ids::{DEFAULT_ZONE, PortIds, network_numbers, zone_numbers};
pub use lint::{Warning, lint, notes};

use self::resolved::Resolved;
use crate::config::Config;

/// The tables of `config`. `ids` must hold every port of it.
pub fn compile(config: &Config, ids: &PortIds, budget: &Budget) -> Result<Compiled, CompileError> {
    Resolved::new(config, budget)?.into_tables(ids)
}
