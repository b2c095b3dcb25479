//! "Would this frame pass, by which rule, at which port, on which line?"
//!
//! Asked of the running programs where they run, else of the same code in user space ([`HostTables`]).

mod tables;

pub use tables::HostTables;
