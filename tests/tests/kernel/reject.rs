//! The answers to rejected frames as the programs write them into the frame: byte by byte those of the host.

use netctl_common::decide::{Facts, decide};
use netctl_common::frame::Arrived;
use netctl_common::mark;
use netctl_common::reject::{Answer, BURST};
use netctl_common::verdict::{Action, Direction};
use netctl_tests::cases::{Subject, subjects};
use netctl_tests::frame::{Build, Carrier, eth, mac};
use netctl_tests::sandbox::Sandbox;
use netctl_tests::told;

use crate::lab::Lab;
use crate::live::{REDIRECT, SHOT};

fn subject() -> Subject {
    subjects().into_iter().find(|subject| subject.name == "reject").unwrap()
}

#[test]
fn a_rejected_frame_becomes_its_answer_and_carries_netctls_mark() {
    let subject = subject();
    Sandbox::run(|_| {
        let mut lab = Lab::new(&subject.document);
        let rejected = |case: &&netctl_tests::cases::Case| case.expected.action == Action::Reject;
        let mut answers = 0;
        for case in subject.cases.iter().filter(rejected) {
            let ifindex = lab.world.ifindex(case.at.port);
            let (mut facts, mut answer) = (Facts::default(), Answer::default());
            lab.tables.writes = false;
            let _ = decide(case.at.direction, ifindex, &case.frame[..], &lab.tables, &mut facts);
            assert!(answer.write(&case.frame[..], &facts.packet), "{}", case.name);
            let left = lab.live.run_arrived(case.at.direction, ifindex, &Arrived::new(&case.frame)).unwrap();
            assert_eq!((left.code, left.mark), (REDIRECT, mark::ANSWER), "{}", case.name);
            assert_eq!(left.bytes, answer.frame(), "{}", case.name);
            told::read(&left.bytes).unwrap();
            answers += 1;
        }
        assert!(answers >= 12, "{answers}");
    });
}

#[test]
fn an_answer_loses_its_mark_at_the_second_hook() {
    Sandbox::run(|_| {
        let lab = Lab::new(&subject().document);
        for (direction, ends) in [(Direction::ToGuest, [3, 1]), (Direction::FromGuest, [1, 0xfe])] {
            let frame = eth(mac(ends[0]), mac(ends[1])).ipv4("10.0.0.21", "10.0.0.11").tcp(80, 40001).frame();
            let marked = Arrived { mark: mark::ANSWER, ..Arrived::new(&frame) };
            let left = lab.live.run_arrived(direction, lab.world.ifindex("web1"), &marked).unwrap();
            assert_ne!(left.code, SHOT, "{direction:?}");
            assert_eq!((left.mark, left.bytes), (0, frame), "{direction:?}");
        }
    });
}

#[test]
fn a_flood_gets_as_many_answers_as_the_rate_allows_and_the_rest_is_counted() {
    Sandbox::run(|_| {
        let lab = Lab::new(&subject().document);
        let frame = eth(mac(1), mac(3)).ipv4("10.0.0.11", "10.0.0.21").tcp(40001, 80).frame();
        let (ifindex, frames) = (lab.world.ifindex("web1"), 4 * BURST);
        let started = std::time::Instant::now();
        let codes: Vec<i32> =
            (0..frames).map(|_| lab.live.run(Direction::FromGuest, ifindex, &frame).unwrap()).collect();
        let seconds = started.elapsed().as_secs() + 1;
        let answered = codes.iter().filter(|code| **code == REDIRECT).count() as u64;
        assert_eq!(codes.iter().filter(|code| **code == SHOT).count() as u64, frames - answered);
        // A bucket for each CPU that the test ran on.
        let cpus = std::thread::available_parallelism().unwrap().get() as u64;
        let most = cpus * (BURST + seconds * netctl_common::reject::RATE);
        assert!(
            (BURST..=most).contains(&answered) && answered < frames,
            "{answered} of {frames}, at most {most}"
        );
        let counted = lab.kernel.rejects(lab.world.ids["web1"]).unwrap();
        assert_eq!((counted.answered, counted.unanswered), (answered, frames - answered));
        let other = lab.kernel.rejects(lab.world.ids["db1"]).unwrap();
        assert_eq!((other.answered, other.unanswered), (0, 0), "another port has its own");
    });
}
