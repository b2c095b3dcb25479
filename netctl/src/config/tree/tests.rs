//! The tree against the toml crate: the same documents are refused, and the others mean the same.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::{Node, Table, Value, read};
use crate::config::limits::{MAX_DEPTH, MAX_KEY_PARTS, MAX_TABLES};

fn json_of_table(table: &Table<'_>) -> Json {
    let pairs = table.entries().iter().map(|entry| (entry.name.to_string(), json_of(&entry.node)));
    Json::Object(pairs.collect())
}

fn json_of(node: &Node<'_>) -> Json {
    match &node.value {
        Value::String(text) => json!(text),
        Value::Integer(number) => json!(number),
        Value::Boolean(value) => json!(value),
        Value::Array(items) | Value::Tables(items) => items.iter().map(json_of).collect(),
        Value::Table(table) => json_of_table(table),
        Value::Other(kind) => json!({ "other": kind }),
        Value::Invalid => panic!("an invalid value in a document that was accepted"),
    }
}

fn ours(text: &str) -> Option<Json> {
    let reading = read(text);
    reading.syntax.is_clean().then(|| json_of_table(&reading.root))
}

fn theirs(text: &str) -> Option<Json> {
    toml::from_str(text).ok()
}

#[track_caller]
fn same(text: &str) {
    assert_eq!(ours(text), theirs(text), "{text}");
}

/// Keys from so few words that they meet again and again.
fn key(parts: usize) -> impl Strategy<Value = String> {
    let part = prop_oneof![Just("a"), Just("b"), Just("c"), Just("\"a\""), Just("'b c'")];
    prop::collection::vec(part, 1..=parts).prop_map(|parts| parts.join("."))
}

fn value() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        Just("1".to_owned()),
        Just("-0x1f".to_owned()),
        Just("0x1f".to_owned()),
        Just("true".to_owned()),
        Just(r#""x\ty\u00e9""#.to_owned()),
        Just("'''\nx'''".to_owned()),
        Just("word".to_owned()),
        Just("\"\\q\"".to_owned()),
    ];
    scalar.prop_recursive(3, 12, 4, |inner| {
        let pair = (key(3), inner.clone()).prop_map(|(key, value)| format!("{key} = {value}"));
        prop_oneof![
            prop::collection::vec(inner, 0..3).prop_map(|items| format!("[{}]", items.join(", "))),
            prop::collection::vec(pair, 0..3).prop_map(|pairs| format!("{{ {} }}", pairs.join(", "))),
        ]
    })
}

fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => key(3).prop_map(|key| format!("[{key}]")),
        1 => key(3).prop_map(|key| format!("[[{key}]]")),
        // Two parts: with three, the toml crate adds to tables of an array, which TOML forbids.
        3 => (key(2), value()).prop_map(|(key, value)| format!("{key} = {value}")),
        1 => Just("# words".to_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn tables_that_meet_are_taken_or_refused_as_the_toml_crate_does(
        lines in prop::collection::vec(line(), 1..9)
    ) {
        let text = lines.join("\n");
        prop_assert_eq!(ours(&text), theirs(&text), "{}", text);
    }

    #[test]
    fn any_soup_of_signs_is_read_without_a_panic_and_as_the_toml_crate_does(
        signs in "[\\[\\]{}=,.#\"'\\\\\n \ta1_\r\u{7f}é-]{0,60}"
    ) {
        prop_assert_eq!(ours(&signs), theirs(&signs), "{}", signs);
    }
}

#[test]
fn the_cases_that_toml_is_known_for_are_the_same() {
    for text in [
        "[a.b.c]\n[a]\nx = 1",
        "[a]\n[a]",
        "[a.b]\n[a]\nb.c = 1",
        "[a.b.c]\n[a]\nb.c.d = 1",
        "[a.b.c]\nz = 9\n[a]\nb.x = 1",
        "a.b = 1\n[a]",
        "a.b = 1\n[a.c]",
        "[f]\na.color = 1\n[f.a.texture]\nx = 1",
        "[f]\na.color = 1\n[f.a]",
        "a = {}\n[a.b]",
        "a = {}\na.b = 1",
        "a = []\n[[a]]",
        "[[a]]\n[a.b]\n[[a]]\n[a.b]",
        "[[a]]\n[a]",
        "[a]\n[[a]]",
        "[[a.b]]\n[a]\nb.c = 1",
        "a = 1\na.b = 2",
        "a.b = 1\na.b.c = 2",
        "x = {a.b = 1, a.c = 2}",
        "x = {a = {}, a.c = 2}",
        "x = {a = 1,\n b = 2,\n}",
        "\u{feff}a = 1",
        "a = 1\r\nb = 2",
        "a = 9223372036854775807",
    ] {
        same(text);
    }
}

#[test]
fn a_float_a_date_and_a_huge_integer_are_told_apart() {
    assert_eq!(
        ours("a = 1.5\nb = 1979-05-27"),
        Some(json!({"a": {"other": "a float"}, "b": {"other": "a date"}}))
    );
    assert_eq!(ours("a = 9223372036854775808"), None);
}

#[test]
fn brackets_may_be_nested_to_the_limit_only() {
    let nested = |depth: usize| format!("a = {}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(ours(&nested(MAX_DEPTH as usize)).is_some());
    assert!(ours(&nested(MAX_DEPTH as usize + 1)).is_none());
    for text in [
        "[".repeat(100_000),
        format!("a = {}", "[".repeat(100_000)),
        format!("a = {}", "{a=".repeat(100_000)),
    ] {
        assert!(ours(&text).is_none());
    }
}

#[test]
fn a_key_may_have_parts_to_the_limit_only() {
    let key = |parts: usize| vec!["a"; parts].join(".");
    assert!(ours(&format!("{} = 1", key(MAX_KEY_PARTS))).is_some());
    for text in [format!("{} = 1", key(MAX_KEY_PARTS + 1)), format!("[{}]", key(100_000))] {
        assert!(read(&text).syntax.is_broken());
    }
}

#[test]
fn tables_are_counted_however_they_are_made() {
    let enough = MAX_TABLES + 1;
    let dotted: String = (0..=enough / 2).map(|n| format!("k{n}.a.b = 1\n")).collect();
    for text in [dotted, "[[a]]\n".repeat(enough), format!("a = [{}]", "{},".repeat(enough))] {
        assert!(read(&text).syntax.is_broken());
    }
    assert!(ours(&format!("a = [{}]", "{},".repeat(MAX_TABLES))).is_some());
}
