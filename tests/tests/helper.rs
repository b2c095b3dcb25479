//! The drop-in for qemu-bridge-helper: beside the stock one, as an unprivileged user, with hostile files, and under QEMU.
//! Needs root, qemu-system-common and setcap; every test is in network and mount namespaces of its own.

#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "helper/client.rs"]
mod client;
#[path = "helper/granted.rs"]
mod granted;
#[path = "helper/guests.rs"]
mod guests;
#[path = "helper/hostile.rs"]
mod hostile;
#[path = "helper/macvtap.rs"]
mod macvtap;
#[path = "helper/stock.rs"]
mod stock;
#[path = "helper/world.rs"]
mod world;
