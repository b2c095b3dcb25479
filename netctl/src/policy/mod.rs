//! What a policy comes to, as a whole: [`verify`] runs the tests of a document on it, [`matrix`] says who reaches whom, and
//! [`difference`] which flows two policies decide otherwise.
//!
//! Pure, and never a second model: tests are questions to the data path's own code ([`crate::explain`]), the others read the
//! compiled tables.

pub mod difference;
pub mod matrix;
pub mod verify;
