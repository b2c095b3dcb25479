//! What netctl's tests, its demo and its benchmark stand on: a private world per test ([`sandbox`]),
//! guests ([`guest`]) on real taps and macvtaps ([`tap`]) and on sockets ([`nic`]), a switch ([`switch`]), guests in QEMU ([`machine`]), frames of any shape ([`frame`]),
//! and the `netctl` binary ([`cli`]). Nothing here knows what a policy means.

pub mod bench;
pub mod bridge;
pub mod builds;
pub mod cases;
pub mod cli;
pub mod demo;
pub mod evasion;
pub mod frame;
pub mod fuzz;
pub mod guest;
pub mod lab;
pub mod machine;
pub mod macvtap;
pub mod monitor;
pub mod nic;
pub mod policies;
pub mod process;
pub mod sandbox;
pub mod seccomp;
pub mod soak;
pub mod switch;
pub mod tap;
pub mod told;
