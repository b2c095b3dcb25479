//! `grants.toml`: who may have which ports, and how many at once. Nothing is allowed that no grant names.

use std::collections::BTreeSet;
use std::path::Path;

use nix::unistd::{Group, User};
use toml_edit::{Document, Item, Table};

use super::caller::Caller;
use super::refusal::GRANTS;
use super::trusted::{self, Untrusted};

/// All grants of the file, in its order.
#[derive(Debug)]
pub(super) struct Grants(Vec<Grant>);

/// One `[[grant]]`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Grant {
    /// Names, or numbers.
    users: BTreeSet<String>,
    groups: BTreeSet<String>,
    networks: BTreeSet<String>,
    ports: BTreeSet<String>,
    /// Ports of this grant that one user has at once.
    pub limit: Option<u32>,
}

impl Grants {
    /// `None` if there is no such file.
    ///
    /// # Errors
    /// A sentence: a file that is there has to be usable, or nobody gets anything.
    pub(super) fn read() -> Result<Option<Self>, String> {
        match trusted::read(Path::new(GRANTS)) {
            Ok(file) => {
                let text = String::from_utf8(file.bytes).map_err(|_| format!("`{GRANTS}` is not UTF-8"))?;
                parse(&text).map(Some).map_err(|why| format!("`{GRANTS}`: {why}"))
            }
            Err(Untrusted::Absent(_)) => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    /// The grants of a user, with their numbers in the file, from 1.
    pub(super) fn of<'a>(&'a self, caller: &'a Caller) -> impl Iterator<Item = (usize, &'a Grant)> {
        let numbered = self.0.iter().enumerate().map(|(at, grant)| (at + 1, grant));
        numbered.filter(|(_, grant)| grant.is_for(caller))
    }
}

impl Grant {
    pub(super) fn covers(&self, port: &str, network: Option<&str>) -> bool {
        self.ports.contains(port) || network.is_some_and(|network| self.networks.contains(network))
    }

    /// Names are looked up, not compared: two names can be one user. A name that is none is nobody's.
    fn is_for(&self, caller: &Caller) -> bool {
        let is_user = |name: &String| match User::from_name(name) {
            Ok(Some(user)) => user.uid.as_raw() == caller.uid,
            _ => name.parse() == Ok(caller.uid),
        };
        let is_group = |name: &String| match Group::from_name(name) {
            Ok(Some(group)) => caller.groups.contains(&group.gid.as_raw()),
            _ => name.parse().is_ok_and(|gid| caller.groups.contains(&gid)),
        };
        self.users.iter().any(is_user) || self.groups.iter().any(is_group)
    }
}

fn parse(text: &str) -> Result<Grants, String> {
    // The parser's message shows the line in several lines.
    let document = Document::parse(text).map_err(|e| match e.span() {
        Some(span) => format!("line {}: {}", line(text, span.start), e.message()),
        None => e.message().to_owned(),
    })?;
    if let Some((key, _)) = document.iter().find(|(key, _)| *key != "grant") {
        return Err(format!("`{key}` is not known; there is `[[grant]]`"));
    }
    let Some(item) = document.get("grant") else { return Ok(Grants(Vec::new())) };
    let tables = item.as_array_of_tables().ok_or("`grant` is to be written `[[grant]]`")?;
    let grants = tables.iter().enumerate().map(|(at, table)| {
        grant(table).map_err(|why| match table.span() {
            Some(span) => format!("line {}: {why}", line(text, span.start)),
            None => format!("grant {}: {why}", at + 1),
        })
    });
    Ok(Grants(grants.collect::<Result<_, _>>()?))
}

fn line(text: &str, at: usize) -> usize {
    text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1
}

fn grant(table: &Table) -> Result<Grant, String> {
    let mut grant = Grant::default();
    for (key, item) in table {
        match key {
            "users" => grant.users = names(key, item)?,
            "groups" => grant.groups = names(key, item)?,
            "networks" => grant.networks = names(key, item)?,
            "ports" => grant.ports = names(key, item)?,
            "limit" => grant.limit = Some(limit(item)?),
            _ => {
                return Err(format!(
                    "`{key}` is not known; there are users, groups, networks, ports and limit"
                ));
            }
        }
    }
    if grant.users.is_empty() && grant.groups.is_empty() {
        return Err("a grant needs `users` or `groups`".to_owned());
    }
    if grant.networks.is_empty() && grant.ports.is_empty() {
        return Err("a grant needs `networks` or `ports`".to_owned());
    }
    Ok(grant)
}

fn names(key: &str, item: &Item) -> Result<BTreeSet<String>, String> {
    let wrong = || format!("`{key}` is to be a list of names in quotes");
    let list = item.as_array().ok_or_else(wrong)?;
    list.iter().map(|value| value.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
}

fn limit(item: &Item) -> Result<u32, String> {
    let number = item.as_integer().and_then(|number| u32::try_from(number).ok());
    number.ok_or_else(|| "`limit` is to be a number of ports".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_names_who_what_and_how_many() {
        let text = "[[grant]]\nusers = [\"0\"]\nnetworks = [\"lab\"]\nports = [\"db1\"]\nlimit = 2\n";
        let grants = parse(text).unwrap();
        let root = Caller { uid: 0, groups: [0].into(), ..Caller::default() };
        let other = Caller { uid: 12_345, groups: [12_345].into(), ..Caller::default() };
        let of_root: Vec<_> = grants.of(&root).collect();
        assert_eq!((of_root[0].0, of_root[0].1.limit), (1, Some(2)));
        assert!(of_root[0].1.covers("web1", Some("lab")) && of_root[0].1.covers("db1", Some("dmz")));
        assert!(!of_root[0].1.covers("web1", Some("dmz")) && !of_root[0].1.covers("web1", None));
        assert_eq!(grants.of(&other).count(), 0);
    }

    #[test]
    fn what_is_not_understood_is_refused_with_its_line() {
        for (text, wanted) in [
            ("[[grant]]\nuser = [\"a\"]", "line 1: `user` is not known"),
            ("[[grant]]\nusers = \"a\"\nports = [\"p\"]", "`users` is to be a list"),
            ("[[grant]]\nusers = [\"a\"]", "needs `networks` or `ports`"),
            ("[[grant]]\nports = [\"p\"]", "needs `users` or `groups`"),
            ("[[grant]]\nusers = [\"a\"]\nports = [\"p\"]\nlimit = -1", "`limit` is to be a number"),
            ("[grant]\nusers = [\"a\"]", "`[[grant]]`"),
            ("x = 1", "`x` is not known"),
            ("[[grant]]\nusers = [", "line 2"),
        ] {
            let said = parse(text).unwrap_err();
            assert!(said.contains(wanted), "{text:?}: {said}");
            assert!(!said.contains('\n'), "{said:?}");
        }
    }
}
