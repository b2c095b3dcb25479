//! Files have one subject: the longest ones are warned of, then refused.

use std::fs;

use anyhow::{Result, bail};

use super::tree;
use crate::workspace;

/// Lines from which on a file is named.
const WARNED: usize = 400;
/// Lines that no file may have.
const REFUSED: usize = 600;

/// # Errors
/// A Rust file above [`REFUSED`] lines.
pub(super) fn check() -> Result<()> {
    let mut refused = Vec::new();
    for file in tree::files()?.into_iter().filter(|file| file.ends_with(".rs")) {
        let lines = fs::read_to_string(workspace::root().join(&file))?.lines().count();
        if lines > REFUSED {
            refused.push(format!("{file} has {lines} lines"));
        } else if lines > WARNED {
            eprintln!("warning: {file} has {lines} lines; from {WARNED} on, look for its second subject");
        }
    }
    if !refused.is_empty() {
        bail!("at most {REFUSED} lines: {}", refused.join(", "));
    }
    Ok(())
}
