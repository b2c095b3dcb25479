//! Rows and columns: parties that behave alike, under a name that people know.

use std::collections::BTreeSet;

use serde::Serialize;

use super::parties::{Party, What};
use crate::config::Config;
use crate::error::{Error, nearest};

/// One row, and the column of the same name.
#[derive(Clone, Debug, Serialize)]
pub struct Group {
    /// Unique: a port, a group of the document, `host`, `world`, a set, or the first of several.
    pub label: String,
    /// `ports`, `host` or `world`.
    pub kind: &'static str,
    pub members: Vec<Member>,
}

/// A port, or addresses without one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Member {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
    /// Addresses or prefixes. Of a port: empty where all of its addresses are meant.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<String>,
}

impl Group {
    pub(super) fn is_one_port(&self) -> bool {
        let mut ports = self.ports();
        let first = ports.next();
        first.is_some() && ports.all(|port| Some(port) == first)
    }

    fn ports(&self) -> impl Iterator<Item = &str> {
        self.members.iter().filter_map(|member| member.port.as_deref())
    }

    /// Whether a word of the command line means this row.
    fn is_meant(&self, config: &Config, word: &str) -> bool {
        let group = config.groups.get(word);
        self.label == word
            || self.kind == word
            || self.ports().any(|port| port == word || group.is_some_and(|ports| ports.contains(port)))
    }

    /// The members, for people: `web1, web2, db1/10.0.0.21`.
    pub fn describe(&self) -> String {
        let member = |member: &Member| match (&member.port, member.addresses.as_slice()) {
            (Some(port), []) => port.clone(),
            (Some(port), parts) => {
                parts.iter().map(|part| format!("{port} at {part}")).collect::<Vec<_>>().join(", ")
            }
            (None, parts) => parts.join(", "),
        };
        self.members.iter().map(member).collect::<Vec<_>>().join(", ")
    }
}

/// The places of the rows that a word names: a row, a port, a group, `host` or `world`.
///
/// # Errors
/// That nothing is called so, with the nearest name.
pub fn named(groups: &[Group], config: &Config, word: &str) -> Result<Vec<usize>, Error> {
    let found: Vec<usize> = groups
        .iter()
        .enumerate()
        .filter(|(_, group)| group.is_meant(config, word))
        .map(|(at, _)| at)
        .collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let labels = groups.iter().map(|group| group.label.as_str());
    let names = config.ports.keys().chain(config.groups.keys()).map(String::as_str);
    Err(Error::Question(match nearest(word, labels.chain(names)) {
        Some(near) => format!("no row `{word}` in the matrix; did you mean `{near}`?"),
        None => format!(
            "no row `{word}` in the matrix; name a port, a group, `host`, `world` or the name of a row"
        ),
    }))
}

/// `twins`: the places of the parties of each group.
pub(super) fn groups(config: &Config, parties: &[Party], twins: &[Vec<usize>]) -> Vec<Group> {
    let mut taken = BTreeSet::new();
    let group = |places: &Vec<usize>| {
        let kind = parties[places[0]].kind;
        let members = members(config, parties, places);
        let label = match kind {
            What::Ports => of_ports(config, &members),
            What::Host => "host".to_owned(),
            What::World => of_world(config, &members),
        };
        let kind = match kind {
            What::Ports => "ports",
            What::Host => "host",
            What::World => "world",
        };
        let mut unique = label.clone();
        let mut number = 1;
        while !taken.insert(unique.clone()) {
            number += 1;
            unique = format!("{label} #{number}");
        }
        Group { label: unique, kind, members }
    };
    twins.iter().map(group).collect()
}

/// Of a port whose parts are all there, the port.
fn members(config: &Config, parties: &[Party], places: &[usize]) -> Vec<Member> {
    let parts_of = |name: &str, places: &mut dyn Iterator<Item = usize>| {
        places
            .flat_map(|at| &parties[at].members)
            .filter(|member| member.port.as_deref() == Some(name))
            .count()
    };
    let mut members: Vec<Member> = Vec::new();
    for member in places.iter().flat_map(|at| &parties[*at].members) {
        let same = members.iter_mut().find(|other| other.port.is_some() && other.port == member.port);
        match same {
            Some(other) => other.addresses.extend(member.addresses.iter().cloned()),
            None => members.push(member.clone()),
        }
    }
    for member in members.iter_mut().filter(|member| !member.addresses.is_empty()) {
        let Some(name) = member.port.as_deref().filter(|name| config.ports.contains_key(*name)) else {
            continue;
        };
        let all = parts_of(name, &mut (0..parties.len()));
        if all == parts_of(name, &mut places.iter().copied()) {
            member.addresses.clear();
        }
    }
    members.sort_by(|a, b| a.port.cmp(&b.port));
    members
}

fn of_ports(config: &Config, members: &[Member]) -> String {
    let names: BTreeSet<&str> = members.iter().filter_map(|member| member.port.as_deref()).collect();
    let is_whole = members.iter().all(|member| member.addresses.is_empty());
    let same = |ports: &BTreeSet<String>| {
        ports.len() == names.len() && ports.iter().all(|port| names.contains(port.as_str()))
    };
    let group = config.groups.iter().find(|(_, ports)| ports.len() > 1 && same(ports));
    let first = members.first().and_then(|member| member.port.as_deref()).unwrap_or_default();
    match (group, members) {
        (Some((group, _)), _) if is_whole => group.clone(),
        (_, [only]) => match only.addresses.first() {
            Some(part) => format!("{first} at {part}"),
            None => first.to_owned(),
        },
        (_, [one, other]) if is_whole => format!(
            "{}, {}",
            one.port.as_deref().unwrap_or_default(),
            other.port.as_deref().unwrap_or_default()
        ),
        _ => format!("{first} +{}", members.len() - 1),
    }
}

fn of_world(config: &Config, members: &[Member]) -> String {
    let parts: BTreeSet<&str> =
        members.iter().flat_map(|member| &member.addresses).map(String::as_str).collect();
    if parts.contains("0.0.0.0/0") || parts.contains("::/0") {
        return "world".to_owned();
    }
    let holds = |nets: &Vec<ipnet::IpNet>| {
        let nets: BTreeSet<String> = nets.iter().map(|net| net.trunc().to_string()).collect();
        parts.iter().all(|part| nets.contains(*part))
    };
    let first = parts.iter().next().copied().unwrap_or_default();
    match config.sets.iter().find(|(_, nets)| holds(nets)) {
        Some((set, _)) => set.clone(),
        None if parts.len() == 1 => first.to_owned(),
        None => format!("{first} +{}", parts.len() - 1),
    }
}
