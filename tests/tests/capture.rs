//! `netctl capture` on real taps: what is in its files, as tshark reads them, and what is left of a capture that was killed. As
//! root; needs tshark.

#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "capture/bounds.rs"]
mod bounds;
#[path = "capture/frames.rs"]
mod frames;
#[path = "capture/life.rs"]
mod life;
#[path = "capture/outputs.rs"]
mod outputs;
#[path = "capture/world.rs"]
mod world;
