//! The corpus as a whole.

use std::collections::BTreeSet;
use std::path::Path;

use netctl_common::verdict::Reason;
use netctl_tests::evasion::{PENDING, Step, cases};

#[test]
fn the_corpus_is_large_and_has_as_many_names_as_cases() {
    let cases = cases().unwrap();
    let attacks = cases.iter().filter(|case| case.attack != "none").count();
    let names: BTreeSet<_> = cases.iter().map(|case| &case.name).collect();
    assert_eq!(names.len(), cases.len());
    assert!(attacks >= 300 && cases.len() - attacks >= 20, "{attacks} of {}", cases.len());
    let unknown: Vec<_> = PENDING.iter().filter(|name| !names.contains(&(**name).to_owned())).collect();
    assert!(unknown.is_empty(), "pending, but no cases: {unknown:?}");
}

/// An expectation that is always `deny` would show little.
#[test]
fn what_is_no_attack_passes_and_what_is_one_has_a_frame_that_does_not() {
    for case in cases().unwrap() {
        let mut frames = case.steps.iter().filter_map(|step| match step {
            Step::Frame { expected, .. } => Some(expected.0.name()),
            Step::Apply(_) => None,
        });
        let stopped = frames.any(|action| action != "allow");
        let accepted = ["wrong checksums", "protocols without ports"].contains(&case.attack.as_str());
        let denied_by_rule = case.name.starts_with("SSH, which a rule denies");
        let right = if case.attack == "none" { !stopped || denied_by_rule } else { stopped || accepted };
        assert!(right, "{}: {}", case.attack, case.name);
    }
}

#[test]
fn the_document_on_security_names_each_attack_each_reason_and_only_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = std::fs::read_to_string(root.join("docs/security.md")).unwrap();
    let attacks: BTreeSet<_> = cases().unwrap().into_iter().map(|case| case.attack).collect();
    for attack in attacks.iter().filter(|attack| *attack != "none") {
        assert!(text.contains(&format!("\n| {attack} | ")), "no row for the attack {attack:?}");
    }
    for reason in Reason::ALL {
        assert!(text.contains(&format!("`{}`", reason.name())), "nothing about `{}`", reason.name());
    }
    let named = text.split('`').skip(1).step_by(2).filter(|word| word.starts_with("tests/"));
    let missing: Vec<_> = named.filter(|path| !root.join(path).exists()).collect();
    assert!(missing.is_empty(), "named, but not there: {missing:?}");
}
