//! Names: what a network, zone, port, group, set or interface may be called, and what is called what.

use std::collections::HashMap;
use std::net::IpAddr;

use super::nearest::nearest;
use super::section::Text;
use crate::config::derive::INTERFACE_LEN;
use crate::config::escape::quoted;
use crate::config::model::Config;
use crate::config::report::{Complaint, Finding, Report};
use crate::config::source::Span;
use crate::config::words::SELECTOR_WORDS;

/// Longest name, in bytes; with its final zero it fills `NAME_LEN` of the kernel's tables.
pub(crate) const MAX_NAME: usize = netctl_common::abi::NAME_LEN - 1;

/// Interface names that Linux keeps for itself: `lo` exists, `all` and `default` stand for every
/// interface under /proc/sys/net (sysctl_dev_name_is_allowed), `bonding_masters` is a file of sysfs.
const KEPT_INTERFACES: [&str; 4] = ["all", "bonding_masters", "default", "lo"];

/// Checks a name of any sort. `what`: "a port".
pub(super) fn check_name(name: &str, what: &str) -> Result<(), Complaint> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let reason = if name.is_empty() {
        "it is empty".to_owned()
    } else if name.len() > MAX_NAME {
        format!("it has {} bytes, more than {MAX_NAME}", name.len())
    } else if let Some(bad) = name.chars().find(|c| !allowed(*c)) {
        format!("it has the character {}", quoted(&bad.to_string()))
    } else if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        "it does not start with a letter or digit".to_owned()
    } else {
        return Ok(());
    };
    let help = format!("use 1 to {MAX_NAME} letters, digits, `.`, `_` and `-`, a letter or digit first");
    Err(Complaint::new(format!("{} cannot name {what}: {reason}", quoted(name)), help))
}

/// Checks a name that rules can use: it must not mean something else there.
fn check_selectable(name: &str, what: &str) -> Result<(), Complaint> {
    check_name(name, what)?;
    let reason = if SELECTOR_WORDS.contains(&name) {
        "in rules it has a meaning of its own"
    } else if name.parse::<IpAddr>().is_ok() {
        "in rules it is an address"
    } else {
        return Ok(());
    };
    let message = format!("{} cannot name {what}: {reason}", quoted(name));
    Err(Complaint::new(message, "choose another name"))
}

/// Checks the name of a network interface.
pub(super) fn check_interface(name: &str) -> Result<(), Complaint> {
    // dev_valid_name(), and `%`, which dev_alloc_name() takes for a format.
    let bad = |c: char| matches!(c, '/' | ':' | '%') || !c.is_ascii_graphic();
    let reason = if name.is_empty() {
        "it is empty".to_owned()
    } else if name.len() > INTERFACE_LEN {
        format!("it has {} bytes, more than {INTERFACE_LEN}", name.len())
    } else if let Some(bad) = name.chars().find(|c| bad(*c)) {
        format!("it has the character {}", quoted(&bad.to_string()))
    } else if name == "." || name == ".." || KEPT_INTERFACES.contains(&name) {
        "Linux keeps it for itself".to_owned()
    } else {
        return Ok(());
    };
    let message = format!("{} cannot name an interface: {reason}", quoted(name));
    Err(Complaint::new(message, format!("use 1 to {INTERFACE_LEN} letters, digits, `.`, `_` and `-`")))
}

/// What a name in a rule stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Port,
    Group,
    Set,
}

impl Kind {
    pub(super) fn with_article(self) -> &'static str {
        match self {
            Self::Port => "a port",
            Self::Group => "a group",
            Self::Set => "a set",
        }
    }
}

/// Ports, groups and sets share their names, so that a rule needs no prefix for each.
#[derive(Debug, Default)]
pub(super) struct Names<'d> {
    known: HashMap<&'d str, (Kind, Span)>,
}

impl<'d> Names<'d> {
    /// Those of a document that was read before.
    pub(super) fn of(config: &'d Config) -> Self {
        let ports = config.ports.keys().map(|name| (name, Kind::Port));
        let groups = config.groups.keys().map(|name| (name, Kind::Group));
        let sets = config.sets.keys().map(|name| (name, Kind::Set));
        let all = ports.chain(groups).chain(sets);
        Self { known: all.map(|(name, kind)| (name.as_str(), (kind, Span::default()))).collect() }
    }

    /// Takes a name, whatever is wrong with it: a rule that uses it is not wrong as well.
    pub(super) fn declare(&mut self, name: Text<'d>, kind: Kind, report: &mut Report) {
        let Some((first_kind, first)) = self.known.get(name.text).copied() else {
            report.take(name.span, check_selectable(name.text, kind.with_article()));
            self.known.insert(name.text, (kind, name.span));
            return;
        };
        if first_kind == kind {
            return;
        }
        let (again, first) =
            if first.start > name.span.start { (first, name.span) } else { (name.span, first) };
        let both = format!("{} and {}", first_kind.with_article(), kind.with_article());
        let message = format!("{} is the name of {both}", quoted(name.text));
        let help = "rename one of them: ports, groups and sets share their names";
        report.add(Finding::error(again, message, help).relate(first, "also here"));
    }

    /// With the place where each was met first.
    pub(super) fn declared(&self) -> impl Iterator<Item = (&'d str, Kind, Span)> + '_ {
        self.known.iter().map(|(name, (kind, span))| (*name, *kind, *span))
    }

    pub(super) fn kind(&self, name: &str) -> Option<Kind> {
        self.known.get(name).map(|(kind, _)| *kind)
    }

    /// The known name that was probably meant; `words` are known too.
    pub(super) fn nearest(&self, name: &str, words: &'static [&'static str]) -> Option<&str> {
        nearest(name, self.sorted().chain(words.iter().copied()))
    }

    /// The port that was probably meant; `words` are known too.
    pub(super) fn nearest_port(&self, name: &str, words: &'static [&'static str]) -> Option<&str> {
        let ports = self.sorted().filter(|name| self.kind(name) == Some(Kind::Port));
        nearest(name, ports.chain(words.iter().copied()))
    }

    /// Sorted, so that of two names that are equally near the same one is proposed every time.
    fn sorted(&self) -> impl Iterator<Item = &str> {
        let mut names: Vec<&str> = self.known.keys().copied().collect();
        names.sort_unstable();
        names.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_letters_digits_and_three_signs() {
        for good in ["a", "0", "web-1", "a.b_c", &"x".repeat(63)] {
            assert_eq!(check_name(good, "a zone"), Ok(()), "{good}");
        }
        for (bad, reason) in [
            ("", "it is empty"),
            ("-a", "it does not start with a letter or digit"),
            ("a b", "it has the character ` `"),
            ("é", "it has the character `é`"),
            ("a\x1b", "it has the character `\\u{1b}`"),
            (&"x".repeat(64), "it has 64 bytes, more than 63"),
        ] {
            let complaint = check_name(bad, "a zone").unwrap_err();
            assert!(complaint.message.ends_with(reason), "{}", complaint.message);
        }
    }

    #[test]
    fn an_interface_name_is_one_that_linux_takes() {
        for good in ["eth0", "br_lan", "a.100", "fifteen-bytes-x"] {
            assert_eq!(check_interface(good), Ok(()), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "a:1", "tap%d", "a b", "a\tb", "é", "sixteen-bytes-xy", "all", "lo"]
        {
            assert!(check_interface(bad).is_err(), "{bad}");
        }
    }
}
