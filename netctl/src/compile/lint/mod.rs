//! Rules that can never match, and why.

use super::Budget;
use crate::config::Config;

/// Something in the document that is surely not meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    pub line: u32,
    pub other_line: Option<u32>,
    pub message: String,
    pub help: String,
}

/// x
pub fn lint(_config: &Config, _budget: &Budget) -> Vec<Warning> {
    Vec::new()
}
