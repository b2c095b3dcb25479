//! Limits: buckets under simulated clocks, and real ports that are offered more than their limit.
#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "limits/buckets.rs"]
mod buckets;
#[path = "limits/rates.rs"]
mod rates;
#[path = "limits/world.rs"]
mod world;
