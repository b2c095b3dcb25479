//! Interfaces: bridges, taps, macvtaps, uplinks. The only user of rtnetlink. Reading order: [`Observed`] (what is there),
//! [`plan`] (pure: a document and what is there, to a [`Plan`]), [`apply`] (do it).
//!
//! netctl keeps no list of what it made: everything carries a mark in the kernel (`tag`), so a process can
//! die at any point and the next plan heals what it left. Descriptors are the business of [`crate::fd`].

mod address;
mod adopt;
pub mod apply;
mod bridge;
mod change;
pub mod condition;
mod error;
mod functions;
mod lease;
mod leftover;
mod link;
mod lower;
mod macvtap;
mod mark;
mod multicast;
mod netlink;
mod observe;
mod plan;
mod pool;
mod reflect;
mod request;
mod room;
mod routes;
mod seat;
mod step;
mod tag;
mod tap;
mod uplink;
mod vf;
mod vf_request;
mod vf_step;

pub use adopt::{Adoptable, Misfit, Place, adoptable, adoptions, plugged_into};
pub use change::{Action, Change, Object, Plan};
pub use condition::Condition;
pub use error::{Conflict, NetworkError, Problem};
pub use lease::{Lease, OwnState};
pub use link::{Address, BridgeFacts, BridgePort, Interface, Kind, MacvtapFacts, Mode, Observed, TapFacts};
pub use mark::{set_programs, set_user};
pub use netlink::Netlink;
pub use observe::{observe, queues_in_use};
pub use plan::{Consent, plan, plan_down};
pub use reflect::reflects;
pub use step::{MacvtapSpec, Settings, Step, TapSpec};
pub use tag::Tag;

pub use vf::{Sriov, Vf, VfState};
pub use vf_step::{Lower, VfAction};
