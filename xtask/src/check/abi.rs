//! Map layouts do not change without a new `ABI_VERSION`: pinned maps of another netctl would be misread.
//!
//! `netctl-common/abi.lock` holds the agreed version and a hash of the code of `abi.rs` and of what it takes in, without comments.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::workspace;

const SOURCES: [&str; 5] = [
    "netctl-common/src/abi.rs",
    "netctl-common/src/abi/capture.rs",
    "netctl-common/src/abi/journal.rs",
    "netctl-common/src/abi/lease.rs",
    "netctl-common/src/abi/maps.rs",
];
const LOCK: &str = "netctl-common/abi.lock";
const VERSION: &str = "pub const ABI_VERSION: u32 = ";

/// A version of the layouts.
#[derive(Debug, PartialEq, Eq)]
struct Abi {
    version: u32,
    /// FNV-1a of the code, without the version.
    hash: u64,
}

/// # Errors
/// The layouts are not the agreed ones, or a file cannot be read.
pub(super) fn check(bless: bool) -> Result<()> {
    let path = |name: &str| -> PathBuf { workspace::root().join(name) };
    let read = |name: &str| fs::read_to_string(path(name)).with_context(|| format!("cannot read {name}"));
    let source = SOURCES.into_iter().map(read).collect::<Result<String>>()?;
    let now = Abi::of(&source).with_context(|| format!("{} has no line `{VERSION}…;`", SOURCES[0]))?;
    if bless {
        return fs::write(path(LOCK), now.to_line()).with_context(|| format!("cannot write {LOCK}"));
    }
    let agreed = fs::read_to_string(path(LOCK)).ok().and_then(|line| Abi::from_line(&line));
    match agreed {
        Some(agreed) => now.compare(&agreed),
        None => bail!("{LOCK} is not there or not readable; run `cargo xtask check --bless`"),
    }
}

impl Abi {
    fn of(source: &str) -> Option<Self> {
        let mut version = None;
        let mut hash = Fnv::default();
        for line in source.lines().map(|line| line.split("//").next().unwrap_or_default()) {
            match line.trim().strip_prefix(VERSION) {
                Some(number) => version = number.trim_end_matches(';').parse().ok(),
                None => line.split_whitespace().for_each(|word| hash.add(word)),
            }
        }
        Some(Self { version: version?, hash: hash.0 })
    }

    fn from_line(line: &str) -> Option<Self> {
        let (version, hash) = line.trim().split_once(' ')?;
        Some(Self { version: version.parse().ok()?, hash: u64::from_str_radix(hash, 16).ok()? })
    }

    fn to_line(&self) -> String {
        format!("{} {:016x}\n", self.version, self.hash)
    }

    /// # Errors
    /// The next step, where `self` is not what was `agreed`.
    fn compare(&self, agreed: &Self) -> Result<()> {
        if self == agreed {
            return Ok(());
        }
        if self.version == agreed.version {
            bail!(
                "{} has changed and ABI_VERSION is still {}; raise it, then run `cargo xtask check --bless`",
                SOURCES.join(" or "),
                self.version
            );
        }
        bail!("{LOCK} is of version {}; run `cargo xtask check --bless`", agreed.version)
    }
}

/// FNV-1a, 64 bits: the same in every version of Rust.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    /// Adds a word and the space after it.
    fn add(&mut self, word: &str) {
        for byte in word.bytes().chain([b' ']) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Abi;

    const BEFORE: &str = "/// Why.\npub const ABI_VERSION: u32 = 3;\npub struct Root { pub slot: u32 }\n";

    #[test]
    fn comments_and_layout_of_the_text_do_not_count() {
        let after = "pub const ABI_VERSION: u32 = 3;\npub struct Root {\n    pub slot: u32 // which\n}\n";
        assert_eq!(Abi::of(BEFORE), Abi::of(after));
    }

    #[test]
    fn a_changed_field_with_the_same_version_is_refused() {
        let (Some(before), Some(after)) = (Abi::of(BEFORE), Abi::of(&BEFORE.replace("u32 }", "u64 }")))
        else {
            panic!("both have a version")
        };
        let error = after.compare(&before).expect_err("the layout differs").to_string();
        assert!(error.contains("ABI_VERSION is still 3"), "{error}");
    }

    #[test]
    fn a_new_version_asks_for_a_new_lock() {
        let (Some(before), Some(after)) = (Abi::of(BEFORE), Abi::of(&BEFORE.replace("= 3;", "= 4;"))) else {
            panic!("both have a version")
        };
        let error = after.compare(&before).expect_err("the version differs").to_string();
        assert!(error.contains("is of version 3"), "{error}");
    }

    #[test]
    fn a_lock_is_read_as_it_was_written() {
        let abi = Abi::of(BEFORE);
        assert_eq!(abi.as_ref().and_then(|abi| Abi::from_line(&abi.to_line())), abi);
    }
}
