//! `[[test]]`: a connection, and what is expected to become of it. Also in a file of its own.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use netctl_common::verdict::Action;

use super::name::{Kind, Names};
use super::rule::{ACTIONS, checked_name};
use super::section::{Field, Section};
use super::{check_size, service, text_of};
use crate::config::diagnostic::Diagnostics;
use crate::config::escape::quoted;
use crate::config::limits::MAX_TESTS;
use crate::config::model::{Config, Service};
use crate::config::policy_test::{Endpoint, PolicyTest};
use crate::config::report::{Complaint, Report};
use crate::config::source::{Source, Span};
use crate::config::tree::{self, Node, Table, Value};

pub(in crate::config) const FIELDS: &[Field] = &[
    Field { name: "from", example: "from = \"web1\"" },
    Field { name: "to", example: "to = \"db1\"" },
    Field { name: "service", example: "service = \"tcp/5432\"" },
    Field { name: "source-port", example: "source-port = 1024" },
    Field { name: "expect", example: "expect = \"allow\"" },
    Field { name: "name", example: "name = \"the app reaches its database\"" },
];

/// The keys of a file of tests.
const FILE_FIELDS: &[Field] = &[Field { name: "test", example: "[[test]]" }];

const WORDS: [&str; 2] = ["host", "world"];

/// Reads a file that holds nothing but `[[test]]`, about the ports of a document.
///
/// # Errors
/// Everything that is wrong with the file.
pub fn parse_tests(name: &str, bytes: &[u8], config: &Config) -> Result<Vec<PolicyTest>, Diagnostics> {
    check_size(name, bytes.len())?;
    let source = Arc::new(Source::new(name, text_of(name, bytes)?));
    let mut report = Report::new(Arc::clone(&source));
    let reading = tree::read(&source.text);
    reading.syntax.tell(&mut report);
    if reading.syntax.is_broken() {
        return Err(report.finish());
    }
    let what = ("a file of tests", Span::default());
    let section = Section::new(&reading.root, FILE_FIELDS, what, &mut report);
    let tests = tests(&section, &Names::of(config), &mut report);
    let found = report.finish();
    if found.has_errors() { Err(found) } else { Ok(tests) }
}

/// The tests of a document or of a file of tests.
pub(super) fn tests(section: &Section<'_, '_>, names: &Names<'_>, report: &mut Report) -> Vec<PolicyTest> {
    let Some(node) = section.node("test") else { return Vec::new() };
    let (Value::Array(items) | Value::Tables(items)) = &node.value else {
        return section.wrong("test", "a list of tables", node, report).unwrap_or_default();
    };
    if let Some(beyond) = items.get(MAX_TESTS) {
        let message = format!("there are {} tests, more than {MAX_TESTS}", items.len());
        report.error(beyond.span, message, "put some into a file of their own: `netctl policy test --tests`");
        return Vec::new();
    }
    let read = |item: &Node<'_>| match &item.value {
        Value::Table(table) => test(table, item.span, names, report),
        _ => section.wrong("test", "a list of tables", item, report),
    };
    items.iter().filter_map(read).collect()
}

fn test(table: &Table<'_>, span: Span, names: &Names<'_>, report: &mut Report) -> Option<PolicyTest> {
    let section = Section::new(table, FIELDS, ("a test", span), report);
    let from = end(&section, "from", names, report);
    let to = end(&section, "to", names, report);
    let service = required(&section, "service", report).and_then(|text| {
        let read = service::service(text.text).and_then(|service| one_service(service, text.text));
        report.take(text.span, read)
    });
    let name = section.text("name", report);
    let name = name.and_then(|text| report.take(text.span, checked_name(text.text, "a test")));
    let source_port = source_port(&section, service.as_ref(), report);
    let expect = expect(&section, report)?;
    let (from, to) = (from?, to?);
    if let (Endpoint::Host | Endpoint::World(_), Endpoint::Host | Endpoint::World(_)) = (&from, &to) {
        let message = format!("neither `{from}` nor `{to}` is a port, so that no port judges it");
        report.error(span, message, "name a port in `from` or `to`");
        return None;
    }
    let line = report.line_of(span);
    Some(PolicyTest { name, from, to, service: service?, source_port, expect, line })
}

