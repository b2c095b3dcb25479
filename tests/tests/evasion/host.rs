//! The corpus through `decide()` in user space.

use netctl_common::decide::{Facts, decide};
use netctl_tests::cases::{At, Came, World};
use netctl_tests::evasion::{OPEN, PORT, Step};

use super::kind::BRIDGE;
use super::{cases_for, none_but_pending, rules};

#[test]
fn every_attack_comes_out_on_the_host_as_it_is_meant() {
    let mut generation = 1;
    // Lives as long as the test: the tables of the next document take the flows of these.
    let leaked = |text: &str| -> &'static World { Box::leak(Box::new(World::new(text))) };
    let mut world = leaked(&BRIDGE.document(OPEN));
    let mut tables = world.tables(generation);
    let mut wrong = Vec::new();
    for case in &cases_for(&BRIDGE) {
        for step in &case.steps {
            let (number, direction, bytes, expected) = match step {
                Step::Frame { number, direction, bytes, expected } => (number, direction, bytes, expected),
                Step::Apply(policy) => {
                    generation += 1;
                    world = leaked(&BRIDGE.document(rules(policy)));
                    let next = world.tables(generation);
                    next.take_flows(&tables);
                    tables = next;
                    continue;
                }
            };
            let frame = world.arrived(&At::of(PORT, *direction).came(Came::Outside), bytes);
            let found = decide(*direction, world.ifindex(PORT), &frame, &tables, &mut Facts::default());
            if (found.action, found.reason) != *expected {
                let expected = format!("{} {}", expected.0.name(), expected.1.name());
                let found = format!("frame {number}: {}, not {expected}", world.describe(&found));
                wrong.push((case.name.clone(), found));
            }
        }
    }
    none_but_pending(wrong);
}
