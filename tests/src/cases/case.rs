//! One row: a frame at a port, and the verdict by names. What a name stands for is known to [`World`].

use netctl_common::verdict::{Action, Direction, Reason};

use super::stations::{Guest, ip_of};
use crate::frame::Network;

/// An interface that is no port of any document.
pub const NO_PORT_INTERFACE: &str = "lo";

/// Where a frame comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// The host made it. At a macvtap, which cannot know that: from outside.
    Unseen,
    /// From the guest of a port.
    By(&'static str),
    /// Over an interface that is no port.
    Outside,
    /// Routed by the host, from the network itself.
    Bridge,
}

/// Where a frame is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// A port's name, or [`NO_PORT_INTERFACE`].
    pub port: &'static str,
    pub direction: Direction,
    /// See [`netctl_common::mark`].
    pub mark: u32,
    pub came: Came,
}

pub(super) const fn from(port: &'static str) -> At {
    At::of(port, Direction::FromGuest)
}

pub(super) const fn to(port: &'static str) -> At {
    At::of(port, Direction::ToGuest)
}

impl At {
    /// Of a frame whose origin nobody tells.
    pub const fn of(port: &'static str, direction: Direction) -> Self {
        Self { port, direction, mark: 0, came: Came::Unseen }
    }

    /// A frame that an earlier hook has marked.
    pub(super) const fn marked(self, mark: u32) -> Self {
        Self { mark, ..self }
    }

    pub const fn came(self, came: Came) -> Self {
        Self { came, ..self }
    }
}

/// The verdict, with the rule by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    pub action: Action,
    pub reason: Reason,
    pub rule: Option<&'static str>,
    /// What is told because of audit mode.
    pub audited: Option<Would>,
}

/// What would have decided otherwise but for audit mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Would {
    /// A rule, by its name.
    Rule(&'static str),
    Default,
}

impl Expected {
    /// The same, told of; if it lets the frame through, that is why.
    pub(super) const fn but(self, would: Would) -> Self {
        let reason = match self.action {
            Action::Allow => Reason::Audit,
            _ => self.reason,
        };
        Self { reason, audited: Some(would), ..self }
    }
}

const fn expected(action: Action, reason: Reason, rule: Option<&'static str>) -> Expected {
    Expected { action, reason, rule, audited: None }
}

/// A rule allows.
pub(super) const fn allow(rule: &'static str) -> Expected {
    expected(Action::Allow, Reason::Rule, Some(rule))
}

/// A rule denies.
pub(super) const fn deny(rule: &'static str) -> Expected {
    expected(Action::Deny, Reason::Rule, Some(rule))
}

/// A rule rejects.
pub(super) const fn reject(rule: &'static str) -> Expected {
    expected(Action::Reject, Reason::Rule, Some(rule))
}

/// No rule matches.
pub(super) const fn default(action: Action) -> Expected {
    expected(action, Reason::Default, None)
}

/// Denied before or beside the rules.
pub(super) const fn denied(reason: Reason) -> Expected {
    expected(Action::Deny, reason, None)
}

/// Allowed before or beside the rules.
pub(super) const fn passes(reason: Reason) -> Expected {
    expected(Action::Allow, reason, None)
}

/// Part of a flow that a rule allowed.
pub(super) const fn flow(rule: &'static str) -> Expected {
    expected(Action::Allow, Reason::Flow, Some(rule))
}

/// An ICMP error about a flow that a rule allowed.
pub(super) const fn related(rule: &'static str) -> Expected {
    expected(Action::Allow, Reason::Related, Some(rule))
}

/// Part of a flow that is not allowed any more.
pub(super) const fn revoked(action: Action, rule: Option<&'static str>) -> Expected {
    expected(action, Reason::Revoked, rule)
}

/// A row.
#[derive(Clone, Debug)]
pub struct Case {
    /// A sentence.
    pub name: String,
    pub at: At,
    pub frame: Vec<u8>,
    pub expected: Expected,
}

/// Rows of one subject.
#[derive(Default)]
pub(super) struct Rows(pub(super) Vec<Case>);

impl Rows {
    pub(super) fn row(&mut self, name: &str, at: At, frame: Vec<u8>, expected: Expected) {
        self.0.push(Case { name: name.to_owned(), at, frame, expected });
    }

    /// The same in IPv4 and in IPv6: `make` puts something into a packet between two stations.
    pub(super) fn both(
        &mut self,
        name: &str,
        at: At,
        (source, destination): (&Guest, &Guest),
        make: impl Fn(Network) -> Vec<u8>,
        expected: Expected,
    ) {
        for (family, ip) in ip_of(source, destination) {
            self.row(&format!("{name} ({family})"), at, make(ip), expected);
        }
    }
}
