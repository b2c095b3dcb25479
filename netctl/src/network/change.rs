//! What `--dry-run` shows: changes to the host, one line each, with the steps that carry them out.

use std::fmt;

use serde::Serialize;

use super::step::Step;

/// What has to be done to the host, in the order of the fields. Enforcement is attached to new ports
/// between `make` and `start`, so that no port is up without it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// New bridges, taps and macvtaps: down, and nothing plugged in.
    pub make: Vec<Change>,
    /// Addresses, uplinks, taps on their bridges, up; and settings of what exists.
    pub start: Vec<Change>,
    /// What the document does not name any more.
    pub remove: Vec<Change>,
    /// Interfaces of others that get the programs, and nothing else.
    pub adopt: Vec<Change>,
    /// Adopted interfaces that the document does not name any more: they lose the programs, and nothing else.
    pub release: Vec<Change>,
    /// What netctl leaves alone but the reader should know.
    pub warnings: Vec<String>,
}

/// One thing that changes, from the reader's view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    pub action: Action,
    pub object: Object,
    pub interface: String,
    /// A phrase for people.
    pub detail: String,
    #[serde(skip)]
    pub(super) steps: Vec<Step>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    Add,
    Modify,
    Remove,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Object {
    Bridge,
    Tap,
    Macvtap,
    Uplink,
    /// The virtual functions of a NIC.
    Pool,
    /// One of them.
    Vf,
    Address,
}

impl Plan {
    /// Whether the host is as the document says.
    pub fn is_empty(&self) -> bool {
        self.changes().next().is_none()
    }

    /// In the order in which they are made.
    pub fn changes(&self) -> impl Iterator<Item = &Change> {
        let made = self.make.iter().chain(&self.start).chain(&self.adopt);
        made.chain(&self.remove).chain(&self.release)
    }
}

impl Change {
    /// What is done, in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.action {
            Action::Add => '+',
            Action::Modify => '~',
            Action::Remove => '-',
        };
        write!(f, "{sign} {} {}: {}", self.object, self.interface, self.detail)
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bridge => "bridge",
            Self::Tap => "tap",
            Self::Macvtap => "macvtap",
            Self::Uplink => "uplink",
            Self::Pool => "pool",
            Self::Vf => "vf",
            Self::Address => "address",
        })
    }
}
