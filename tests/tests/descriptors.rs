//! Descriptors as `netctl fd` sees them, of real taps, macvtaps and sockets. Needs root.

#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "descriptors/bad_input.rs"]
mod bad_input;
#[path = "descriptors/inspect.rs"]
mod inspect;
#[path = "descriptors/lab.rs"]
mod lab;
#[path = "descriptors/options.rs"]
mod options;
#[path = "descriptors/reuse.rs"]
mod reuse;
#[path = "descriptors/vdpa.rs"]
mod vdpa;
#[path = "descriptors/vhost.rs"]
mod vhost;
