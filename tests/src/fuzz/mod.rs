//! What fuzzers and tests of random input share: targets that take bytes and panic at what must not be, mutations of
//! the corpus of attacks, and a reference of what must never be allowed. A target is what libFuzzer wants, too;
//! `tests/tests/fuzz` runs them without it.

mod decision;
mod document;
mod mutate;
mod parser;
mod reference;
pub mod seeds;

pub use decision::{PORTS, append, decision};
pub use document::document;
pub use mutate::Mutator;
pub use parser::parser;
pub use reference::Reference;
