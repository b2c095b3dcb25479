//! Which kernel modules a guest needs, and in which order they are loaded.
//!
//! A package that is not installed has no `modules.dep`, so the order comes from the modules themselves.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

/// A module's name and its uncompressed bytes.
pub(crate) struct Module {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

/// `wanted` and what they depend on, each after what it needs. One that is not below `root` is built in.
///
/// # Errors
/// A module that cannot be read or unpacked.
pub(crate) fn collect(root: &Path, wanted: &[&str]) -> Result<Vec<Module>> {
    let mut files = BTreeMap::new();
    find(root, &mut files)?;
    let mut ordered = Vec::new();
    for name in wanted {
        load(name, &files, &mut ordered)?;
    }
    Ok(ordered)
}

fn find(dir: &Path, files: &mut BTreeMap<String, PathBuf>) -> Result<()> {
    for entry in fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            find(&entry.path(), files)?;
        } else if let Some((name, _)) = entry.file_name().to_string_lossy().split_once(".ko") {
            // A module's name has `_` where its file may have `-`.
            files.insert(name.replace('-', "_"), entry.path());
        }
    }
    Ok(())
}

fn load(name: &str, files: &BTreeMap<String, PathBuf>, ordered: &mut Vec<Module>) -> Result<()> {
    let Some(file) = files.get(name) else { return Ok(()) };
    if ordered.iter().any(|module| module.name == name) {
        return Ok(());
    }
    let bytes = read(file)?;
    for dependency in depends(&bytes) {
        load(&dependency, files, ordered)?;
    }
    ordered.push(Module { name: name.to_owned(), bytes });
    Ok(())
}

fn read(file: &Path) -> Result<Vec<u8>> {
    let unpacker = match file.extension().and_then(|extension| extension.to_str()) {
        Some("ko") => return fs::read(file).with_context(|| format!("cannot read {}", file.display())),
        Some("xz") => "xz",
        Some("zst") => "zstd",
        Some("gz") => "gzip",
        _ => bail!("{}: not a kernel module that can be unpacked", file.display()),
    };
    let output = Command::new(unpacker).arg("-dc").arg(file).output();
    let output = output.with_context(|| format!("{unpacker} is needed to unpack {}", file.display()))?;
    if !output.status.success() {
        bail!("{unpacker} cannot unpack {}", file.display());
    }
    Ok(output.stdout)
}

/// The names in the `depends=` entry of a module's `.modinfo`, whose entries end with a zero byte.
fn depends(module: &[u8]) -> Vec<String> {
    const KEY: &[u8] = b"\0depends=";
    let Some(at) = module.windows(KEY.len()).position(|window| window == KEY) else { return Vec::new() };
    let value = &module[at + KEY.len()..];
    let end = value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
    let names = String::from_utf8_lossy(&value[..end]);
    names.split(',').filter(|name| !name.is_empty()).map(|name| name.replace('-', "_")).collect()
}

#[cfg(test)]
mod tests {
    use super::depends;

    #[test]
    fn dependencies_are_read_from_the_module_itself() {
        assert_eq!(
            depends(b"ELF\0license=GPL\0depends=virtio_ring,net-failover\0"),
            ["virtio_ring", "net_failover"]
        );
        assert!(depends(b"ELF\0depends=\0name=failover\0").is_empty());
    }
}
