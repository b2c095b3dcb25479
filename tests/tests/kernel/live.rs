//! Lets frames pass the live programs, and reads from counters and return code what they decided.

use netctl::kernel::Kernel;
use netctl::kernel::running::Rejects;
use netctl_common::abi::{Counter, NO_RULE};
use netctl_common::decide::{Facts, decide};
use netctl_common::reject::Answer;
use netctl_common::verdict::{Action, Direction, REASONS, Reason, Verdict};
use netctl_tests::cases::{At, NO_PORT_INTERFACE};

use crate::lab::{Lab, set_clock};

/// `TC_ACT_SHOT`, `TC_ACT_UNSPEC`, `TC_ACT_REDIRECT` (include/uapi/linux/pkt_cls.h).
pub(crate) const SHOT: i32 = 2;
pub(crate) const UNSPEC: i32 = -1;
pub(crate) const REDIRECT: i32 = 7;

/// The counters that rose, each as often as it did.
pub(crate) fn rose(before: &[Counter], after: &[Counter]) -> Vec<(Direction, Reason)> {
    let mut rose = Vec::new();
    for (index, (before, after)) in before.iter().zip(after).enumerate() {
        let what = (Direction::ALL[index / REASONS], Reason::ALL[index % REASONS]);
        rose.extend((before.packets..after.packets).map(|_| what));
    }
    rose
}

/// The code that a verdict ends in.
pub(crate) fn code(verdict: &Verdict, redirect: u32, told: bool) -> i32 {
    match (verdict.allows(), redirect) {
        (true, 0) => UNSPEC,
        (true, _) => REDIRECT,
        (false, _) if told => REDIRECT,
        (false, _) => SHOT,
    }
}

/// Whether the sender of a frame was told what the host has decided. A frame that has an answer is counted, sent or not.
pub(crate) fn told(
    verdict: &Verdict,
    facts: &Facts,
    frame: &[u8],
    rejects: [Rejects; 2],
) -> Result<bool, String> {
    let rejected = verdict.action == Action::Reject;
    let could_be = rejected && Answer::default().write(frame, &facts.packet);
    let [before, after] = rejects;
    let risen = (after.answered - before.answered, after.unanswered - before.unanswered);
    match risen {
        (1, 0) if could_be => Ok(true),
        (0, 1) if could_be => Ok(false),
        (0, 0) if !could_be => Ok(false),
        _ => Err(format!("answered and unanswered rose by {risen:?}")),
    }
}

/// All counters of frames: those of every port, then those of no port.
fn frames(lab: &Lab) -> Vec<Vec<Counter>> {
    let ports = lab.world.ids.values().map(|id| lab.kernel.port_counters(*id).unwrap());
    ports.chain([lab.kernel.stray_counters().unwrap()]).collect()
}

fn rejects(lab: &Lab, at: &At) -> Rejects {
    lab.world.ids.get(at.port).map_or_else(Rejects::default, |id| lab.kernel.rejects(*id).unwrap())
}

fn rules(kernel: &Kernel) -> Vec<Counter> {
    let root = kernel.running().unwrap();
    kernel.rules(&root).unwrap().into_iter().map(|(_, counter)| counter).collect()
}

/// The frame passes on both hosts, with all traces: exactly one counter rises, by one frame and its bytes without a tag, it is the
/// host's, and so are the rule and the return code.
pub(crate) fn agree(lab: &mut Lab, at: &At, frame: &[u8]) -> Result<(), String> {
    let (before, rules_before) = (frames(lab), rules(&lab.kernel));
    let ifindex = lab.world.ifindex(at.port);
    let frame = lab.world.arrived(at, frame);
    let rejects_before = rejects(lab, at);
    let found = lab.live.run_arrived(at.direction, ifindex, &frame).map_err(|e| format!("{e:?}"))?;
    let (after, rules_after) = (frames(lab), rules(&lab.kernel));

    lab.tables.writes = true;
    set_clock(&lab.tables);
    let mut facts = Facts::default();
    let host = decide(at.direction, ifindex, &frame, &lab.tables, &mut facts);
    let told = told(&host, &facts, frame.bytes, [rejects_before, rejects(lab, at)])?;
    let want = code(&host, facts.redirect, told);
    let words = lab.world.describe(&host);
    let wrong = |what: String| Err(format!("{at:?}: {what}; the host finds {words} and {want}"));
    if found.code != want {
        return wrong(format!("the live program returned {}", found.code));
    }
    let counted: Vec<_> = before.iter().zip(&after).map(|(b, a)| rose(b, a)).collect();
    let owner = lab.world.ids.keys().position(|port| port == at.port).unwrap_or(lab.world.ids.len());
    assert!(owner < lab.world.ids.len() || at.port == NO_PORT_INTERFACE);
    let right = counted.iter().enumerate().all(|(port, rose)| match port == owner {
        true => rose[..] == [(at.direction, host.reason)],
        false => rose.is_empty(),
    });
    let bytes = |counters: &[Vec<Counter>]| counters.iter().flatten().map(|c| c.bytes).sum::<u64>();
    if !right || bytes(&after) - bytes(&before) != u64::from(facts.packet.length) {
        return wrong(format!("counters rose: {counted:?}"));
    }
    let risen: Vec<u32> = (0..)
        .zip(rules_before.iter().zip(&rules_after))
        .filter(|(_, (before, after))| before.packets + 1 == after.packets)
        .map(|(rule, _)| rule)
        .collect();
    // Frames of a flow are counted in its entry.
    let decided = host.rule != NO_RULE && host.reason != Reason::Flow;
    let mut ruled = if decided { vec![host.rule] } else { vec![] };
    // An audited rule counts what it would have decided.
    ruled.extend((facts.audited < lab.world.compiled.rules.len() as u32).then_some(facts.audited));
    ruled.sort_unstable();
    ruled.dedup();
    if risen == ruled { Ok(()) } else { wrong(format!("rules counted: {risen:?}")) }
}
