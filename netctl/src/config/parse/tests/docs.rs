//! docs/document.md: every document in it is tried, and every table that repeats the code is compared.

use crate::config::derive::{self, Named};
use crate::config::duration::print_seconds;
use crate::config::limits::*;
use crate::config::model::IcmpMatch;
use crate::config::parse::section::Field;
use crate::config::parse::{FIELDS, flows, guards, kind, network, parse, policy, policy_test, port, rule};
use crate::config::words::ICMP_NAMES;

pub(in crate::config) const TEXT: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/document.md"));

/// The blocks of a language, without their fences.
pub(in crate::config) fn blocks(language: &str) -> Vec<&'static str> {
    let start = format!("```{language}\n");
    let rest = |part: &'static str| part.split_once("```").map(|(block, _)| block);
    TEXT.split(start.as_str()).skip(1).filter_map(rest).collect()
}

#[test]
fn every_document_in_the_reference_is_accepted() {
    let blocks = blocks("toml");
    assert!(blocks.len() >= 6, "{} blocks", blocks.len());
    for block in blocks {
        if let Err(refused) = parse("document.md", block) {
            panic!("{block}\n{:#?}", refused.iter().collect::<Vec<_>>());
        }
    }
}

#[test]
fn the_bad_document_in_the_reference_is_refused_with_the_words_below_it() {
    let [bad] = blocks("toml,bad")[..] else { panic!("one bad document") };
    let mut out = Vec::new();
    parse("host.toml", bad).unwrap_err().render(&mut out, false).unwrap();
    let out = String::from_utf8(out).unwrap();
    assert_eq!(blocks("text"), [format!("{}\n", out.trim_end())], "\n{out}");
}

#[test]
fn every_key_is_in_the_reference() {
    let tables: &[&[Field]] = &[
        FIELDS,
        network::FIELDS,
        kind::POOL_FIELDS,
        port::FIELDS,
        guards::FIELDS,
        policy::FIELDS,
        rule::FIELDS,
        policy_test::FIELDS,
        flows::FIELDS,
        &flows::TIMEOUT_FIELDS,
    ];
    for field in tables.iter().copied().flatten() {
        let written = [
            format!("`{}`", field.name),
            format!("`[{}.NAME]`", field.name),
            format!("`[{}]`", field.name),
            format!("`[[{}]]`", field.name),
        ];
        assert!(written.iter().any(|written| TEXT.contains(written)), "{}", field.name);
    }
}

#[test]
fn every_icmp_name_is_in_the_reference_with_its_numbers() {
    let number = |what: Option<IcmpMatch>| match what {
        Some(IcmpMatch::Type(kind)) => kind.to_string(),
        Some(IcmpMatch::Code(kind, code)) => format!("{kind}/{code}"),
        _ => String::new(),
    };
    for name in ICMP_NAMES {
        let row = format!("| {} | {} | {} |\n", name.name, number(name.icmp), number(name.icmp6));
        assert!(TEXT.contains(&row), "no row {row}");
    }
}

#[test]
fn what_the_reference_derives_is_derived() {
    for (named, word, name) in [
        (Named::Port, "port", "web1"),
        (Named::Port, "port", "web-frontend-0001"),
        (Named::Network, "network", "lab"),
    ] {
        let (mac, interface) = (derive::mac(named, name), derive::interface(named, name));
        let row = format!("| {word} `{name}` | `{mac}` | `{interface}` |\n");
        assert!(TEXT.contains(&row), "no row {row}");
    }
}

#[test]
fn the_limits_in_the_reference_are_the_limits() {
    for (what, limit) in [
        ("bytes of the document", MAX_DOCUMENT_BYTES),
        ("networks", MAX_NETWORKS),
        ("ports", MAX_PORTS),
        ("rules", MAX_RULES),
        ("tests", MAX_TESTS),
        ("entries of a list", MAX_LIST),
        ("brackets within brackets", MAX_DEPTH as usize),
    ] {
        assert!(TEXT.contains(&format!("| {what} | {limit} |\n")), "no row: {what} {limit}");
    }
    for limit in [MAX_TABLES, MAX_TOKENS, MAX_DIAGNOSTICS] {
        assert!(TEXT.contains(&limit.to_string()), "{limit}");
    }
}

#[test]
fn every_timeout_is_in_the_reference_with_its_default() {
    for (name, seconds) in netctl_common::flow::DEFAULT_TIMEOUTS {
        let row = format!("| `{name}` | {} |", print_seconds(seconds));
        assert!(TEXT.contains(&row), "no row {row}");
    }
}
