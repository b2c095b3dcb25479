//! The table of attacks in docs/security.md against the corpus and the tree.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use netctl_common::verdict::Reason;
use netctl_tests::evasion::{Step, cases};

const HEAD: &str = "| attack | what stops it | cases | also in |\n";

/// What the table says of an attack, and what the corpus does.
#[derive(Debug, Default, PartialEq, Eq)]
struct Row {
    /// Of its frames that are not allowed.
    reasons: BTreeSet<String>,
    cases: usize,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn text() -> String {
    std::fs::read_to_string(root().join("docs/security.md")).unwrap()
}

/// Words between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The cells of each row.
fn rows(text: &str) -> Vec<[&str; 4]> {
    let table = text.split_once(HEAD).expect("the table of attacks").1;
    let rows = table.lines().skip(1).take_while(|line| line.starts_with('|'));
    rows.map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        cells.try_into().unwrap_or_else(|cells| panic!("not four cells: {cells:?}"))
    })
    .collect()
}

/// The corpus by attack.
fn corpus() -> BTreeMap<String, Row> {
    let mut attacks = BTreeMap::<String, Row>::new();
    for case in cases().unwrap() {
        let row = attacks.entry(case.attack).or_default();
        row.cases += 1;
        row.reasons.extend(case.steps.iter().filter_map(|step| match step {
            Step::Frame { expected: (action, reason), .. } if action.name() != "allow" => {
                Some(reason.name().to_owned())
            }
            _ => None,
        }));
    }
    attacks
}

#[test]
fn the_table_of_attacks_is_the_corpus() {
    let (text, mut corpus) = (text(), corpus());
    let none = corpus.remove("none").unwrap().cases;
    let attacks: usize = corpus.values().map(|row| row.cases).sum();
    let sentence = format!("has {attacks} attacks and {none} cases that are none");
    assert!(text.contains(&sentence), "docs/security.md does not say: {sentence}");
    let row = |[attack, reasons, cases, _]: [&str; 4]| {
        let reasons = quoted(reasons).map(str::to_owned).collect();
        (attack.to_owned(), Row { reasons, cases: cases.parse().unwrap() })
    };
    let told: BTreeMap<_, _> = rows(&text).into_iter().map(row).collect();
    assert_eq!(told.len(), rows(&text).len(), "an attack has two rows");
    for (attack, row) in &corpus {
        assert_eq!(told.get(attack), Some(row), "the row of {attack:?}, and its cases");
    }
    let unknown: Vec<_> = told.keys().filter(|attack| !corpus.contains_key(*attack)).collect();
    assert!(unknown.is_empty(), "rows without a case: {unknown:?}");
}

/// A file that is named beside an attack is about a reason of its row. Rules have names there.
#[test]
fn the_tests_that_the_table_names_are_about_its_reasons() {
    let text = text();
    for [attack, reasons, _, files] in rows(&text) {
        let ruled = quoted(reasons).any(|reason| reason == Reason::Rule.name());
        let known = quoted(reasons).filter_map(Reason::from_name);
        let known: Vec<String> = known.map(|reason| format!("{reason:?}")).collect();
        for file in quoted(files) {
            let folder = if file.starts_with("cases/") { "tests/src" } else { "tests/tests" };
            let path = root().join(folder).join(format!("{file}.rs"));
            let source = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{attack}: {file}: {e}"));
            let mut words = source.split(|c: char| !c.is_alphanumeric());
            let about = ruled
                || known.is_empty()
                || words.any(|word| known.iter().any(|known| known.eq_ignore_ascii_case(word)));
            assert!(about, "{attack}: {file} has nothing about {reasons}");
        }
    }
}

#[test]
fn the_document_on_security_names_each_reason_and_only_tests_that_exist() {
    let text = text();
    for reason in Reason::ALL {
        assert!(text.contains(&format!("`{}`", reason.name())), "nothing about `{}`", reason.name());
    }
    let named = quoted(&text).filter(|word| word.starts_with("tests/"));
    let missing: Vec<_> = named.filter(|path| !root().join(path).exists()).collect();
    assert!(missing.is_empty(), "named, but not there: {missing:?}");
}
