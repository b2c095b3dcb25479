//! Interfaces and descriptors on a real kernel. Needs root; every test has its own network and mount namespaces.

#![allow(clippy::unwrap_used, reason = "all of this crate is tests, also what clippy does not see as one")]

mod bridges;
mod conflicts;
mod crashes;
mod descriptors;
mod document;
mod host;
mod lowers;
mod macvtaps;
mod namespace;
mod options;
mod performance;
mod pools;
mod taps;
mod uplinks;
mod vmm;
