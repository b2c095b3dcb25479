//! Text to a [`Config`]: every check that needs no more than the document. All errors of a document
//! are found in one go; only where its brackets and quotes do not match, nothing else can be said.

mod address;
mod audit;
mod claims;
pub(super) mod device;
pub(in crate::config) mod flows;
mod group;
pub(in crate::config) mod guards;
pub(in crate::config) mod kind;
mod limits;
pub(in crate::config) mod log;
mod mac;
mod name;
mod nearest;
pub(in crate::config) mod network;
pub(in crate::config) mod policy;
pub(in crate::config) mod policy_test;
pub(in crate::config) mod port;
pub(in crate::config) mod rule;
pub(in crate::config) mod section;
mod selector;
pub(in crate::config) mod service;
pub(in crate::config) mod tap;
#[cfg(test)]
pub(in crate::config) mod tests;
pub(super) mod unused;
mod vlans;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use self::claims::Claims;
use self::name::{Kind, Names};
pub use self::policy_test::parse_tests;
use self::port::{Around, UserLookup};
use self::section::{Field, Section};
use super::diagnostic::Diagnostics;
use super::limits::MAX_DOCUMENT_BYTES;
use super::model::{Config, Port};
use super::pick::{self, InterfaceKind, InterfaceLookup, Picked, pick};
use super::report::Report;
use super::source::{Source, Span};
use super::tree::{self, Table, Value};

pub(in crate::config) const FIELDS: &[Field] = &[
    Field { name: "networks", example: "[networks.lab]" },
    Field { name: "ports", example: "[ports.web1]" },
    Field { name: "groups", example: "[groups]" },
    Field { name: "sets", example: "[sets]" },
    Field { name: "policy", example: "[policy]" },
    Field { name: "flows", example: "[flows]" },
    Field { name: "test", example: "[[test]]" },
];

/// A document that was accepted.
#[derive(Clone, Debug)]
pub struct Parsed {
    pub config: Config,
    /// Warnings only. The compiler adds its own, with [`super::Diagnostic::on_line`].
    pub warnings: Diagnostics,
    /// Networks that are no tables of the text.
    pub picked: Vec<Picked>,
    /// The text with a table for each of them at its end; `None` if there are none.
    pub explicit: Option<String>,
}

/// Whom to ask about what only the host knows.
#[derive(Clone, Copy)]
pub struct Lookups<'a> {
    pub users: UserLookup<'a>,
    /// Groups of users, as `users`.
    pub user_groups: UserLookup<'a>,
    pub interfaces: InterfaceLookup<'a>,
}

/// Reads a document that names no interfaces as networks. `name` is what messages call it, such as the file's path.
///
/// # Errors
/// Everything that is wrong with the document, and the warnings.
pub fn parse(name: &str, text: &str) -> Result<Parsed, Diagnostics> {
    parse_with_users(name, text, &super::owner::uid_of)
}

/// As [`parse()`]; owners are looked up by the function instead of on this host.
///
/// # Errors
/// As [`parse()`].
pub fn parse_with_users(name: &str, text: &str, users: UserLookup<'_>) -> Result<Parsed, Diagnostics> {
    parse_with(name, text, Lookups { users, user_groups: &super::owner::gid_of, interfaces: &|_| None })
}

/// As [`parse()`]; a port may also name an interface that `lookups` knows in place of a network.
///
/// # Errors
/// As [`parse()`].
pub fn parse_with(name: &str, text: &str, lookups: Lookups<'_>) -> Result<Parsed, Diagnostics> {
    let (parsed, found) = read(name, text, lookups)?;
    let picks: Vec<_> = found.iter().filter_map(|(interface, kind)| pick(interface, kind)).collect();
    if picks.is_empty() {
        return parsed;
    }
    // Now that they are there, everything else can be checked.
    let explicit = pick::explicit(text, &picks).ok();
    let (parsed, _) =
        read(name, explicit.as_deref().unwrap_or(text), Lookups { interfaces: &|_| None, ..lookups })?;
    let picked = picks.into_iter().map(|(picked, _)| picked).collect();
    parsed.map(|parsed| Parsed { picked, explicit, ..parsed })
}

type Found = BTreeMap<String, InterfaceKind>;

