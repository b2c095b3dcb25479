//! A host that changes while it is in use: commands that meet, are killed, or are followed by those of another version. Frames on
//! real taps and macvtaps say what is enforced meanwhile. As root; each test has its own world.

#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "life/confirm.rs"]
mod confirm;
#[path = "life/faults.rs"]
mod faults;
#[path = "life/lock.rs"]
mod lock;
#[path = "life/points.rs"]
mod points;
#[path = "life/rename.rs"]
mod rename;
#[path = "life/soak.rs"]
mod soak;
#[path = "life/traffic.rs"]
mod traffic;
#[path = "life/upgrade.rs"]
mod upgrade;
#[path = "life/world.rs"]
mod world;

use std::time::Duration;

/// Enough for anything that happens at all.
const SOON: Duration = Duration::from_secs(30);
/// Enough to call it silence.
const A_WHILE: Duration = Duration::from_millis(400);
