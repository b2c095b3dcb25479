//! The same cases, sequences and random frames in the kernel, by `BPF_PROG_TEST_RUN` of the real programs on
//! real taps: the host's verdict is the kernel's. Needs root, and fails without.
#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "kernel/lab.rs"]
mod lab;
#[path = "kernel/live.rs"]
mod live;
#[path = "kernel/random.rs"]
mod random;
#[path = "kernel/reject.rs"]
mod reject;
#[path = "kernel/traces.rs"]
mod traces;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use netctl_common::abi::{Answer, BY_DEFAULT, Counter, FlowEntry, NO_RULE, event_flags};
use netctl_common::decide::{Facts, decide};
use netctl_common::verdict::{Action, Direction, REASONS, Reason, Verdict};
use netctl_tests::cases::{At, Expected, Sequence, Step, Subject, sequences, subjects};
use netctl_tests::sandbox::Sandbox;
use netctl_tests::switch::Switch;

use lab::{Lab, can_run, set_clock};
use live::agree;
use traces::Traces;

/// What the table expects, what the host finds, and what the kernel answers, where they differ.
fn differs(lab: &mut Lab, at: &At, frame: &[u8], expected: &Expected) -> Option<String> {
    let (audited, expected) = (lab.world.audited(expected), &lab.world.verdict(expected));
    let ifindex = lab.world.ifindex(at.port);
    let mut facts = Facts::default();
    lab.tables.writes = false;
    set_clock(&lab.tables);
    let frame = lab.world.arrived(at, frame);
    let host = decide(at.direction, ifindex, &frame, &lab.tables, &mut facts);
    let kernel = lab.twin.ask_arrived(at.direction, ifindex, &frame).unwrap();
    let same = host == *expected
        && kernel.verdict == *expected
        && [facts.audited, kernel.audited] == [audited; 2]
        && (kernel.redirect == facts.redirect || !host.allows())
        && kernel.generation == facts.generation
        && seen(&kernel.seen) == seen(&told(lab, ifindex, &facts));
    let words = |verdict: &Verdict| lab.world.describe(verdict);
    (!same).then(|| {
        let (expected, host) = (words(expected), words(&host));
        let told = told(lab, ifindex, &facts);
        format!(
            "{at:?}: expected {expected}; host {host}, to {}, {told:?}; kernel {kernel:?}",
            facts.redirect
        )
    })
}

/// What the host saw on the way to its verdict.
fn told(lab: &Lab, ifindex: u32, facts: &Facts) -> Answer {
    Answer::of(facts, ifindex, &lab.tables)
}

/// What both hosts have to see alike: all but when it was, and what flows have counted.
fn seen(answer: &Answer) -> Answer {
    let mut seen = Answer { now: 0, ..*answer };
    seen.flow = FlowEntry::open(Direction::FromGuest, 0, NO_RULE, 0);
    if answer.flow.generation != 0 {
        let FlowEntry { generation, rule, seen: bits, opener, action, audited, .. } = answer.flow;
        seen.flow = FlowEntry { generation, rule, seen: bits, opener, action, audited, ..seen.flow };
    }
    if answer.reason == Reason::VlanTag as u32 {
        // The kernel takes a second tag out, too.
        seen.ethertype = 0;
    }
    if answer.action != Action::Allow as u32 {
        (seen.redirect, seen.host_copy, seen.tag) = (0, 0, 0);
    }
    seen
}

/// The cases of a subject that come out otherwise; first asked, then live.
fn wrong(subject: &Subject) -> Vec<String> {
    Sandbox::run(|sandbox| {
        // Of the documents that want one; nobody speaks there.
        let switch = Switch::new(sandbox, "switch").unwrap();
        switch.nic("eth1").unwrap();
        let mut lab = Lab::new(&subject.document);
        let cases = || subject.cases.iter().filter(|case| can_run(&case.frame));
        let before = Traces::of(&mut lab);
        let mut wrong = Vec::new();
        for case in cases() {
            let found = differs(&mut lab, &case.at, &case.frame, &case.expected);
            wrong.extend(found.map(|found| format!("{}: {}: {found}", subject.name, case.name)));
        }
        let after = Traces::of(&mut lab);
        assert_eq!(before, after, "{}: asking left a trace", subject.name);
        for case in cases() {
            let found = agree(&mut lab, &case.at, &case.frame).err();
            wrong.extend(found.map(|found| format!("{}: {} live: {found}", subject.name, case.name)));
        }
        wrong
    })
}

fn wrong_step(sequence: &Sequence) -> Option<String> {
    Sandbox::run(|_| {
        let mut lab = Lab::new(&sequence.document);
        for (number, step) in (1..).zip(&sequence.steps) {
            let (at, frame, expected) = match step {
                Step::Frame { at, frame, expected } => (at, frame, expected),
                Step::Apply(text) => {
                    lab.apply(text);
                    continue;
                }
                Step::Kill => {
                    lab.kill_flows();
                    continue;
                }
                Step::Wait(seconds) => {
                    std::thread::sleep(Duration::from_secs(*seconds));
                    continue;
                }
            };
            let found = differs(&mut lab, at, frame, expected).or_else(|| agree(&mut lab, at, frame).err());
            if let Some(found) = found {
                return Some(format!("{}, step {number}: {found}", sequence.name));
            }
        }
        lab.compare_flows().err().map(|found| format!("{}: {found}", sequence.name))
    })
}