/// The document, or what is wrong with it; and the interfaces that ports name as networks. A text that cannot be read
/// at all is the outer error.
fn read(
    name: &str,
    text: &str,
    lookups: Lookups<'_>,
) -> Result<(Result<Parsed, Diagnostics>, Found), Diagnostics> {
    check_size(name, text.len())?;
    let source = Arc::new(Source::new(name, text));
    let mut report = Report::new(Arc::clone(&source));
    let reading = tree::read(&source.text);
    reading.syntax.tell(&mut report);
    if reading.syntax.is_broken() {
        return Err(report.finish());
    }
    let (config, found) = config(&reading.root, lookups, &mut report);
    let warnings = report.finish();
    let parsed = if warnings.has_errors() {
        Err(warnings)
    } else {
        Ok(Parsed { config, warnings, picked: Vec::new(), explicit: None })
    };
    Ok((parsed, found))
}

/// As [`parse_with()`], for a file's bytes, which need not be text.
///
/// # Errors
/// As [`parse()`].
pub fn parse_bytes(name: &str, bytes: &[u8], lookups: Lookups<'_>) -> Result<Parsed, Diagnostics> {
    check_size(name, bytes.len())?;
    parse_with(name, text_of(name, bytes)?, lookups)
}

/// The bytes as text, or where they are none.
fn text_of<'b>(name: &str, bytes: &'b [u8]) -> Result<&'b str, Diagnostics> {
    let error = match std::str::from_utf8(bytes) {
        Ok(text) => return Ok(text),
        Err(error) => error,
    };
    let (good, bad) = bytes.split_at(error.valid_up_to());
    let source = Arc::new(Source::new(name, &String::from_utf8_lossy(bytes)));
    let mut report = Report::new(source);
    let message = format!("byte {:#04x} is not UTF-8", bad.first().copied().unwrap_or_default());
    report.error(Span::new(good.len(), good.len() + 1), message, "save the file as UTF-8 text");
    Err(report.finish())
}

fn check_size(name: &str, bytes: usize) -> Result<(), Diagnostics> {
    if bytes <= MAX_DOCUMENT_BYTES {
        return Ok(());
    }
    let mut report = Report::new(Arc::new(Source::new(name, "")));
    let message = format!("the document has {bytes} bytes, more than {MAX_DOCUMENT_BYTES}");
    report.error(Span::default(), message, "put addresses into sets, and services into lists of one rule");
    Err(report.finish())
}

fn config(root: &Table<'_>, lookups: Lookups<'_>, report: &mut Report) -> (Config, Found) {
    let section = Section::new(root, FIELDS, ("the document", Span::default()), report);
    let [networks, ports, groups, sets] =
        ["networks", "ports", "groups", "sets"].map(|name| table(&section, name, report));

    let mut names = Names::default();
    ports.into_iter().for_each(|table| port::declare(table, &mut names, report));
    groups.into_iter().for_each(|table| group::declare(table, Kind::Group, &mut names, report));
    sets.into_iter().for_each(|table| group::declare(table, Kind::Set, &mut names, report));

    let mut claims = Claims::default();
    let networks = networks.map(|table| network::networks(table, &mut claims, report)).unwrap_or_default();
    let known = networks.iter().map(|network| (network.name.text, network)).collect();
    let mut around = Around {
        networks: known,
        claims,
        lookups,
        asked: HashMap::new(),
        vdpa: HashMap::new(),
        interfaces: HashMap::new(),
    };
    let ports = ports.map(|table| port::ports(table, &mut around, report)).unwrap_or_default();
    let found = around.found();
    let mut ports: BTreeMap<String, Port> =
        ports.into_iter().map(|(name, port)| (name.to_owned(), port)).collect();

    let groups = group::groups(groups, &mut ports, &names, report);
    let sets = group::sets(sets, report);
    let mut policy = policy::policy(section.entry("policy"), &names, report);
    policy.timeouts = flows::timeouts(section.entry("flows"), report);
    let networks = networks.into_iter().map(|read| (read.name.text.to_owned(), read.network)).collect();
    let tests = policy_test::tests(&section, &names, report);
    (Config { networks, ports, sets, groups, policy, tests }, found)
}

/// The table of a top-level key.
fn table<'d, 't>(section: &Section<'d, 't>, name: &str, report: &mut Report) -> Option<&'d Table<'t>> {
    let node = section.node(name)?;
    match &node.value {
        Value::Table(table) => Some(table),
        _ => section.wrong(name, "a table", node, report),
    }
}
