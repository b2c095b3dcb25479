//! Helpers of the tests.

pub mod policies;
