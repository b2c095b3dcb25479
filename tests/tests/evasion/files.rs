//! The corpus as a whole.

use std::collections::BTreeSet;

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
