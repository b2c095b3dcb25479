//! Audit mode in words: what would have happened, and what is not enforced.

use std::fmt;

use netctl_common::abi::{BY_DEFAULT, NO_RULE};
use serde::Serialize;

use crate::config::Config;
use crate::names::{Names, RuleName};

/// What would have been decided but for audit mode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Would {
    pub action: &'static str,
    /// `None`: the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleName>,
}

impl Would {
    /// `audited`: see [`netctl_common::abi::FlowEntry::audited`]. `None`: nothing else.
    pub fn of(audited: u32, config: &Config, names: &Names) -> Option<Self> {
        match audited {
            NO_RULE => None,
            BY_DEFAULT => Some(Self { action: config.policy.default.name(), rule: None }),
            rule => {
                let action = config.policy.rules.get(rule as usize)?.action.name();
                Some(Self { action, rule: names.rule(rule).cloned() })
            }
        }
    }
}

impl fmt::Display for Would {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.rule {
            Some(rule) => write!(f, "{rule} would {}", self.action),
            None => write!(f, "the default would {}", self.action),
        }
    }
}

/// Whether the policy's denials are only reported at a port.
pub fn is_audited(config: &Config, port: &str) -> bool {
    config.policy.audit || config.ports.get(port).is_some_and(|port| port.audit)
}

/// What a document in audit mode does not enforce; `None` if it is in none.
pub fn not_enforced(config: &Config) -> Option<String> {
    let ports: Vec<&str> = match config.policy.audit {
        true => Vec::new(),
        false => config.ports.keys().map(String::as_str).filter(|port| is_audited(config, port)).collect(),
    };
    match ports.as_slice() {
        [] if config.policy.audit => {
            Some("the policy is in audit mode: its denials are reported and NOT enforced".to_owned())
        }
        [] => None,
        ports => Some(format!(
            "audit mode: the policy's denials are reported and NOT enforced at {}",
            ports.join(", ")
        )),
    }
}
