//! BPF: programs, maps, links, and what they hold. The only folder that uses aya or the bpf(2) system call.
//!
//! The kernel holds the running state, pinned under a versioned directory ([`pins`]); this code loads it
//! ([`load`]), attaches it to ports ([`attach`], [`detach`]), fills and publishes generations ([`publish`]), reads them
//! back ([`running`]), reads the [`journal`] and asks the programs themselves ([`ask`]).

pub mod ask;
pub mod attach;
pub mod attached;
mod bytes;
pub mod capture;
mod clsact;
#[cfg(feature = "bpf-log")]
pub mod debug_log;
pub mod detach;
mod enforced;
mod error;
mod flows;
pub mod former;
pub mod journal;
pub mod leases;
mod limits;
pub mod load;
pub mod lock;
pub mod map;
mod mapping;
pub mod pending;
pub mod pins;
pub mod publish;
pub mod running;
mod shapes;
mod sys;
mod tc;
pub mod timed;
mod twins;
pub mod upgrade;
pub mod verified;

pub use error::KernelError;
pub use load::Kernel;
