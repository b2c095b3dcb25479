//! What the kernel side and user space agree on, and all meaning of a policy.
//!
//! Reading order: [`abi`] (what is stored in maps), [`verdict`] (what can be decided, and why),
//! [`address`] and [`frame`] (bytes to a parsed packet), [`guard`] (checks before the policy), [`flow`] (state of a
//! connection), [`classify`] (which rule matches), [`limit`] (token bucket), [`lease`] (learned addresses), and [`decide`] (all of it, in order). [`host`] is the way between guests and their host.
//! Nothing here touches a kernel: the BPF programs, the tests and `explain` run the same code.

#![no_std]

pub mod abi;
pub mod address;
pub mod classify;
pub mod decide;
pub mod flow;
pub mod frame;
pub mod guard;
pub mod host;
pub mod lease;
pub mod limit;
pub mod mark;
pub mod reject;
pub mod verdict;
