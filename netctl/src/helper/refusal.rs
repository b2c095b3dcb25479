//! Why the helper gives nothing: what the user reads, byte for byte the stock helper's where it has such an error, and
//! what the log keeps.

use std::io;

use crate::error::chain;

/// Where the stock helper's rules are.
pub(super) const BRIDGE_CONF: &str = "/etc/qemu/bridge.conf";
/// Where netctl's grants are.
pub(super) const GRANTS: &str = "/etc/netctl/grants.toml";

/// A refusal. All end with exit status 1.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("Usage: qemu-bridge-helper [--use-vnet] --br=bridge --fd=unixfd")]
    Usage,
    #[error("name `{}' too long: {}", String::from_utf8_lossy(.0), .0.len())]
    NameTooLong(Vec<u8>),
    #[error("failed to parse default acl file `{BRIDGE_CONF}'")]
    AclUnreadable,
    #[error("access denied by acl file")]
    Acl,
    #[error("failed to write fd to unix socket: {}", reason(.0))]
    Socket(io::Error),
    /// No port for this caller, by netctl's own rules.
    #[error("{0}")]
    Denied(String),
    #[error("{0}")]
    Busy(String),
    /// The user has enough.
    #[error("{0}")]
    Limit(String),
    #[error("{0}")]
    Failed(String),
    #[error("the grant cannot be written to the log (/dev/log): {}; nothing is given without that", reason(.0))]
    Audit(io::Error),
}

impl Refusal {
    pub(super) fn failed(error: impl std::error::Error) -> Self {
        Self::Failed(chain(&error))
    }

    /// How much the user has to know it where several ports were refused, each for its own reason.
    const fn weight(&self) -> u8 {
        match self {
            Self::Acl | Self::Denied(_) => 1,
            Self::Busy(_) => 2,
            _ => 3,
        }
    }

    /// The weightier one; the first of equals.
    pub(super) fn or_weightier(self, later: Self) -> Self {
        if later.weight() > self.weight() { later } else { self }
    }

    /// For standard error, with its line end.
    pub(super) fn text(&self) -> Vec<u8> {
        let mut text = match self {
            // Any bytes, as they came.
            Self::NameTooLong(name) => {
                let mut text = b"name `".to_vec();
                text.extend_from_slice(name);
                text.extend_from_slice(format!("' too long: {}", name.len()).as_bytes());
                text
            }
            other => other.to_string().into_bytes(),
        };
        text.push(b'\n');
        text
    }

    /// For the log.
    pub(super) fn audit(&self) -> String {
        match self {
            Self::Usage => "refused: its arguments are not understood".to_owned(),
            Self::Acl => format!("refused by {BRIDGE_CONF}"),
            other => format!("refused: {other}"),
        }
    }
}

/// strerror(3)'s words alone.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split_once(" (os error").map_or(text.clone(), |(words, _)| words.to_owned())
}
