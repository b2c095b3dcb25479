//! Rules proposed from what passed: for a policy that is made while audit mode lets everything through.
//!
//! [`Learner`] collects who opened what towards whom, in the words of a rule; [`propose`] joins that into rules which allow
//! what was seen and as little else as can be written. Pure: flows and events are given to it.

mod evidence;
mod observe;
mod party;
mod propose;
mod text;

pub use evidence::Evidence;
pub use observe::{Judge, Learner};
pub use party::Party;
pub use propose::{GroupBy, Proposal, Proposed, propose};
