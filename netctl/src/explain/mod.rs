//! "Would this flow be allowed, by which rule, at which port, on which line?"
//!
//! A question ([`question`]) becomes the first frame of the flow (`frame`), which is put to each port that judges it:
//! to the running programs ([`crate::kernel::ask`]), or to the same code in user space ([`HostTables`]). What they saw
//! becomes the steps of the decision (`stage`), and, in the document's words, who both ends are (`party`), what was held
//! against the frame (`held`), and which rule would have decided otherwise (`nearest`).

pub mod answer;
mod capture;
mod frame;
pub mod frames;
mod held;
mod hex;
mod host;
mod nearest;
mod party;
pub mod question;
mod rehearsal;
mod seen;
mod stage;
mod tables;
mod vlan;

pub use held::Held;
pub use nearest::{Difference, Nearest};
pub use party::End;
pub use rehearsal::{Asking, Rehearsal};
pub use seen::Flow;
pub use stage::Stage;
pub use tables::HostTables;
