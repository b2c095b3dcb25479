//! Hostile files and callers.
