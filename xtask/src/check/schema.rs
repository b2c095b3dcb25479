//! The published JSON Schema is the one of the present model.

use std::fs;

use anyhow::{Result, bail};

use crate::{run, workspace};

/// # Errors
/// The file differs from what `netctl schema` prints.
pub(super) fn check(bless: bool) -> Result<()> {
    if bless {
        return run::schema();
    }
    let there = fs::read(workspace::root().join(run::SCHEMA)).unwrap_or_default();
    if there != run::printed_schema()? {
        bail!("{} is not what `netctl schema` prints; run `cargo xtask schema`", run::SCHEMA);
    }
    Ok(())
}
