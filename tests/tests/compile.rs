//! The compiler against the reference matcher: tables of cases, and random policies.

#![allow(clippy::unwrap_used, reason = "what does not unwrap fails the test")]

#[path = "compile/budgets.rs"]
mod budgets;
#[path = "compile/difference.rs"]
mod difference;
#[path = "compile/difference_scale.rs"]
mod difference_scale;
#[path = "compile/hostile.rs"]
mod hostile;
#[path = "compile/lab.rs"]
mod lab;
#[path = "compile/learned.rs"]
mod learned;
#[path = "compile/lints.rs"]
mod lints;
#[path = "compile/lookup.rs"]
mod lookup;
#[path = "compile/matrix.rs"]
mod matrix;
#[path = "compile/notes.rs"]
mod notes;
#[path = "compile/scale.rs"]
mod scale;
#[path = "compile/selectors.rs"]
mod selectors;
#[path = "compile/services.rs"]
mod services;
#[path = "compile/tables.rs"]
mod tables;

use std::collections::{BTreeMap, BTreeSet};

use lookup::Lookup;
use netctl::compile::reference::{Query, first_enforced, first_match};
use netctl::compile::{Budget, PortIds, compile, zone_numbers};
use netctl::config::Config;
use netctl_tests::policies::{self, Random};

const POLICIES: u64 = 1_100;
const QUERIES: usize = 100;

/// The queries that the compiled policy and the reference answer differently.
fn differences(config: &Config, queries: &[Query]) -> Vec<String> {
    let ids = PortIds::assign(&BTreeMap::new(), config).unwrap();
    let compiled = compile(config, &ids, &Budget::default()).unwrap();
    let zones = zone_numbers(config);
    let zone = |name: &str| zones.get(name).copied().unwrap_or_default();
    let lookup = Lookup::new(&compiled, &zone);
    // With audited rules and without.
    let compiled = |query: &Query| (lookup.first_match(query), lookup.first_enforced(query));
    let reference = |query: &Query| (first_match(config, query), first_enforced(config, query));
    let differs = |query: &&Query| compiled(query) != reference(query);
    let describe = |query: &Query| {
        format!("{query:?}: compiled {:?}, reference {:?}", compiled(query), reference(query))
    };
    queries.iter().filter(differs).map(describe).collect()
}

/// Takes away rules that the difference does not need.
fn shrink(mut config: Config, queries: &[Query]) -> Config {
    for index in (0..config.policy.rules.len()).rev() {
        let mut smaller = config.clone();
        smaller.policy.rules.remove(index);
        if !differences(&smaller, queries).is_empty() {
            config = smaller;
        }
    }
    config
}

#[test]
fn compiled_policies_answer_as_the_reference_does() {
    let base: u64 = std::env::var("NETCTL_SEED").map_or(1, |seed| seed.parse().unwrap());
    let (mut asked, mut decided, mut skipped) = (0, 0, 0);
    for seed in base..base + POLICIES {
        let mut random = Random::new(seed);
        let config = policies::config(&mut random);
        let queries: Vec<Query> = (0..QUERIES).map(|_| policies::query(&mut random, &config)).collect();
        let wrong = differences(&config, &queries);
        if !wrong.is_empty() {
            let config = shrink(config, &queries);
            let wrong = differences(&config, &queries);
            panic!("NETCTL_SEED={seed}: {} of {QUERIES} differ\n{}\n{config:#?}", wrong.len(), wrong[0]);
        }
        asked += queries.len();
        decided += queries.iter().filter(|query| first_match(&config, query).is_some()).count();
        let skips = |query: &&Query| first_match(&config, query) != first_enforced(&config, query);
        skipped += queries.iter().filter(skips).count();
    }
    assert!(asked >= 100_000);
    // Queries that no rule matches would prove little.
    assert!(decided * 3 > asked, "{decided} of {asked} queries met a rule");
    assert!(skipped * 30 > asked, "{skipped} of {asked} queries met an audited rule first");
}

#[test]
fn large_policies_answer_as_the_reference_does() {
    // More lists than one level of the compiler's sets holds.
    for rules in [1_100, 5_000] {
        let config = scale::config(scale::Shape::Mixed, rules);
        let mut random = Random::new(rules.into());
        let queries: Vec<Query> = (0..300).map(|_| policies::query(&mut random, &config)).collect();
        assert_eq!(differences(&config, &queries), [""; 0], "{rules} rules");
        let met: BTreeSet<_> = queries.iter().filter_map(|query| first_match(&config, query)).collect();
        assert!(met.len() > 50, "{} of {rules} rules were met", met.len());
    }
}
