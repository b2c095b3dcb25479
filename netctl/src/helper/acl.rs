//! `bridge.conf` with the stock helper's meaning: `allow NAME|all`, `deny NAME|all`, `include FILE`, `#`. The whole list
//! counts, a deny more than an allow. Errors in included files are told and ignored there, and so they are here.
//!
//! Where the stock helper would follow a loop until it runs out of descriptors, or a file that others can write, this
//! refuses everything: an include that is skipped may be one that denies.

use std::path::{Path, PathBuf};

use super::refusal::BRIDGE_CONF;
use super::trusted::{self, Untrusted};

/// Files within files.
const MAX_DEPTH: usize = 16;
/// Files in all.
const MAX_FILES: usize = 64;
/// Bytes that fgets(3) takes at once into the stock helper's buffer of 4096.
const MAX_LINE: usize = 4095;
/// IFNAMSIZ: a name that is as long does not fit.
pub(super) const NAME_SIZE: usize = 16;

/// All rules, and what was said about them.
#[derive(Debug, Default)]
pub(super) struct Acl {
    allowed: Names,
    denied: Names,
    /// For standard error: complaints about included files.
    pub said: Vec<u8>,
}

#[derive(Debug, Default)]
struct Names {
    all: bool,
    names: Vec<Vec<u8>>,
}

impl Names {
    fn add(&mut self, name: &[u8]) {
        if name == b"all" {
            self.all = true;
        } else {
            self.names.push(name.to_vec());
        }
    }

    fn have(&self, name: &[u8]) -> bool {
        self.all || self.names.iter().any(|known| known == name)
    }
}

/// Why the list is of no use.
#[derive(Debug)]
pub(super) enum AclError {
    /// There is no bridge.conf.
    Absent,
    /// It cannot be read or parsed; with what the stock helper would say before.
    Invalid(Vec<u8>),
    /// A sentence: it cannot be relied on.
    Unsafe(String),
}

impl Acl {
    /// # Errors
    /// [`AclError`].
    pub(super) fn read() -> Result<Self, AclError> {
        let mut reader = Reader::default();
        match reader.file(Path::new(BRIDGE_CONF)) {
            Ok(()) => Ok(reader.acl),
            Err(Stop::Absent) => Err(AclError::Absent),
            Err(Stop::Ignorable) => Err(AclError::Invalid(reader.acl.said)),
            Err(Stop::Fatal(why)) => Err(AclError::Unsafe(why)),
        }
    }

    /// Whether a rule allows it and none denies it.
    pub(super) fn allows(&self, name: &[u8]) -> bool {
        self.allowed.have(name) && !self.denies(name)
    }

    pub(super) fn denies(&self, name: &[u8]) -> bool {
        self.denied.have(name)
    }
}

/// Why a file was left.
enum Stop {
    Absent,
    /// In an included file the stock helper takes no notice.
    Ignorable,
    Fatal(String),
}

#[derive(Default)]
struct Reader {
    acl: Acl,
    /// The files that are open, the outermost first.
    open: Vec<(u64, u64)>,
    files: usize,
}

impl Reader {
    fn file(&mut self, path: &Path) -> Result<(), Stop> {
        let file = trusted::read(path).map_err(|error| match error {
            Untrusted::Absent(_) => Stop::Absent,
            Untrusted::Unreadable(..) => Stop::Ignorable,
            Untrusted::Unsafe(..) => Stop::Fatal(error.to_string()),
        })?;
        self.files += 1;
        let fatal = |why: &str| Err(Stop::Fatal(format!("`{}` {why}", path.display())));
        if self.open.contains(&file.identity) {
            return fatal("includes itself");
        }
        if self.open.len() >= MAX_DEPTH || self.files > MAX_FILES {
            return fatal("is included too deeply, or too many files are");
        }
        self.open.push(file.identity);
        let done = lines(&file.bytes).try_for_each(|line| self.line(line));
        self.open.pop();
        done
    }

    /// One line as fgets(3) gives it.
    fn line(&mut self, line: &[u8]) -> Result<(), Stop> {
        let text = trim_start(line);
        if matches!(text, [] | [b'#', ..]) {
            return Ok(());
        }
        let at = |wanted: u8| text.iter().position(|byte| *byte == wanted);
        let Some(end) = at(b' ').or_else(|| at(b'\t')) else {
            return self.complain(&[b"Invalid config line:\n  ", line, b"\n"]);
        };
        let (command, argument) = (&text[..end], trim(&text[end + 1..]));
        if command != b"include" && argument.len() >= NAME_SIZE {
            let length = argument.len().to_string();
            return self.complain(&[b"name `", argument, b"' too long: ", length.as_bytes(), b"\n"]);
        }
        match command {
            b"allow" => self.acl.allowed.add(argument),
            b"deny" => self.acl.denied.add(argument),
            b"include" => match self.file(&path(argument)) {
                Err(Stop::Fatal(why)) => return Err(Stop::Fatal(why)),
                Ok(()) | Err(Stop::Absent | Stop::Ignorable) => {}
            },
            _ => return self.complain(&[b"Unknown command `", command, b"'\n"]),
        }
        Ok(())
    }

    fn complain(&mut self, words: &[&[u8]]) -> Result<(), Stop> {
        self.acl.said.extend(words.concat());
        Err(Stop::Ignorable)
    }
}

/// With their line ends; what is longer than [`MAX_LINE`] comes in parts, and each ends at its first zero byte, as a C
/// string does.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let parts = bytes.split_inclusive(|byte| *byte == b'\n').flat_map(|line| line.chunks(MAX_LINE));
    parts.map(|part| part.split(|byte| *byte == 0).next().unwrap_or_default())
}

fn path(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}

/// As g_ascii_isspace(): without the vertical tab that isspace(3) has.
const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0c | b'\r')
}

fn trim_start(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|byte| !is_space(*byte)).unwrap_or(text.len());
    &text[start..]
}

fn trim(text: &[u8]) -> &[u8] {
    let text = trim_start(text);
    let end = text.iter().rposition(|byte| !is_space(*byte)).map_or(0, |last| last + 1);
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (Acl, bool) {
        let mut reader = Reader::default();
        let whole = lines(text.as_bytes()).try_for_each(|line| reader.line(line)).is_ok();
        (reader.acl, whole)
    }

    #[test]
    fn the_whole_list_counts_and_a_deny_more_than_an_allow() {
        let (acl, _) = parsed("# rules\n\n  allow\tbr0\nallow  br1  \ndeny br1\nallow br2");
        assert!(acl.allows(b"br0") && acl.allows(b"br2"));
        assert!(!acl.allows(b"br1") && acl.denies(b"br1"));
        assert!(!acl.allows(b"br3") && !acl.denies(b"br3"));
        let (acl, _) = parsed("deny all\nallow br0\n");
        assert!(!acl.allows(b"br0"));
    }

    #[test]
    fn what_is_not_understood_is_told_and_ends_the_file() {
        for (text, said) in [
            ("allow\n", "Invalid config line:\n  allow\n\n"),
            ("permit br0\n", "Unknown command `permit'\n"),
            ("allow 0123456789abcdef\n", "name `0123456789abcdef' too long: 16\n"),
        ] {
            let (acl, whole) = parsed(&format!("{text}allow br0\n"));
            assert_eq!((String::from_utf8_lossy(&acl.said).as_ref(), whole), (said, false));
            assert!(!acl.allows(b"br0"));
        }
    }
}
