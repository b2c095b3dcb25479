//! "Would this flow be allowed, by which rule, at which port, on which line?"
//!
//! A question ([`question`]) becomes the first frame of the flow (`frame`), which is put to each port that judges it:
//! to the running programs ([`crate::kernel::ask`]), or to the same code in user space ([`HostTables`]).

pub mod answer;
mod frame;
pub mod question;
mod tables;
mod vlan;

pub use tables::HostTables;
