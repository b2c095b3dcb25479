//! Bad documents, as data: each file of `bad/` holds documents, each with its title above and with
//! everything that is said about it below.

use super::{findings, read};

/// Checks every document of a file.
#[track_caller]
fn check(cases: &str) {
    let mut seen = 0;
    for case in cases.split("=== ").filter(|case| !case.is_empty()) {
        let (title, rest) = case.split_once('\n').unwrap();
        let (text, expected) = rest.split_once("---\n").unwrap();
        assert!(read(text).is_err(), "{title}: accepted");
        let found = findings(text).join("\n");
        assert_eq!(found, expected.trim_end(), "{title}: found\n{found}\n");
        seen += 1;
    }
    assert!(seen > 0, "no documents");
}

#[test]
fn mistakes_of_syntax_are_found_all_at_once() {
    check(include_str!("bad/syntax.txt"));
}

#[test]
fn unknown_keys_and_values_of_the_wrong_kind_are_refused_with_what_to_write() {
    check(include_str!("bad/tables.txt"));
}

#[test]
fn networks_that_cannot_be_are_refused() {
    check(include_str!("bad/networks.txt"));
}

#[test]
fn ports_that_cannot_be_are_refused() {
    check(include_str!("bad/ports.txt"));
}

#[test]
fn names_groups_and_sets_that_cannot_be_are_refused() {
    check(include_str!("bad/names.txt"));
}

#[test]
fn rules_that_mean_nothing_are_refused() {
    check(include_str!("bad/policy.txt"));
}

#[test]
fn timeouts_that_cannot_be_are_refused() {
    check(include_str!("bad/flows.txt"));
}

#[test]
fn tests_that_ask_nothing_are_refused() {
    check(include_str!("bad/tests.txt"));
}

#[test]
fn limits_that_cannot_be_kept_are_refused() {
    check(include_str!("bad/limits.txt"));
}
