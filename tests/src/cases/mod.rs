//! The table of cases: documents, frames, and what must come of them at which port and in which direction.
//!
//! One file per subject; each expectation is written down from the meaning of a policy, by the names of
//! reasons and rules. Run by `tests/host.rs` on tables in user space and by `tests/kernel.rs` in the kernel.

pub mod answers;
mod arp;
mod audit;
mod case;
mod discovery;
mod documents;
mod ethertypes;
mod flows;
mod fragments;
mod framing;
mod groups;
mod guards;
mod icmp;
mod ipv4;
mod ipv6;
mod killed;
mod learning;
mod limits;
mod martians;
mod order;
mod origin;
mod ownership;
mod policy_change;
mod private;
pub mod random;
mod reject;
mod related;
mod sctp;
mod selectors;
mod sequence;
mod services;
mod stations;
mod tcp;
mod tcp_state;
mod timeouts;
mod truncation;
mod vlans;
mod world;
mod zones;

pub use case::{At, Came, Case, Expected, NO_PORT_INTERFACE, Would};
pub use sequence::{Sequence, Step};
pub use world::World;

use netctl_common::verdict::Reason;

/// Cases that one document answers.
#[derive(Debug)]
pub struct Subject {
    pub name: &'static str,
    pub document: String,
    pub cases: Vec<Case>,
}

/// Single frames; no flow is there.
pub fn subjects() -> Vec<Subject> {
    vec![
        selectors::subject(),
        services::subject(),
        ethertypes::subject(),
        order::subject(),
        order::subject_open(),
        ipv4::subject(),
        ipv6::subject(),
        tcp::subject(),
        framing::subject(),
        truncation::subject(),
        ownership::subject(),
        arp::subject(),
        discovery::subject(),
        martians::subject(),
        groups::subject(),
        icmp::subject(),
        zones::subject(),
        private::subject(),
        guards::subject(),
        guards::subject_without(),
        vlans::subject(),
        audit::rules(),
        audit::policy(),
        audit::port(),
        reject::subject(),
        reject::subject_default(),
    ]
    .into_iter()
    .chain(origin::subjects())
    .collect()
}

/// Frames in order, with the flows that they leave behind.
pub fn sequences() -> Vec<Sequence> {
    [
        flows::sequences(),
        tcp_state::sequences(),
        sctp::sequences(),
        fragments::sequences(),
        related::sequences(),
        policy_change::sequences(),
        killed::sequences(),
        timeouts::sequences(),
        limits::sequences(),
        audit::sequences(),
        origin::sequences(),
        learning::sequences(),
    ]
    .concat()
}

/// Reasons that no case can reach, and why. Where the kernel can, `tests/kernel.rs` has a test of its own.
pub const UNREACHED: &[(Reason, &str)] = &[
    (Reason::NoPolicy, "cases are asked of a document; before the first one is published there is none"),
    (Reason::Internal, "a publication has all tables; one would have to be taken away"),
    (Reason::FlowTable, "a table with least-recently-used eviction makes room for a new flow"),
];