/// What `work` finds wrong with any of them. Most of the time goes into waiting for the kernel's readers, so there
/// are more threads than CPUs.
fn side_by_side<T: Sync>(items: &[T], work: impl Fn(&T) -> Vec<String> + Sync) -> Vec<String> {
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    wrong.lock().unwrap().extend(work(item));
                }
            });
        }
    });
    wrong.into_inner().unwrap()
}

#[test]
fn every_case_comes_out_in_the_kernel_as_it_is_meant_and_leaves_no_trace() {
    let wrong = side_by_side(&subjects(), wrong);
    assert!(wrong.is_empty(), "{} cases\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_sequence_comes_out_in_the_kernel_as_it_is_meant() {
    let mut sequences = sequences();
    // The kernel's clock cannot be moved.
    sequences.retain(|sequence| !sequence.waits() && sequence.frames().all(can_run));
    let wrong = side_by_side(&sequences, |sequence| wrong_step(sequence).into_iter().collect());
    assert!(wrong.is_empty(), "{} sequences\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn events_are_sent_for_what_is_denied_and_for_what_a_rule_logs() {
    let subject = subjects().into_iter().find(|subject| subject.name == "order").unwrap();
    Sandbox::run(|_| {
        let mut lab = Lab::new(&subject.document);
        let mut logged = 0;
        for case in &subject.cases {
            let expected = lab.world.verdict(&case.expected);
            let log = case.expected.rule == Some("anyone");
            logged += usize::from(log && expected.allows());
            agree(&mut lab, &case.at, &case.frame).unwrap();
            let events = lab.events();
            if expected.allows() && !log {
                assert_eq!(events, [], "{}", case.name);
                continue;
            }
            let [event] = events.as_slice() else { panic!("{}: {events:?}", case.name) };
            let found = (event.action, event.reason, event.rule, event.direction, event.generation);
            let Verdict { action, reason, rule } = expected;
            let want = (action as u8, reason as u8, rule, case.at.direction as u8, lab.generation);
            assert_eq!(found, want, "{}", case.name);
            assert_eq!(event.ifindex, lab.world.ifindex(case.at.port), "{}", case.name);
            assert_eq!(event.length as usize, case.frame.len(), "{}", case.name);
        }
        assert_eq!(logged, 2, "one for each family");
    });
}

#[test]
fn what_audit_mode_lets_be_is_told_once_a_flow_by_the_rule_that_would_decide() {
    let audited =
        |subject: &Subject| subject.name.starts_with("an audited") || subject.name == "audited rules";
    for subject in subjects().into_iter().filter(audited) {
        Sandbox::run(|_| {
            let mut lab = Lab::new(&subject.document);
            let mut told = 0;
            for case in &subject.cases {
                let (expected, audited) =
                    (lab.world.verdict(&case.expected), lab.world.audited(&case.expected));
                // The second is part of the flow that the first may have made.
                agree(&mut lab, &case.at, &case.frame).unwrap();
                let events = lab.events();
                if audited == NO_RULE {
                    assert!(
                        events.iter().all(|event| event.flags & event_flags::AUDIT == 0),
                        "{}",
                        case.name
                    );
                    continue;
                }
                told += 1;
                let [event] = events.as_slice() else { panic!("{}: {events:?}", case.name) };
                let rule = if audited == BY_DEFAULT { NO_RULE } else { audited };
                assert_eq!((event.rule, event.action), (rule, expected.action as u8), "{}", case.name);
                assert_ne!(event.flags & event_flags::AUDIT, 0, "{}", case.name);
                agree(&mut lab, &case.at, &case.frame).unwrap();
                let is_flow = expected.allows() && case.frame[0] & 1 == 0 && is_ip(&case.frame);
                assert_eq!(lab.events().len(), usize::from(!is_flow), "{} again", case.name);
            }
            assert!(told >= 4, "{}: {told}", subject.name);
        });
    }
}

fn is_ip(frame: &[u8]) -> bool {
    matches!(frame[12..14], [0x08, 0x00] | [0x86, 0xdd])
}

#[test]
fn before_the_first_policy_everything_is_denied() {
    Sandbox::run(|_| {
        let kernel = netctl::kernel::Kernel::open_or_load(lab::bpffs()).unwrap();
        let frame = [2; 60];
        for direction in Direction::ALL {
            let answered = kernel.twin().unwrap().ask(direction, 1, &frame).unwrap();
            assert_eq!(answered.verdict, Verdict::deny(Reason::NoPolicy));
            assert_eq!(kernel.live().unwrap().run(direction, 1, &frame).unwrap(), live::SHOT);
            let counted =
                live::rose(&vec![Counter::default(); 2 * REASONS], &kernel.stray_counters().unwrap());
            assert!(counted.contains(&(direction, Reason::NoPolicy)), "{counted:?}");
        }
    });
}
