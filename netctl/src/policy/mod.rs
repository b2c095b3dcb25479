//! What a policy comes to, as a whole: [`verify`] runs the tests of a document on it, [`matrix`] says who reaches whom.
//!
//! Pure, and never a second model: tests are questions to the data path's own code ([`crate::explain`]).

pub mod matrix;
pub mod verify;
