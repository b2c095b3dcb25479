//! Documents that want to cost memory, time or the terminal.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::{findings, read};
use crate::config::Diagnostics;
use crate::config::diagnostic::Severity;
use crate::config::limits::*;
use crate::config::parse::{Lookups, Parsed, parse, parse_bytes};

/// The only thing that is said about a document that is refused.
#[track_caller]
fn refused(text: &str) -> String {
    let found = findings(text);
    assert_eq!(found.len(), 1, "{found:#?}");
    found[0].clone()
}

fn bytes(of: &[u8]) -> Result<Parsed, Diagnostics> {
    parse_bytes("host.toml", of, Lookups { users: &|_| None, user_groups: &|_| None, interfaces: &|_| None })
}

#[test]
fn a_document_beyond_the_size_limit_is_refused_unread() {
    let text = "#".repeat(MAX_DOCUMENT_BYTES + 1);
    let expected = "1:1 the document has 16777217 bytes, more than 16777216 | put addresses into sets, and services into lists of one rule";
    assert_eq!(refused(&text), expected);
    assert!(parse("host.toml", &text[1..]).is_ok());
    assert!(bytes(&[0xff; MAX_DOCUMENT_BYTES + 1]).is_err());
}

#[test]
fn bytes_that_are_not_text_are_refused_where_they_are() {
    let refused = bytes(b"# \xc3\xa9\n# caf\xe9 ").unwrap_err();
    let first = refused.iter().next().unwrap();
    assert_eq!((first.line, first.column, first.message.as_str()), (2, 6, "byte 0xe9 is not UTF-8"));
    assert!(bytes("# café".as_bytes()).is_ok());
}

#[test]
fn more_rules_than_the_limit_are_refused_at_the_first_beyond() {
    let rules = |n: usize| {
        format!("[policy]\nrules = [\n{}]\n", "{deny=\"any\",from=\"any\",to=\"any\"},\n".repeat(n))
    };
    let expected = "131075:1 the policy has 131073 rules, more than 131072 | put addresses into sets, and services into lists of one rule";
    assert_eq!(refused(&rules(MAX_RULES + 1)), expected);
    assert_eq!(read(&rules(MAX_RULES)).unwrap().config.policy.rules.len(), MAX_RULES);
}

#[test]
fn a_million_rules_are_refused_in_time() {
    let start = Instant::now();
    assert!(
        refused(&format!("[policy]\nrules = [\n{}]\n", "{},\n".repeat(1_000_000)))
            .contains("more than 163840 tables")
    );
    assert!(refused(&"[[policy.rules]]\n".repeat(900_000)).contains("more than 163840 tables"));
    assert!(
        start.elapsed() < Duration::from_secs(60),
        "{:?}; the limit is for builds without optimization",
        start.elapsed()
    );
}

#[test]
fn more_ports_networks_and_entries_than_the_limits_are_refused() {
    let mut ports = String::from("[networks.n]\nkind = \"bridge\"\n[ports]\n");
    (0..=MAX_PORTS).for_each(|n| writeln!(ports, "p{n} = {{ network = \"n\", addresses = [] }}").unwrap());
    assert_eq!(
        refused(&ports),
        "4100:1 the document has 4097 ports, more than 4096 | remove some; a host has no more"
    );
    let networks: String = (0..=MAX_NETWORKS).map(|n| format!("networks.n{n}.kind = \"bridge\"\n")).collect();
    assert_eq!(refused(&networks), "4097:10 the document has 4097 networks, more than 4096 | remove some");
    let set = format!("[sets]\nx = [{}]\n", "\"10.0.0.1\",".repeat(MAX_LIST + 1));
    assert_eq!(
        refused(&set),
        "2:5 `x` has 65537 entries, more than 65536 | join neighbouring prefixes, or split the list into several"
    );
    let ports = format!(
        "[[policy.rules]]\nallow=\"tcp\"\nfrom=\"any\"\nto=\"any\"\nsource-ports = [{}]\n",
        "1,".repeat(MAX_LIST + 1)
    );
    assert!(refused(&ports).contains("`source-ports` has 65537 entries"));
}

#[test]
fn a_hundred_thousand_brackets_are_one_mistake_after_the_other_not_a_stack_overflow() {
    for text in [
        "[".repeat(100_000),
        format!("x = {}", "[".repeat(100_000)),
        format!("x = {}", "{a=".repeat(100_000)),
    ] {
        let found = findings(&text);
        assert!(!found.is_empty() && found.len() <= MAX_DIAGNOSTICS, "{}", found.len());
    }
    assert!(findings(&format!("x = {}", "[".repeat(100_000)))[0].contains("more than 16 deep"));
}

#[test]
fn a_document_of_nothing_but_mistakes_is_counted_and_the_first_hundred_are_kept() {
    let mut text = String::from("[policy]\nrules = [\n");
    (0..20_000).for_each(|n| {
        writeln!(text, "{{ allow = \"tcp/x\", from = \"no{n}\", to = \"any\", x{n} = 1 }},").unwrap()
    });
    text += "]\n";
    let refused = read(&text).unwrap_err();
    assert_eq!((refused.count(Severity::Error), refused.iter().count()), (60_000, MAX_DIAGNOSTICS));
    assert_eq!(refused.to_string(), "host.toml: 60000 errors");
}

#[test]
fn names_that_are_almost_right_do_not_cost_a_search_each() {
    let mut text = String::from("[sets]\n");
    (0..1000).for_each(|n| writeln!(text, "some-long-name-of-a-set-{n:06} = []").unwrap());
    text += "[policy]\nrules = [\n";
    (0..20_000).for_each(|n| {
        writeln!(text, "{{ allow = \"any\", from = \"some-long-name-of-a-set-x{n:05}\", to = \"any\" }},")
            .unwrap()
    });
    text += "]\n";
    let start = Instant::now();
    assert_eq!(read(&text).unwrap_err().count(Severity::Error), 20_000);
    // 20 million comparisons would take minutes.
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
}

#[test]
fn nothing_that_a_document_says_reaches_the_terminal_as_it_is() {
    let escape = "\\u001b]0;owned\\u0007";
    let long = "x".repeat(1 << 20);
    let text = format!(
        "\"{escape}\" = 1\n[ports.\"{escape}\"]\nnetwork = \"{escape}\"\nmac = \"{long}\"\n[policy]\ndefault = \"\\u009b\\u202e\"\n"
    );
    let refused = read(&text).unwrap_err();
    let mut out = Vec::new();
    refused.render(&mut out, false).unwrap();
    let out = String::from_utf8(out).unwrap();
    assert!(out.chars().all(|c| c == '\n' || crate::config::escape::is_plain(c)), "{out:?}");
    assert!(out.len() < 10_000, "{} bytes", out.len());
    let json = serde_json::to_string(&refused).unwrap();
    assert!(json.chars().all(crate::config::escape::is_plain) && json.len() < 10_000);
}
