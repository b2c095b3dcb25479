//! How long large policies take to compare.

use std::time::Duration;

use netctl::config::Config;
use netctl::policy::difference::{Limits, Side, difference};

use crate::scale::{self, Shape};

const RULES: u32 = 10_000;
const SHAPES: [Shape; 5] =
    [Shape::GroupToPrefix, Shape::AnyToPrefix, Shape::PrefixToGroup, Shape::PrefixToPrefix, Shape::Mixed];

/// How long it took, if it was too long, or if they were not compared.
fn late(what: &str, before: Config, after: Config) -> Option<String> {
    let limit = Duration::from_secs(if cfg!(debug_assertions) { 40 } else { 5 });
    let sides = [before, after].map(|config| Side::new(config, String::new()).unwrap());
    let start = scale::cpu_time();
    let found = difference(&sides[0], &sides[1], &Limits::default());
    let time = scale::cpu_time() - start;
    let told = found.map(|found| (found.flows.len(), found.omitted));
    println!("{what}: {time:.1?}, {told:?}");
    (time > limit || told.is_err()).then(|| format!("{what}: {time:.1?}, {told:?}"))
}

/// Two shapes of 10,000 rules each, and what they have in common is the ports.
#[test]
#[ignore = "a measurement; needs a quiet machine"]
fn large_policies_are_compared_in_time() {
    let pairs = SHAPES.iter().flat_map(|before| SHAPES.iter().map(move |after| (*before, *after)));
    let of_shapes = pairs.filter_map(|(before, after)| {
        let mut reversed = scale::config(after, RULES);
        reversed.policy.rules.reverse();
        late(&format!("{before:?} > {after:?}"), scale::config(before, RULES), reversed)
    });
    let late: Vec<String> = of_shapes.collect();
    assert!(late.is_empty(), "{late:?}");
}
