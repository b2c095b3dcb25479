//! The corpus through the live programs and their twins, by `BPF_PROG_TEST_RUN`.

use netctl_common::decide::{Facts, decide};
use netctl_tests::cases::{At, Came};
use netctl_tests::evasion::{OPEN, PORT, Step};
use netctl_tests::sandbox::Sandbox;
use netctl_tests::switch::Switch;

use super::kind::BRIDGE;
use super::lab::{Lab, can_run};
use super::live::agree;
use super::{cases_for, none_but_pending, rules};

/// Of a frame; net/bpf/test_run.c wants it in one page, with room before and behind it.
const MOST: usize = 3500;

#[test]
fn every_attack_comes_out_in_the_kernel_as_it_is_meant() {
    let wrong = Sandbox::run(|sandbox| {
        let switch = Switch::new(sandbox, "switch").unwrap();
        BRIDGE.wire(&switch);
        let mut lab = Lab::new(&BRIDGE.document(OPEN));
        let (mut run, mut too_odd, mut wrong) = (0, 0, Vec::new());
        for case in &cases_for(&BRIDGE) {
            for step in &case.steps {
                match step {
                    Step::Apply(policy) => lab.apply(&BRIDGE.document(rules(policy))),
                    // These are sent on real ports.
                    Step::Frame { bytes, .. } if !can_run(bytes) || bytes.len() > MOST => too_odd += 1,
                    Step::Frame { number, direction, bytes, expected } => {
                        run += 1;
                        let at = At::of(PORT, *direction).came(Came::Outside);
                        let found = judged(&mut lab, &at, bytes, *expected);
                        wrong.extend(
                            found.err().map(|found| (case.name.clone(), format!("frame {number}: {found}"))),
                        );
                    }
                }
            }
        }
        assert!(too_odd < 30, "{too_odd} frames that the kernel's test run does not take");
        println!("{run} frames in the kernel, {too_odd} only on ports");
        wrong
    });
    none_but_pending(wrong);
}

fn judged(
    lab: &mut Lab,
    at: &At,
    frame: &[u8],
    expected: netctl_tests::evasion::Verdict,
) -> Result<(), String> {
    let ifindex = lab.world.ifindex(at.port);
    let mut facts = Facts::default();
    lab.tables.writes = false;
    super::lab::set_clock(&lab.tables);
    let arrived = lab.world.arrived(at, frame);
    let host = decide(at.direction, ifindex, &arrived, &lab.tables, &mut facts);
    let kernel = lab.twin.ask_arrived(at.direction, ifindex, &arrived).unwrap();
    // Both move on, whatever they found.
    agree(lab, at, frame)?;
    if kernel.verdict != host || (host.allows() && kernel.redirect != facts.redirect) {
        return Err(format!(
            "{}, but on the host {}",
            lab.world.describe(&kernel.verdict),
            lab.world.describe(&host)
        ));
    }
    if (kernel.verdict.action, kernel.verdict.reason) == expected {
        return Ok(());
    }
    let found = lab.world.describe(&kernel.verdict);
    Err(format!("{found}, not {} {}", expected.0.name(), expected.1.name()))
}
