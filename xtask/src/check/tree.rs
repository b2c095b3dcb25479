//! The files of the work tree, without what is built and git's own.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};

use crate::workspace;

const SKIPPED: [&str; 2] = [".git", "target"];

/// Paths seen from the workspace's folder, sorted.
///
/// # Errors
/// A folder that cannot be listed.
pub(super) fn files() -> Result<Vec<String>> {
    let mut found = Vec::new();
    list(&workspace::root(), "", &mut found)?;
    found.sort();
    Ok(found)
}

fn list(dir: &Path, prefix: &str, found: &mut Vec<String>) -> Result<()> {
    for entry in fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if SKIPPED.contains(&name.as_str()) {
            continue;
        }
        let path = format!("{prefix}{name}");
        if entry.file_type()?.is_dir() {
            list(&entry.path(), &format!("{path}/"), found)?;
        } else {
            found.push(path);
        }
    }
    Ok(())
}
