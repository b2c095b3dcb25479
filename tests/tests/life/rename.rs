//! Ports that keep their interfaces under another name, or exchange them.

use netctl_tests::sandbox::Sandbox;

use super::SOON;
use super::traffic::{RULE, during, open_flow};
use super::world::{KINDS, World};

#[test]
fn a_port_that_is_renamed_keeps_its_interface_and_its_programs() {
    for kind in KINDS {
        Sandbox::run(|sandbox| {
            let world = World::new(sandbox, kind);
            let document = world.document("", &[RULE]);
            world.apply(&document);
            let clean = world.traces();
            let (web1, db1) = (world.tap("web1"), world.tap("db1"));
            open_flow(&web1, &db1, SOON);
            let renamed = document
                .replace("[ports.web1]", "[ports.web9]\nifname = \"web1\"")
                .replace("[ports.db1]", "[ports.db9]\nifname = \"db1\"");
            let ((), counts) = during(&web1, &db1, || {
                for text in [&renamed, &document, &renamed] {
                    world.apply(text);
                    for interface in ["web1", "db1"] {
                        assert_eq!(world.programs(interface), [1, 1], "{interface}, {kind:?}");
                    }
                }
            });
            // What netctl did not count, something else has lost.
            let told = || world.netctl("stats").stdout;
            assert_eq!(counts.allowed.arrived, counts.allowed.sent, "{kind:?} {counts:?}\n{}", told());
            assert_eq!(counts.denied.arrived, 0, "{kind:?} {counts:?}\n{}", told());
            world.apply(&document);
            assert_eq!(world.traces(), clean, "{kind:?}");
        });
    }
}
