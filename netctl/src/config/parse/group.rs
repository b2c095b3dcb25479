//! `[groups]` and `[sets]`: named ports, and named prefixes.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use super::address::prefix;
use super::name::{Kind, Names};
use super::section::{Text, strings, texts_of};
use crate::config::escape::quoted;
use crate::config::model::Port;
use crate::config::report::{Complaint, Report};
use crate::config::tree::{Entry, Table};

/// Takes the names of all keys of the table.
pub(super) fn declare<'d>(table: &'d Table<'_>, kind: Kind, names: &mut Names<'d>, report: &mut Report) {
    for entry in table.entries() {
        names.declare(Text { text: &entry.name, span: entry.key }, kind, report);
    }
}

/// Reads `[groups]` and brings it and the ports' own `groups` in line with each other.
pub(super) fn groups(
    table: Option<&Table<'_>>,
    ports: &mut BTreeMap<String, Port>,
    names: &Names<'_>,
    report: &mut Report,
) -> BTreeMap<String, BTreeSet<String>> {
    let mut groups: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, port) in ports.iter() {
        for group in &port.groups {
            groups.entry(group.clone()).or_default().insert(name.clone());
        }
    }
    let Some(table) = table else { return groups };
    for entry in table.entries() {
        let members = groups.entry(entry.name.to_string()).or_default();
        for member in texts(entry, "web = [\"web1\", \"web2\"]", report) {
            report.take(member.span, check_member(member.text, names, !report.is_full()));
            members.insert(member.text.to_owned());
            if let Some(port) = ports.get_mut(member.text) {
                port.groups.insert(entry.name.to_string());
            }
        }
    }
    groups
}

/// Reads `[sets]`.
pub(super) fn sets(table: Option<&Table<'_>>, report: &mut Report) -> BTreeMap<String, Vec<IpNet>> {
    let Some(table) = table else { return BTreeMap::new() };
    let mut sets = BTreeMap::new();
    for entry in table.entries() {
        let texts = texts(entry, "office = [\"192.0.2.0/24\", \"2001:db8::/32\"]", report);
        let prefixes = texts.filter_map(|text| report.take(text.span, prefix(text.text)));
        sets.insert(entry.name.to_string(), prefixes.collect());
    }
    sets
}

fn texts<'d, 't>(
    entry: &'d Entry<'t>,
    example: &str,
    report: &mut Report,
) -> impl Iterator<Item = Text<'d>> + use<'d, 't> {
    texts_of(strings(&entry.name, &entry.node, example, report))
}

fn check_member(name: &str, names: &Names<'_>, propose: bool) -> Result<(), Complaint> {
    let near = || if propose { names.nearest_port(name, &[]) } else { None };
    let (message, help) = match names.kind(name) {
        Some(Kind::Port) => return Ok(()),
        Some(other) => {
            let message = format!("{} is {}, and a group has ports", quoted(name), other.with_article());
            (message, "list the ports themselves".to_owned())
        }
        None => {
            let help = near().map(|near| format!("did you mean `{near}`?"));
            (
                format!("there is no port {}", quoted(name)),
                help.unwrap_or("define it, or remove it here".to_owned()),
            )
        }
    };
    Err(Complaint::new(message, help))
}
