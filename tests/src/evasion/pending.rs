//! What is not yet as it is meant to be.

/// Names of cases that may come out otherwise. Nothing may be in here in a release.
pub const PENDING: &[&str] = &[];
