//! The same document, rules and reasons on the four kinds of networks: guests' ends are real taps and macvtaps, their
//! uplinks are wired to a switch in the sandbox. As root; every test is in network and mount namespaces of its own.

#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "kinds/across.rs"]
mod across;
#[path = "kinds/audit.rs"]
mod audit;
#[path = "kinds/conversation.rs"]
mod conversation;
#[path = "kinds/descriptors.rs"]
mod descriptors;
#[path = "kinds/discovery.rs"]
mod discovery;
#[path = "kinds/equal.rs"]
mod equal;
#[path = "kinds/injection.rs"]
mod injection;
#[path = "kinds/kind.rs"]
mod kind;
#[path = "kinds/learning.rs"]
mod learning;
#[path = "kinds/lower.rs"]
mod lower;
#[path = "kinds/macvlan.rs"]
mod macvlan;
#[path = "kinds/offloads.rs"]
mod offloads;
#[path = "kinds/origin.rs"]
mod origin;
#[path = "kinds/passthrough.rs"]
mod passthrough;
#[path = "kinds/reject.rs"]
mod reject;
#[path = "kinds/row.rs"]
mod row;
#[path = "kinds/table/mod.rs"]
mod table;
#[path = "kinds/traces.rs"]
mod traces;
#[path = "kinds/vepa.rs"]
mod vepa;
#[path = "kinds/vlans.rs"]
mod vlans;

use std::time::Duration;

/// Enough for anything that happens at all, also on an emulated machine.
const SOON: Duration = Duration::from_secs(30);
/// Enough to call it silence.
const A_WHILE: Duration = Duration::from_millis(300);