fn required<'d>(
    section: &Section<'d, '_>,
    key: &str,
    report: &mut Report,
) -> Option<super::section::Text<'d>> {
    if section.entry(key).is_none() {
        section.missing(key, "a test", report);
    }
    section.text(key, report)
}

fn expect(section: &Section<'_, '_>, report: &mut Report) -> Option<Action> {
    if section.entry("expect").is_none() {
        section.missing("expect", "a test", report);
    }
    section.word("expect", &ACTIONS, report)
}

fn source_port(section: &Section<'_, '_>, service: Option<&Service>, report: &mut Report) -> Option<u16> {
    let port = section.integer("source-port", 0..=u16::MAX, report)?;
    if let Some(service) = service
        && !matches!(service, Service::Tcp(_) | Service::Udp(_) | Service::Sctp(_))
    {
        let help = "leave `source-port` out, or ask about tcp, udp or sctp";
        let span = section.entry("source-port").map_or(section.span, |entry| entry.key);
        report.error(span, "`service` has no source ports", help);
        return None;
    }
    Some(port)
}

/// Rules may tell the services of a range apart; an answer about one of them would pass for all.
fn one_service(service: Service, text: &str) -> Result<Service, Complaint> {
    match &service {
        Service::Tcp(range) | Service::Udp(range) | Service::Sctp(range) if range.first != range.last => {
            let message = format!("{} is more than one port", quoted(text));
            Err(Complaint::new(message, "a test is about one connection: write one port, such as tcp/443"))
        }
        Service::Any | Service::Ethertype(_) => {
            let message = format!("{} is no IP service to ask about", quoted(text));
            Err(Complaint::new(message, "write one, such as tcp/443 or icmp/echo-request"))
        }
        _ => Ok(service),
    }
}

fn end(section: &Section<'_, '_>, key: &str, names: &Names<'_>, report: &mut Report) -> Option<Endpoint> {
    let text = required(section, key, report)?;
    let read = endpoint(text.text, names, !report.is_full());
    report.take(text.span, read)
}

fn endpoint(text: &str, names: &Names<'_>, propose: bool) -> Result<Endpoint, Complaint> {
    if let Ok(address) = text.parse() {
        return Ok(Endpoint::Address(address));
    }
    if text.parse::<IpNet>().is_ok() {
        let help = "a test is about one connection: name one address of it, such as world/192.0.2.7";
        return Err(Complaint::new(format!("{} is a prefix", quoted(text)), help));
    }
    if let Some((name, address)) = text.split_once('/') {
        let address: IpAddr = address.parse().map_err(|_| {
            Complaint::new(format!("{} is no IP address", quoted(address)), "write it like world/192.0.2.7")
        })?;
        return match name {
            "world" => Ok(Endpoint::World(address)),
            _ => port(name, names, propose).map(|port| Endpoint::PortAt(port, address)),
        };
    }
    match text {
        "host" => Ok(Endpoint::Host),
        "world" => {
            Err(Complaint::new("`world` is more than one address", "say which, such as world/192.0.2.7"))
        }
        _ => port(text, names, propose).map(Endpoint::Port),
    }
}

fn port(name: &str, names: &Names<'_>, propose: bool) -> Result<String, Complaint> {
    let what = match names.kind(name) {
        Some(Kind::Port) => return Ok(name.to_owned()),
        Some(kind) => format!("{} is {}, not a port", quoted(name), kind.with_article()),
        None => format!("there is no port {}", quoted(name)),
    };
    let near = if propose { names.nearest_port(name, &WORDS) } else { None };
    let help = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => "an end is a port, PORT/ADDRESS, an address, `host` or `world/ADDRESS`".to_owned(),
    };
    Err(Complaint::new(what, help))
}
