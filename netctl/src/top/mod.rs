//! What goes on at the ports now, for `netctl top`: two looks at the counters make rates ([`rates`]), which a screen shows.
//!
//! Only [`read`] asks the kernel; [`screen`] is what keys change, [`draw`] makes lines of both.

pub mod draw;
mod lines;
pub mod rates;
pub mod read;
pub mod sample;
pub mod screen;

pub use rates::Rates;
pub use sample::Sample;
pub use screen::{Screen, Step};
