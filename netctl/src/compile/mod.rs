//! Config to the exact contents of the kernel's tables. Pure: no kernel, no clock, no randomness.

mod compiled;

pub use compiled::*;
