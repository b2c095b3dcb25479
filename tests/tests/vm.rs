//! Real guests: Linux in QEMU, started by `netctl run`, without KVM. The images come from `cargo xtask setup`;
//! a test without them fails. Needs root.

#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "vm/demo.rs"]
mod demo;
#[path = "vm/descriptors.rs"]
mod descriptors;
#[path = "vm/lab.rs"]
mod lab;
#[path = "vm/policy.rs"]
mod policy;
#[path = "vm/queues.rs"]
mod queues;
#[path = "vm/spoofing.rs"]
mod spoofing;
#[path = "vm/vhost.rs"]
mod vhost;
