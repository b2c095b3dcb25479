//! Commands that meet: one after the other, and each knows whom it waits for.

use std::fs::File;
use std::time::Duration;

use netctl_tests::sandbox::Sandbox;

use super::traffic::RULE;
use super::world::{KINDS, World, write};
use super::{A_WHILE, SOON};

#[test]
fn who_waits_says_for_whom_and_who_does_not_wait_says_who_it_is() {
    Sandbox::run(|sandbox| {
        let world = World::new(sandbox, KINDS[0]);
        let path = write(&world.document("", &[RULE]));
        let held = File::open("/sys/fs/bpf").unwrap();
        held.lock().unwrap();
        let me = format!("pid {}", std::process::id());

        for line in [format!("apply {path}"), "down".to_owned(), "upgrade".to_owned()] {
            let refused = world.netctl(&format!("{line} --no-wait")).expect_code(2);
            assert!(refused.stderr.contains(&me) && refused.elapsed < Duration::from_secs(5), "{refused}");
        }
        let mut waiting = world.start(&format!("apply {path}"));
        let said = waiting.wait_for_line(SOON, |line| line.contains("waiting for another netctl"));
        assert!(said.is_some_and(|line| line.contains(&me)), "{:?}", waiting.said());
        assert_eq!(waiting.wait(A_WHILE), None);
        held.unlock().unwrap();
        assert!(waiting.wait(SOON).is_some_and(|status| status.success()), "{:?}", waiting.said());
        for line in ["port add web2 --network lab --no-wait", "port remove web2 --no-wait"] {
            world.netctl(line).expect_code(0);
        }
    });
}
