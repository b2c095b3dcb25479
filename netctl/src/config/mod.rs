//! The document as values: validated, every name resolved, no text and no kernel ids.

mod model;

pub use model::*;
